"""Calendar features."""

import numpy as np
import pandas as pd
import pytest
from test_indicators_features import bars_of, random_walk

from wealtharena.core.errors import SettingsError
from wealtharena.indicators import CALENDAR, compute_features
from wealtharena.indicators.calendar import calendar_feature

DAYS = pd.date_range("2019-12-01", "2026-12-31", freq="D")


def test_keys_are_names_with_the_prefix() -> None:
    assert [item.name for item in CALENDAR.values()] == list(CALENDAR)
    assert all(name.startswith("calendar_") and item.description for name, item in CALENDAR.items())


@pytest.mark.parametrize("name", CALENDAR)
def test_a_value_depends_on_its_own_date_alone(name: str) -> None:
    whole = calendar_feature(name, DAYS)
    assert (np.abs(whole) <= 1.0).all()
    rows = np.random.default_rng(0).integers(0, len(DAYS), 200)
    np.testing.assert_array_equal(whole[rows], [calendar_feature(name, DAYS[[row]])[0] for row in rows])


def test_pairs_go_round_the_week_and_the_year() -> None:
    for unit, steps in (("weekday", DAYS.weekday / 7), ("month", (DAYS.month - 1) / 12)):
        angle = 2 * np.pi * steps.to_numpy()
        np.testing.assert_allclose(calendar_feature(f"calendar_{unit}_sin", DAYS), np.sin(angle), atol=1e-12)
        np.testing.assert_allclose(calendar_feature(f"calendar_{unit}_cos", DAYS), np.cos(angle), atol=1e-12)


def test_the_turn_of_the_month_is_its_last_weekday_and_the_first_three() -> None:
    turn = pd.Series(calendar_feature("calendar_turn_of_month", DAYS), index=DAYS)
    # May 2024 ended on a Friday; June began on a Saturday.
    assert turn["2024-05-29":"2024-06-07"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    weekdays = turn[turn.index.weekday < 5]
    assert (weekdays.groupby(weekdays.index.to_period("M")).sum() == 4.0).all()


def test_they_are_the_same_for_all_symbols_and_0_where_not_observed() -> None:
    bars = bars_of(A=random_walk(1), B=random_walk(2))
    names = ["rsi_14", *CALENDAR]
    features = compute_features(bars, None, names)

    assert list(features.columns[-len(names) :]) == names
    assert (features[list(CALENDAR)].dtypes == np.float32).all()
    late = features[features["observed"]]
    assert len(late) == 2 * (120 - 14)
    for name in CALENDAR:
        grid = late.pivot_table(index="session_date", columns="symbol", values=name)
        assert (grid["A"] == grid["B"]).all()
    assert (features.loc[~features["observed"], list(CALENDAR)] == 0.0).all(axis=None)
    alone = compute_features(bars, None, ["rsi_14"])
    pd.testing.assert_frame_equal(features.drop(columns=list(CALENDAR)), alone)


def test_an_unknown_name_lists_them_too() -> None:
    with pytest.raises(SettingsError, match=r"unknown indicator 'calendar_moon'; known: .*calendar_weekday_sin"):
        compute_features(bars_of(A=[1.0]), None, ["calendar_moon"])

"""Macro features: what could be known, and when."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.indicators import compute_features, compute_macro_features
from wealtharena.indicators.macro import MAX_SERIES

SESSIONS = pd.bdate_range("2020-01-01", periods=60).as_unit("us")
Release = tuple[int, float, int]


def macro_of(releases: list[Release], series: str = "DGS10") -> pd.DataFrame:
    """(reference day, value, days until release) as a macro table."""
    start = pd.Timestamp("2020-01-01")
    return pd.DataFrame(
        {
            "series": series,
            "reference_date": [start + pd.Timedelta(days=day) for day, _, _ in releases],
            "value": [value for _, value, _ in releases],
            "available_date": [start + pd.Timedelta(days=day + lag) for day, _, lag in releases],
        }
    )


def z_score(known: list[float]) -> float:
    return (known[-1] - np.mean(known)) / np.std(known, ddof=1)


def test_value_is_used_from_the_session_after_its_release() -> None:
    values = [float(i * i) for i in range(14)]
    # Released daily from 1 to 14 January 2020; the last one is Tuesday the 14th.
    features = compute_macro_features(macro_of([(i, values[i], 0) for i in range(14)]), SESSIONS)["macro_DGS10"]

    assert features["2020-01-14"] == np.float32(z_score(values[:13]))
    assert features["2020-01-15"] == np.float32(z_score(values))


def test_release_on_a_saturday_is_used_on_monday() -> None:
    values = [float(i * i) for i in range(18)]
    features = compute_macro_features(macro_of([(i, values[i], 0) for i in range(18)]), SESSIONS)["macro_DGS10"]
    assert features["2020-01-17"] == np.float32(z_score(values[:16]))
    assert features["2020-01-20"] == np.float32(z_score(values))


def test_fewer_than_twelve_observations_give_zero() -> None:
    features = compute_macro_features(macro_of([(i, float(i), 0) for i in range(12)]), SESSIONS)["macro_DGS10"]
    assert (features[:"2020-01-12"] == 0.0).all()
    assert features["2020-01-13"] != 0.0


def test_constant_series_is_zero() -> None:
    assert (compute_macro_features(macro_of([(i, 2.5, 0) for i in range(30)]), SESSIONS) == 0.0).all(axis=None)


@pytest.mark.parametrize("series", ["CPIAUCSL", "PAYEMS"])
def test_levels_that_only_grow_enter_by_their_changes(series: str) -> None:
    values = [100.0 * 1.01**i for i in range(20)] + [140.0]
    changes = list(np.diff(values) / values[:-1])
    features = compute_macro_features(macro_of([(i, values[i], 0) for i in range(21)], series), SESSIONS)
    assert features[f"macro_{series}"].iloc[-1] == np.float32(z_score(changes))


def test_revision_replaces_the_value_from_its_own_release_on() -> None:
    first = [(i, float(i * i), 0) for i in range(15)]
    revision = (14, 0.0, 6)
    features = compute_macro_features(macro_of([*first, revision]), SESSIONS)["macro_DGS10"]
    squares = [float(i * i) for i in range(14)]

    assert features["2020-01-21"] == np.float32(z_score([*squares, 196.0]))
    assert features["2020-01-22"] == np.float32(z_score([*squares, 0.0]))


def test_revision_of_an_old_date_is_not_taken_for_the_newest_value() -> None:
    first = [(i, float(i * i), 0) for i in range(15)]
    features = compute_macro_features(macro_of([*first, (3, 50.0, 17)]), SESSIONS)["macro_DGS10"]
    known = [float(i * i) for i in range(15)]
    known[3] = 50.0
    assert features.iloc[-1] == np.float32(z_score(known))


def test_missing_values_are_left_out() -> None:
    releases = [(i, float(i * i), 0) for i in range(15)]
    expected = compute_macro_features(macro_of(releases), SESSIONS)
    pd.testing.assert_frame_equal(compute_macro_features(macro_of([*releases, (15, np.nan, 0)]), SESSIONS), expected)


def test_at_most_a_dozen_series_by_name() -> None:
    macro = pd.concat([macro_of([(0, 1.0, 0)], f"S{i:02d}") for i in range(15)])
    assert list(compute_macro_features(macro, SESSIONS)) == [f"macro_S{i:02d}" for i in range(MAX_SERIES)]


@settings(max_examples=60)
@given(
    releases=st.lists(
        st.tuples(st.integers(-40, 50), st.floats(-1e3, 1e3), st.integers(0, 20)), min_size=1, max_size=60
    ),
    cut=st.integers(0, 59),
)
def test_later_releases_and_revisions_never_change_earlier_features(releases: list[Release], cut: int) -> None:
    macro = macro_of(releases)
    known = macro[macro["available_date"] < SESSIONS[cut]]
    whole = compute_macro_features(macro, SESSIONS)["macro_DGS10"].iloc[: cut + 1]

    if known.empty:
        assert (whole == 0.0).all()
    else:
        then = compute_macro_features(known, SESSIONS[: cut + 1])["macro_DGS10"]
        pd.testing.assert_series_equal(then, whole, check_exact=True, check_freq=False)


def test_macro_columns_are_the_same_for_all_symbols_on_a_date() -> None:
    walk = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 60)))
    frames = [
        pd.DataFrame({"symbol": symbol, "session_date": SESSIONS, "close": walk, "volume": 1.0, "adj_factor": 1.0})
        for symbol in ("A", "B")
    ]
    bars = pd.concat(frames, ignore_index=True)
    bars = bars.assign(open=bars["close"], high=bars["close"], low=bars["close"])
    macro = macro_of([(i, float(i % 7), 0) for i in range(40)])

    features = compute_features(bars, macro, ["rsi_14"])
    rows = features[features["observed"]].pivot_table(index="session_date", columns="symbol", values="macro_DGS10")

    assert features["macro_DGS10"].dtype == np.float32
    assert (rows["A"] == rows["B"]).all()
    assert rows["A"].nunique() > 5
    assert "macro_DGS10" not in compute_features(bars, macro, ["rsi_14"], include_macro=False)

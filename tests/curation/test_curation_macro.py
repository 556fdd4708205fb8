"""Macro observations: every value that was known, each from the day on which it could be known."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.errors import CurationError
from wealtharena.curation import CuratedMacro, curate_macro
from wealtharena.indicators import compute_macro_features

AS_OF = date(2020, 12, 31)
Rows = list[tuple[int, float, int | None, int]]
EPOCH = pd.Timestamp("2020-01-01")


def raw(
    series: str,
    days: list[str],
    values: list[float],
    available: list[str | None] | None = None,
    known_at: list[str] | None = None,
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "symbol": series,
            "reference_date": pd.to_datetime(days),
            "value": values,
            "available_date": pd.to_datetime(pd.Series(available or [None] * len(days), dtype=object)),
        }
    )
    frame = frame.astype({"reference_date": "datetime64[us]", "available_date": "datetime64[us]", "value": "float64"})
    if known_at:
        frame["known_at"] = pd.Series(pd.to_datetime(known_at, utc=True)).astype("datetime64[us, UTC]")
    return frame


def available(curated: CuratedMacro) -> list[str]:
    return curated.observations["available_date"].dt.strftime("%Y-%m-%d").tolist()


def told(curated: CuratedMacro) -> list[tuple[str, float, str]]:
    """(reference date, value, first day of use) of every observation."""
    rows = curated.observations
    days = rows["reference_date"].dt.strftime("%Y-%m-%d")
    return list(zip(days, rows["value"], available(curated), strict=True))


def test_a_monthly_figure_is_out_its_lag_after_the_date_that_it_carries() -> None:
    curated = curate_macro(raw("CPIAUCSL", ["2020-01-01", "2020-02-01"], [1.0, 2.0]), {"CPIAUCSL": 50}, AS_OF)
    assert available(curated) == ["2020-02-20", "2020-03-22"]
    assert curated.series == ("CPIAUCSL",)


def test_a_release_day_that_the_vendor_gives_stands() -> None:
    frame = raw("DGS10", ["2020-01-02", "2020-01-03"], [1.0, 2.0], ["2020-01-09", None])
    assert available(curate_macro(frame, {"DGS10": 1}, AS_OF)) == ["2020-01-09", "2020-01-04"]


@pytest.mark.parametrize(("frequency", "lag"), [("B", 3), ("W-SAT", 22), ("MS", 46), ("QS", 106)])
def test_an_unknown_series_waits_one_spacing_and_two_weeks_unless_daily(frequency: str, lag: int) -> None:
    days = pd.date_range("2018-01-01", periods=9, freq=frequency)
    curated = curate_macro(raw("X", [str(day) for day in days], [1.0] * 9), {}, AS_OF)
    waits = (curated.observations["available_date"] - curated.observations["reference_date"]).dt.days
    assert set(waits) == {lag}


def test_a_series_that_becomes_rarer_keeps_its_lag() -> None:
    weekly = [str(day) for day in pd.date_range("2018-01-06", periods=13, freq="W-SAT")]
    yearly = [str(day) for day in pd.date_range("2010-01-06", periods=40, freq="YS") if day > pd.Timestamp(weekly[-1])]
    before = curate_macro(raw("X", weekly, [1.0] * 13), {}, date(2060, 1, 1))
    after = curate_macro(raw("X", weekly + yearly, [1.0] * (13 + len(yearly))), {}, date(2060, 1, 1))
    assert available(after)[:13] == available(before)


def test_what_is_not_out_yet_is_not_there() -> None:
    months = ["2020-10-01", "2020-11-01", "2020-12-01"]
    curated = curate_macro(raw("UNRATE", months, [1.0, 2.0, 3.0]), {"UNRATE": 42}, date(2020, 12, 13))
    assert curated.observations["value"].tolist() == [1.0, 2.0]
    assert len(curated.quarantine) == 0


def test_every_vintage_is_usable_from_its_release_on() -> None:
    frame = raw(
        "PAYEMS",
        ["2020-01-01", "2020-01-01", "2020-01-01", "2020-02-01"],
        [151.9, 152.2, 152.5, 153.0],
        ["2020-03-06", "2020-02-07", "2021-02-05", "2020-03-06"],
    )
    assert told(curate_macro(frame, {"PAYEMS": 42}, AS_OF)) == [
        ("2020-01-01", 152.2, "2020-02-07"),
        ("2020-01-01", 151.9, "2020-03-06"),
        ("2020-02-01", 153.0, "2020-03-06"),
    ]


def test_a_revision_that_was_seen_later_counts_from_the_day_when_it_was_seen() -> None:
    frame = raw(
        "DTWEXBGS",
        ["2020-01-02"] * 3,
        [115.0, 115.4, 115.5],
        known_at=["2020-02-01 22:00", "2020-05-04 23:59", "2020-06-01 00:00"],
    )
    assert told(curate_macro(frame, {"DTWEXBGS": 8}, AS_OF)) == [
        ("2020-01-02", 115.0, "2020-01-10"),
        ("2020-01-02", 115.4, "2020-05-04"),
        ("2020-01-02", 115.5, "2020-06-01"),
    ]


def test_a_revision_that_was_seen_before_the_release_takes_the_place_of_the_first_value() -> None:
    frame = raw("X", ["2020-01-01"] * 2, [1.0, 2.0], known_at=["2020-01-20 22:00", "2020-01-25 22:00"])
    assert told(curate_macro(frame, {"X": 42}, AS_OF)) == [("2020-01-01", 2.0, "2020-02-12")]


def test_a_correction_of_an_old_vintage_does_not_return_after_a_newer_one() -> None:
    frame = raw(
        "GDP",
        ["2020-01-01"] * 3,
        [1.0, 1.5, 2.0],
        ["2020-02-01", "2020-02-01", "2020-03-01"],
        ["2020-02-02 12:00", "2020-04-01 12:00", "2020-03-02 12:00"],
    )
    assert told(curate_macro(frame, {}, AS_OF)) == [
        ("2020-01-01", 1.0, "2020-02-01"),
        ("2020-01-01", 2.0, "2020-03-01"),
    ]


def test_a_release_day_that_is_told_counts_for_more_than_one_by_lag() -> None:
    # Collected without vintages at first: today's value; then with them.
    frame = raw("GDP", ["2020-01-01"] * 3, [3.0, 1.0, 2.0], [None, "2020-02-01", "2020-05-01"])
    slow = curate_macro(frame, {"GDP": 90}, AS_OF)
    assert told(slow) == [("2020-01-01", 1.0, "2020-02-01"), ("2020-01-01", 2.0, "2020-05-01")]


def test_a_value_that_was_missing_at_first_counts_from_the_day_when_it_came() -> None:
    frame = raw("DGS10", ["2020-01-02"] * 2, [np.nan, 1.9], known_at=["2020-01-03 22:00", "2020-01-07 22:00"])
    curated = curate_macro(frame, {"DGS10": 1}, AS_OF)
    assert told(curated) == [("2020-01-02", 1.9, "2020-01-07")]
    assert curated.quarantine.empty


def test_a_blank_takes_no_value_back() -> None:
    frame = raw("DGS10", ["2020-01-02"] * 2, [1.9, np.nan], known_at=["2020-01-03 22:00", "2020-01-07 22:00"])
    curated = curate_macro(frame, {"DGS10": 1}, AS_OF)
    assert told(curated) == [("2020-01-02", 1.9, "2020-01-03")]
    assert curated.quarantine["rule"].tolist() == ["no_value"]


def test_blank_repeated_undated_and_impossible_rows_are_recorded() -> None:
    days = ["2020-01-02", "2020-01-03", "2020-01-03", "2020-01-06"]
    frame = raw("DGS10", days, [np.nan, 1.0, 2.0, 3.0], [None, None, None, "2020-01-01"])
    undated = frame.iloc[[1]].assign(reference_date=pd.NaT).astype({"reference_date": "datetime64[us]"})
    curated = curate_macro(pd.concat([frame, undated]), {}, AS_OF)
    assert curated.observations["value"].tolist() == [1.0]
    assert sorted(curated.quarantine["rule"]) == ["available_too_early", "duplicate", "no_date", "no_value"]
    assert set(curated.quarantine_rows("macro", curated.quarantine.iloc[:0])["asset_class"]) == {"macro"}


def test_no_series_gives_no_observations() -> None:
    empty = pd.DataFrame(columns=["symbol", "reference_date", "value", "available_date"])
    curated = curate_macro(empty, {}, AS_OF)
    assert (len(curated.observations), len(curated.quarantine), curated.series) == (0, 0, ())


@pytest.mark.parametrize("wrong", [{"value": "1"}, {"known_at": pd.Timestamp("2020-01-03")}])
def test_a_frame_of_another_shape_raises(wrong: dict[str, object]) -> None:
    with pytest.raises(CurationError, match="raw macro observations break their schema"):
        curate_macro(raw("DGS10", ["2020-01-02"], [1.0]).assign(**wrong), {}, AS_OF)


def stored(rows: Rows) -> pd.DataFrame:
    """(reference day, value, days until the told release or None, day known) as raw rows, one per release and moment.

    Every reference date has a first row that was there from the beginning, as in a history that is collected at once.
    """
    first: Rows = [(day, float(day * day % 17), None, 0) for day in range(0, 60, 4)]
    frame = pd.DataFrame([*first, *rows], columns=["day", "value", "wait", "known"])
    reference = EPOCH + pd.to_timedelta(frame["day"], unit="D")
    frame = pd.DataFrame(
        {
            "symbol": "X",
            "reference_date": reference,
            "value": frame["value"],
            "available_date": reference + pd.to_timedelta(frame["wait"].astype("float64"), unit="D"),
            "known_at": (EPOCH + pd.to_timedelta(frame["known"], unit="D") + pd.Timedelta(hours=22)).dt.tz_localize(
                "UTC"
            ),
        }
    ).astype(
        {"reference_date": "datetime64[us]", "available_date": "datetime64[us]", "known_at": "datetime64[us, UTC]"}
    )
    return frame.drop_duplicates(["reference_date", "available_date", "known_at"])


def usable_on(day: int) -> date:
    return (EPOCH + pd.Timedelta(days=day)).date()


# Days on a grid of four, so that revisions and vintages meet the same reference dates often.
raw_rows = st.lists(
    st.tuples(
        st.integers(0, 14).map(lambda step: 4 * step),
        st.sampled_from([1.0, 2.5, -3.0, float("nan")]),
        st.none() | st.integers(0, 30),
        st.integers(0, 80),
    ),
    max_size=25,
)


@settings(max_examples=20)
@given(rows=raw_rows, day=st.integers(5, 80))
def test_what_is_usable_on_a_day_does_not_change_by_what_came_later(rows: Rows, day: int) -> None:
    frame = stored(rows)
    limit = pd.Timestamp(usable_on(day))
    released_later = frame["available_date"] > limit
    # A version of a row that was known before. The first of a release that the vendor dates counts from that date on.
    is_version = frame.sort_values("known_at", kind="stable").duplicated(["reference_date", "available_date"])
    revised_later = is_version.reindex(frame.index) & (frame["known_at"].dt.tz_localize(None).dt.normalize() > limit)
    before = frame[~released_later & ~revised_later]

    everything = curate_macro(frame, {"X": 5}, date(2020, 12, 31)).observations
    whole = everything[everything["available_date"] <= limit].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, curate_macro(before, {"X": 5}, usable_on(day)).observations, check_exact=True)
    pd.testing.assert_frame_equal(whole, curate_macro(frame, {"X": 5}, usable_on(day)).observations, check_exact=True)

    sessions = pd.date_range(EPOCH, limit + pd.Timedelta(days=1), freq="D", unit="us")
    pd.testing.assert_frame_equal(
        compute_macro_features(everything, sessions), compute_macro_features(whole, sessions), check_exact=True
    )


@settings(max_examples=20)
@given(rows=raw_rows)
def test_of_each_reference_date_the_newest_release_that_is_out_stands(rows: Rows) -> None:
    frame = stored(rows)
    observations = curate_macro(frame, {"X": 5}, date(2020, 12, 31)).observations
    assert not observations.duplicated(["series", "reference_date", "available_date"]).any()
    vintages = frame[np.isfinite(frame["value"]) & frame["available_date"].notna()]
    for reference, releases in vintages.groupby("reference_date"):
        final = observations[observations["reference_date"] == reference].iloc[-1]
        newest = releases[releases["available_date"] == releases["available_date"].max()]
        assert final["value"] == newest.sort_values("known_at")["value"].iloc[-1]

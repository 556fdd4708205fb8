"""Macro observations: when each may be used, and what is withheld."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.errors import CurationError
from wealtharena.curation import CuratedMacro, curate_macro

AS_OF = date(2020, 12, 31)


def raw(series: str, days: list[str], values: list[float], available: list[str | None] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "symbol": series,
            "reference_date": pd.to_datetime(days),
            "value": values,
            "available_date": pd.to_datetime(pd.Series(available or [None] * len(days), dtype=object)),
        }
    )
    return frame.astype({"reference_date": "datetime64[us]", "available_date": "datetime64[us]", "value": "float64"})


def available(curated: CuratedMacro) -> list[str]:
    return curated.observations["available_date"].dt.strftime("%Y-%m-%d").tolist()


def test_a_monthly_figure_is_out_weeks_after_the_date_that_it_carries() -> None:
    curated = curate_macro(raw("CPIAUCSL", ["2020-01-01", "2020-02-01"], [1.0, 2.0]), {}, AS_OF)
    assert available(curated) == ["2020-02-20", "2020-03-22"]
    assert curated.series == ("CPIAUCSL",)


def test_the_settings_lag_replaces_the_built_in_one() -> None:
    assert available(curate_macro(raw("CPIAUCSL", ["2020-01-01"], [1.0]), {"CPIAUCSL": 60}, AS_OF)) == ["2020-03-01"]


def test_a_date_that_the_vendor_gives_stands() -> None:
    curated = curate_macro(raw("DGS10", ["2020-01-02", "2020-01-03"], [1.0, 2.0], ["2020-01-09", None]), {}, AS_OF)
    assert available(curated) == ["2020-01-09", "2020-01-04"]


@pytest.mark.parametrize(("frequency", "lag"), [("B", 3), ("W-SAT", 22), ("MS", 46), ("QS", 106)])
def test_an_unknown_series_waits_one_spacing_and_two_weeks_unless_daily(frequency: str, lag: int) -> None:
    days = pd.date_range("2018-01-01", periods=9, freq=frequency)
    curated = curate_macro(raw("X", [str(day) for day in days], [1.0] * 9), {}, AS_OF)
    waits = (curated.observations["available_date"] - curated.observations["reference_date"]).dt.days
    assert set(waits) == {lag}


def test_what_is_not_out_yet_is_not_there() -> None:
    curated = curate_macro(
        raw("UNRATE", ["2020-10-01", "2020-11-01", "2020-12-01"], [1.0, 2.0, 3.0]), {}, date(2020, 12, 13)
    )
    assert curated.observations["value"].tolist() == [1.0, 2.0]
    assert len(curated.quarantine) == 0


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


def test_a_frame_of_another_shape_raises() -> None:
    with pytest.raises(CurationError, match="raw macro observations break their schema"):
        curate_macro(raw("DGS10", ["2020-01-02"], [1.0]).assign(value="1"), {}, AS_OF)

"""Raw macro observations to core ones: each with the first day on which it may be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from wealtharena.curation.quarantine import Quarantine, merge_quarantine
from wealtharena.curation.schemas import require_raw_macro

OBSERVATION_COLUMNS = ("series", "reference_date", "value", "available_date")

# Days from the date that a source prints (for monthly series the first of the month) to the day when the figure is out
# at the latest in an ordinary month.
PUBLICATION_LAG_DAYS: dict[str, int] = {
    "CPIAUCSL": 50,  # middle of the next month
    "DCOILWTICO": 8,  # daily, published weekly
    "DGS10": 1,
    "DGS2": 1,
    "DTWEXBGS": 8,  # daily, published weekly
    "FEDFUNDS": 36,  # monthly mean, out on the first days of the next month
    "ICSA": 6,  # week that ends on Saturday, out on Thursday
    "T10Y2Y": 1,
    "UMCSENT": 35,  # final figure at the end of the month
    "UNRATE": 42,  # first Friday of the next month, later at times
    "VIXCLS": 1,
}


@dataclass(frozen=True)
class CuratedMacro:
    """Core observations and what was withheld.

    Attributes:
        observations: ``OBSERVATION_COLUMNS`` by series and date; values are finite.
        quarantine: ``QUARANTINE_COLUMNS`` with the series as ``symbol``.
    """

    observations: pd.DataFrame
    quarantine: pd.DataFrame

    @property
    def series(self) -> tuple[str, ...]:
        """Series that have observations, sorted."""
        return tuple(sorted(str(name) for name in self.observations["series"].unique()))

    def quarantine_rows(self, group: str, unparsed: pd.DataFrame) -> pd.DataFrame:
        """The quarantine together with the cells that the vendor could not read, with ``asset_class`` = ``group``."""
        return merge_quarantine(self.quarantine, unparsed, group)


def curate_macro(raw: pd.DataFrame, lag_days: Mapping[str, int], as_of: date) -> CuratedMacro:
    """Core observations that can be known on ``as_of``.

    A date of availability that the vendor gives stands. Otherwise it is the reference date plus a lag: that of
    ``lag_days``, else of ``PUBLICATION_LAG_DAYS``, else one typical spacing of the series plus 15 days for weekly and
    slower series, and 3 days for daily ones. Values are as revised today; only the delay is made good.

    Args:
        raw: ``symbol`` (the series), ``reference_date``, ``value``, ``available_date``.

    Raises:
        CurationError: the frame breaks the schema.
    """
    if raw.empty:
        empty = {name: pd.Series(dtype="datetime64[us]") for name in ("reference_date", "available_date")}
        raw = pd.DataFrame({"symbol": pd.Series(dtype="str"), "value": pd.Series(dtype="float64"), **empty})
    require_raw_macro(raw)
    quarantine = Quarantine("reference_date")
    rows = raw[["symbol", "reference_date", "value", "available_date"]].reset_index(drop=True)
    undated = rows["reference_date"].isna()
    quarantine.add(rows[undated], "no_date", "reference_date", "the row has no date; row withheld")
    rows = rows[~undated & (rows["reference_date"] <= pd.Timestamp(as_of))]
    rows = rows.sort_values(["symbol", "reference_date"], kind="stable", ignore_index=True)
    blank = ~np.isfinite(rows["value"])
    quarantine.add(rows[blank], "no_value", "value", "the source has no value for this date; row withheld")
    rows = rows[~blank]
    repeated = rows.duplicated(["symbol", "reference_date"])
    quarantine.add(rows[repeated], "duplicate", "value", "the first row of this date stands; row withheld")
    rows = rows[~repeated].reset_index(drop=True)
    early = rows["available_date"] < rows["reference_date"]
    quarantine.add(
        rows[early], "available_too_early", "available_date", "a value is not out before its date; row withheld"
    )
    rows = rows[~early]
    lags = {str(series): _lag(str(series), days, lag_days) for series, days in rows.groupby("symbol")["reference_date"]}
    delay = pd.to_timedelta(rows["symbol"].map(lags).astype("float64"), unit="D").astype("timedelta64[us]")
    rows = rows.assign(available_date=rows["available_date"].fillna(rows["reference_date"] + delay))
    known = rows[rows["available_date"] <= pd.Timestamp(as_of)]
    observations = known.rename(columns={"symbol": "series"})[list(OBSERVATION_COLUMNS)].reset_index(drop=True)
    return CuratedMacro(observations, quarantine.frame())


def _lag(series: str, days: "pd.Series[pd.Timestamp]", lag_days: Mapping[str, int]) -> int:
    if series in lag_days:
        return lag_days[series]
    if series in PUBLICATION_LAG_DAYS:
        return PUBLICATION_LAG_DAYS[series]
    spacing = days.diff().dt.days.median()
    if np.isnan(spacing):
        return 90
    return 3 if spacing <= 4 else int(spacing) + 15

"""Raw macro observations to core ones: each value that was ever known, with the first day on which it may be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.curation.quarantine import Quarantine, merge_quarantine
from wealtharena.curation.schemas import require_core_macro, require_raw_macro

OBSERVATION_COLUMNS = ("series", "reference_date", "value", "available_date")

_RAW_TYPES = {
    "symbol": "str",
    "reference_date": "datetime64[us]",
    "value": "float64",
    "available_date": "datetime64[us]",
    "known_at": "datetime64[us, UTC]",
}
_VINTAGE = ["symbol", "reference_date", "available_date"]
# Reference dates from which the spacing of a series is read: the first ones, so that later ones change nothing.
_SPACING_DATES = 13
_LAG_OF_ONE_DATE = 90


@dataclass(frozen=True)
class CuratedMacro:
    """Core observations and what was withheld.

    Attributes:
        observations: ``OBSERVATION_COLUMNS``, sorted by all but the value and unique in them; values are finite. From
            ``available_date`` on the value is the newest one of its reference date.
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
    """Every value that could be known on ``as_of``, with the day from which on it could.

    A release day that the vendor tells stands; a reference date may have several, one per vintage. Where the vendor
    tells none, the value is out at the reference date plus a lag: that of ``lag_days``, else one typical spacing of the
    series plus 15 days for weekly and slower series, and 3 days for daily ones. Such a value is as revised on the day
    when it was collected: only the delay is made good.

    Of several versions of one row the first became known as said; a later one, which is a revision, on the day (UTC)
    of its ``known_at`` if that is later. Once a newer release is out, what an older one says is not learnt any more,
    and a release day that the vendor tells counts for more than one by lag. A blank takes no value back.

    Args:
        raw: ``symbol`` (the series), ``reference_date``, ``value``, ``available_date`` (NaT: not told), and optionally
            ``known_at`` (with time zone); without it a second row of one release is a duplicate.

    Raises:
        CurationError: the frame breaks the schema.
    """
    quarantine = Quarantine("reference_date")
    rows = _readable(raw, quarantine, as_of)
    is_first = ~rows.duplicated(_VINTAGE)
    out = rows["available_date"].fillna(rows["reference_date"] + _lags(rows, lag_days))
    rows = rows.assign(usable=out.where(is_first, np.maximum(out, _day_known(rows))))
    blank = ~np.isfinite(rows["value"])
    quarantine.add(
        rows[blank & ~rows.duplicated(_VINTAGE, keep="last")],
        "no_value",
        "value",
        "the source has no value for this date; row withheld",
    )
    rows = _newest_of_each_day(rows[~blank])
    known = rows[rows["usable"] <= pd.Timestamp(as_of)]
    known = known.assign(available_date=known["usable"]).rename(columns={"symbol": "series"})
    observations = known[list(OBSERVATION_COLUMNS)].reset_index(drop=True)
    require_core_macro(observations)
    return CuratedMacro(observations, quarantine.frame())


def _readable(raw: pd.DataFrame, quarantine: Quarantine, as_of: date) -> pd.DataFrame:
    """Rows up to ``as_of`` with plausible dates, the versions of each vintage in the order in which they came."""
    if raw.empty:
        raw = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _RAW_TYPES.items()})
    require_raw_macro(raw)
    rows = raw.reindex(columns=list(_RAW_TYPES)).astype(_RAW_TYPES).reset_index(drop=True)
    undated = rows["reference_date"].isna()
    quarantine.add(rows[undated], "no_date", "reference_date", "the row has no date; row withheld")
    rows = rows[~undated & (rows["reference_date"] <= pd.Timestamp(as_of))]
    early = rows["available_date"] < rows["reference_date"]
    quarantine.add(
        rows[early], "available_too_early", "available_date", "a value is not out before its date; row withheld"
    )
    rows = rows[~early].sort_values([*_VINTAGE, "known_at"], kind="stable")
    repeated = rows.duplicated([*_VINTAGE, "known_at"])
    quarantine.add(rows[repeated], "duplicate", "value", "the first row of this date stands; row withheld")
    return rows[~repeated].reset_index(drop=True)


def _lags(rows: pd.DataFrame, lag_days: Mapping[str, int]) -> NDArray[np.timedelta64]:
    """Days from each row's reference date to its publication, where the vendor does not tell."""
    days = {
        str(series): lag_days[str(series)] if series in lag_days else _lag_by_spacing(dates)
        for series, dates in rows.groupby("symbol")["reference_date"]
    }
    lags: NDArray[np.timedelta64] = rows["symbol"].map(days).to_numpy(np.int64).astype("timedelta64[D]")
    return lags


def _lag_by_spacing(dates: "pd.Series[pd.Timestamp]") -> int:
    spacing = dates.drop_duplicates().iloc[:_SPACING_DATES].diff().dt.days.median()
    if np.isnan(spacing):
        return _LAG_OF_ONE_DATE
    return 3 if spacing <= 4 else int(spacing) + 15


def _day_known(rows: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    days: pd.Series[pd.Timestamp] = rows["known_at"].dt.tz_localize(None).dt.normalize()
    return days


def _newest_of_each_day(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that are the newest word on their reference date when they become usable, one per such day."""
    reference = ["symbol", "reference_date"]
    # Vintages lie on or after their reference date, so those without a release day come before all of them.
    release = rows["available_date"].fillna(rows["reference_date"] - pd.Timedelta(days=1))
    rows = rows.assign(release=release).sort_values([*reference, "usable", "release", "known_at"], kind="stable")
    newest = rows.groupby(reference)["release"].cummax()
    rows = rows[rows["release"] == newest]
    return rows[~rows.duplicated([*reference, "usable"], keep="last")]

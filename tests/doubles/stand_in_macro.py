"""Macro series of the stand-in's world: what was published, and on which day."""

import zlib
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

Frequency = Literal["daily", "weekly", "monthly", "quarterly"]


@dataclass(frozen=True)
class MacroSpec:
    """How a series is made.

    Attributes:
        series: FRED's name.
        frequency: how often there is a value; FRED dates it on the first day of its period (weeks: the Saturday).
        lag_days: days from the end of the period to the first release, which is moved to a working day.
        revisions: how often a value is published anew, each time with the release of the next period.
        level, step: first value and standard deviation from one to the next.
        decimals: digits after the point.
    """

    series: str
    frequency: Frequency
    lag_days: int
    revisions: int = 0
    level: float = 100.0
    step: float = 0.5
    decimals: int = 2


DEFAULT_SERIES = (
    MacroSpec("DGS10", "daily", 1, 0, 3.0, 0.05),
    MacroSpec("DGS2", "daily", 1, 0, 2.5, 0.05),
    MacroSpec("DFF", "daily", 1, 0, 2.0, 0.01),
    MacroSpec("T10Y2Y", "daily", 1, 0, 0.5, 0.03),
    MacroSpec("VIXCLS", "daily", 1, 0, 18.0, 0.6),
    MacroSpec("DTWEXBGS", "daily", 4, 0, 115.0, 0.3, 4),
    MacroSpec("BAMLH0A0HYM2", "daily", 1, 0, 4.0, 0.04),
    MacroSpec("DCOILWTICO", "daily", 4, 0, 72.0, 1.0),
    MacroSpec("ICSA", "weekly", 5, 1, 230_000.0, 6_000.0, 0),
    MacroSpec("CPIAUCSL", "monthly", 13, 1, 255.0, 0.7, 3),
    MacroSpec("UNRATE", "monthly", 6, 0, 4.5, 0.1, 1),
    MacroSpec("PAYEMS", "monthly", 6, 2, 150_000.0, 180.0, 0),
    MacroSpec("FEDFUNDS", "monthly", 1, 0, 2.0, 0.1),
    MacroSpec("UMCSENT", "monthly", 0, 0, 75.0, 2.0, 1),
    MacroSpec("INDPRO", "monthly", 16, 3, 102.0, 0.5, 4),
    MacroSpec("GDP", "quarterly", 28, 2, 21_000.0, 150.0, 3),
)
RATE_SERIES = (
    MacroSpec("ECBDFR", "daily", 1, 0, 1.5, 0.01),
    MacroSpec("IR3TIB01AUM156N", "monthly", 14, 0, 3.5, 0.1),
    MacroSpec("IR3TIB01CAM156N", "monthly", 14, 0, 2.5, 0.1),
    MacroSpec("IR3TIB01CHM156N", "monthly", 14, 0, 0.8, 0.1),
    MacroSpec("IR3TIB01GBM156N", "monthly", 14, 0, 3.0, 0.1),
    MacroSpec("IR3TIB01JPM156N", "monthly", 14, 0, 0.5, 0.05),
    MacroSpec("IR3TIB01NZM156N", "monthly", 14, 0, 4.0, 0.1),
)
"""Interest rates of currencies, as the default universe names them; they make nights of the live demo only."""
_PERIODS = {"daily": "B", "monthly": "MS", "quarterly": "QS", "weekly": "W-SAT"}


def first_releases(spec: MacroSpec, seed: int, start: date, end: date) -> pd.DataFrame:
    """Everything published of a series from ``start`` on, up to ``end``.

    Returns:
        ``reference_date``, ``value`` (NaN on holidays, on which FRED publishes a blank), ``released``; a reference
        date appears once per release.
    """
    days = _reference_dates(spec.frequency, start, end)
    rng = np.random.default_rng([seed, zlib.crc32(spec.series.encode())])
    draws = rng.standard_normal((len(days), 2 + spec.revisions))
    final = np.maximum(spec.level + np.cumsum(spec.step * draws[:, 0]), spec.step)
    released = _release_days(spec, days)
    tables = []
    for revision in range(spec.revisions + 1):
        remaining = (spec.revisions - revision) / max(spec.revisions, 1)
        value = np.round(final + 0.4 * spec.step * remaining * draws[:, 1 + revision], spec.decimals)
        moved = _later(released, revision)
        tables.append(pd.DataFrame({"reference_date": days, "value": value, "released": moved}))
    table = pd.concat(tables)
    if spec.frequency == "daily":
        holidays = USFederalHolidayCalendar().holidays(pd.Timestamp(start), pd.Timestamp(end))
        table.loc[table["reference_date"].isin(holidays), "value"] = np.nan
    table = table[table["released"] <= pd.Timestamp(end)].sort_values(["reference_date", "released"])
    again = table["reference_date"].eq(table["reference_date"].shift()) & table["value"].eq(table["value"].shift())
    return table[~again].reset_index(drop=True)  # an unchanged value is no new vintage


def _reference_dates(frequency: Frequency, start: date, end: date) -> pd.DatetimeIndex:
    return pd.date_range(start, end, freq=_PERIODS[frequency]).as_unit("us")


def _release_days(spec: MacroSpec, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    ends = days
    if spec.frequency in {"monthly", "quarterly"}:
        ends = days + pd.DateOffset(months=1 if spec.frequency == "monthly" else 3)
    due = (ends + pd.Timedelta(days=spec.lag_days)).to_numpy().astype("datetime64[D]")
    return pd.DatetimeIndex(np.busday_offset(due, 0, roll="forward")).as_unit("us")


def _later(released: pd.DatetimeIndex, periods: int) -> np.ndarray:
    """Release days of the values that are this many periods newer; the newest are not revised yet."""
    moved = np.full(len(released), np.datetime64("NaT", "us"))
    kept = max(len(released) - periods, 0)
    moved[:kept] = released.to_numpy()[periods:]
    return moved

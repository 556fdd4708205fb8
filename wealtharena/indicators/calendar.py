"""Calendar features: what the date of a session tells, known long before."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.panel import DateArray, FloatArray

_DAYS_PER_WEEK = 7
_MONTHS_PER_YEAR = 12
_FIRST_MONDAY = 4  # 1970-01-05, in days since 1970-01-01


@dataclass(frozen=True, slots=True)
class CalendarFeature:
    """A function of the date alone.

    Attributes:
        name: key in ``CALENDAR`` and name of the feature.
        function: takes (n,) ``datetime64[D]`` and returns (n,) float64 in [-1, 1].
        description: formula and source, one line.
    """

    name: str
    function: Callable[[DateArray], FloatArray]
    description: str


def weekday_sin(dates: DateArray) -> FloatArray:
    """sin(2π weekday / 7), Monday 0."""
    return np.sin(_angle(_weekday(dates), _DAYS_PER_WEEK))


def weekday_cos(dates: DateArray) -> FloatArray:
    """cos(2π weekday / 7), Monday 0."""
    return np.cos(_angle(_weekday(dates), _DAYS_PER_WEEK))


def month_sin(dates: DateArray) -> FloatArray:
    """sin(2π month / 12), January 0."""
    return np.sin(_angle(_month(dates), _MONTHS_PER_YEAR))


def month_cos(dates: DateArray) -> FloatArray:
    """cos(2π month / 12), January 0."""
    return np.cos(_angle(_month(dates), _MONTHS_PER_YEAR))


def turn_of_month(dates: DateArray) -> FloatArray:
    """1 from the last weekday of a month to the third of the next, else 0 (Lakonishok and Smidt 1988)."""
    month = dates.astype("datetime64[M]")
    first, next_first = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    is_late = np.busday_count(dates, next_first) <= 1
    is_early = np.busday_count(first, dates + 1) <= 3
    return np.where(is_late | is_early, 1.0, 0.0)


def _calendar(function: Callable[[DateArray], FloatArray]) -> CalendarFeature:
    return CalendarFeature(f"calendar_{function.__name__}", function, (function.__doc__ or "").strip())


CALENDAR: dict[str, CalendarFeature] = {
    "calendar_weekday_sin": _calendar(weekday_sin),
    "calendar_weekday_cos": _calendar(weekday_cos),
    "calendar_month_sin": _calendar(month_sin),
    "calendar_month_cos": _calendar(month_cos),
    "calendar_turn_of_month": _calendar(turn_of_month),
}


def calendar_feature(name: str, sessions: pd.DatetimeIndex) -> FloatArray:
    """(n,) a feature of ``CALENDAR`` on the days of these sessions."""
    return CALENDAR[name].function(sessions.to_numpy("datetime64[D]"))


def _weekday(dates: DateArray) -> NDArray[np.int64]:
    return (dates.astype("datetime64[D]").astype(np.int64) - _FIRST_MONDAY) % _DAYS_PER_WEEK


def _month(dates: DateArray) -> NDArray[np.int64]:
    return dates.astype("datetime64[M]").astype(np.int64) % _MONTHS_PER_YEAR


def _angle(position: NDArray[np.int64], steps: int) -> FloatArray:
    angle: FloatArray = position.astype(np.float64) * (2.0 * np.pi / steps)
    return angle

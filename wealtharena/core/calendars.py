"""Trading sessions of exchanges, and which instruments stopped trading for good."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np
import pandas as pd

from wealtharena.core.errors import SettingsError

# A calendar takes as long to build for a year as for forty: one per exchange serves nearly every question.
_COMMON_YEARS = (2000, 2039)


def exchange_sessions(exchange: str, start: date, end: date) -> pd.DatetimeIndex:
    """Sessions of an exchange from ``start`` to ``end``, both included, as ``datetime64[us]`` at midnight.

    Args:
        exchange: exchange_calendars name (``XASX``, ``XNYS``, ``24/7``, ``24/5``).

    Raises:
        SettingsError: exchange_calendars does not know the name.
    """
    if end < start:
        return pd.DatetimeIndex([], dtype="datetime64[us]")
    # Whole years: the default bounds, which follow the wall clock, are never used.
    sessions, _ = _schedule_of_years(exchange, start.year, end.year)
    first = sessions.searchsorted(np.datetime64(start, "us"), side="left")
    last = sessions.searchsorted(np.datetime64(end, "us"), side="right")
    return sessions[first:last]


def last_closed_session(exchange: str, now: datetime, settle_minutes: int = 30) -> date:
    """Last session that had closed, and whose figures had settled, by ``now``.

    The close is that of the exchange's calendar, early closes included; 24/7 and 24/5 close at midnight UTC.

    Args:
        exchange: exchange_calendars name (``XASX``, ``XNYS``, ``24/7``, ``24/5``).
        now: with time zone.
        settle_minutes: minutes after the close until the day's bar counts as final.

    Raises:
        SettingsError: exchange_calendars does not know the name.
    """
    settled = now.astimezone(UTC) - timedelta(minutes=settle_minutes)
    # The year before too: early in January the last session may lie there.
    sessions, closes = _schedule_of_years(exchange, settled.year - 1, settled.year)
    count = closes.searchsorted(np.datetime64(settled.replace(tzinfo=None), "us"), side="right")
    return pd.Timestamp(sessions[int(count) - 1]).date()


@lru_cache(maxsize=1)
def exchange_names() -> frozenset[str]:
    """Every name that exchange_calendars has a calendar for, aliases included."""
    import exchange_calendars

    return frozenset(exchange_calendars.get_calendar_names(include_aliases=True))


def ended_alone(
    last_bars: Mapping[str, date], exchanges: Mapping[str, str], stale_sessions: int, as_of: date
) -> dict[str, date]:
    """Instruments of one asset class that stopped trading for good, with the date of their last bar.

    An instrument has ended when its last bar lies more than ``stale_sessions`` sessions before the last bar of its
    exchange's group, and no other instrument of the group ended on that same day: several files that end together
    are a source that ends, not companies that were delisted.

    Args:
        last_bars: last bar of each instrument, not after ``as_of``.
        exchanges: exchange of each instrument in ``last_bars``.
    """
    ended: dict[str, date] = {}
    for exchange in sorted({exchanges[symbol] for symbol in last_bars}):
        group = {symbol: day for symbol, day in last_bars.items() if exchanges[symbol] == exchange}
        newest = min(max(group.values()), as_of)
        days = list(group.values())
        for symbol, day in sorted(group.items()):
            missed = len(exchange_sessions(exchange, day, newest)) - 1
            if missed > stale_sessions and days.count(day) == 1:
                ended[symbol] = day
    return ended


def _schedule_of_years(exchange: str, first_year: int, last_year: int) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Sessions of at least these years, and their closes in UTC, both without time zone."""
    common, last_common = _COMMON_YEARS
    if common <= first_year and last_year <= last_common:
        return _schedule(exchange, common, last_common)
    return _schedule(exchange, first_year, last_year)


@lru_cache(maxsize=64)
def _schedule(exchange: str, first_year: int, last_year: int) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        calendar = exchange_calendars.get_calendar(exchange, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    except InvalidCalendarName:
        raise SettingsError(f"exchange {exchange!r} must be a name that exchange_calendars knows") from None
    return _plain(calendar.sessions), _plain(calendar.schedule["close"])


def _plain(moments: "pd.DatetimeIndex | pd.Series[pd.Timestamp]") -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.DatetimeIndex(moments).tz_localize(None).as_unit("us").to_numpy())

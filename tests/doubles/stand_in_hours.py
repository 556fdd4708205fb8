"""When a market is open, and which moment each vendor's day stands for."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Hours:
    """Trading hours of one market.

    Attributes:
        zone: time zone of the market, in which its session dates count.
        opens: wall-clock time after midnight at which a session starts; Yahoo stamps its daily bars with it.
        closes: wall-clock time after midnight at which it ends.
    """

    zone: str
    opens: timedelta
    closes: timedelta


_OF_EXCHANGE = {
    "XASX": Hours("Australia/Sydney", timedelta(hours=10), timedelta(hours=16)),
    "XNYS": Hours("America/New_York", timedelta(hours=9, minutes=30), timedelta(hours=16)),
    "XNAS": Hours("America/New_York", timedelta(hours=9, minutes=30), timedelta(hours=16)),
    "XLON": Hours("Europe/London", timedelta(hours=8), timedelta(hours=16, minutes=30)),
    "24/7": Hours("UTC", timedelta(), DAY),
}
_CURRENCIES = Hours("Europe/London", timedelta(), DAY)
_FUTURES = Hours("America/New_York", timedelta(), timedelta(hours=17))


def hours_of(instrument: Instrument) -> Hours:
    """Trading hours of an instrument; currencies and futures are stamped as Yahoo stamps them."""
    if instrument.asset_class is AssetClass.CURRENCIES:
        return _CURRENCIES
    if instrument.symbol.endswith("=F"):
        return _FUTURES
    return _OF_EXCHANGE[instrument.exchange]


def epochs(days: np.ndarray, zone: str, after_midnight: timedelta) -> np.ndarray:
    """Unix seconds of a wall-clock time on each day.

    Args:
        days: session dates (datetime64[D]), shape (n,).
    """
    whole = timedelta(days=after_midnight.days)
    local = pd.DatetimeIndex(days + np.timedelta64(whole.days, "D")) + (after_midnight - whole)
    moments = local.tz_localize(zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
    seconds: np.ndarray = moments.as_unit("s").asi8
    return seconds


def after(day: date) -> datetime:
    """The first hour of the next day in UTC: every market that the stand-in knows has closed ``day`` by then."""
    return datetime.combine(day + DAY, time(1), UTC)

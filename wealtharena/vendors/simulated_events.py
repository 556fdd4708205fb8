"""Event shocks of the simulated market: what each kind does to volatility, gaps, spread, volume and prices.

With ``x = size * 0.5^(days since / half_life_days)`` from the event's day on, and nothing before it:

================  ====================================================================================================
volatility_spike  the day's standard deviation times ``1 + x``, volume times ``sqrt(1 + x)``
liquidity_crisis  volume divided by ``1 + x``; half spread and overnight moves times ``1 + x``; standard deviation times
                  ``1 + x / 2``
news              the price opens ``1 + size`` times as high
flash_crash       the low lies at ``1 - size`` times the lower of open and close; close and what follows are lower by a
                  tenth of ``size``; three times the volume
flash_rally       the same upwards
================  ====================================================================================================

The last three last one session, the first one from the event's day on. Random events of a symbol: three in five are
news; crashes and rallies, spikes and crises are one in ten each, spikes and crises those of its whole class. Jumps of
either sign are equally likely and equally large, so that prices without edge stay martingales.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.settings.models import EventKind, SimulatedEvent
from wealtharena.vendors.simulated_noise import Stream, generator

_OWN_SHARES = {EventKind.NEWS: 0.6, EventKind.FLASH_CRASH: 0.1, EventKind.FLASH_RALLY: 0.1}
_CLASS_SHARES = {EventKind.VOLATILITY_SPIKE: 0.1, EventKind.LIQUIDITY_CRISIS: 0.1}
_HALF_LIFE_DAYS = 14.0
# Random news and crashes are this many daily standard deviations large, and an exponential of this mean larger.
_JUMP_DEVIATIONS = 5.0
_LARGEST_RANDOM_JUMP = 0.4
# Random spikes and crises: uniform between these.
_LASTING_SIZES = (0.5, 2.5)
_SLIP = 0.1
_FLASH_VOLUME = 3.0


@dataclass(frozen=True)
class Event:
    """One event that hits a path; ``size`` and ``half_life_days`` as in ``SimulatedEvent``."""

    kind: EventKind
    day: np.datetime64
    size: float
    half_life_days: float = _HALF_LIFE_DAYS


@dataclass(frozen=True)
class Conditions:
    """What the events change on each of D days; without events every factor is 1 and every depth 0.

    Attributes:
        volatility, gap, spread, volume: (D,) factors on the day's standard deviation, on the overnight move beside it,
            on the half spread, and on the traded units.
        jump: (D,) factor on the price between close and open; slip: (D,) factor on it between open and close.
        dip, spurt: (D,) fractions by which the low lies below open and close, and the high above them.
    """

    volatility: FloatArray
    gap: FloatArray
    spread: FloatArray
    volume: FloatArray
    jump: FloatArray
    slip: FloatArray
    dip: FloatArray
    spurt: FloatArray


def scripted_events(events: Iterable[SimulatedEvent], asset_class: AssetClass, symbol: str) -> list[Event]:
    """Those of the settings' events that hit a symbol: its own, its class's and the whole market's."""
    return [
        _plain(event)
        for event in events
        if event.symbol == symbol or (not event.symbol and event.asset_class in (None, asset_class))
    ]


def market_events(events: Iterable[SimulatedEvent]) -> list[Event]:
    """Those of the settings' events that hit every symbol."""
    return [_plain(event) for event in events if not event.symbol and event.asset_class is None]


def random_events(
    seed: int, code: int, index: int, per_year: float, daily_volatility: float, days: DateArray
) -> list[Event]:
    """Random events of a symbol: its own and its class's; ``per_year`` of them on average.

    Args:
        code, index: of the symbol's random streams; index 0 is the class.
        days: (D,) calendar days without gaps; a later end adds events and changes none.
    """
    own = _drawn(seed, code, index, per_year, _OWN_SHARES, daily_volatility, days)
    return own + _drawn(seed, code, 0, per_year, _CLASS_SHARES, daily_volatility, days)


def conditions(events: Sequence[Event], days: DateArray) -> Conditions:
    """What the events do on the open days ``days`` (D,), ascending; an event between two of them hits the second."""
    volatility, gap, spread, volume, jump, slip = np.ones((6, len(days)))
    dip, spurt = np.zeros((2, len(days)))
    for event in events:
        if event.kind in _CLASS_SHARES:
            rest = _remaining(event, days)
            if event.kind is EventKind.VOLATILITY_SPIKE:
                volatility *= 1.0 + rest
                volume *= np.sqrt(1.0 + rest)
            else:
                volatility *= 1.0 + rest / 2.0
                gap *= 1.0 + rest
                spread *= 1.0 + rest
                volume /= 1.0 + rest
            continue
        row = int(np.searchsorted(days, event.day))
        # Before the first day there is no session that it could hit.
        if row == len(days) or event.day < days[0]:
            continue
        if event.kind is EventKind.NEWS:
            jump[row] *= 1.0 + event.size
            continue
        falls = event.kind is EventKind.FLASH_CRASH
        depth = dip if falls else spurt
        depth[row] = max(depth[row], event.size)
        slip[row] *= 1.0 - _SLIP * event.size if falls else 1.0 + _SLIP * event.size
        volume[row] *= _FLASH_VOLUME
    return Conditions(volatility, gap, spread, volume, jump, slip, dip, spurt)


def _remaining(event: Event, days: DateArray) -> FloatArray:
    since = (days - event.day).astype(np.float64)
    rest: FloatArray = np.where(since >= 0.0, event.size * 0.5 ** (np.maximum(since, 0.0) / event.half_life_days), 0.0)
    return rest


def _plain(event: SimulatedEvent) -> Event:
    return Event(event.kind, np.datetime64(event.day, "D"), event.size, event.half_life_days)


def _drawn(
    seed: int,
    code: int,
    index: int,
    per_year: float,
    shares: dict[EventKind, float],
    daily_volatility: float,
    days: DateArray,
) -> list[Event]:
    if per_year == 0.0:
        return []
    draws = generator(seed, code, index, Stream.EVENT).random((len(days), 4))
    chance = per_year * sum(shares.values()) / 365.25
    kinds, limits = list(shares), np.cumsum(list(shares.values())) / sum(shares.values())
    found = []
    for row in np.flatnonzero(draws[:, 0] < chance):
        kind = kinds[min(int(np.searchsorted(limits, draws[row, 1], side="right")), len(kinds) - 1)]
        size = _random_size(kind, draws[row, 2], draws[row, 3], daily_volatility)
        found.append(Event(kind, days[row], size))
    return found


def _random_size(kind: EventKind, level: float, side: float, daily_volatility: float) -> float:
    if kind in _CLASS_SHARES:
        low, high = _LASTING_SIZES
        return low + (high - low) * level
    deviations = _JUMP_DEVIATIONS * (1.0 - np.log1p(-level))
    size = float(min(daily_volatility * deviations, _LARGEST_RANDOM_JUMP))
    return -size if kind is EventKind.NEWS and side < 0.5 else size

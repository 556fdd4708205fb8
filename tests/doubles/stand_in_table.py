"""Bars on their way out: what a vendor shows at a moment, and how data faults spoil it."""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime

import numpy as np
from stand_in_adjusting import PRICES, AnyPath, cut
from stand_in_faults import Fault, Kind
from stand_in_paths import Path
from stand_in_world import Listed


@dataclass(frozen=True)
class Adjusted(Path):
    """A path with what Yahoo adds: adjusted closes, and Unix seconds as stamps."""

    adj_close: np.ndarray
    stamps: np.ndarray


def shown_at(listed: Listed, now: datetime, partial: bool = False) -> Path:
    """The closed sessions at a moment; with ``partial`` also the one that is under way, as far as it has come."""
    second = now.timestamp()
    closed = int(np.searchsorted(listed.closes_at, second, side="right"))
    path = cut(listed.path, slice(0, closed))
    under_way = closed < len(listed.opens_at) and listed.opens_at[closed] <= second
    if not partial or not under_way:
        return path
    opens, closes = listed.opens_at[closed], listed.closes_at[closed]
    elapsed = (second - opens) / (closes - opens)
    return _append(path, _so_far(cut(listed.path, slice(closed, closed + 1)), elapsed))


def spoiled(path: AnyPath, spoils: tuple[Fault, ...], now: datetime) -> AnyPath:
    """A path after the data faults; the order of its rows is the order in which they are sent."""
    for fault in spoils:
        path = _SPOILERS[fault.kind](path, _row(path, fault.day), now) if len(path.days) else path
    return path


def wants_partial(spoils: tuple[Fault, ...]) -> bool:
    """Whether the session under way is to be shown."""
    return any(fault.kind is Kind.PARTIAL_BAR for fault in spoils)


def _so_far(whole: Path, elapsed: float) -> AnyPath:
    last = whole.open + (whole.close - whole.open) * elapsed
    high = np.maximum(np.maximum(whole.open, last), whole.open + (whole.high - whole.open) * elapsed)
    low = np.minimum(np.minimum(whole.open, last), whole.open + (whole.low - whole.open) * elapsed)
    return replace(whole, high=high, low=low, close=last, volume=np.floor(whole.volume * elapsed))


def _append(path: AnyPath, row: AnyPath) -> AnyPath:
    return type(path)(*(np.concatenate([getattr(path, item.name), getattr(row, item.name)]) for item in fields(path)))


def _prices(path: Path) -> tuple[str, ...]:
    return (*PRICES, "adj_close") if isinstance(path, Adjusted) else PRICES


def _row(path: AnyPath, day: date | None) -> int:
    if day is None:
        return max(len(path.days) - 3, 0)
    at = np.flatnonzero(path.days == np.datetime64(day, "D"))
    return int(at[0]) if len(at) else -1


def _set(path: AnyPath, row: int, **values: float) -> AnyPath:
    changed = {}
    for name, value in values.items():
        changed[name] = getattr(path, name).copy()
        changed[name][row] = value
    return replace(path, **changed)


def _nan_row(path: AnyPath, row: int, now: datetime) -> AnyPath:
    return path if row < 0 else _set(path, row, **dict.fromkeys(_prices(path), np.nan))


def _duplicate(path: AnyPath, row: int, now: datetime) -> AnyPath:
    if row < 0:
        return path
    return cut(path, np.insert(np.arange(len(path.days)), row + 1, row))


def _conflicting_duplicate(path: AnyPath, row: int, now: datetime) -> AnyPath:
    if row < 0:
        return path
    twice = _duplicate(path, row, now)
    return _set(twice, row + 1, **{name: getattr(path, name)[row] * 1.02 for name in _prices(path)})


def _high_below_low(path: AnyPath, row: int, now: datetime) -> AnyPath:
    if row < 0:
        return path
    return _set(path, row, high=path.low[row] * 0.98, low=path.high[row] * 1.02)


def _negative(path: AnyPath, row: int, now: datetime) -> AnyPath:
    return path if row < 0 else _set(path, row, close=-path.close[row], low=-path.low[row])


def _glitch(path: AnyPath, row: int, now: datetime) -> AnyPath:
    if row < 0:
        return path
    return _set(path, row, **{name: getattr(path, name)[row] * 100.0 for name in _prices(path)})


def _future_row(path: AnyPath, _row: int, now: datetime) -> AnyPath:
    ahead = np.datetime64(now.date(), "D") + np.timedelta64(3, "D")
    row = replace(cut(path, slice(-1, None)), days=np.array([ahead]), dividend=np.zeros(1), split=np.ones(1))
    if isinstance(row, Adjusted):
        row = replace(row, stamps=row.stamps + int((ahead - path.days[-1]).astype(int)) * 86_400)
    return _append(path, row)


def _out_of_order(path: AnyPath, row: int, now: datetime) -> AnyPath:
    order = np.arange(len(path.days))
    order[::2], order[1::2] = order[::2][::-1].copy(), order[1::2].copy()
    return cut(path, order)


def _as_it_is(path: AnyPath, row: int, now: datetime) -> AnyPath:
    return path


_SPOILERS = {
    Kind.NAN_ROW: _nan_row,
    Kind.DUPLICATE: _duplicate,
    Kind.CONFLICTING_DUPLICATE: _conflicting_duplicate,
    Kind.HIGH_BELOW_LOW: _high_below_low,
    Kind.NEGATIVE: _negative,
    Kind.GLITCH: _glitch,
    Kind.FUTURE_ROW: _future_row,
    Kind.OUT_OF_ORDER: _out_of_order,
    Kind.PARTIAL_BAR: _as_it_is,
}

"""A market panel as the contiguous read-only arrays that the compiled kernel reads, made once per panel and shared."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import BoolArray, DateArray, Float32Array, FloatArray, MarketPanel
from wealtharena.execution.columns import (
    ACCOUNT_COLUMNS,
    ALL_TRADABLE,
    BORROW,
    CAPACITY,
    CASH_RATE,
    CLOSE,
    COMMISSION,
    DAYS,
    DELISTED,
    DIVIDEND,
    EVENTFUL,
    HALF_SPREAD,
    HOLDING,
    IMPACT,
    MIN_COMMISSION,
    NUM_EVENTS,
    NUM_FIELDS,
    NUM_OVERNIGHT,
    NUM_RATES,
    OBSERVED,
    OPEN,
    PER_UNIT,
    SPLIT,
    UNITS,
    padded,
)

_DAYS_PER_YEAR = 365.0
_META_FILE = "market.json"
_LAYOUT = 2
"""Of the arrays; the kernel trusts it, so files of another one are refused."""

_SHARED: "WeakKeyDictionary[MarketPanel, dict[int, MarketArrays]]" = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class MarketArrays:
    """T sessions x A assets; arrays are C-contiguous and read-only: memory-mapped ones compile to the same code.

    Attributes:
        dates: (T,) ``datetime64[D]``.
        symbols, feature_names: names of the A assets and F features.
        annualisation: sessions per year.
        window: sessions whose features an observation shows, W.
        observation: W = 1: (T, A, F + 4) float32: features, 0, observed, 0, 0, which the kernel copies and fills in;
            W > 1: (A, T, F), so that a window is one block. Features are 0 where not observed.
        prices: (T, fields, P), P being A padded (``columns.padded``): marks at open and close (carried forward over
            missing bars, never back), units that 1 buys at the open (0 where not tradable), observed, and what an order
            decided after the close of ``t`` pays.
        rates: (rates, P) what does not change with time: commissions, borrow and holding per day.
        events: (T, 3, P) units per unit, cash per unit and delisting; (1, 3, P) if there are none.
        carry: (T, P) per day; (1, P) if there is none.
        overnight: (T, 4): days of interest before the open of ``t``, cash rate per day from the close before, whether
            ``events`` has anything in row ``t``, whether every asset is tradable.
        returns: (A, T) float32 total return from the close before; 0 where unknown.
        num_observed: (T,) assets observed.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    annualisation: int
    window: int
    observation: Float32Array
    prices: FloatArray
    rates: FloatArray
    events: FloatArray
    carry: FloatArray
    overnight: FloatArray
    returns: Float32Array
    num_observed: NDArray[np.int64]

    @property
    def num_features(self) -> int:
        """F."""
        return len(self.feature_names)

    @property
    def open_mark(self) -> FloatArray:
        """(T, A) value of a unit at the open: the open, else the last close; NaN before the first bar."""
        return _nan_where_unknown(self.prices[:, OPEN, : len(self.symbols)])

    @property
    def close_mark(self) -> FloatArray:
        """(T, A) value of a unit at the close: the last close up to ``t``; NaN before the first bar."""
        return _nan_where_unknown(self.prices[:, CLOSE, : len(self.symbols)])

    @property
    def observed(self) -> BoolArray:
        """(T, A) see ``MarketPanel``."""
        seen: BoolArray = self.prices[:, OBSERVED, : len(self.symbols)] > 0.0
        return seen

    def __deepcopy__(self, memo: dict[int, Any]) -> "MarketArrays":
        """The arrays themselves: they never change, and who copies an environment must not copy the market."""
        return self

    def kernel_arguments(self) -> tuple[NDArray[Any], ...]:
        """The arrays in the order in which the kernel takes them."""
        return (
            self.observation, self.prices, self.rates, self.events, self.carry, self.overnight, self.returns,
            self.num_observed,
        )  # fmt: skip


def market_arrays(panel: MarketPanel, window: int = 1) -> MarketArrays:
    """The arrays of a panel; asked again for the same panel object, the same arrays.

    Row ``t`` depends on rows up to ``t`` of the panel only.

    Args:
        window: sessions whose features an observation shows.

    Raises:
        DataWindowError: the panel has no session or no asset, or fewer sessions than the window.
    """
    if not len(panel.dates) or not panel.symbols:
        raise DataWindowError(f"a market needs sessions and assets, got {len(panel.dates)} x {len(panel.symbols)}")
    if not 1 <= window <= len(panel.dates):
        raise DataWindowError(f"window must be in [1, {len(panel.dates)}] (the panel's sessions), got {window}")
    shared = _SHARED.setdefault(panel, {})
    if window not in shared:
        shared[window] = _build(panel, window)
    return shared[window]


def save_market(market: MarketArrays, folder: Path) -> None:
    """Write the arrays to a folder, from which other processes map them with ``load_market``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _array_names():
        np.save(folder / f"{name}.npy", getattr(market, name))
    names = {"symbols": market.symbols, "feature_names": market.feature_names}
    meta = names | {"annualisation": market.annualisation, "window": market.window, "layout": _LAYOUT}
    (folder / _META_FILE).write_text(json.dumps(meta))


def load_market(folder: Path) -> MarketArrays:
    """Map the arrays of ``save_market``: read-only pages that all processes on a machine share.

    Raises:
        DataWindowError: the folder holds no market, or one that another version of this code has written.
    """
    if not (folder / _META_FILE).exists():
        raise DataWindowError(f"{folder} must hold a market written by save_market, got no {_META_FILE}")
    meta = json.loads((folder / _META_FILE).read_text())
    if meta.get("layout") != _LAYOUT:
        raise DataWindowError(f"{folder}: layout must be {_LAYOUT}, got {meta.get('layout')}; write the market again")
    arrays: dict[str, Any] = {
        name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)) for name in _array_names()
    }
    return MarketArrays(
        symbols=tuple(meta["symbols"]),
        feature_names=tuple(meta["feature_names"]),
        annualisation=meta["annualisation"],
        window=meta["window"],
        **arrays,
    )


def _array_names() -> list[str]:
    names = {"symbols", "feature_names", "annualisation", "window"}
    return [entry.name for entry in fields(MarketArrays) if entry.name not in names]


def _build(panel: MarketPanel, window: int) -> MarketArrays:
    prices = _prices(panel)
    events, eventful = _events(panel)
    carry = np.zeros((1, len(panel.symbols))) if panel.carry is None else np.nan_to_num(panel.carry) / _DAYS_PER_YEAR
    arrays = {
        "dates": np.array(panel.dates, "datetime64[D]"),
        "observation": _template(panel) if window == 1 else _blocks(panel),
        "prices": _padded(prices),
        "rates": _padded(_rates(panel)),
        "events": _padded(events),
        "carry": _padded(carry),
        "overnight": _overnight(panel, eventful, (prices[:, UNITS] > 0.0).all(axis=1)),
        "returns": _returns(prices, events, eventful),
        "num_observed": panel.observed.sum(axis=1).astype(np.int64),
    }
    for name, array in arrays.items():
        arrays[name] = np.ascontiguousarray(array)
        arrays[name].flags.writeable = False
    return MarketArrays(
        symbols=panel.symbols,
        feature_names=panel.feature_names,
        annualisation=panel.annualisation,
        window=window,
        **arrays,
    )


def _prices(panel: MarketPanel) -> FloatArray:
    bar_close = np.where(np.isnan(panel.close), panel.open, panel.close)
    close, previous = _marks(bar_close, *_splits_and_dividends(panel))
    costs = panel.costs
    volatility = np.nan_to_num(panel.volatility)
    volume = np.nan_to_num(panel.dollar_volume)
    prices = np.zeros((len(panel.dates), NUM_FIELDS, len(panel.symbols)))
    prices[:, OPEN] = np.nan_to_num(np.where(np.isnan(panel.open), previous, panel.open))
    prices[:, CLOSE] = np.nan_to_num(close)
    np.divide(1.0, prices[:, OPEN], out=prices[:, UNITS], where=panel.tradable & (np.nan_to_num(panel.open) > 0.0))
    prices[:, OBSERVED] = panel.observed
    # An order decided after the close of t pays by what was known then.
    prices[:, HALF_SPREAD] = costs.half_spread + costs.spread_volatility * volatility
    with np.errstate(divide="ignore", invalid="ignore"):
        prices[:, IMPACT] = np.where(volume > 0.0, costs.impact * volatility / np.sqrt(volume), 0.0)
        # A class without volume (currencies) has no capacity that could be known; what did not trade has none.
        unlimited = np.isnan(panel.dollar_volume) | np.isinf(costs.max_participation)
        prices[:, CAPACITY] = np.where(unlimited, np.inf, costs.max_participation * np.maximum(volume, 0.0))
    return prices


def _rates(panel: MarketPanel) -> FloatArray:
    rates = np.zeros((NUM_RATES, len(panel.symbols)))
    rates[COMMISSION] = panel.costs.commission
    rates[PER_UNIT] = panel.costs.commission_per_unit
    rates[MIN_COMMISSION] = panel.costs.min_commission
    rates[BORROW] = panel.costs.borrow / _DAYS_PER_YEAR
    rates[HOLDING] = panel.costs.holding / _DAYS_PER_YEAR
    return rates


def _events(panel: MarketPanel) -> tuple[FloatArray, BoolArray]:
    """Events and which rows have any."""
    shape = panel.delisted.shape
    split, dividend = _splits_and_dividends(panel)
    eventful: BoolArray = ((split != 1.0) | (dividend != 0.0) | panel.delisted).any(axis=1)
    events = np.zeros((len(panel.dates) if eventful.any() else 1, NUM_EVENTS, shape[1]))
    rows = len(events)
    events[:, SPLIT], events[:, DIVIDEND], events[:, DELISTED] = split[:rows], dividend[:rows], panel.delisted[:rows]
    return events, eventful


def _splits_and_dividends(panel: MarketPanel) -> tuple[FloatArray, FloatArray]:
    """(T, A) each; 1 and 0 where there is none."""
    shape = panel.delisted.shape
    split = np.ones(shape) if panel.split is None else np.nan_to_num(panel.split, nan=1.0)
    dividend = np.zeros(shape) if panel.dividend is None else np.nan_to_num(panel.dividend)
    return split, dividend


def _overnight(panel: MarketPanel, eventful: BoolArray, all_tradable: NDArray[np.bool_] | np.bool_) -> FloatArray:
    num_sessions = len(panel.dates)
    overnight = np.zeros((num_sessions, NUM_OVERNIGHT))
    days = np.diff(panel.dates.astype("datetime64[D]").astype(np.int64), prepend=0).astype(np.float64)
    days[0] = 0.0
    overnight[:, DAYS] = days if panel.accrual_days is None else panel.accrual_days
    if panel.cash_rate is not None:
        overnight[1:, CASH_RATE] = np.nan_to_num(panel.cash_rate)[:-1] / _DAYS_PER_YEAR
    overnight[:, EVENTFUL] = eventful
    overnight[:, ALL_TRADABLE] = all_tradable
    return overnight


def _returns(prices: FloatArray, events: FloatArray, eventful: BoolArray) -> Float32Array:
    close = prices[:, CLOSE]
    value = close.copy()
    if eventful.any():
        value = close * events[:, SPLIT] + events[:, DIVIDEND] * events[:, SPLIT]
    returns = np.zeros(close.shape)
    known = (close[:-1] > 0.0) & (close[1:] > 0.0)
    np.divide(value[1:], close[:-1], out=returns[1:], where=known)
    returns[1:][known] -= 1.0
    return np.ascontiguousarray(returns.T, dtype=np.float32)


def _template(panel: MarketPanel) -> Float32Array:
    num_sessions, num_assets, num_features = panel.features.shape
    template: Float32Array = np.zeros((num_sessions, num_assets, num_features + ACCOUNT_COLUMNS), np.float32)
    template[:, :, :num_features] = np.where(panel.observed[:, :, None], panel.features, np.float32(0.0))
    template[:, :, num_features + 1] = panel.observed
    return template


def _blocks(panel: MarketPanel) -> Float32Array:
    """(A, T, F): features by asset, so that a window of one asset is contiguous."""
    shown: Float32Array = np.where(panel.observed[:, :, None], panel.features, np.float32(0.0))
    return np.ascontiguousarray(shown.transpose(1, 0, 2))


def _padded(values: FloatArray) -> FloatArray:
    """The last axis filled up with zeros to whole lanes."""
    extra = padded(values.shape[-1]) - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, extra)])


def _marks(bar_close: FloatArray, split: FloatArray, dividend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(T, A) value of a unit at the close, and at the open of a row without a bar: the last close, carried forward.

    A split or a dividend on a session without a bar changes the units and the cash at once, so the mark must follow.
    """
    if (split == 1.0).all() and (dividend == 0.0).all():
        close = _carry_forward(bar_close)
        return close, _shifted(close)
    close, previous = bar_close.copy(), _shifted(bar_close)
    for t in range(1, len(close)):
        previous[t] = close[t - 1] / split[t] - dividend[t]
        close[t] = np.where(np.isnan(close[t]), previous[t], close[t])
    return close, previous


def _carry_forward(values: FloatArray) -> FloatArray:
    """(T, A) with each NaN replaced by the last value above it; leading NaNs stay."""
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0)


def _shifted(values: FloatArray) -> FloatArray:
    return np.vstack([np.full((1, values.shape[1]), np.nan), values[:-1]])


def _nan_where_unknown(marks: FloatArray) -> FloatArray:
    """The kernel has 0 where there was no bar yet."""
    return np.where(marks == 0.0, np.nan, marks)

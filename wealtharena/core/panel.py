"""The aligned market of one asset class: what environments, backtests and signals read."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.errors import DataWindowError
from wealtharena.core.hashing import hash_arrays, hash_json

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
DateArray = NDArray[np.datetime64]

_PER_ASSET = ("features", "open", "close", "tradable", "observed", "delisted", "dollar_volume", "volatility")
_EVENTS = ("dividend", "split", "carry")
_PER_SESSION = ("cash_rate", "accrual_days")


@dataclass(frozen=True, eq=False)
class AssetCosts:
    """What trading and holding A assets costs; every attribute is (A,), in the order of a panel's symbols.

    Attributes:
        commission: fraction of traded value.
        commission_per_unit: currency per traded unit (share).
        min_commission: currency per order, at least.
        half_spread: fraction of traded value.
        spread_volatility: share of the asset's daily volatility by which the half spread is wider.
        impact: ``Y`` of the square-root law ``Y * volatility * sqrt(traded value / dollar volume)``; 0 turns it off.
        max_participation: largest share of the mean daily traded value that one order may take.
        borrow: yearly cost of a short position, as a fraction of its value.
        holding: yearly cost of any position, long or short, as a fraction of its value (a financing margin).
    """

    commission: FloatArray
    commission_per_unit: FloatArray
    min_commission: FloatArray
    half_spread: FloatArray
    spread_volatility: FloatArray
    impact: FloatArray
    max_participation: FloatArray
    borrow: FloatArray
    holding: FloatArray

    @classmethod
    def flat(cls, num_assets: int, one_way: float, borrow: float = 0.0) -> "AssetCosts":
        """The same cost for all: ``one_way`` as a fraction of traded value, ``borrow`` a year; nothing else."""
        values = {entry.name: np.zeros(num_assets) for entry in fields(cls)}
        return cls(
            **values
            | {
                "commission": np.full(num_assets, one_way),
                "max_participation": np.full(num_assets, np.inf),
                "borrow": np.full(num_assets, borrow),
            }
        )

    def select(self, index: list[int] | NDArray[np.integer[Any]]) -> "AssetCosts":
        """The costs of some assets, in the order asked for."""
        return AssetCosts(*(values[index] for values in self.columns()))

    def times(self, factor: float) -> "AssetCosts":
        """All trading and holding costs ``factor`` times as high; what can be traded stays."""
        names = [entry.name for entry in fields(self) if entry.name != "max_participation"]
        return replace(self, **{name: getattr(self, name) * factor for name in names})

    def columns(self) -> tuple[FloatArray, ...]:
        """The attributes in their order."""
        return tuple(getattr(self, entry.name) for entry in fields(self))

    @classmethod
    def joined(cls, parts: "Sequence[AssetCosts]") -> "AssetCosts":
        """The costs of several panels' assets, one after another."""
        return cls(*(np.concatenate(columns) for columns in zip(*(part.columns() for part in parts), strict=True)))


@dataclass(frozen=True, eq=False)
class MarketPanel:
    """T sessions x A assets x F features; row ``t`` holds only what was known after the close of session ``t``.

    Attributes:
        dates: (T,) ``datetime64[D]``, strictly increasing: the union of the sessions of the assets' exchanges.
        symbols: A names, sorted.
        feature_names: F names.
        features: (T, A, F) float32, finite everywhere; 0 where ``observed`` is False.
        open: (T, A) opening price of a unit; NaN where the asset has no bar.
        close: (T, A) closing price of a unit; NaN where the asset has no bar. May be negative (oil, April 2020).
        tradable: (T, A) True where an order fills at ``open[t]``: a bar with a positive open that was not halted.
        observed: (T, A) True where the features are valid: all lookbacks are filled and the bar is there, or there is
            none (a holiday of the asset's own exchange) and the last features still hold (7 days at most).
        delisted: (T, A) True on the first session after an asset's last bar for good (one True per asset at most).
        dollar_volume: (T, A) mean traded value of the last 21 sessions known at the close of ``t``; NaN if the class
            has no volume (currencies).
        volatility: (T, A) standard deviation of the last 63 daily log returns, per day; NaN until there are 21.
        costs: what trading and holding the assets costs.
        annualisation: sessions per year (252, or 365 for crypto).
        dividend: (T, A) cash per unit that goes ex at the open of ``t``, in units after that day's split; None: none,
            or contained in the prices.
        split: (T, A) units at the open of ``t`` for one unit held at the close before; None: none, or contained in the
            prices.
        carry: (T, A) yearly rate that a long position earns and a short one pays, as known at the close of ``t``
            (interest differential, funding); None: none.
        cash_rate: (T,) yearly interest on cash, as known at the close of ``t``; None: none.
        accrual_days: (T,) days of interest between the close before and the open of ``t``; None: calendar days.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    features: Float32Array
    open: FloatArray
    close: FloatArray
    tradable: BoolArray
    observed: BoolArray
    delisted: BoolArray
    dollar_volume: FloatArray
    volatility: FloatArray
    costs: AssetCosts
    annualisation: int
    dividend: FloatArray | None = None
    split: FloatArray | None = None
    carry: FloatArray | None = None
    cash_rate: FloatArray | None = None
    accrual_days: FloatArray | None = None

    @cached_property
    def total_return_close(self) -> FloatArray:
        """(T, A) value at the close of one unit held since the first row, with its dividends reinvested.

        Neither splits nor dividends show in it, as in adjusted closes, of which it is a constant multiple: each
        dividend buys units at the close before less itself. In contrast to those, row ``t`` depends on rows up to ``t``
        only. NaN where the asset has no bar.
        """
        if self.split is None and self.dividend is None:
            return self.close
        split = np.ones(self.close.shape) if self.split is None else self.split
        dividend = np.zeros(self.close.shape) if self.dividend is None else self.dividend
        known = last_known(self.close)
        before = np.vstack([np.full((1, len(self.symbols)), np.nan), known[:-1]]) / split
        without = before - dividend
        paid = (dividend != 0.0) & (without > 0.0)
        growth = np.ones(self.close.shape)
        np.divide(before, without, out=growth, where=paid)
        units: FloatArray = np.cumprod(split * growth, axis=0, dtype=np.float64)
        return self.close * units

    def cash_rate_on(self, dates: DateArray) -> FloatArray:
        """(len(dates),) cash rate as known on the last session up to each date; NaN where there is none."""
        place = np.searchsorted(self.dates, dates, side="right") - 1
        known = np.full(len(self.dates), np.nan) if self.cash_rate is None else self.cash_rate
        return np.append(known, np.nan)[place]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the whole panel: the data version that receipts and models carry."""
        optional = {name: getattr(self, name) for name in (*_EVENTS, *_PER_SESSION)}
        given = {name: values for name, values in optional.items() if values is not None}
        names = hash_json([self.symbols, self.feature_names, self.annualisation, list(given)])
        arrays = hash_arrays(
            (
                self.dates.astype("datetime64[D]").astype(np.int64),
                self.features,
                self.open,
                self.close,
                self.tradable,
                self.observed,
                self.delisted,
                self.dollar_volume,
                self.volatility,
                *self.costs.columns(),
                *given.values(),
            )
        )
        return hash_json([names, arrays])

    def between(self, start: date, end: date) -> "MarketPanel":
        """The sessions from ``start`` to ``end``, both included.

        Raises:
            DataWindowError: no session lies between them.
        """
        first = int(np.searchsorted(self.dates, np.datetime64(start, "D"), side="left"))
        last = int(np.searchsorted(self.dates, np.datetime64(end, "D"), side="right"))
        if first >= last:
            raise DataWindowError(f"no session between {start} and {end}; the panel spans {self.span()}")
        return self.rows(first, last)

    def rows(self, first: int, last: int) -> "MarketPanel":
        """Rows ``first`` (included) to ``last`` (excluded)."""
        names = ("dates", *_PER_ASSET, *self._given(_EVENTS + _PER_SESSION))
        arrays: dict[str, Any] = {name: getattr(self, name)[first:last] for name in names}
        return replace(self, **arrays)

    def select(self, symbols: tuple[str, ...]) -> "MarketPanel":
        """The same sessions for some symbols, in the order asked for."""
        index = [self.symbols.index(symbol) for symbol in symbols]
        names = (*_PER_ASSET, *self._given(_EVENTS))
        arrays: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[:, index]) for name in names}
        return replace(self, symbols=symbols, costs=self.costs.select(index), **arrays)

    def __deepcopy__(self, memo: dict[int, Any]) -> "MarketPanel":
        """The panel itself: it never changes, and who copies an environment must not copy the market."""
        return self

    def span(self) -> str:
        """First and last session as text."""
        return f"{self.dates[0]} .. {self.dates[-1]}" if len(self.dates) else "nothing"

    def _given(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if getattr(self, name) is not None)


def last_known(values: FloatArray) -> FloatArray:
    """(T, A) with NaN replaced by the last value before it in the same column, where there is one."""
    own = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, own), axis=0)
    return np.take_along_axis(values, last, axis=0)

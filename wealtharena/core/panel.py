"""The aligned market of one asset class: what environments, backtests and signals read."""

from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class MarketPanel:
    """T sessions x A assets x F features; row ``t`` holds only what was known after the close of session ``t``.

    Attributes:
        dates: (T,) ``datetime64[D]``, strictly increasing: the union of the sessions of the assets' exchanges.
        symbols: A names, sorted.
        feature_names: F names.
        features: (T, A, F) float32, finite everywhere; 0 where ``observed`` is False.
        open: (T, A) adjusted opening price; NaN where the asset has no bar.
        close: (T, A) adjusted closing price; NaN where the asset has no bar. May be negative (oil, April 2020).
        tradable: (T, A) True where an order fills at ``open[t]``: a bar with a positive open that was not halted.
        observed: (T, A) True where the features are valid: all lookbacks are filled and the bar is there, or there is
            none (a holiday of the asset's own exchange) and the last features still hold (7 days at most).
        delisted: (T, A) True on the first session after an asset's last bar for good (one True per asset at most).
        dollar_volume: (T, A) mean traded value of the last 21 sessions known at the close of ``t``; NaN if the class
            has no volume (currencies).
        volatility: (T, A) standard deviation of the last 63 daily log returns, per day; NaN until there are 21.
        one_way_cost: (A,) cost of trading one unit of value, as a fraction (0.0003 = 3 bp).
        annualisation: sessions per year (252, or 365 for crypto).
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
    one_way_cost: FloatArray
    annualisation: int

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the whole panel: the data version that receipts and models carry."""
        names = hash_json([self.symbols, self.feature_names, self.annualisation])
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
                self.one_way_cost,
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
        arrays: dict[str, Any] = {name: getattr(self, name)[first:last] for name in ("dates", *_PER_ASSET)}
        return replace(self, **arrays)

    def select(self, symbols: tuple[str, ...]) -> "MarketPanel":
        """The same sessions for some symbols, in the order asked for."""
        index = [self.symbols.index(symbol) for symbol in symbols]
        arrays: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[:, index]) for name in _PER_ASSET}
        return replace(self, symbols=symbols, one_way_cost=self.one_way_cost[index], **arrays)

    def span(self) -> str:
        """First and last session as text."""
        return f"{self.dates[0]} .. {self.dates[-1]}" if len(self.dates) else "nothing"

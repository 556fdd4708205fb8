"""Bars of a class as moves from close to close, and new bars made of them in another order."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import BoolArray, DateArray, FloatArray, MarketPanel
from wealtharena.evaluation.monte_carlo.blocks import IntArray

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class BarMoves:
    """T sessions x A assets; NaN where an asset has no bar with four positive prices.

    Attributes:
        dates: (T,) sessions.
        symbols: A names.
        moves: (T, A) by price: log of it over the asset's close before, splits and dividends taken out; NaN for the
            first bar.
        level: (T, A) adjusted close, in the unit of the prices themselves at the end of the history.
        traded_value: (T, A) close times volume, as traded.
        tradable: (T, A).
    """

    dates: DateArray
    symbols: tuple[str, ...]
    moves: dict[str, FloatArray]
    level: FloatArray
    traded_value: FloatArray
    tradable: BoolArray


def bar_moves(bars: pd.DataFrame, panel: MarketPanel, end_row: int) -> BarMoves:
    """Moves of the bars of a class on the sessions of its panel.

    Args:
        bars: core bars, one row per symbol and session.
        panel: whose sessions and symbols count; bars of others are left out.
        end_row: row of the panel at which ``level`` is in the unit of the prices: the last one that is known.
    """
    rows = np.searchsorted(panel.dates, bars["session_date"].to_numpy().astype("datetime64[D]"))
    columns = pd.Index(panel.symbols).get_indexer(pd.Index(bars["symbol"]))
    known = (rows < len(panel.dates)) & (columns >= 0)
    known &= panel.dates[np.minimum(rows, len(panel.dates) - 1)] == bars["session_date"].to_numpy("datetime64[D]")

    def grid(values: FloatArray) -> FloatArray:
        cells = np.full(panel.close.shape, np.nan)
        cells[rows[known], columns[known]] = values[known]
        return cells

    prices = {name: grid(bars[name].to_numpy(np.float64) * bars["adj_factor"].to_numpy(np.float64)) for name in _PRICES}
    complete = np.all([np.nan_to_num(values) > 0.0 for values in prices.values()], axis=0)
    prices = {name: np.where(complete, values, np.nan) for name, values in prices.items()}
    before = np.vstack([np.full((1, len(panel.symbols)), np.nan), _known(prices["close"])[:-1]])
    factor = _known(np.where(complete, grid(bars["adj_factor"].to_numpy(np.float64)), np.nan))[end_row]
    return BarMoves(
        dates=panel.dates,
        symbols=panel.symbols,
        moves={name: np.log(values / before) for name, values in prices.items()},
        level=prices["close"] / factor,
        traded_value=grid(bars["close"].to_numpy(np.float64) * bars["volume"].to_numpy(np.float64)),
        tradable=complete & (grid(bars["tradable"].to_numpy(np.float64)) > 0.0),
    )


def rearranged_bars(own: BarMoves, first: int, end: int, drawn: IntArray) -> pd.DataFrame:
    """Core bars of the true sessions ``first`` to ``end`` (excluded) and of one more for each of the drawn rows.

    What follows ``end`` moves as the drawn sessions did, all assets together, on the dates after ``end``; an asset that
    has no bar in a drawn session has none in the new one. Prices are adjusted; the volume is that of the drawn session
    in currency.

    Args:
        drawn: (T,) rows; at most as many as there are dates from ``end`` on.
    """
    order = np.concatenate([np.arange(first, end), drawn])
    moves = {name: values[order] for name, values in own.moves.items()}
    has_bar = ~np.isnan(moves["close"])
    start = _known(own.level)[end - 1]
    # Backwards from the last true close, forwards by what was drawn.
    steps = np.where(has_bar, moves["close"], 0.0)
    growth = np.cumsum(steps, axis=0)
    close = start * np.exp(growth - growth[end - first - 1])
    before = close * np.exp(-steps)
    prices = {name: before * np.exp(values) for name, values in moves.items()}
    rows, columns = np.nonzero(has_bar & np.isfinite(close))
    long = {name: values[rows, columns] for name, values in prices.items()}
    traded = own.traded_value[order][rows, columns]
    frame = pd.DataFrame(
        {
            "symbol": np.array(own.symbols, dtype=object)[columns],
            "session_date": own.dates[first : end + len(drawn)][rows].astype("datetime64[us]"),
            **long,
            "volume": traded / long["close"],
            "adj_factor": 1.0,
            "tradable": own.tradable[order][rows, columns],
        }
    )
    return frame.sort_values(["symbol", "session_date"], kind="stable", ignore_index=True)


def _known(values: FloatArray) -> FloatArray:
    """(T, A) the last value so far that is not NaN; NaN before the first."""
    return pd.DataFrame(values).ffill().to_numpy()

"""Every trade of a simulated account as a table."""

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution.columns import COMMISSION, HALF_SPREAD, IMPACT, MIN_COMMISSION, PER_UNIT
from wealtharena.execution.market import market_arrays
from wealtharena.execution.portfolio import Bookkeeping, Change, TradedPath, bookkeep
from wealtharena.execution.rules import TradingRules

COSTS = ("commission", "spread", "impact")


def trade_ledger(path: TradedPath, panel: MarketPanel, rules: TradingRules) -> pd.DataFrame:
    """Every change of a position, in the currency of ``rules.capital``, in the order in which they happened.

    Columns: ``session_date``; ``symbol``; ``side``: ``buy``, ``sell``, ``split`` (before the open), ``delisted``
    (settled at the last close) or ``ruined`` (a bankrupt account loses its positions); ``units``: change of the
    position, in units of the panel's prices; ``price`` of a unit, 0 for a split; ``value``: size of the trade;
    ``commission``, ``spread``, ``impact``: what it cost; ``position`` after it; ``realised``: profit taken by average
    cost, before costs and after the haircut of a delisting.

    Args:
        panel: market that the path was traded on.
        rules: rules that it was traded under.

    Raises:
        DataWindowError: the path is not of this panel.
    """
    book = bookkeep(path, panel)
    costs = trading_costs(path, panel, rules, book)
    free = dict.fromkeys(COSTS, np.zeros_like(book.units))
    bought = np.where(book.trades.units > 0.0, "buy", "sell")
    parts = [
        _rows(path, book.splits, "split", free, rules),
        _rows(path, book.delistings, "delisted", free, rules),
        _rows(path, book.ruins_at_open, "ruined", free, rules),
        _rows(path, book.trades, bought, costs, rules),
        _rows(path, book.ruins_at_close, "ruined", free, rules),
    ]
    return pd.concat(parts, ignore_index=True).sort_values("session_date", kind="stable", ignore_index=True)


def trading_costs(
    path: TradedPath, panel: MarketPanel, rules: TradingRules, book: Bookkeeping
) -> dict[str, FloatArray]:
    """Costs of each trade by kind of ``COSTS``, (T, A), in units of the initial equity.

    As the kernel works them out, and scaled to what it reported, since a multiplier of costs is not in the path.

    Args:
        book: of ``bookkeep`` for the same path and panel.
    """
    market, (num_sessions, num_assets) = market_arrays(panel), book.units.shape
    known = market.prices[book.first_row - 1 : book.first_row - 1 + num_sessions, :, :num_assets]
    rates = market.rates[:, :num_assets]
    order = np.abs(book.trades.units)
    value = order * book.trades.price
    fee = np.maximum(value * rates[COMMISSION] + order * rates[PER_UNIT], rates[MIN_COMMISSION] / rules.capital)
    raw = {
        "commission": np.where(value > 0.0, fee, 0.0),
        "spread": value * known[:, HALF_SPREAD],
        "impact": value * known[:, IMPACT] * np.sqrt(value),
    }
    return {name: _shared_out(path.summary[name], raw[name]) for name in COSTS}


def _rows(
    path: TradedPath, change: Change, side: object, costs: dict[str, FloatArray], rules: TradingRules
) -> pd.DataFrame:
    places = np.nonzero(change.units)
    units = change.units[places] * rules.capital
    values = {
        "session_date": path.dates[places[0]].astype("datetime64[us]"),
        "symbol": np.array(path.symbols, dtype=object)[places[1]],
        "side": np.broadcast_to(np.array(side, dtype=object), change.units.shape)[places],
        "units": units,
        "price": change.price[places],
        "value": np.abs(units * change.price[places]),
        **{name: part[places] * rules.capital for name, part in costs.items()},
        "position": change.position[places] * rules.capital,
        "realised": change.realised[places] * rules.capital,
    }
    return pd.DataFrame(values)


def _shared_out(total: FloatArray, parts: FloatArray) -> FloatArray:
    """(T, A): each session's total divided as its parts are."""
    sums = parts.sum(axis=1)
    factor: FloatArray = np.divide(total, sums, out=np.zeros_like(sums), where=sums > 0.0)
    return parts * factor[:, None]

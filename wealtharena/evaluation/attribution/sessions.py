"""What each asset, each cost and the cash added to an account, session by session, in units of its initial equity."""

from dataclasses import dataclass, fields

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs.simulation import SimulationPath
from wealtharena.execution import TradingRules, market_arrays
from wealtharena.execution.columns import BORROW, CLOSE, DAYS, HOLDING
from wealtharena.execution.ledger import trading_costs
from wealtharena.execution.portfolio import Bookkeeping, bookkeep


@dataclass(frozen=True)
class SessionProfits:
    """An account's profit by source; what was paid is negative. All of them sum to the change of the equity.

    Attributes:
        prices: (T, A) by moves of prices, before all costs.
        dividends: (T, A).
        carry: (T, A) what positions earned overnight by rates and funding.
        commission, spread, impact: (T, A) costs of trades.
        borrow: (T, A) costs of borrowing and holding.
        delisting: (T, A) haircuts.
        interest: (T,) on cash.
    """

    prices: FloatArray
    dividends: FloatArray
    carry: FloatArray
    commission: FloatArray
    spread: FloatArray
    impact: FloatArray
    borrow: FloatArray
    delisting: FloatArray
    interest: FloatArray

    @property
    def by_asset(self) -> FloatArray:
        """(T, A) of each asset, net of its costs."""
        parts = (getattr(self, entry.name) for entry in fields(self) if entry.name != "interest")
        return sum(parts, np.zeros_like(self.prices))

    @property
    def total(self) -> FloatArray:
        """(T,) change of the equity."""
        total: FloatArray = self.by_asset.sum(axis=1) + self.interest
        return total


def session_profits(path: SimulationPath, panel: MarketPanel, rules: TradingRules) -> SessionProfits:
    """The profits behind a simulated path, each as the kernel charged it.

    Args:
        panel: market that the path was traded on.
        rules: rules that it was traded under.

    Raises:
        DataWindowError: the path is not of this panel.
    """
    book = bookkeep(path, panel)
    costs = trading_costs(path, panel, rules, book)
    haircut = _haircuts(path, book)
    carry, borrow = _overnight(panel, book)
    return SessionProfits(
        prices=_price_profits(book) + haircut,
        dividends=book.dividends,
        carry=carry,
        commission=-costs["commission"],
        spread=-costs["spread"],
        impact=-costs["impact"],
        borrow=-borrow,
        delisting=-haircut,
        interest=path.summary["interest"].copy(),
    )


def capital_before(equity: FloatArray) -> FloatArray:
    """(T,) equity at the close before each session, from an initial equity of 1: what its return was earned on."""
    return np.append(1.0, equity[:-1])


def _price_profits(book: Bookkeeping) -> FloatArray:
    """(T, A) profit taken, and what the profit of open positions changed by."""
    taken = sum((change.realised for change in book.changes), np.zeros_like(book.units))
    open_profit = book.units * (book.close - book.average)
    profits: FloatArray = taken + np.diff(open_profit, axis=0, prepend=0.0)
    return profits


def _haircuts(path: SimulationPath, book: Bookkeeping) -> FloatArray:
    """(T, A) shares of what delistings cost in a session, by the value of the positions."""
    sizes = np.abs(book.delistings.units * book.delistings.price)
    totals = sizes.sum(axis=1)
    rate = np.divide(path.summary["delisting"], totals, out=np.zeros_like(totals), where=totals > 0.0)
    haircuts: FloatArray = sizes * rate[:, None]
    return haircuts


def _overnight(panel: MarketPanel, book: Bookkeeping) -> tuple[FloatArray, FloatArray]:
    """(T, A) carry received, and (T, A) borrow and holding cost, of the positions held into each session."""
    market, (num_sessions, num_assets) = market_arrays(panel), book.units.shape
    rows = np.arange(book.first_row, book.first_row + num_sessions)
    held = np.vstack([np.zeros((1, num_assets)), book.units[:-1]])
    close = market.prices[rows - 1, CLOSE, :num_assets]
    rates = market.rates[:, :num_assets]
    carry = market.carry[rows - 1 if len(market.carry) > 1 else rows * 0, :num_assets]
    days = market.overnight[rows, DAYS][:, None]
    own = held * close
    short = np.maximum(-held, 0.0) * np.abs(close)
    earned: FloatArray = own * carry * days
    paid: FloatArray = (short * rates[BORROW] + np.abs(own) * rates[HOLDING]) * days
    return earned, paid

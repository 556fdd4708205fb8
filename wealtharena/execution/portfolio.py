"""What an account held, what that had cost and what it earned: worked out from a simulated path when asked for."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import BoolArray, DateArray, FloatArray, MarketPanel
from wealtharena.execution.accounts import Records
from wealtharena.execution.columns import CLOSE, DELISTED, DIVIDEND, EVENTFUL, OPEN, SPLIT
from wealtharena.execution.market import MarketArrays, market_arrays

# What rounding leaves of a position that was closed, as a share of it.
_DUST = 1e-12


class TradedPath(Protocol):
    """What a portfolio is worked out from; ``wealtharena.envs.SimulationPath`` has it, and says what is what."""

    @property
    def dates(self) -> DateArray:
        """(T,) sessions."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """A names."""

    @property
    def summary(self) -> Records:
        """(T,) records of ``wealtharena.execution.accounts.REPORT``."""

    @property
    def equity(self) -> FloatArray:
        """(T,) at the close."""

    @property
    def orders(self) -> FloatArray:
        """(T, A) units bought at the open, per unit of initial equity."""


@dataclass(frozen=True)
class Portfolio:
    """An account session by session, in units of its initial equity; profits by asset are before trading costs.

    Profits are taken by average cost: what adds to a position changes its average, what reduces it does not. A position
    that turns from long to short is closed first and opened anew at the price of the fill.

    Attributes:
        dates: (T,) sessions.
        symbols: A names.
        units: (T, A) held after the close, negative when short, per unit of initial equity.
        average_cost: (T, A) price at which a unit was bought (sold short); NaN where nothing is held.
        market_value: (T, A) at the close.
        cash, equity: (T,) at the close.
        realised: (T, A) profit of what was closed in the session, after the haircut of a delisting.
        unrealised: (T, A) profit of what is open at the close.
        dividends: (T, A) received in the session; negative for a short position.
        interest: (T,) received on cash in the session.
        carrying: (T,) borrow and holding cost less carry in the session.
        trading_cost: (T,) commission, spread and impact in the session.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    units: FloatArray
    average_cost: FloatArray
    market_value: FloatArray
    cash: FloatArray
    equity: FloatArray
    realised: FloatArray
    unrealised: FloatArray
    dividends: FloatArray
    interest: FloatArray
    carrying: FloatArray
    trading_cost: FloatArray

    @property
    def long(self) -> FloatArray:
        """(T,) value of long positions over equity at the close; 0 for a bankrupt account."""
        return self._exposure(np.maximum(self.market_value, 0.0))

    @property
    def short(self) -> FloatArray:
        """(T,) value of short positions over equity at the close, at least 0."""
        return self._exposure(np.maximum(-self.market_value, 0.0))

    @property
    def gross(self) -> FloatArray:
        """(T,) long plus short."""
        return self.long + self.short

    @property
    def net(self) -> FloatArray:
        """(T,) long less short."""
        return self.long - self.short

    @property
    def profit(self) -> FloatArray:
        """(T,) since the start, from its parts: ``equity`` less the initial equity."""
        taken = self.realised.sum(axis=1) + self.dividends.sum(axis=1)
        earned = np.cumsum(taken + self.interest - self.carrying - self.trading_cost)
        total: FloatArray = earned + self.unrealised.sum(axis=1)
        return total

    def _exposure(self, values: FloatArray) -> FloatArray:
        shares = np.zeros(len(self.equity))
        np.divide(values.sum(axis=1), self.equity, out=shares, where=self.equity > 0.0)
        return shares


def portfolio_of(path: TradedPath, panel: MarketPanel) -> Portfolio:
    """The account behind a simulated path.

    Args:
        panel: market that the path was traded on.

    Raises:
        DataWindowError: the path is not of this panel.
    """
    book, summary = bookkeep(path, panel), path.summary
    value = book.units * book.close
    return Portfolio(
        dates=path.dates,
        symbols=path.symbols,
        units=book.units,
        average_cost=np.where(book.units != 0.0, book.average, np.nan),
        market_value=value,
        cash=path.equity - value.sum(axis=1),
        equity=path.equity,
        realised=sum((part.realised for part in book.changes), np.zeros_like(value)),
        unrealised=value - book.units * book.average,
        dividends=book.dividends,
        interest=summary["interest"].copy(),
        carrying=summary["carrying"].copy(),
        trading_cost=summary["commission"] + summary["spread"] + summary["impact"],
    )


class Change(NamedTuple):
    """What one cause did to the positions, all (T, A) and 0 where nothing.

    Attributes:
        units: by which the position changed.
        price: of a unit; 0 for a split.
        position: units after it.
        realised: profit taken.
    """

    units: FloatArray
    price: FloatArray
    position: FloatArray
    realised: FloatArray


class Bookkeeping(NamedTuple):
    """A path gone through session by session.

    Attributes:
        units, average, close: (T, A) held after the close, average cost (0 where nothing is held), price.
        dividends: (T, A).
        splits, delistings, ruins_at_open, trades, ruins_at_close: what changed the positions, in this order.
        first_row: panel row of the first session.
    """

    units: FloatArray
    average: FloatArray
    close: FloatArray
    dividends: FloatArray
    splits: Change
    delistings: Change
    ruins_at_open: Change
    trades: Change
    ruins_at_close: Change
    first_row: int

    @property
    def changes(self) -> tuple[Change, ...]:
        """All of them, in the order of a session."""
        return (self.splits, self.delistings, self.ruins_at_open, self.trades, self.ruins_at_close)


def bookkeep(path: TradedPath, panel: MarketPanel) -> Bookkeeping:
    """Go through a path as the kernel did: events before the open, trades at the open, ruin where nothing is left.

    Raises:
        DataWindowError: the path is not of this panel.
    """
    market = market_arrays(panel)
    first, shape = _first_row(path, market), path.orders.shape
    book = _blank(shape, first)
    prices, nothing = market.prices[:, :, : shape[1]], np.zeros(shape[1], np.bool_)
    held = _Positions(shape[1])
    for t in range(shape[0]):
        row = first + t
        record = path.summary[t]
        opening, close = prices[row, OPEN], prices[row, CLOSE]
        if market.overnight[row, EVENTFUL]:
            event = market.events[row, :, : shape[1]]
            gone = event[DELISTED] > 0.0
            held.split(np.where(gone, 1.0, event[SPLIT]), book.splits, t)
            held.settle(gone, prices[row - 1, CLOSE], float(record["delisting"]), book.delistings, t)
            book.dividends[t] = held.units * event[DIVIDEND]
        ruined = record["equity_open"] <= 0.0
        held.settle(~nothing if ruined else nothing, opening, 0.0, book.ruins_at_open, t)
        held.trade(path.orders[t], opening, book.trades, t)
        ruined = path.equity[t] <= 0.0
        held.settle(~nothing if ruined else nothing, close, 0.0, book.ruins_at_close, t)
        book.units[t], book.average[t], book.close[t] = held.units, held.average, close
    return book


def _blank(shape: tuple[int, ...], first_row: int) -> Bookkeeping:
    units, average, close, dividends = np.zeros((4, *shape))
    splits, delistings, ruins_at_open, trades, ruins_at_close = (Change(*np.zeros((4, *shape))) for _ in range(5))
    return Bookkeeping(
        units, average, close, dividends, splits, delistings, ruins_at_open, trades, ruins_at_close, first_row
    )


class _Positions:
    """Units and their average cost, (A,) each."""

    def __init__(self, num_assets: int) -> None:
        self.units = np.zeros(num_assets)
        self.average = np.zeros(num_assets)

    def split(self, ratio: FloatArray, out: Change, t: int) -> None:
        """More units at a lower cost each."""
        before = self.units
        self.units = before * ratio
        self.average = np.divide(self.average, ratio, out=np.zeros_like(ratio), where=ratio > 0.0)
        out.units[t], out.position[t] = self.units - before, self.units

    def settle(self, which: BoolArray, price: FloatArray, lost: float, out: Change, t: int) -> None:
        """Close some positions at ``price``; ``lost`` of their value goes to nobody."""
        closing = np.where(which, self.units, 0.0)
        size = np.abs(closing * price)
        total = size.sum()
        haircut = size * (lost / total) if total > 0.0 else 0.0
        self._record(-closing, price, closing * (price - self.average) - haircut, out, t)
        self.units = np.where(which, 0.0, self.units)
        self.average = np.where(which, 0.0, self.average)
        out.position[t] = self.units

    def trade(self, order: FloatArray, price: FloatArray, out: Change, t: int) -> None:
        """Buy or sell at ``price``."""
        before = self.units
        after = before + order
        after = np.where(np.abs(after) <= _DUST * np.maximum(np.abs(before), np.abs(order)), 0.0, after)
        reduces = before * order < 0.0
        turns = before * after < 0.0
        left = np.where(turns, 0.0, after)
        realised = np.where(reduces, (before - left) * (price - self.average), 0.0)
        adds = ~reduces & (after != 0.0)
        mixed = np.divide(before * self.average + order * price, after, out=np.zeros_like(after), where=adds)
        self.average = np.where(adds, mixed, np.where(turns, price, np.where(after == 0.0, 0.0, self.average)))
        self.units = after
        self._record(order, price, realised, out, t)
        out.position[t] = after

    def _record(self, units: FloatArray, price: FloatArray, realised: FloatArray, out: Change, t: int) -> None:
        out.units[t], out.price[t], out.realised[t] = units, np.where(units != 0.0, price, 0.0), realised


def _first_row(path: TradedPath, market: MarketArrays) -> int:
    first = int(np.searchsorted(market.dates, path.dates[0])) if len(path.dates) else 0
    same = np.array_equal(market.dates[first : first + len(path.dates)], path.dates)
    if first < 1 or not same or path.symbols != market.symbols:
        raise DataWindowError(
            f"a portfolio needs the panel that the path was traded on, got a path of {len(path.dates)} sessions and "
            f"{len(path.symbols)} assets, and a panel of {market.dates[0]} .. {market.dates[-1]} and "
            f"{len(market.symbols)}"
        )
    return first

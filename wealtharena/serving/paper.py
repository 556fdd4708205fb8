"""Paper accounts: what a lane decided night after night, replayed through the execution kernel.

An account is nothing but its recorded orders: replayed from the first of them, it is what a backtest of the same
targets gives. Sessions that were reported stay as they were reported, whatever the data say later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import DateArray, FloatArray, MarketPanel
from wealtharena.envs.simulation import next_limited
from wealtharena.evaluation.backtest import BacktestResult, backtest_weights
from wealtharena.evaluation.metrics import max_drawdown, sharpe_ratio, sharpe_standard_error, total_return
from wealtharena.execution import TradingRules
from wealtharena.serving.trials import limited_after

TOLERANCE = 1e-12
"""Largest difference between a session's recorded and replayed return that is rounding; more is other data."""

MIN_SESSIONS = 21
"""Sessions, a month of them, below which an account has no Sharpe ratio."""

# Far above every weight that limits allow: what was ordered is what is traded.
_NO_LIMIT = 1e6


@dataclass(frozen=True)
class Orders:
    """What was decided after the close of one session, to be filled at the next open.

    Attributes:
        as_of: the session.
        weights: target weight per symbol, within the limits; a symbol without one is left as it is.
        bundle_hash: of the policy that decided; ``""`` for a rule.
    """

    as_of: date
    weights: Mapping[str, float]
    bundle_hash: str = ""


@dataclass(frozen=True)
class PaperSessions:
    """T consecutive sessions of an account that began with an equity of 1 in cash; columns as in ``BacktestResult``.

    Attributes:
        dates: (T,) sessions.
        equity: (T,) at the close.
        returns, cash_returns: (T,) simple net return from close to close, and that of cash.
        turnover, cost: (T,) over equity at the open.
        gross: (T,) sum of absolute weights at the close.
    """

    dates: DateArray
    equity: FloatArray
    returns: FloatArray
    cash_returns: FloatArray
    turnover: FloatArray
    cost: FloatArray
    gross: FloatArray

    @property
    def excess_returns(self) -> FloatArray:
        """(T,) returns above those of cash: the forward evidence."""
        return self.returns - self.cash_returns

    def part(self, rows: NDArray[np.bool_]) -> "PaperSessions":
        """Some of the sessions."""
        return PaperSessions(**{entry.name: getattr(self, entry.name)[rows] for entry in fields(self)})

    def followed_by(self, later: "PaperSessions") -> "PaperSessions":
        """These sessions and later ones."""
        return PaperSessions(**{name: np.concatenate([getattr(self, name), getattr(later, name)]) for name in _COLUMNS})

    @classmethod
    def of(cls, path: BacktestResult) -> "PaperSessions":
        """The sessions of a replay."""
        return cls(**{name: getattr(path, name).copy() for name in _COLUMNS})

    @classmethod
    def none(cls) -> "PaperSessions":
        """No session yet."""
        columns = {name: np.empty(0) for name in _COLUMNS if name != "dates"}
        return cls(dates=np.empty(0, "datetime64[D]"), **columns)


_COLUMNS = tuple(entry.name for entry in fields(PaperSessions))


@dataclass(frozen=True, slots=True)
class PaperFigures:
    """How an account did; NaN where undefined.

    Attributes:
        sessions: traded so far.
        total_return: compound, net of costs.
        sharpe, sharpe_standard_error: annual, of the excess returns; only from ``MIN_SESSIONS`` on, as the error is
            asymptotic: from two returns follow Sharpe ratios in the hundreds.
        max_drawdown: largest fall from a peak.
    """

    sessions: int
    total_return: float
    sharpe: float
    sharpe_standard_error: float
    max_drawdown: float


def replay(orders: Sequence[Orders], panel: MarketPanel, rules: TradingRules, name: str) -> BacktestResult | None:
    """The account that followed some orders from its first session, the one after the first orders, to the panel's end.

    A session without orders trades nothing, and so does a symbol without one. Orders of a day that is no session fill
    at the open of the next one. Symbols that the panel does not have are left out (see ``unknown_symbols``).

    Args:
        orders: in the order of their sessions.
        panel: history from before the first orders on.
        rules: limits and costs that they are traded under.
        name: of the result.

    Returns:
        None while there are no orders, or no session after the first.

    Raises:
        DataWindowError: the panel begins after the first orders.
    """
    if not orders:
        return None
    rows = [int(np.searchsorted(panel.dates, np.datetime64(item.as_of, "D"), side="right")) - 1 for item in orders]
    if rows[0] < 0:
        raise DataWindowError(f"{name}: the market must begin by its first orders of {orders[0].as_of}: {panel.span()}")
    first = rows[0] + 1
    if first >= len(panel.dates):
        return None
    places = {symbol: place for place, symbol in enumerate(panel.symbols)}
    targets = np.full((len(panel.dates), len(panel.symbols)), np.nan)
    for row, item in zip(rows, orders, strict=True):
        for symbol, weight in item.weights.items():
            if symbol in places:
                targets[row, places[symbol]] = weight
    return backtest_weights(targets, panel, (first, len(panel.dates)), rules, name)


def as_ordered(rules: TradingRules) -> TradingRules:
    """``rules`` without limits: an account that trades what somebody else's account was told, at its own costs."""
    return replace(
        TradingRules.unlimited(max_weight=_NO_LIMIT, max_gross=_NO_LIMIT),
        delisting_haircut=rules.delisting_haircut,
        capital=rules.capital,
        debit_rate=rules.debit_rate,
    )


def unknown_symbols(orders: Sequence[Orders], panel: MarketPanel) -> tuple[str, ...]:
    """Symbols with a target other than zero that the panel does not have, sorted."""
    ordered = {symbol for item in orders for symbol, weight in item.weights.items() if weight}
    return tuple(sorted(ordered - set(panel.symbols)))


def new_sessions(recorded: PaperSessions, path: BacktestResult | None) -> tuple[PaperSessions, int]:
    """The sessions of a replay after those that are recorded, and the number of recorded ones that it contradicts.

    What is recorded stands. Where it differs from the replay because the data were revised since, the new sessions'
    returns are the replay's, and their equity goes on from the last that is recorded.
    """
    if path is None:
        return PaperSessions.none(), len(recorded.dates)
    replayed = PaperSessions.of(path)
    if not len(recorded.dates):
        return replayed, 0
    is_new = replayed.dates > recorded.dates[-1]
    later = replayed.part(is_new)
    equity = recorded.equity[-1] * np.cumprod(1.0 + later.returns)
    return replace(later, equity=equity), _contradicted(recorded, replayed.part(~is_new))


def next_orders(
    wanted: FloatArray, panel: MarketPanel, rules: TradingRules, path: BacktestResult | None
) -> dict[str, float]:
    """Target weight per symbol that the limits leave of wanted weights (A,) after the panel's last close.

    Args:
        wanted: NaN, no order, stays away.
        path: of the account so far; None: all cash.
    """
    limited = next_limited(wanted, panel, rules) if path is None else limited_after(wanted, path)
    return {symbol: float(weight) for symbol, weight in zip(panel.symbols, limited, strict=True) if np.isfinite(weight)}


def figures(sessions: PaperSessions, annualisation: int) -> PaperFigures:
    """Figures of an account over all its sessions."""
    scored = sessions.excess_returns if len(sessions.dates) >= MIN_SESSIONS else np.empty(0)
    return PaperFigures(
        sessions=len(sessions.dates),
        total_return=total_return(sessions.returns),
        sharpe=sharpe_ratio(scored, annualisation),
        sharpe_standard_error=sharpe_standard_error(scored, annualisation),
        max_drawdown=max_drawdown(sessions.returns),
    )


def _contradicted(recorded: PaperSessions, replayed: PaperSessions) -> int:
    """Sessions that only one of them has, or whose returns differ."""
    both, here, there = np.intersect1d(recorded.dates, replayed.dates, return_indices=True)
    alone = len(recorded.dates) + len(replayed.dates) - 2 * len(both)
    differ = np.abs(recorded.returns[here] - replayed.returns[there]) > TOLERANCE
    return alone + int(differ.sum())

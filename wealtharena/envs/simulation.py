"""Passes through consecutive sessions: what backtests, baselines and paper trading run on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import DataWindowError, ExecutionError
from wealtharena.core.panel import DateArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.spaces import decision_mode, observation_shape
from wealtharena.execution.accounts import REPORT, Accounts, IntArray, Records, empty_report, open_accounts
from wealtharena.execution.columns import CASH_RATE, DAYS
from wealtharena.execution.kernel import (
    WEIGHTS,
    decide_targets,
    kernel_rules,
    observe,
    padded_decisions,
    step_accounts,
    trade_weights,
    workspace,
)
from wealtharena.execution.market import MarketArrays, market_arrays
from wealtharena.execution.reward import RewardWeights
from wealtharena.execution.rules import TradingRules

PolicyAct = Callable[[Float32Array], npt.NDArray[np.floating]]

_REWARD = RewardWeights().vector()
_EVERYONE = np.ones(1, np.bool_)


@dataclass(frozen=True, slots=True)
class SimulationPath:
    """One account through T sessions; it starts with an equity of 1 in cash.

    Attributes:
        dates: (T,) sessions.
        symbols: A names, the columns of ``weights``, ``targets``, ``orders`` and ``fill_prices``.
        summary: (T,) records of ``wealtharena.execution.accounts.REPORT``: costs by kind, interest, limits …
        equity: (T,) at the close.
        returns: (T,) simple return from the previous close (the first from the initial equity); 0 after bankruptcy.
        cash_returns: (T,) what an account that holds nothing but cash earns.
        gross: (T,) sum of absolute weights at the close.
        weights: (T, A) held at the close.
        targets: (T, A) asked for at the open, after the limits; NaN where no order was given.
        orders: (T, A) units bought (sold when negative) at the open, per unit of initial equity.
        fill_prices: (T, A) price of a unit at the open; NaN before the first bar.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    summary: Records
    equity: FloatArray
    returns: FloatArray
    cash_returns: FloatArray
    gross: FloatArray
    weights: FloatArray
    targets: FloatArray
    orders: FloatArray
    fill_prices: FloatArray

    @property
    def excess_returns(self) -> FloatArray:
        """(T,) returns above those of cash."""
        return self.returns - self.cash_returns

    @property
    def equity_open(self) -> FloatArray:
        """(T,) at the open, before trading."""
        return self.summary["equity_open"]

    @property
    def turnover(self) -> FloatArray:
        """(T,) traded value over equity at the open."""
        return self.summary["turnover"]

    @property
    def cost(self) -> FloatArray:
        """(T,) trading and carrying cost over equity at the open."""
        return self.summary["cost"]

    @property
    def limits(self) -> IntArray:
        """(T,) ``wealtharena.execution.Limit`` flags."""
        return self.summary["limits"]


def run_policy(
    act: PolicyAct,
    panel: MarketPanel,
    first_row: int,
    last_row: int,
    rules: TradingRules,
    *,
    cost_multiplier: float = 1.0,
    window: int = 1,
    actions: str = "weights",
) -> SimulationPath:
    """Trade rows ``first_row`` to ``last_row``, both included, with a policy.

    The first decision is made after the close of row ``first_row - 1``, so the first fill is at the open of
    ``first_row``. Observations are written by the code that writes them in training.

    Args:
        act: observations (1, A, D) float32 to scores (1, A); the array is overwritten by the next session.
        cost_multiplier: scales spread, commission and impact.
        window: sessions whose features an observation shows.
        actions: what the scores are, see ``EnvConfig.action``: ``weights``, ``changes``, or positions among ``levels``.

    Raises:
        DataWindowError: the rows are not in the panel, or there are not ``window`` rows before the first.
        ExecutionError: the scores have another shape or are not finite.
        SettingsError: there are no such actions.
    """
    num_sessions, num_assets = _num_sessions(panel, first_row, last_row, window), len(panel.symbols)
    market = market_arrays(panel, window)
    limits = kernel_rules(rules, market)
    accounts = open_accounts(np.arange(num_assets)[None, :], row=first_row - 1)
    report = empty_report(1, num_assets)
    accounts.state["cost_multiplier"] = cost_multiplier
    observations = np.zeros((1, *observation_shape(num_assets, market.num_features, window)), np.float32)
    decisions = padded_decisions(np.zeros((1, num_assets)))
    flags = np.zeros((2, 1), np.bool_)
    arguments: tuple[Any, ...] = (
        *market.kernel_arguments(), *accounts, *report, limits, _REWARD, *workspace(limits, market, num_assets),
        decisions, decision_mode(actions), np.zeros(1, np.bool_), np.zeros(1), flags[0], flags[1], observations,
    )  # fmt: skip
    recorded = _Recorder(num_sessions, num_assets)
    observe(market, accounts, limits, _EVERYONE, observations)
    for t in range(num_sessions):
        decisions[:, :num_assets] = _scores(act, observations)
        step_accounts(*arguments)
        recorded.equity[0, t] = accounts.state["equity"][0]
        recorded.gross[0, t] = accounts.state["gross"][0]
        recorded.summary[0, t] = report.summary[0]
        recorded.weights[0, t] = accounts.weights[0, :num_assets]
        recorded.targets[0, t] = report.targets[0, :num_assets]
        recorded.orders[0, t] = report.orders[0, :num_assets]
    return recorded.path(market, first_row)


def run_weights(
    weights: FloatArray,
    panel: MarketPanel,
    first_row: int,
    last_row: int,
    rules: TradingRules,
    *,
    cost_multiplier: float = 1.0,
) -> SimulationPath:
    """Trade rows ``first_row`` to ``last_row``, both included, towards given target weights.

    Args:
        weights: (T, A), one row per traded session: ``weights[t]`` fills at the open of ``first_row + t``, so it may
            use what was known after the close before. NaN gives no order: the position is left to drift
            (buy and hold is one row of weights, then NaN). The limits of ``rules`` apply.
        cost_multiplier: scales spread, commission and impact.

    Raises:
        DataWindowError: the rows are not in the panel or there is no row before the first.
        ExecutionError: the weights have another shape or are infinite.
    """
    num_sessions, num_assets = _num_sessions(panel, first_row, last_row), len(panel.symbols)
    market = market_arrays(panel)
    recorded = _Recorder(num_sessions, num_assets)
    _trade(np.asarray(weights)[None], market, first_row, num_sessions, rules, cost_multiplier, recorded)
    return recorded.path(market, first_row)


def run_strategies(
    weights: FloatArray,
    panel: MarketPanel,
    first_row: int,
    last_row: int,
    rules: TradingRules,
    *,
    cost_multiplier: float | FloatArray = 1.0,
) -> FloatArray:
    """Equity (S, T) at the close of S accounts, each of which trades its own target weights as in ``run_weights``.

    Args:
        weights: (S, T, A).
        cost_multiplier: one for all or (S,).

    Raises:
        DataWindowError, ExecutionError: as ``run_weights``.
    """
    num_sessions = _num_sessions(panel, first_row, last_row)
    recorded = _Recorder(num_sessions, len(panel.symbols), num_accounts=len(weights), equity_only=True)
    _trade(weights, market_arrays(panel), first_row, num_sessions, rules, cost_multiplier, recorded)
    return recorded.equity


def next_targets(
    act: PolicyAct,
    panel: MarketPanel,
    rules: TradingRules,
    weights: FloatArray | None = None,
    drawdown: float = 0.0,
    stopped: int = 0,
    *,
    window: int = 1,
    actions: str = "weights",
) -> FloatArray:
    """Target weights (A,) that a policy decides after the last close of ``panel``, as it would in ``run_policy``.

    Args:
        act: as for ``run_policy``.
        weights: (A,) what the account holds at that close; all cash by default.
        drawdown: of the account from the peak that its stop counts from, in [-1, 0].
        stopped: sessions that a stopped account still stays in cash (``wealtharena.execution.drawdown_state``).
        window, actions: what the policy sees and says, as for ``run_policy``.

    Raises:
        DataWindowError: the panel has fewer sessions than the window.
        ExecutionError: the scores have another shape or are not finite.
        SettingsError: there are no such actions.
    """
    market, num_assets = market_arrays(panel, window), len(panel.symbols)
    limits, accounts = kernel_rules(rules, market), _account_after(panel, weights, drawdown, stopped)
    observations = np.zeros((1, *observation_shape(num_assets, market.num_features, window)), np.float32)
    observe(market, accounts, limits, _EVERYONE, observations)
    return _decided(_scores(act, observations), decision_mode(actions), market, accounts, limits)


def next_limited(
    wanted: FloatArray,
    panel: MarketPanel,
    rules: TradingRules,
    weights: FloatArray | None = None,
    drawdown: float = 0.0,
    stopped: int = 0,
) -> FloatArray:
    """Target weights (A,) that the limits leave of ``wanted`` after the last close of ``panel``, as in ``run_weights``.

    Args:
        wanted: (A,) weights; NaN, no order, stays.
        weights, drawdown, stopped: state of the account, as for ``next_targets``.

    Raises:
        ExecutionError: the weights have another shape or are infinite.
    """
    if wanted.shape != (len(panel.symbols),) or np.isinf(wanted).any():
        raise ExecutionError(f"weights must be ({len(panel.symbols)},) without infinities, got {wanted.shape}")
    market = market_arrays(panel)
    accounts = _account_after(panel, weights, drawdown, stopped)
    return _decided(wanted[None], WEIGHTS, market, accounts, kernel_rules(rules, market))


def _scores(act: PolicyAct, observations: Float32Array) -> FloatArray:
    """What a policy says to (1, A, D) observations, (1, A)."""
    scores: FloatArray = np.asarray(act(observations), dtype=np.float64)
    num_assets = observations.shape[1]
    if scores.shape != (1, num_assets) or not np.isfinite(scores).all():
        raise ExecutionError(f"scores must be finite and (1, {num_assets}), got {scores.shape}")
    return scores


def _account_after(panel: MarketPanel, weights: FloatArray | None, drawdown: float, stopped: int) -> Accounts:
    """An account that has seen the last close of a panel."""
    accounts = open_accounts(np.arange(len(panel.symbols))[None, :], row=len(panel.dates) - 1)
    if weights is not None:
        accounts.weights[0, : len(weights)] = weights
        accounts.state["gross"] = np.abs(weights).sum()
    accounts.state["equity"] = accounts.state["peak"] * (1.0 + drawdown)
    accounts.state["stopped"] = stopped
    return accounts


def _decided(decisions: FloatArray, mode: int, market: MarketArrays, accounts: Accounts, limits: Records) -> FloatArray:
    num_assets = decisions.shape[1]
    report = empty_report(1, num_assets)
    decide_targets(
        market.prices, market.returns, market.num_observed, accounts.state, accounts.assets, accounts.weights,
        report.summary, report.targets, limits, *workspace(limits, market, num_assets),
        padded_decisions(decisions), mode,
    )  # fmt: skip
    targets: FloatArray = report.targets[0, :num_assets].copy()
    return targets


class _Recorder:
    """What sessions leave behind, account by account."""

    def __init__(self, num_sessions: int, num_assets: int, num_accounts: int = 1, *, equity_only: bool = False) -> None:
        kept = 0 if equity_only else num_sessions
        self.equity = np.zeros((num_accounts, num_sessions))
        self.summary = np.zeros((num_accounts, kept), REPORT)
        self.gross = np.zeros((num_accounts, kept))
        self.weights, self.targets, self.orders = (np.zeros((num_accounts, kept, num_assets)) for _ in range(3))

    def path(self, market: MarketArrays, first_row: int) -> SimulationPath:
        """The first account's path."""
        num_sessions = self.equity.shape[1]
        rows = slice(first_row, first_row + num_sessions)
        return SimulationPath(
            dates=market.dates[rows].copy(),
            symbols=market.symbols,
            summary=self.summary[0],
            equity=self.equity[0],
            returns=_simple_returns(self.equity[0]),
            cash_returns=market.overnight[rows, DAYS] * market.overnight[rows, CASH_RATE],
            gross=self.gross[0],
            weights=self.weights[0],
            targets=self.targets[0],
            orders=self.orders[0],
            fill_prices=market.open_mark[rows],
        )


def _trade(
    weights: FloatArray,
    market: MarketArrays,
    first_row: int,
    num_sessions: int,
    rules: TradingRules,
    cost_multiplier: float | FloatArray,
    recorded: _Recorder,
) -> None:
    num_assets = len(market.symbols)
    expected = (len(weights), num_sessions, num_assets)
    if weights.shape != expected or np.isinf(weights).any():
        raise ExecutionError(f"weights must be {expected[1:]} without infinities, got {weights.shape[1:]}")
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    limits = kernel_rules(rules, market)
    accounts = open_accounts(np.tile(np.arange(num_assets), (len(weights), 1)), row=first_row - 1)
    report = empty_report(len(weights), num_assets)
    accounts.state["cost_multiplier"] = cost_multiplier
    arguments: tuple[Any, ...] = (
        *market.kernel_arguments()[1:], *accounts, *report, limits, _REWARD,
        *workspace(limits, market, num_assets), weights, recorded.equity, recorded.summary, recorded.gross,
        recorded.weights, recorded.targets, recorded.orders,
    )  # fmt: skip
    trade_weights(*arguments)


def _num_sessions(panel: MarketPanel, first_row: int, last_row: int, window: int = 1) -> int:
    if not window <= first_row <= last_row < len(panel.dates):
        raise DataWindowError(
            f"rows must satisfy {window} <= first <= last < {len(panel.dates)} (a decision needs a close before the "
            f"first fill, and the window's sessions), got {first_row} and {last_row}"
        )
    return last_row - first_row + 1


def _simple_returns(equity: FloatArray) -> FloatArray:
    """(T,) from an initial equity of 1; 0 once nothing is left."""
    before = np.concatenate([[1.0], equity[:-1]])
    returns = np.zeros_like(equity)
    np.divide(equity - before, before, out=returns, where=before > 0.0)
    return returns

"""One pass through consecutive sessions: what backtests, baselines and paper trading run on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import DataWindowError, ExecutionError
from wealtharena.core.panel import DateArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.spaces import observation_shape
from wealtharena.execution.accounts import Accounts, IntArray, SessionReport, empty_report, open_accounts
from wealtharena.execution.kernel import kernel_rules, step_accounts, write_observations
from wealtharena.execution.market import market_arrays
from wealtharena.execution.rules import TradingRules
from wealtharena.execution.targets import target_weights

PolicyAct = Callable[[Float32Array], npt.NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class SimulationPath:
    """One account through T sessions; it starts with an equity of 1 in cash.

    Attributes:
        dates: (T,) sessions.
        symbols: A names, the columns of ``weights`` and ``targets``.
        equity_open: (T,) at the open, before trading.
        equity: (T,) at the close.
        returns: (T,) simple return from the previous close (the first from the initial equity); 0 after bankruptcy.
        turnover: (T,) traded value over equity at the open.
        cost: (T,) trading cost and borrow over equity at the open.
        gross: (T,) sum of absolute weights at the close.
        weights: (T, A) held at the close.
        targets: (T, A) asked for at the open, after the limits; NaN where no order was given.
        limits: (T,) ``wealtharena.execution.Limit`` flags.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    equity_open: FloatArray
    equity: FloatArray
    returns: FloatArray
    turnover: FloatArray
    cost: FloatArray
    gross: FloatArray
    weights: FloatArray
    targets: FloatArray
    limits: IntArray


def run_policy(
    act: PolicyAct,
    panel: MarketPanel,
    first_row: int,
    last_row: int,
    rules: TradingRules,
    *,
    cost_multiplier: float = 1.0,
) -> SimulationPath:
    """Trade rows ``first_row`` to ``last_row``, both included, with a policy.

    The first decision is made after the close of row ``first_row - 1``, so the first fill is at the open of
    ``first_row``. Observations are written by the code that writes them in training.

    Args:
        act: observations (1, A, D) float32 to scores (1, A); the array is overwritten by the next session.
        cost_multiplier: scales the panel's one-way cost.

    Raises:
        DataWindowError: the rows are not in the panel or there is no row before the first.
        ExecutionError: the scores have another shape or are not finite.
    """
    observations = np.zeros((1, *observation_shape(len(panel.symbols), len(panel.feature_names))), np.float32)
    run = _Run(panel, first_row, last_row, rules, cost_multiplier)
    everyone = np.ones(1, np.bool_)

    def decide(_: int) -> FloatArray:
        write_observations(run.market, run.accounts, run.rules, everyone, observations)
        scores: FloatArray = np.ascontiguousarray(act(observations), dtype=np.float64)
        if scores.shape != (1, len(panel.symbols)) or not np.isfinite(scores).all():
            raise ExecutionError(f"scores must be finite and (1, {len(panel.symbols)}), got {scores.shape}")
        return scores

    return run.path(decide, as_weights=False)


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
        cost_multiplier: scales the panel's one-way cost.

    Raises:
        DataWindowError: the rows are not in the panel or there is no row before the first.
        ExecutionError: the weights have another shape or are infinite.
    """
    expected = (last_row - first_row + 1, len(panel.symbols))
    weights = np.ascontiguousarray(weights, dtype=np.float64)
    if weights.shape != expected or np.isinf(weights).any():
        raise ExecutionError(f"weights must be {expected} without infinities, got {weights.shape}")
    run = _Run(panel, first_row, last_row, rules, cost_multiplier)
    return run.path(lambda session: weights[session : session + 1], as_weights=True)


def next_targets(
    act: PolicyAct, panel: MarketPanel, rules: TradingRules, weights: FloatArray | None = None, drawdown: float = 0.0
) -> FloatArray:
    """Target weights (A,) that a policy decides after the last close of ``panel``, as it would in ``run_policy``.

    Args:
        act: as for ``run_policy``.
        weights: (A,) what the account holds at that close; all cash by default.
        drawdown: of the account from its peak, in [-1, 0].

    Raises:
        ExecutionError: the scores have another shape or are not finite.
    """
    last = panel.rows(len(panel.dates) - 1, len(panel.dates))
    accounts = open_accounts(np.arange(len(panel.symbols))[None, :])
    if weights is not None:
        accounts.weights[0] = weights
        accounts.gross[0] = np.abs(weights).sum()
    accounts.equity[0] = accounts.peak[0] * (1.0 + drawdown)
    observations = np.zeros((1, *observation_shape(len(panel.symbols), len(panel.feature_names))), np.float32)
    write_observations(market_arrays(last), accounts, kernel_rules(rules), np.ones(1, np.bool_), observations)
    targets: FloatArray = target_weights(act(observations), last.observed, rules)[0]
    return targets


class _Run:
    """One account over the rows of a panel."""

    def __init__(
        self, panel: MarketPanel, first_row: int, last_row: int, rules: TradingRules, cost_multiplier: float
    ) -> None:
        if not 1 <= first_row <= last_row < len(panel.dates):
            raise DataWindowError(
                f"rows must satisfy 1 <= first <= last < {len(panel.dates)} (a decision needs a close before the "
                f"first fill), got {first_row} and {last_row}"
            )
        self._panel = panel
        self._first_row = first_row
        self._num_sessions = last_row - first_row + 1
        num_assets = len(panel.symbols)
        self.market = market_arrays(panel)
        self.rules = kernel_rules(rules, cost_multiplier)
        self.accounts: Accounts = open_accounts(np.arange(num_assets)[None, :], row=first_row - 1)
        self._report: SessionReport = empty_report(1, num_assets)

    def path(self, decide: Callable[[int], FloatArray], *, as_weights: bool) -> SimulationPath:
        num_sessions, num_assets = self._num_sessions, len(self._panel.symbols)
        columns = {name: np.zeros(num_sessions) for name in ("equity_open", "equity", "turnover", "cost", "gross")}
        weights = np.zeros((num_sessions, num_assets))
        targets = np.zeros((num_sessions, num_assets))
        limits = np.zeros(num_sessions, np.int64)
        nobody = np.zeros(1, np.bool_)
        no_shift = np.zeros(num_assets)
        for t in range(num_sessions):
            decisions = decide(t)
            step_accounts(self.market, self.accounts, self._report, self.rules, decisions, as_weights, no_shift, nobody)
            columns["equity_open"][t] = self._report.equity_open[0]
            columns["equity"][t] = self.accounts.equity[0]
            columns["turnover"][t] = self._report.turnover[0]
            columns["cost"][t] = self._report.cost[0]
            columns["gross"][t] = self.accounts.gross[0]
            weights[t] = self.accounts.weights[0]
            targets[t] = self._report.targets[0]
            limits[t] = self._report.limits[0]
        return SimulationPath(
            dates=self._panel.dates[self._first_row : self._first_row + num_sessions].copy(),
            symbols=self._panel.symbols,
            returns=_simple_returns(columns["equity"]),
            weights=weights,
            targets=targets,
            limits=limits,
            **columns,
        )


def _simple_returns(equity: FloatArray) -> FloatArray:
    """(T,) from an initial equity of 1; 0 once nothing is left."""
    before = np.concatenate([[1.0], equity[:-1]])
    returns = np.zeros_like(equity)
    np.divide(equity - before, before, out=returns, where=before > 0.0)
    return returns

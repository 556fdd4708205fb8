"""One policy on many accounts at once, each over a span of sessions of its own: what simulations run on."""

from typing import Any

import numpy as np

from wealtharena.core.errors import DataWindowError, ExecutionError
from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs.simulation import PolicyAct
from wealtharena.envs.spaces import decision_mode, observation_shape
from wealtharena.execution.accounts import IntArray, empty_report, open_accounts, reopen_accounts
from wealtharena.execution.kernel import kernel_rules, observe, padded_decisions, step_accounts, workspace
from wealtharena.execution.market import market_arrays
from wealtharena.execution.reward import RewardWeights
from wealtharena.execution.rules import TradingRules


def run_spans(
    act: PolicyAct,
    panel: MarketPanel,
    first_rows: IntArray,
    num_sessions: int,
    rules: TradingRules,
    *,
    window: int = 1,
    actions: str = "weights",
) -> FloatArray:
    """Equity (N, T) at the close of N accounts, each of which trades T rows as in ``run_policy``.

    Args:
        act: observations (N, A, D) float32 of all accounts to scores (N, A); the array is overwritten by the next
            session.
        first_rows: (N,) first traded row of each; the decision before it is made after the close of the row above.
        num_sessions: T.
        window, actions: what the policy sees and says, as for ``run_policy``.

    Raises:
        DataWindowError: a span is not in the panel, or there are not ``window`` rows before it.
        ExecutionError: the scores have another shape or are not finite.
        SettingsError: there are no such actions.
    """
    num_accounts, num_assets = len(first_rows), len(panel.symbols)
    _check_spans(first_rows, num_sessions, len(panel.dates), window)
    market = market_arrays(panel, window)
    limits = kernel_rules(rules, market, monitor=False)
    assets = np.tile(np.arange(num_assets), (num_accounts, 1))
    accounts, report = open_accounts(assets), empty_report(num_accounts, num_assets)
    reopen_accounts(accounts, np.arange(num_accounts), first_rows - 1, assets)
    observations = np.zeros((num_accounts, *observation_shape(num_assets, market.num_features, window)), np.float32)
    decisions = padded_decisions(np.zeros((num_accounts, num_assets)))
    nobody, flags = np.zeros(num_accounts, np.bool_), np.zeros((2, num_accounts), np.bool_)
    arguments: tuple[Any, ...] = (
        *market.kernel_arguments(), *accounts, *report, limits, RewardWeights().vector(),
        *workspace(limits, market, num_assets), decisions, decision_mode(actions), nobody, np.zeros(num_accounts),
        flags[0], flags[1], observations,
    )  # fmt: skip
    equity = np.zeros((num_accounts, num_sessions))
    observe(market, accounts, limits, ~nobody, observations)
    for t in range(num_sessions):
        scores = np.asarray(act(observations), dtype=np.float64)
        if scores.shape != (num_accounts, num_assets) or not np.isfinite(scores).all():
            raise ExecutionError(f"scores must be finite and ({num_accounts}, {num_assets}), got {scores.shape}")
        decisions[:, :num_assets] = scores
        step_accounts(*arguments)
        equity[:, t] = accounts.state["equity"]
    return equity


def _check_spans(first_rows: IntArray, num_sessions: int, num_rows: int, window: int) -> None:
    last = num_rows - num_sessions
    outside = (first_rows < window) | (first_rows > last)
    if num_sessions < 1 or not len(first_rows) or outside.any():
        raise DataWindowError(
            f"spans of at least one session must begin at rows in [{window}, {last}], got {num_sessions} sessions from "
            f"rows {first_rows.tolist()}"
        )

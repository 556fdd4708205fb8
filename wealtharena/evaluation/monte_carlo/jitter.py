"""Whether a result hangs on details: noise in what a policy sees, other limits, a later start, a session's delay."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wealtharena.agents import Policy
from wealtharena.core.panel import Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.monte_carlo.cost_stress import Stress, stress
from wealtharena.evaluation.monte_carlo.figures import path_figures, returns_of
from wealtharena.evaluation.monte_carlo.simulation import Simulation
from wealtharena.evaluation.monte_carlo.strategies import FrozenPolicy, Strategy, Trader
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.execution.columns import ACCOUNT_COLUMNS

METHOD_FEATURES, METHOD_LIMITS, METHOD_START, METHOD_LAG = "feature_noise", "limit_noise", "start_shift", "lag"
LAGGED_SCENARIO = "1 session"
_LIMITS = (
    "max_weight", "max_gross", "max_net", "max_turnover", "concentration", "max_volatility", "max_var", "max_cvar",
    "drawdown_stop",
)  # fmt: skip
_OBSERVED = -3


@dataclass(frozen=True)
class _Disturbed:
    """A policy that sees its features with noise, drawn anew for every observation."""

    policy: Policy
    scale: Float32Array
    generator: np.random.Generator

    def act(self, observation: Float32Array) -> FloatArray:
        noise = self.generator.standard_normal((*observation.shape[:2], len(self.scale)), dtype=np.float32)
        # The kernel shows a feature of 0 for what is not observed; noise would tell a policy that something is there.
        noise *= self.scale * (observation[:, :, _OBSERVED, None] > 0.0)
        disturbed = observation.copy()
        disturbed[:, :, : len(self.scale)] += noise
        return self.policy.act(disturbed)


def feature_noise(
    frozen: FrozenPolicy,
    panel: MarketPanel,
    window: Window,
    rules: TradingRules,
    share: float,
    num_paths: int,
    generator: np.random.Generator,
) -> Simulation:
    """N accounts of a policy on the real market whose features have Normal noise of ``share`` of their deviation.

    The deviation is that of each feature over the observed assets in the rows before the window. With ``share`` 0 every
    account is the backtest's.
    """
    scale = share * np.tile(_deviations(panel, window[0]), frozen.observation_window)
    disturbed = replace(frozen, policy=_Disturbed(frozen.policy, scale.astype(np.float32), generator))
    first, last = window
    equity = disturbed.trade_spans(panel, np.full(num_paths, first), last - first, rules)
    base = frozen.trade(panel, window, rules)
    figures = path_figures(returns_of(equity), base.cash_returns, panel.annualisation)
    return Simulation(METHOD_FEATURES, f"{100.0 * share:g}%", figures)


def limit_noise(
    trader: Trader,
    panel: MarketPanel,
    window: Window,
    rules: TradingRules,
    share: float,
    num_paths: int,
    generator: np.random.Generator,
) -> Simulation:
    """N accounts under limits that differ: each limit by a factor drawn evenly from 1 - ``share`` to 1 + ``share``."""
    results = [
        trader.trade(panel, window, disturbed_limits(rules, 1.0 + share * generator.uniform(-1.0, 1.0, len(_LIMITS))))
        for _ in range(num_paths)
    ]
    return _together(METHOD_LIMITS, f"{100.0 * share:g}%", results, 0)


def start_shifts(trader: Trader, panel: MarketPanel, window: Window, rules: TradingRules, most: int) -> Simulation:
    """Accounts that begin 0 to ``most`` sessions late, all judged on the sessions that they have in common.

    ``most`` is cut to what leaves at least half of the window.
    """
    first, last = window
    late = min(most, (last - first) // 2)
    results = [trader.trade(panel, (first + shift, last), rules) for shift in range(late + 1)]
    return _together(METHOD_START, f"0 to {late} sessions", results, last - first - late)


def lagged_stress(
    strategy: Strategy, panel: MarketPanel, window: Window, rules: TradingRules, base: BacktestResult
) -> Stress:
    """The strategy with every fill a session later than it was decided for."""
    return stress(METHOD_LAG, LAGGED_SCENARIO, strategy.lagged().trade(panel, window, rules), base)


def lag_loss(lagged: Stress) -> float | None:
    """Share of the mean return above cash that a session's delay costs; below 0 where the delay gains.

    A result that rests on fills that nobody could have had loses nearly all of it, and one that rests on persistent
    positions little. None where there was nothing to lose: no return above cash.
    """
    before = lagged.excess_return - lagged.difference
    return -lagged.difference / before if before > 0.0 else None


def disturbed_limits(rules: TradingRules, factors: FloatArray) -> TradingRules:
    """The rules with each of their limits times a factor; shares that cannot exceed 1 do not."""
    changes = {
        name: getattr(rules, name) * float(factor)
        for name, factor in zip(_LIMITS, factors, strict=True)
        if getattr(rules, name) is not None
    }
    if "drawdown_stop" in changes:
        changes["drawdown_stop"] = min(changes["drawdown_stop"], 1.0)
    return replace(rules, **changes)


def _together(method: str, scenario: str, results: Sequence[BacktestResult], sessions: int) -> Simulation:
    """Figures of several accounts over their last ``sessions`` sessions; 0: all."""
    returns = np.array([result.returns[-sessions:] for result in results])
    cash = np.array([result.cash_returns[-sessions:] for result in results])
    return Simulation(method, scenario, path_figures(returns, cash, results[0].annualisation))


def _deviations(panel: MarketPanel, end_row: int) -> FloatArray:
    """(F,) standard deviation of each feature over observed assets before a row; 0 where nothing is observed."""
    values = panel.features[:end_row][panel.observed[:end_row]].astype(np.float64)
    return values.std(axis=0) if len(values) else np.zeros(len(panel.feature_names))


assert ACCOUNT_COLUMNS + _OBSERVED == 1  # noqa: S101 - the mask is the second of the account's columns

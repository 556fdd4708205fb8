"""What is simulated: a way of trading that is not trained any more, on any market of its kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from wealtharena.agents import Policy
from wealtharena.core.panel import Float32Array, FloatArray, MarketPanel
from wealtharena.envs.spans import run_spans
from wealtharena.evaluation.backtest import BacktestResult, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import Baseline
from wealtharena.evaluation.monte_carlo.blocks import IntArray
from wealtharena.evaluation.monte_carlo.sequence import in_sequence
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules


class Trader(Protocol):
    """Something that trades a window of a market."""

    def trade(self, panel: MarketPanel, window: Window, rules: TradingRules) -> BacktestResult:
        """The backtest of one account."""


class Strategy(Trader, Protocol):
    """A way of trading whose decisions can be held back."""

    def lagged(self) -> Trader:
        """The same with every decision filled one session later."""


class MarketStrategy(Strategy, Protocol):
    """A strategy that decides from the market, so that it can trade another market of the same assets."""

    def trade_each(self, panels: Sequence[MarketPanel], num_sessions: int, rules: TradingRules) -> FloatArray:
        """Equity (N, T) of N accounts, each over the last T sessions of a panel of its own."""


@dataclass(frozen=True)
class FrozenPolicy:
    """A trained policy.

    Attributes:
        policy: the network.
        observation_window, actions: what it sees and says, see ``run_policy``.
    """

    policy: Policy
    observation_window: int = 1
    actions: str = "weights"

    def trade(self, panel: MarketPanel, window: Window, rules: TradingRules) -> BacktestResult:
        """The backtest of one account; ``panel`` has the policy's features."""
        return backtest_policy(
            self.policy, panel, window, rules, "policy",
            observation_window=self.observation_window, actions=self.actions,
        )  # fmt: skip

    def lagged(self) -> "LaggedPolicy":
        """The same with every decision filled one session later; nothing is ordered in the first one."""
        return LaggedPolicy(self)

    def trade_each(self, panels: Sequence[MarketPanel], num_sessions: int, rules: TradingRules) -> FloatArray:
        """Equity (N, T) of N accounts that trade side by side, each over the last T sessions of a panel of its own."""
        before = max(rules.risk_window, self.observation_window) + 1
        joined, ends = in_sequence([_last(panel, before + num_sessions) for panel in panels])
        return self.trade_spans(joined, ends - num_sessions, num_sessions, rules)

    def trade_spans(
        self, panel: MarketPanel, first_rows: IntArray, num_sessions: int, rules: TradingRules
    ) -> FloatArray:
        """Equity (N, T) of accounts that trade T sessions from a row each; scores that are not finite count as 0."""

        def act(observations: Float32Array) -> FloatArray:
            return np.nan_to_num(self.policy.act(observations), nan=0.0, posinf=0.0, neginf=0.0)

        return run_spans(
            act, panel, first_rows, num_sessions, rules, window=self.observation_window, actions=self.actions
        )


@dataclass(frozen=True)
class LaggedPolicy:
    """A policy whose decisions wait for a session before they are filled."""

    frozen: FrozenPolicy

    def trade(self, panel: MarketPanel, window: Window, rules: TradingRules) -> BacktestResult:
        """The backtest of one account."""
        return replace(self.frozen, policy=_Waiting(self.frozen.policy)).trade(panel, window, rules)


@dataclass(frozen=True)
class FrozenRule:
    """A rule that gives target weights from a panel, such as a baseline."""

    rule: Baseline

    def trade(self, panel: MarketPanel, window: Window, rules: TradingRules) -> BacktestResult:
        """The backtest of one account."""
        return FrozenTargets(self.rule(panel, rules)).trade(panel, window, rules)

    def lagged(self) -> "FrozenRule":
        """The same with every decision filled one session later."""
        return FrozenRule(lambda panel, rules: _one_later(self.rule(panel, rules)))

    def trade_each(self, panels: Sequence[MarketPanel], num_sessions: int, rules: TradingRules) -> FloatArray:
        """Equity (N, T), each over the last T sessions of a panel of its own."""
        windows = [(len(panel.dates) - num_sessions, len(panel.dates)) for panel in panels]
        return np.array(
            [self.trade(panel, window, rules).equity for panel, window in zip(panels, windows, strict=True)]
        )


@dataclass(frozen=True)
class FrozenTargets:
    """Target weights (T, A) that were decided once, one row per row of the panel: they fit no other market."""

    targets: FloatArray

    def trade(self, panel: MarketPanel, window: Window, rules: TradingRules) -> BacktestResult:
        """The backtest of one account."""
        return backtest_weights(self.targets, panel, window, rules, "targets")

    def lagged(self) -> "FrozenTargets":
        """The same with every decision filled one session later."""
        return FrozenTargets(_one_later(self.targets))


class _Waiting:
    """A policy that says what it thought of the session before, at first nothing."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._before: FloatArray | None = None

    def act(self, observation: Float32Array) -> FloatArray:
        scores = self._policy.act(observation)
        before = np.zeros_like(scores) if self._before is None else self._before
        self._before = scores
        return before


def _one_later(targets: FloatArray) -> FloatArray:
    return np.vstack([np.full((1, targets.shape[1]), np.nan), targets[:-1]])


def _last(panel: MarketPanel, num_rows: int) -> MarketPanel:
    return panel.rows(max(0, len(panel.dates) - num_rows), len(panel.dates))

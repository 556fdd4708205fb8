"""The meta-agent for notebooks and programs: agents trained one by one, an allocator over them, one book out."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wealtharena.agents.fusion import fixed_allocation, fuse
from wealtharena.agents.policy import Policy
from wealtharena.agents.specs import AGENTS, META_AGENT, resolve_agent
from wealtharena.core.errors import SettingsError, TrainingError, unknown_name
from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs import next_targets
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.strategies import strategy_panel
from wealtharena.execution import TradingRules
from wealtharena.markets.frames import MarketData
from wealtharena.settings.models import Settings
from wealtharena.training.factory import RLAgent, RLAgentFactory
from wealtharena.training.local import Training, load_policy, split_for_training, train_here
from wealtharena.training.result import TrainingResult

COORDINATION_METHODS = ("hierarchical",)
FUSION_METHODS = ("weighted",)

# Of each agent's data: the agents learn from the rest, the allocator from what they earn here.
_OUT_OF_SAMPLE_SHARE = 0.4


@dataclass(frozen=True)
class RLMetaAgentConfig:
    """How agents are coordinated.

    Attributes:
        coordination_method: ``hierarchical``: an RL allocator spreads the capital, the agents trade their shares.
        fusion_method: ``weighted``: the books are added up, each times its share.
        agent_weights: fixed weights per agent, by which the allocator's shares are multiplied; agents not named get 1.
        settings: recipes, costs and limits.
        output_dir: where checkpoints go; a temporary folder if not given.
    """

    coordination_method: str = "hierarchical"
    fusion_method: str = "weighted"
    agent_weights: Mapping[str, float] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    output_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.coordination_method not in COORDINATION_METHODS:
            raise SettingsError(unknown_name("coordination_method", self.coordination_method, COORDINATION_METHODS))
        if self.fusion_method not in FUSION_METHODS:
            raise SettingsError(unknown_name("fusion_method", self.fusion_method, FUSION_METHODS))


class RLMetaAgent:
    """Trains agents and an allocator over them, and turns prices into one combined book."""

    def __init__(self, config: RLMetaAgentConfig | None = None) -> None:
        self.config = config or RLMetaAgentConfig()
        self.agents: dict[str, RLAgent] = {}
        self.result: TrainingResult | None = None
        self._recipe = self.config.settings.recipe_of(META_AGENT)
        self._rules = TradingRules.from_settings(self.config.settings, META_AGENT)
        self._policy: Policy | None = None

    def train_meta_agent(
        self, data: Mapping[str, MarketData], num_iterations: int | None = None, meta_iterations: int | None = None
    ) -> dict[str, Any]:
        """Trains each agent on its data, then the allocator on what they earned on data they had not learned from.

        Args:
            data: per agent name or alias, see ``panel_from_frames``.
            num_iterations: rounds of each agent's training; by default as its recipe says.
            meta_iterations: rounds of the allocator's; by default as ``settings.meta`` says.

        Returns:
            The allocator's report as of ``RLAgent.train``, and ``agents``: the report per agent.

        Raises:
            SettingsError: an agent does not exist, or there is none.
            CurationError, DataWindowError: data are malformed or too few.
        """
        if not data:
            raise SettingsError("train_meta_agent needs the data of at least one agent, got none")
        reports, books = {}, {}
        for name, prices in data.items():
            agent = RLAgentFactory.create_agent(name, self.config.settings, self._folder(name))
            reports[agent.spec.name] = agent.train(prices, num_iterations, validation_share=_OUT_OF_SAMPLE_SHARE)
            self.agents[agent.spec.name] = agent
            books[agent.spec.name] = agent.validation_book()
        strategies = strategy_panel(books, self.config.settings.meta.rebalance_bps)
        train, validation = split_for_training(strategies, META_AGENT, window=self._recipe.window)
        training = Training(AGENTS[META_AGENT], self._recipe, self._rules, self.config.settings)
        self.result = train_here(training, train, validation, meta_iterations, self._folder(META_AGENT))
        self._policy = load_policy(self.result.checkpoint)
        return {**self.result.summary(), "agents": reports}

    def generate_signals(self, data: Mapping[str, MarketData]) -> dict[str, Any]:
        """What to hold in the session after the last one in ``data``, for an account in cash.

        Returns:
            ``trading_decision``: per symbol ``weight`` of the whole capital and ``action`` (buy, sell, hold);
            ``agent_signals``: per agent its target weights; ``allocation``: per agent its share of the capital.
            A symbol that two agents trade is named ``agent:symbol``.

        Raises:
            TrainingError: the meta-agent, or an agent in ``data``, is not trained.
        """
        if self._policy is None:
            raise TrainingError(f"{META_AGENT}: not trained yet; call train_meta_agent(data) first")
        panels = {name: agent.panel(prices) for name, agent, prices in self._named(data)}
        allocation = self._allocation(self._policy, panels)
        signals = {name: self.agents[name].targets(panel) for name, panel in panels.items()}
        book = fuse({name: targets[None, :] for name, targets in signals.items()}, allocation)
        return {
            "trading_decision": _decisions(panels, book),
            "agent_signals": {
                name: dict(zip(panels[name].symbols, targets.tolist(), strict=True))
                for name, targets in signals.items()
            },
            "allocation": dict(zip(panels, allocation.tolist(), strict=True)),
        }

    def _named(self, data: Mapping[str, MarketData]) -> list[tuple[str, RLAgent, MarketData]]:
        """Agents at hand with their data, in name order, as strategy panels have them."""
        named = {resolve_agent(name).name: prices for name, prices in data.items()}
        missing = sorted(set(named) - set(self.agents))
        if missing:
            raise TrainingError(f"not trained: {', '.join(missing)}; trained: {', '.join(sorted(self.agents))}")
        return [(name, self.agents[name], named[name]) for name in sorted(named)]

    def _allocation(self, policy: Policy, panels: Mapping[str, MarketPanel]) -> FloatArray:
        """Shares (K,): the allocator's, tilted by the fixed weights, of the same sum."""
        books = {name: _backtest(self.agents[name], panel) for name, panel in panels.items()}
        strategies = strategy_panel(books, self.config.settings.meta.rebalance_bps)
        recipe = self._recipe
        shares = next_targets(policy.act, strategies, self._rules, window=recipe.window, actions=recipe.action_kind)
        tilted = shares * fixed_allocation(strategies.symbols, self.config.agent_weights)
        total = tilted.sum()
        return tilted * (shares.sum() / total) if total > 0 else tilted

    def _folder(self, name: str) -> Path:
        if self.config.output_dir is None:
            return Path(tempfile.mkdtemp(prefix=f"wealtharena-{name}-"))
        return self.config.output_dir / resolve_agent(name).name


def _backtest(agent: RLAgent, panel: MarketPanel) -> BacktestResult:
    """The agent's account from the first session after something is observed."""
    first = max(agent.recipe.window, int(np.argmax(panel.observed.any(axis=1))) + 1)
    return agent.backtest(panel, (first, len(panel.dates)))


def _decisions(panels: Mapping[str, MarketPanel], book: Mapping[str, FloatArray]) -> dict[str, dict[str, Any]]:
    names = Counter(symbol for panel in panels.values() for symbol in panel.symbols)
    return {
        (symbol if names[symbol] == 1 else f"{agent}:{symbol}"): {"weight": weight, "action": _action(weight)}
        for agent, panel in panels.items()
        for symbol, weight in zip(panel.symbols, book[agent][0].tolist(), strict=True)
    }


def _action(weight: float) -> str:
    if weight == 0.0:
        return "hold"
    return "buy" if weight > 0.0 else "sell"

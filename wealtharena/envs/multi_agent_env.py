"""Several agents that trade one market and move its prices together."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import ExecutionError, SettingsError, unknown_name
from wealtharena.core.panel import Float32Array, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.desk import NUMBERS
from wealtharena.envs.episodes import EpisodeSampler
from wealtharena.envs.price_impact import price_shift
from wealtharena.envs.spaces import action_space, observation_shape, observation_space
from wealtharena.execution.accounts import REPORT, empty_report, open_accounts, reopen_accounts
from wealtharena.execution.columns import OPEN
from wealtharena.execution.kernel import (
    SCORES,
    fill_orders,
    kernel_rules,
    observe,
    padded_decisions,
    place_orders,
    workspace,
)
from wealtharena.execution.market import market_arrays
from wealtharena.execution.reward import TERMS, RewardWeights
from wealtharena.execution.rules import TradingRules
from wealtharena.markets.frames import panel_from_frames
from wealtharena.settings.models import Settings

_COORDINATION = TERMS.index("coordination")

Observations = dict[str, Float32Array]
Infos = dict[str, dict[str, Any]]
MultiAgentStep = tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]


@dataclass(frozen=True)
class MultiAgentConfig:
    """The shared market and its agents.

    Attributes:
        panel: market to trade; takes precedence over ``data``.
        data: OHLCV bars, a long frame with a column ``symbol`` or one frame per symbol; without ``panel`` and ``data``
            the env runs on a simulated demo market, not on real prices.
        asset_class: whose indicators and costs apply to ``data`` and to the demo market.
        agents: names, or how many (``agent_0``, ``agent_1`` …).
        rules: limits of every account; empty: those of the asset class.
        reward: weights of the reward's terms, ``coordination`` among them.
        episode_days: sessions of an episode.
        seed: of the generator that draws episodes.
        impact: strength of the joint price impact, see ``price_shift``, in place of the impact of ``panel.costs``; 0
            turns it off.
        capital: currency that each agent starts with; empty: that of ``rules``.
        cost_multiplier: scales spread, commission and impact.
        reward_scale: multiplies the reward and its terms.
    """

    panel: MarketPanel | None = None
    data: pd.DataFrame | Mapping[str, pd.DataFrame] | None = field(default=None, compare=False)
    asset_class: AssetClass = AssetClass.STOCKS
    agents: tuple[str, ...] | list[str] | int = 3
    rules: TradingRules | None = None
    reward: RewardWeights = field(default_factory=RewardWeights)
    episode_days: int = 126
    seed: int = 0
    impact: float = 1.0
    capital: float | None = None
    cost_multiplier: float = 1.0
    reward_scale: float = 100.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.impact < math.inf:
            raise SettingsError(f"impact must be finite and at least 0, got {self.impact}")


class WealthArenaMultiAgentRLEnv:
    """Parallel multi-agent environment: dictionaries by agent, as PettingZoo and RLlib use them.

    All agents decide after the close of session ``t``. Their orders meet at the open of ``t + 1``: the net flow in an
    asset shifts the price at which every one of them fills (``price_shift``, with volume and volatility as known at
    ``t``). Prices themselves follow the panel. A bankrupt agent leaves the episode; ``"__all__"`` ends it. The reward
    has one term more than that of an account alone: ``coordination``, minus the overlap of an agent's weights with the
    mean of the others' (their product summed over the assets), so that crowding into one trade costs.

    Attributes:
        possible_agents: all agents; ``agent_ids`` is the same.
        agents: those still in the episode.
        observation_spaces, action_spaces: per agent, Box (A, D) and Box(-1, 1, (A,)).

    Args:
        config: ``MultiAgentConfig`` or a mapping of its fields. Without ``panel`` and ``data``: simulated demo data.

    Raises:
        SettingsError: a key is unknown, a value is out of its range, or agents are not unique names or a positive
            number.
        DataWindowError: the market is empty, or has no session to start from.
    """

    def __init__(self, config: MultiAgentConfig | Mapping[str, Any] | None = None) -> None:
        self.config = config if isinstance(config, MultiAgentConfig) else _config(config or {})
        self.possible_agents = _agent_names(self.config.agents)
        self.agents: list[str] = []
        self._panel = _panel(self.config)
        account_rules = _rules(self.config)
        self._capital = account_rules.capital
        self._env_config = EnvConfig(
            account_rules,
            reward=self.config.reward,
            episode_days=self.config.episode_days,
            cost_multiplier=self.config.cost_multiplier,
            reward_scale=self.config.reward_scale,
        )
        self._market = market_arrays(self._panel)
        self._sampler = EpisodeSampler(self._market, self._env_config)
        num_agents, num_assets = len(self.possible_agents), len(self._panel.symbols)
        num_features = len(self._panel.feature_names)
        self.observation_spaces = {name: observation_space(num_assets, num_features) for name in self.possible_agents}
        self.action_spaces = {name: action_space(self._env_config, num_assets) for name in self.possible_agents}
        # The joint flow moves the fill prices; an agent's own impact is part of it.
        self._rules = kernel_rules(account_rules, self._market, own_impact=False)
        self._reward = self.config.reward.vector() * self.config.reward_scale
        self._workspace = workspace(self._rules, self._market, num_assets)
        self._accounts = open_accounts(np.tile(np.arange(num_assets), (num_agents, 1)))
        self._report = empty_report(num_agents, num_assets)
        self._observations: Float32Array = np.zeros(
            (num_agents, *observation_shape(num_assets, num_features)), np.float32
        )
        self._shift = np.zeros(num_assets)
        self._rng = np.random.default_rng(self.config.seed)

    @property
    def agent_ids(self) -> list[str]:
        """Names of all agents."""
        return list(self.possible_agents)

    @property
    def num_agents(self) -> int:
        """How many agents are still in the episode."""
        return len(self.agents)

    def observation_space(self, agent: str) -> gymnasium.Space[Any]:
        """Space of one agent's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space[Any]:
        """Space of one agent's actions."""
        return self.action_spaces[agent]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Start an episode at a common session for all agents; ``seed`` starts a new generator."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        episodes, count = self._sampler.draw(1, self._rng), len(self.possible_agents)
        reopen_accounts(
            self._accounts,
            np.arange(count),
            np.repeat(episodes.rows, count),
            np.repeat(episodes.assets, count, axis=0),
            np.repeat(episodes.last_rows, count),
            np.repeat(episodes.cost_multipliers, count),
        )
        for array in self._report:
            array[:] = 0
        self._shift[:] = 0.0
        self.agents = list(self.possible_agents)
        return self._observe(self.agents), {name: self._info(name) for name in self.agents}

    def step(self, actions: Mapping[str, npt.NDArray[Any]]) -> MultiAgentStep:
        """One session. ``actions`` names each agent still in the episode.

        Returns:
            Observations, rewards, terminateds, truncateds and infos of the agents that acted; terminateds and
            truncateds also hold ``"__all__"``.

        Raises:
            ExecutionError: an action is missing, is of an agent not in the episode, or is not usable.
        """
        if not self.agents or set(actions) != set(self.agents):
            raise ExecutionError(
                f"actions must be of {', '.join(self.agents) or 'nobody (reset first)'}, got {list(actions)}"
            )
        acting = self.agents
        self._trade(actions)
        self._add_coordination(acting)
        state = self._accounts.state
        bankrupt = dict(zip(self.possible_agents, state["equity"] <= 0.0, strict=True))
        ended = bool(state["row"][0] >= state["last_row"][0])
        terminateds = {name: bool(bankrupt[name]) for name in acting}
        truncateds = {name: ended and not terminateds[name] for name in acting}
        self.agents = [] if ended else [name for name in acting if not terminateds[name]]
        terminateds["__all__"] = all(terminateds.values())
        truncateds["__all__"] = ended and not terminateds["__all__"]
        rewards = self._report.summary["reward"]
        return (
            self._observe(acting),
            {name: float(rewards[self._index(name)]) for name in acting},
            terminateds,
            truncateds,
            {name: self._info(name) for name in acting},
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _trade(self, actions: Mapping[str, npt.NDArray[Any]]) -> None:
        count, num_assets = len(self.possible_agents), len(self._panel.symbols)
        scores = np.zeros((count, num_assets))
        for name in self.agents:
            scores[self._index(name)] = self._scores(name, actions[name])
        market, accounts, report = self._market, self._accounts, self._report
        before = int(accounts.state["row"][0])
        arguments: tuple[Any, ...] = (
            *market.kernel_arguments()[1:], *accounts, report.summary, report.targets, report.orders, self._rules,
            *self._workspace, padded_decisions(scores), SCORES,
        )  # fmt: skip
        place_orders(*arguments)
        flow = report.orders.sum(axis=0) * market.prices[before + 1, OPEN] * self._capital
        self._shift = price_shift(
            flow[:num_assets], self._panel.dollar_volume[before], self._panel.volatility[before], self.config.impact
        )
        fill_orders(
            market.prices, market.rates, accounts.state, accounts.quantity, accounts.weights, report.summary,
            report.terms, report.orders, self._rules, self._reward, padded_decisions(self._shift),
        )  # fmt: skip

    def _scores(self, name: str, action: npt.NDArray[Any]) -> npt.NDArray[Any]:
        scores, expected = np.asarray(action), self.action_spaces[name].shape
        if scores.shape != expected or scores.dtype.kind not in NUMBERS or not np.isfinite(scores).all():
            raise ExecutionError(f"the action of {name} must be finite numbers of shape {expected}, got {action!r}")
        return scores

    def _add_coordination(self, acting: list[str]) -> None:
        """The one term of the reward that no account can work out alone."""
        weight = float(self._reward[_COORDINATION])
        if weight == 0.0 or len(acting) < 2:
            return
        weights, places = self._accounts.weights, [self._index(name) for name in acting]
        total = weights[places].sum(axis=0)
        for i in places:
            others = (total - weights[i]) / (len(places) - 1)
            term = -weight * float(weights[i] @ others)
            self._report.terms[i, _COORDINATION] = term
            self._report.summary["reward"][i] += term

    def _observe(self, names: list[str]) -> Observations:
        everyone = np.ones(len(self.possible_agents), np.bool_)
        observe(self._market, self._accounts, self._rules, everyone, self._observations)
        return {name: self._observations[self._index(name)].copy() for name in names}

    def _info(self, name: str) -> dict[str, Any]:
        i = self._index(name)
        info: dict[str, Any] = dict(zip(REPORT.names or (), self._report.summary[i].item(), strict=True))
        return info | {
            "equity": float(self._accounts.state["equity"][i]),
            "weights": self._accounts.weights[i, : len(self._panel.symbols)].copy(),
            "row": int(self._accounts.state["row"][i]),
            "price_shift": self._shift.copy(),
            "reward_terms": dict(zip(TERMS, self._report.terms[i].tolist(), strict=True)),
            "is_demo": self.config.panel is None and self.config.data is None,
        }

    def _index(self, name: str) -> int:
        return self.possible_agents.index(name)


def _config(values: Mapping[str, Any]) -> MultiAgentConfig:
    known = [entry.name for entry in fields(MultiAgentConfig)]
    for name in values:
        if name not in known:
            raise SettingsError(unknown_name("key of the multi-agent config", name, known))
    return MultiAgentConfig(**values)


def _rules(config: MultiAgentConfig) -> TradingRules:
    rules = config.rules or TradingRules.from_settings(Settings(), config.asset_class)
    return rules if config.capital is None else replace(rules, capital=config.capital)


def _agent_names(agents: tuple[str, ...] | list[str] | int) -> list[str]:
    names = [f"agent_{i}" for i in range(agents)] if isinstance(agents, int) else list(agents)
    if not names or len(set(names)) < len(names) or "__all__" in names:
        raise SettingsError(f"agents must be unique names or a positive number, got {agents!r}")
    return names


def _panel(config: MultiAgentConfig) -> MarketPanel:
    if config.panel is not None:
        return config.panel
    if config.data is not None:
        return panel_from_frames(config.asset_class, config.data, Settings())
    from wealtharena.envs.demo_market import shared_demo_panel  # brings in exchange calendars

    return shared_demo_panel(config.asset_class)

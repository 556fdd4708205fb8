"""How an environment turns a market panel into episodes."""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.execution.reward import RewardWeights
from wealtharena.execution.rules import TradingRules
from wealtharena.settings.models import Settings

ACTIONS = ("weights", "changes", "levels")


def _default_rules() -> TradingRules:
    return TradingRules.from_settings(Settings(), "stocks")


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """Episodes, actions and reward of a trading environment.

    Attributes:
        rules: limits of every account.
        reward: weights of the reward's terms.
        action: ``weights`` (a target in [-1, 1] per asset, 1 being a full position), ``changes`` (by how much of a full
            position to change, in [-1, 1]) or ``levels`` (one of ``levels`` per asset).
        levels: targets that the discrete actions stand for.
        window: sessions whose features an observation shows.
        episode_days: sessions of an episode; shorter only where the panel ends.
        min_episode_days: draw the length of each episode from here to ``episode_days``; empty: always the latter.
        symbols_per_episode: assets drawn per account and episode; empty: all assets of the panel.
        random_starts: draw the first session of each episode; otherwise episodes start at the first possible row.
        cost_multiplier: scales spread, commission and impact.
        cost_range: factors on ``cost_multiplier``, lowest and highest, drawn per account and episode; empty: 1.
        reward_scale: multiplies the reward and its terms; one over a typical daily volatility makes rewards of order
            one.

    Raises:
        SettingsError: a value is out of its range.
    """

    rules: TradingRules = field(default_factory=_default_rules)
    reward: RewardWeights = field(default_factory=RewardWeights)
    action: Literal["weights", "changes", "levels"] = "weights"
    levels: tuple[float, ...] = (-1.0, 0.0, 1.0)
    window: int = 1
    episode_days: int = 126
    min_episode_days: int | None = None
    symbols_per_episode: int | None = None
    random_starts: bool = True
    cost_multiplier: float = 1.0
    cost_range: tuple[float, float] | None = None
    reward_scale: float = 100.0

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise SettingsError(f"action must be one of {', '.join(ACTIONS)}, got {self.action!r}")
        if self.action == "levels" and not (self.levels and all(-1.0 <= level <= 1.0 for level in self.levels)):
            raise SettingsError(f"levels must lie in [-1, 1], got {self.levels}")
        for name in ("window", "episode_days", "min_episode_days", "symbols_per_episode"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | np.integer) and value >= 1):
                raise SettingsError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.min_episode_days is not None and self.min_episode_days > self.episode_days:
            raise SettingsError(f"min_episode_days must be at most {self.episode_days}, got {self.min_episode_days}")
        if not 0.0 <= self.cost_multiplier < math.inf:
            raise SettingsError(f"cost_multiplier must be finite and at least 0, got {self.cost_multiplier}")
        if self.cost_range is not None and not 0.0 <= self.cost_range[0] <= self.cost_range[1] < math.inf:
            raise SettingsError(f"cost_range must be two factors, the lower first, got {self.cost_range}")
        if not 0.0 < self.reward_scale < math.inf:
            raise SettingsError(f"reward_scale must be finite and above 0, got {self.reward_scale}")

    @classmethod
    def from_settings(cls, settings: Settings, agent: str, **changes: Any) -> "EnvConfig":
        """Limits and reward of one agent, or of ``meta``, by its risk profile; ``changes`` by name.

        Raises:
            SettingsError: there is no such agent or attribute, or a value is out of its range.
        """
        own = cls(TradingRules.from_settings(settings, agent), RewardWeights.from_settings(settings, agent))
        return own.changed(**changes)

    def changed(self, **changes: Any) -> "EnvConfig":
        """A copy with other values.

        Raises:
            SettingsError: there is no such attribute, or a value is out of its range.
        """
        known = [entry.name for entry in fields(self)]
        for name in changes:
            if name not in known:
                raise SettingsError(unknown_name("attribute of an environment", name, known))
        return replace(self, **changes)

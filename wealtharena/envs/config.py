"""How an environment turns a market panel into episodes."""

from dataclasses import dataclass, field
from typing import Literal

from wealtharena.core.errors import SettingsError
from wealtharena.execution.rules import TradingRules
from wealtharena.settings.models import Settings


def _default_rules() -> TradingRules:
    return TradingRules.from_settings(Settings(), "stocks")


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """Episodes, actions and reward of a trading environment.

    Attributes:
        rules: limits of every account; also holds the risk aversion of the reward.
        action: ``weights`` (a score in [-1, 1] per asset) or ``levels`` (one of ``levels`` per asset).
        levels: scores that the discrete actions stand for.
        episode_days: sessions of an episode; shorter only where the panel ends.
        symbols_per_episode: assets drawn per account and episode; empty: all assets of the panel.
        random_starts: draw the first session of each episode; otherwise episodes start at the panel's first row.
        cost_multiplier: scales the panel's one-way cost.
        reward_scale: multiplies the reward; one over a typical daily volatility makes rewards of order one.
    """

    rules: TradingRules = field(default_factory=_default_rules)
    action: Literal["weights", "levels"] = "weights"
    levels: tuple[float, ...] = (-1.0, 0.0, 1.0)
    episode_days: int = 126
    symbols_per_episode: int | None = None
    random_starts: bool = True
    cost_multiplier: float = 1.0
    reward_scale: float = 100.0

    def __post_init__(self) -> None:
        if self.action not in ("weights", "levels"):
            raise SettingsError(f"action must be 'weights' or 'levels', got {self.action!r}")
        if self.action == "levels" and not all(-1.0 <= level <= 1.0 for level in self.levels):
            raise SettingsError(f"levels must lie in [-1, 1], got {self.levels}")
        if self.episode_days < 1:
            raise SettingsError(f"episode_days must be at least 1, got {self.episode_days}")
        if self.symbols_per_episode is not None and self.symbols_per_episode < 1:
            raise SettingsError(f"symbols_per_episode must be at least 1, got {self.symbols_per_episode}")

"""The environment of a training, from its recipe and its data."""

import numpy as np

from wealtharena.core.panel import MarketPanel
from wealtharena.envs import EnvConfig
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings

_UNKNOWN_VOLATILITY = 0.01


def training_environment(
    recipe: AgentSettings, rules: TradingRules, reward: RewardWeights, training: TrainingSettings, panel: MarketPanel
) -> EnvConfig:
    """Episodes, actions and reward of a training on ``panel``; an account of DQN holds one random asset."""
    return EnvConfig(
        rules=rules,
        reward=reward,
        action=recipe.action_kind.value,
        levels=recipe.position_levels,
        window=recipe.window,
        episode_days=training.episode_days,
        symbols_per_episode=1 if recipe.algorithm is Algorithm.DQN else None,
        reward_scale=reward_scale(panel),
    )


def reward_scale(panel: MarketPanel) -> float:
    """One over the median daily volatility of the panel's assets, so that rewards are of order one in every class."""
    known = panel.volatility[np.isfinite(panel.volatility) & (panel.volatility > 0)]
    return 1.0 / (float(np.median(known)) if len(known) else _UNKNOWN_VOLATILITY)

"""Observation and action spaces of an account, and what an action stands for."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.envs.config import ACTIONS, EnvConfig
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.execution.kernel import CHANGES, SCORES


def observation_shape(num_assets: int, num_features: int, window: int = 1) -> tuple[int, int]:
    """(A, D) of one account's observation."""
    return num_assets, window * num_features + ACCOUNT_COLUMNS


def observation_space(num_assets: int, num_features: int, window: int = 1) -> spaces.Box:
    """Box (A, D) float32 with D = features of ``window`` sessions, the oldest first + position (in full positions),
    observed mask, gross exposure, drawdown. Its bounds say that every value is finite, no more."""
    largest = np.finfo(np.float32).max
    return spaces.Box(-largest, largest, observation_shape(num_assets, num_features, window), np.float32)


def action_space(config: EnvConfig, num_assets: int) -> gymnasium.Space[Any]:
    """Box(-1, 1, (A,)) for weights and changes; Discrete (one asset) or MultiDiscrete (several) for levels."""
    if config.action != "levels":
        return spaces.Box(-1.0, 1.0, (num_assets,), np.float32)
    num_levels = len(config.levels)
    return spaces.Discrete(num_levels) if num_assets == 1 else spaces.MultiDiscrete([num_levels] * num_assets)


def decision_mode(actions: str) -> int:
    """What the kernel is to take a policy's scores for.

    Raises:
        SettingsError: there are no such actions.
    """
    if actions not in ACTIONS:
        raise SettingsError(unknown_name("actions", actions, ACTIONS))
    return CHANGES if actions == "changes" else SCORES

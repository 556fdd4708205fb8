"""Observation and action spaces of an account, and what an action stands for."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import FloatArray
from wealtharena.envs.config import EnvConfig
from wealtharena.execution.columns import ACCOUNT_COLUMNS


def observation_shape(num_assets: int, num_features: int, window: int = 1) -> tuple[int, int]:
    """(A, D) of one account's observation."""
    return num_assets, window * num_features + ACCOUNT_COLUMNS


def observation_space(num_assets: int, num_features: int, window: int = 1) -> spaces.Box:
    """Box (A, D) float32 with D = features of ``window`` sessions, the oldest first + position (in full positions),
    observed mask, gross exposure, drawdown."""
    return spaces.Box(-np.inf, np.inf, observation_shape(num_assets, num_features, window), np.float32)


def action_space(config: EnvConfig, num_assets: int) -> gymnasium.Space[Any]:
    """Box(-1, 1, (A,)) for weights; Discrete (one asset) or MultiDiscrete (several) for levels."""
    if config.action == "weights":
        return spaces.Box(-1.0, 1.0, (num_assets,), np.float32)
    num_levels = len(config.levels)
    return spaces.Discrete(num_levels) if num_assets == 1 else spaces.MultiDiscrete([num_levels] * num_assets)


def scores_of(actions: npt.NDArray[Any], config: EnvConfig, num_envs: int, num_assets: int) -> FloatArray:
    """Scores (N, A) of the actions of N accounts.

    Raises:
        ExecutionError: the shape is wrong, a score is not finite, or a level does not exist.
    """
    actions = np.asarray(actions)
    if actions.size != num_envs * num_assets or len(actions) != num_envs:
        raise ExecutionError(f"actions must be ({num_envs}, {num_assets}), got shape {actions.shape}")
    if config.action == "weights":
        if not np.isfinite(actions).all():
            raise ExecutionError("actions must be finite, got NaN or infinity")
        return np.ascontiguousarray(actions, dtype=np.float64).reshape(num_envs, num_assets)
    if not np.issubdtype(actions.dtype, np.integer) or actions.min() < 0 or actions.max() >= len(config.levels):
        raise ExecutionError(f"actions must be integers in [0, {len(config.levels)}), got {actions.dtype}")
    levels: FloatArray = np.array(config.levels)
    return np.ascontiguousarray(levels[actions]).reshape(num_envs, num_assets)

"""Deterministic episodes side by side, for ``Algorithm.evaluate``."""

from typing import Any

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.utils.metrics import (
    EPISODE_LEN_MEAN,
    EPISODE_RETURN_MAX,
    EPISODE_RETURN_MEAN,
    EPISODE_RETURN_MIN,
    NUM_ENV_STEPS_SAMPLED,
    NUM_EPISODES,
)

from wealtharena.training.markets import TrainingMarket

_STREAM = 1_000_000
"""Of the generator that draws the episodes; runners count from 0."""


def deterministic_episodes(module: Any, market: TrainingMarket, episodes: int) -> dict[str, Any]:
    """Figures of the first episode of each of ``episodes`` accounts, by RLlib's names; equal calls, equal episodes.

    Raises:
        TrainingError: the market's folder is gone.
    """
    (seed,) = np.random.SeedSequence([market.seed, _STREAM]).generate_state(1)
    env = market.environment(episodes, int(seed))
    observation, _ = env.reset()
    device = next(module.parameters()).device
    distribution = module.get_inference_action_dist_cls()
    running, returns, lengths = np.ones(episodes, np.bool_), np.zeros(episodes), np.zeros(episodes, np.int64)
    with torch.inference_mode():
        while running.any():
            out = module.forward_inference({Columns.OBS: torch.from_numpy(observation).to(device)})
            if Columns.ACTIONS in out:
                action = out[Columns.ACTIONS]
            else:
                action = distribution.from_logits(out[Columns.ACTION_DIST_INPUTS]).to_deterministic().sample()
            observation, rewards, terminated, truncated, _ = env.step(action.cpu().numpy())
            returns[running] += rewards[running]
            lengths[running] += 1
            running &= ~(terminated | truncated)
    return {
        EPISODE_RETURN_MEAN: float(returns.mean()),
        EPISODE_RETURN_MIN: float(returns.min()),
        EPISODE_RETURN_MAX: float(returns.max()),
        EPISODE_LEN_MEAN: float(lengths.mean()),
        NUM_EPISODES: episodes,
        NUM_ENV_STEPS_SAMPLED: int(lengths.sum()),
    }

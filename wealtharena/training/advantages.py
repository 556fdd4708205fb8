"""Generalised advantage estimation over whole arrays."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wealtharena.core.panel import BoolArray, Float32Array
from wealtharena.training.compiled import compiled
from wealtharena.training.transitions import Transitions


def following_values(sampled: Transitions, values: Tensor, values_of: Callable[[Tensor], Tensor]) -> Tensor:
    """(S, N) values of the observations that followed, before any reset.

    What followed is what was acted on next, except where an episode ended and after the last session: only there is
    anything valued anew.

    Args:
        sampled: the sessions.
        values: (S, N) of the observations acted on.
        values_of: (R,) values of observations (R, A, D).
    """
    anew = sampled.ended.clone()
    anew[-1] = True
    following = torch.cat([values[1:], values[-1:]])
    following[anew] = values_of(sampled.next_observations[anew])
    return following


def generalised_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    ended: Tensor,
    gamma: float,
    lambda_: float,
) -> tuple[Tensor, Tensor]:
    """Advantages and value targets (Schulman et al. 2016, arXiv:1506.02438, equation 16).

    Args:
        rewards: (S, N).
        values: (S, N) of the observations acted on.
        next_values: (S, N) of the observations that followed, before any reset.
        terminated: (S, N) True where nothing follows.
        ended: (S, N) True where the next row belongs to another episode.
        gamma: discount per session.
        lambda_: weight of longer estimates.

    Returns:
        Advantages (S, N), not normalised, and targets ``advantages + values``.
    """
    advantages = torch.empty_like(rewards)
    _accumulate(
        rewards.numpy(),
        values.numpy(),
        next_values.numpy(),
        terminated.numpy(),
        ended.numpy(),
        np.float32(gamma),
        np.float32(gamma * lambda_),
        advantages.numpy(),
    )
    return advantages, advantages + values


@compiled
def _accumulate(
    rewards: Float32Array,
    values: Float32Array,
    next_values: Float32Array,
    terminated: BoolArray,
    ended: BoolArray,
    gamma: np.float32,
    carry: np.float32,
    advantages: Float32Array,
) -> None:
    count, num_accounts = rewards.shape
    for session in range(count - 1, -1, -1):
        for k in range(num_accounts):
            future = np.float32(0.0) if terminated[session, k] else gamma * next_values[session, k]
            error = rewards[session, k] + future - values[session, k]
            if session + 1 < count and not ended[session, k]:
                error += carry * advantages[session + 1, k]
            advantages[session, k] = error

"""Generalised advantage estimation over whole arrays."""

import torch
from torch import Tensor


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
    errors = rewards + gamma * next_values * (~terminated) - values
    carry = gamma * lambda_ * (~ended)
    advantages = torch.empty_like(rewards)
    running = torch.zeros_like(rewards[0])
    for session in range(len(rewards) - 1, -1, -1):
        running = errors[session] + carry[session] * running
        advantages[session] = running
    return advantages, advantages + values

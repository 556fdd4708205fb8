"""Fusion of several agents' books into one: each agent's target weights times its share of the capital."""

from collections.abc import Mapping, Sequence

import numpy as np

from wealtharena.core.errors import SettingsError
from wealtharena.core.panel import FloatArray


def fixed_allocation(agents: Sequence[str], weights: Mapping[str, float]) -> FloatArray:
    """Shares (K,) of the agents at hand, summing to 1; an agent without a weight counts with 1.

    Raises:
        SettingsError: a weight is negative or not finite, or all weights of the agents at hand are 0.
    """
    shares = np.array([weights.get(agent, 1.0) for agent in agents], dtype=np.float64)
    if not np.all(np.isfinite(shares)) or np.any(shares < 0):
        raise SettingsError(f"fusion weights must be finite and not negative, got {dict(weights)}")
    if shares.sum() == 0.0:
        raise SettingsError(f"fusion weights of {', '.join(agents)} must not all be 0, got {dict(weights)}")
    normalised: FloatArray = shares / shares.sum()
    return normalised


def fuse(targets: Mapping[str, FloatArray], allocation: FloatArray) -> dict[str, FloatArray]:
    """Each agent's target weights as weights of the combined book.

    Args:
        targets: per agent (T, A_k) weights of its own capital.
        allocation: (T, K) or (K,) shares of the capital, in the order of ``targets``; what is left is cash.

    Returns:
        Per agent (T, A_k) weights of the whole capital. Symbols of two agents stay apart.

    Raises:
        SettingsError: the allocation has not one column per agent, or not one row per session.
    """
    sessions = {len(weights) for weights in targets.values()}
    if len(sessions) != 1:
        raise SettingsError(f"targets must span the same sessions, got lengths {sorted(sessions)}")
    shape = (sessions.pop(), len(targets))
    try:
        shares = np.broadcast_to(np.asarray(allocation, dtype=np.float64), shape)
    except ValueError as error:
        raise SettingsError(f"allocation must have shape {shape}, got {np.shape(allocation)}") from error
    return {agent: weights * shares[:, [k]] for k, (agent, weights) in enumerate(targets.items())}

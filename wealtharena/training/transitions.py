"""What accounts lived through, as whole arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Transitions:
    """S sessions of N accounts.

    Attributes:
        observations: (S, N, A, D) float32.
        actions: (S, N, A) scores or level indices, or (S, N) level indices for one asset.
        rewards: (S, N) float32, as scaled by the environment, less what shadow accounts earned if there are any.
        next_observations: (S, N, A, D); where an episode ended, its last observation.
        terminated: (S, N) True where the account is ruined.
        ended: (S, N) True where the episode ended, ruined or not.
        action_inputs: (S, N, ...) parameters of the action distribution; empty when actions were not drawn from one.
        action_logp: (S, N) log-probabilities of the actions; empty likewise.
        rows: (S, N) int64 row of the market whose close ``observations`` show; ``next_observations`` show the next.
        assets: (S, N, A) int64 columns of the market; the same for both observations.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor
    ended: Tensor
    action_inputs: Tensor
    action_logp: Tensor
    rows: Tensor
    assets: Tensor

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns as NumPy arrays, which travel between processes without copies."""
        return {field.name: getattr(self, field.name).numpy() for field in fields(self)}


def side_by_side(parts: Sequence[dict[str, NDArray[Any]]]) -> Transitions:
    """The ``arrays`` of the same sessions and other accounts as one."""
    return Transitions(
        **{
            name: torch.from_numpy(np.concatenate([part[name] for part in parts], axis=min(1, parts[0][name].ndim - 1)))
            for name in parts[0]
        }
    )

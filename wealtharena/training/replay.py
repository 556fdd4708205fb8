"""A ring of transitions for SAC and DQN: preallocated, seeded, and drawn from in whole batches."""

import torch
from torch import Tensor

from wealtharena.training.transitions import Transitions


class ReplayRing:
    """The last ``capacity`` transitions; older ones are overwritten."""

    def __init__(self, capacity: int, seed: int) -> None:
        self._capacity = capacity
        self._generator = torch.Generator().manual_seed(seed)
        self._columns: dict[str, Tensor] = {}
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, transitions: Transitions) -> None:
        """Appends transitions, flattened over sessions and accounts."""
        batch = {
            "obs": transitions.observations.flatten(0, 1),
            "actions": transitions.actions.flatten(0, 1),
            "rewards": transitions.rewards.flatten(),
            "new_obs": transitions.next_observations.flatten(0, 1),
            "terminateds": transitions.terminated.flatten(),
        }
        rows = len(batch["rewards"])
        if not self._columns:
            self._columns = {
                name: torch.zeros((self._capacity, *column.shape[1:]), dtype=column.dtype)
                for name, column in batch.items()
            }
        index = (self._next + torch.arange(rows)) % self._capacity
        for name, column in batch.items():
            self._columns[name][index] = column
        self._next = (self._next + rows) % self._capacity
        self._count = min(self._count + rows, self._capacity)

    def draw(self, rows: int) -> dict[str, Tensor]:
        """``rows`` transitions, drawn with replacement."""
        index = torch.randint(self._count, (rows,), generator=self._generator)
        return {name: column[index] for name, column in self._columns.items()}

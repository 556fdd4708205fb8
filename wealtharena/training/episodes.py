"""Whole arrays cut into the episode objects that RLlib's own algorithms take."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.env.utils.infinite_lookback_buffer import InfiniteLookbackBuffer
from ray.rllib.utils.metrics import WEIGHTS_SEQ_NO

from wealtharena.training.markets import Spaces
from wealtharena.training.transitions import Transitions


@dataclass
class _Running:
    """An account's episode so far: name, sessions and reward that earlier pieces hold."""

    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    sessions: int = 0
    reward: float = 0.0


class EpisodeCutter:
    """Cuts the sessions of N accounts at the ends of their episodes; a piece continues the one before it.

    Attributes:
        finished: length and summed reward of each episode that has ended since somebody took them.
    """

    def __init__(self, spaces: Spaces, num_accounts: int) -> None:
        self.finished: list[tuple[int, float]] = []
        self._spaces = spaces
        self._running = [_Running() for _ in range(num_accounts)]

    def restart(self) -> None:
        """All accounts have begun new episodes."""
        self._running = [_Running() for _ in self._running]

    def cut(
        self, sampled: Transitions, weights_number: int
    ) -> tuple[list[SingleAgentEpisode], list[SingleAgentEpisode]]:
        """Episodes that ended, in the order in which they did, and pieces of those that go on."""
        columns = _Columns(sampled, weights_number)
        ended = sampled.ended.numpy()
        done: list[tuple[int, _Running, SingleAgentEpisode]] = []
        going: list[SingleAgentEpisode] = []
        for account in range(len(self._running)):
            first = 0
            for last in map(int, np.flatnonzero(ended[:, account])):
                running = self._running[account]
                done.append((last, running, self._piece(columns, account, first, last + 1, running)))
                self._running[account] = _Running()
                first = last + 1
            if first < len(ended):
                going.append(self._piece(columns, account, first, len(ended), self._running[account]))
        done.sort(key=lambda one: one[0])
        self.finished += [(running.sessions, running.reward) for _, running, _ in done]
        return [episode for *_, episode in done], going

    def _piece(self, columns: "_Columns", account: int, first: int, end: int, running: _Running) -> SingleAgentEpisode:
        started = running.sessions
        running.sessions += end - first
        running.reward += float(columns.rewards[first:end, account].sum())
        ended, ruined = bool(columns.ended[end - 1, account]), bool(columns.terminated[end - 1, account])
        shown, action = self._spaces
        seen = columns.observations[first:end, account]
        observations = np.concatenate([seen, columns.following[end - 1 : end, account]])
        return SingleAgentEpisode(
            running.name,
            observations=_buffer(observations, shown),
            infos=_buffer([{} for _ in range(end - first + 1)]),
            actions=_buffer(columns.actions[first:end, account].copy(), action),
            rewards=_buffer(columns.rewards[first:end, account].astype(np.float64)),
            terminated=ruined,
            truncated=ended and not ruined,
            extra_model_outputs={
                name: _buffer(values[first:end, account].copy()) for name, values in columns.extra.items()
            },
            t_started=started,
            len_lookback_buffer=0,
        )


class _Columns:
    """Transitions as NumPy arrays."""

    def __init__(self, sampled: Transitions, weights_number: int) -> None:
        self.observations, self.following = sampled.observations.numpy(), sampled.next_observations.numpy()
        self.actions, self.rewards = sampled.actions.numpy(), sampled.rewards.numpy()
        self.terminated, self.ended = sampled.terminated.numpy(), sampled.ended.numpy()
        self.extra: dict[str, NDArray[Any]] = {WEIGHTS_SEQ_NO: np.full(self.rewards.shape, weights_number)}
        named = {Columns.ACTION_DIST_INPUTS: sampled.action_inputs, Columns.ACTION_LOGP: sampled.action_logp}
        self.extra |= {name: values.numpy() for name, values in named.items() if values.numel()}


def _buffer(values: Any, space: Any = None) -> InfiniteLookbackBuffer:
    return InfiniteLookbackBuffer(values, lookback=0, space=space)

"""Runners that trade for an algorithm: one in its own process, or Ray actors that may die without a trace."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

import ray
import torch
from ray.rllib.utils.numpy import convert_to_numpy

from wealtharena.core.errors import TrainingError, WealthArenaError
from wealtharena.training.runner import BatchedEnvRunner
from wealtharena.training.statistics import SessionStatistics
from wealtharena.training.transitions import Transitions, side_by_side

_PATIENCE_SECONDS = 300.0
_POLL_SECONDS = 0.2
_MAX_ATTEMPTS = 20

States = list[dict[str, Any] | None]


class Runners(Protocol):
    """Where an algorithm's accounts trade."""

    def rollout(
        self, module: Any, num_sessions: int, random_actions: bool
    ) -> tuple[Transitions, list[SessionStatistics]]:
        """Sessions of all accounts and what they met."""

    def get_states(self) -> States:
        """Exact state of each runner; None before its first session."""

    def set_states(self, states: States) -> None:
        """Go on from ``get_states``."""


class LocalRunner:
    """One runner in the algorithm's process, which acts with the learner's own module: no weights to copy."""

    def __init__(self, runner: BatchedEnvRunner) -> None:
        self._runner = runner

    def rollout(
        self, module: Any, num_sessions: int, random_actions: bool
    ) -> tuple[Transitions, list[SessionStatistics]]:
        """Sessions of all accounts and what they met; ``module`` is the runner's."""
        sampled = self._runner.rollout(num_sessions, random_actions)
        return sampled, [self._runner.take_statistics()]

    def get_states(self) -> States:
        """Exact state of the runner; None before its first session."""
        return [self._runner.exact_state()]

    def set_states(self, states: States) -> None:
        """Go on from ``get_states``."""
        self._runner.set_exact_state(states[0])


class RemoteRunners:
    """RLlib's group of Ray actors.

    The actors keep nothing that counts: each round brings them weights and state, and takes away arrays and the next
    state. So a round that was lost with its runner is asked for again, and costs time but changes no result.
    """

    def __init__(self, group: Any) -> None:
        self._group = group
        self._states: States = [None] * group.num_remote_env_runners()

    def rollout(
        self, module: Any, num_sessions: int, random_actions: bool
    ) -> tuple[Transitions, list[SessionStatistics]]:
        """Sessions of all accounts and what they met.

        Raises:
            WealthArenaError: what a runner raised.
            TrainingError: a runner stays away for five minutes, or dies again and again.
        """
        weights = ray.put(convert_to_numpy(module.get_state(inference_only=True)))
        answers: dict[int, Any] = {}
        deadline, attempts = time.monotonic() + _PATIENCE_SECONDS, 0
        while waiting := [k for k in range(1, len(self._states) + 1) if k not in answers]:
            self._group.probe_unhealthy_env_runners()
            healthy = [k for k in waiting if k in self._group.healthy_env_runner_ids()]
            if time.monotonic() > deadline or attempts > _MAX_ATTEMPTS:
                raise TrainingError(f"runners must come back within {_PATIENCE_SECONDS:.0f} s, {waiting} did not")
            if not healthy:
                time.sleep(_POLL_SECONDS)
                continue
            attempts += 1
            common = {"weights": weights, "num_sessions": num_sessions, "random_actions": random_actions}
            answers |= dict(
                self._group.foreach_env_runner(
                    [_play] * len(healthy),
                    kwargs=[common | {"state": self._states[k - 1]} for k in healthy],
                    remote_worker_ids=healthy,
                    local_env_runner=False,
                )
            )
        return self._gathered([answers[k] for k in sorted(answers)])

    def get_states(self) -> States:
        """Exact state of each runner; None before its first session."""
        return list(self._states)

    def set_states(self, states: States) -> None:
        """Go on from ``get_states``.

        Raises:
            TrainingError: they are of another number of runners.
        """
        if len(states) != len(self._states):
            raise TrainingError(f"the state must be of {len(self._states)} runners, got {len(states)}")
        self._states = list(states)

    def _gathered(self, answers: Sequence[Any]) -> tuple[Transitions, list[SessionStatistics]]:
        for answer in answers:
            if isinstance(answer, WealthArenaError):
                raise answer
        self._states = [state for *_, state in answers]
        return side_by_side([sampled for sampled, *_ in answers]), [statistics for _, statistics, _ in answers]


def _play(
    runner: BatchedEnvRunner, weights: Any, num_sessions: int, random_actions: bool, state: dict[str, Any] | None
) -> tuple[int, Any]:
    """One round in the actor: its number, and arrays, statistics and next state, or the error.

    RLlib restarts an actor in which something is raised; what would be raised again is handed back instead.
    """
    torch.set_num_threads(1)
    try:
        runner.module.set_state(weights)
        runner.set_exact_state(state)
        sampled = runner.rollout(num_sessions, random_actions)
    except WealthArenaError as error:
        return runner.worker_index, error
    except Exception as error:  # only the death of a process is worth another try
        return runner.worker_index, TrainingError(f"runner {runner.worker_index}: {type(error).__name__}: {error}")
    return runner.worker_index, (sampled.arrays(), runner.take_statistics(), runner.exact_state())

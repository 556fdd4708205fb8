"""Trainings side by side: one Ray task per job, the longest first, results and progress as they come."""

import heapq
import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Any

from wealtharena.core.errors import TrainingError, WealthArenaError
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult

logger = logging.getLogger(__name__)

OnProgress = Callable[[TrainingProgress], None]

_COST_PER_STEP = {Algorithm.SAC: 12.0, Algorithm.DQN: 4.0, Algorithm.PPO: 2.0, Algorithm.A2C: 1.0}


class TrainingQueue:
    """Lets trainings begin, a number of them at a time, the one that takes longest first."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: list[tuple[float, int]] = []
        self._arrivals = itertools.count()
        self._changed = Condition()

    @contextmanager
    def turn(self, cost: float) -> Iterator[None]:
        """Waits until none that costs more waits and there is room, which the block's end gives back."""
        with self._changed:
            ticket = (-cost, next(self._arrivals))
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._free -= 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


def cores_needed(training: TrainingSettings) -> int:
    """Cores of all trainings that run side by side: one each, and one for each of their runners."""
    return training.num_workers * (1 + training.env_runners)


def expected_cost(recipe: AgentSettings, num_symbols: int) -> float:
    """Relative length of a training, to start the longest first."""
    return recipe.env_steps * num_symbols * _COST_PER_STEP[recipe.algorithm]


def submit_training(job: TrainingJob, on_progress: OnProgress | None = None) -> TrainingResult:
    """Trains in a Ray task and waits for it. Threads of one process may call this at the same time.

    A task whose process is lost is started again, ``training.max_retries`` times, and goes on from its last point: that
    costs time, not results. It then tells of some iterations twice.

    Raises:
        WealthArenaError: what ``train_policy`` raises; ``TrainingError`` too if the task's process dies once too often
            or there is no Ray session (open one with ``ray_session``).
    """
    import ray

    if not ray.is_initialized():
        raise TrainingError(f"{job.agent.name}: no Ray session; open one with ray_session()")
    for left in reversed(range(1 + job.training.max_retries)):
        try:
            return _follow(job, on_progress)
        except _ProcessLostError as error:
            if not left:
                raise
            logger.warning("%s: started again", error)
    raise AssertionError("the last round returns or raises")


class _ProcessLostError(TrainingError):
    """The process that trained is gone, or ended with something that nobody foresaw."""


def _follow(job: TrainingJob, on_progress: OnProgress | None) -> TrainingResult:
    for reference in _start(job):
        event = _fetch(job, reference)
        if isinstance(event, TrainingResult):
            return event
        if on_progress is not None:
            on_progress(event)
    raise TrainingError(f"{job.agent.name}: the training ended without a result")


def _start(job: TrainingJob) -> Any:
    """The stream of a job's events from a Ray task with a core of its own; its runners are actors with their own."""
    import ray

    return ray.remote(num_cpus=1, num_gpus=job.training.gpus, max_retries=0)(_run).remote(job)


def _run(job: TrainingJob) -> Iterator[TrainingProgress | TrainingResult]:
    from wealtharena.training.job import training_events

    yield from training_events(job)


def _fetch(job: TrainingJob, reference: Any) -> TrainingProgress | TrainingResult:
    """The event behind a reference; Ray's wrappers around errors are taken off."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    who = f"{job.agent.name}: seed {job.seed}"
    try:
        event: TrainingProgress | TrainingResult = ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, WealthArenaError):
            raise error.cause from None
        logger.exception("%s: the training failed", who)
        raise _ProcessLostError(f"{who}: {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:
        raise _ProcessLostError(f"{who}: the training's process was lost: {error}") from error
    return event

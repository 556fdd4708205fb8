"""Trainings side by side: one Ray task per job, one core each, results and progress as they come."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from wealtharena.core.errors import TrainingError, WealthArenaError
from wealtharena.settings.models import AgentSettings, Algorithm
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult

logger = logging.getLogger(__name__)

OnProgress = Callable[[TrainingProgress], None]

_COST_PER_STEP = {Algorithm.SAC: 12.0, Algorithm.DQN: 4.0, Algorithm.PPO: 2.0, Algorithm.A2C: 1.0}


def submit_training(job: TrainingJob, on_progress: OnProgress | None = None) -> TrainingResult:
    """Trains in a Ray task and waits for it. Threads of one process may call this at the same time.

    Raises:
        WealthArenaError: what ``train_policy`` raises; ``TrainingError`` too if the task's process dies or there is no
            Ray session (open one with ``ray_session``).
    """
    _require_session(job)
    events = _start(job)
    for reference in events:
        event = _fetch(job, reference)
        if isinstance(event, TrainingResult):
            return event
        if on_progress is not None:
            on_progress(event)
    raise TrainingError(f"{job.agent.name}: the training ended without a result")


def expected_cost(recipe: AgentSettings, num_symbols: int) -> float:
    """Relative length of a training, to start the longest first."""
    return recipe.env_steps * num_symbols * _COST_PER_STEP[recipe.algorithm]


def _start(job: TrainingJob) -> Any:
    """The stream of a job's events from a Ray task with a core of its own."""
    import ray

    return ray.remote(num_cpus=1, max_retries=0)(_run).remote(job)


def _run(job: TrainingJob) -> Iterator[TrainingProgress | TrainingResult]:
    from wealtharena.training.job import training_events

    yield from training_events(job)


def _fetch(job: TrainingJob, reference: Any) -> TrainingProgress | TrainingResult:
    """The event behind a reference; Ray's wrappers around errors are taken off."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        event: TrainingProgress | TrainingResult = ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, WealthArenaError):
            raise error.cause from None
        logger.exception("%s: the training failed", job.agent.name)
        raise TrainingError(f"{job.agent.name}: {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:
        raise TrainingError(f"{job.agent.name}: the training's process was lost: {error}") from error
    return event


def _require_session(job: TrainingJob) -> None:
    import ray

    if not ray.is_initialized():
        raise TrainingError(f"{job.agent.name}: no Ray session; open one with ray_session()")

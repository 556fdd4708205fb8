"""Work of several seeds side by side in Ray tasks, with its progress as it happens."""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from wealtharena.core.errors import TrainingError, WealthArenaError

logger = logging.getLogger(__name__)

Progress = TypeVar("Progress")
Outcome = TypeVar("Outcome")

SeedWork = Callable[[int], Generator[Progress, None, Outcome]]
"""Works for one seed in a process of its own; what it yields on the way is handed on."""


def run_seeds(
    work: SeedWork[Progress, Outcome],
    seeds: Sequence[int],
    title: str,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """All seeds side by side, each with a core of its own, as many as the Ray session has; a lost process is replaced
    once.

    Args:
        work: travels to the processes, and so does what it yields and returns.
        title: of the work, for messages.
        on_progress: called from several threads.

    Returns:
        One outcome per seed, in their order.

    Raises:
        WealthArenaError: of the first seed that fails; ``TrainingError`` if there is no Ray session.
    """
    import ray

    if not ray.is_initialized():
        raise TrainingError(f"{title}: no Ray session; open one with ray_session()")

    def follow(seed: int) -> Outcome:
        who = f"{title}, seed {seed}"
        try:
            return _attempt(work, seed, who, on_progress)
        except _ProcessLostError as error:
            logger.warning("%s: started again", error)
            return _attempt(work, seed, who, on_progress)

    with ThreadPoolExecutor(max(1, len(seeds))) as pool:
        return list(pool.map(follow, seeds))


class _ProcessLostError(TrainingError):
    """The process that worked is gone."""


@dataclass(frozen=True, slots=True)
class _Ended(Generic[Outcome]):
    """The last that a process tells."""

    outcome: Outcome


def _attempt(
    work: SeedWork[Progress, Outcome], seed: int, who: str, on_progress: Callable[[Progress], None] | None
) -> Outcome:
    """Runs one seed in a Ray task and waits for it."""
    import ray

    for reference in ray.remote(num_cpus=1, max_retries=0)(_events).remote(work, seed):
        event: Progress | _Ended[Outcome] = _fetch(who, reference)
        if isinstance(event, _Ended):
            return event.outcome
        if on_progress is not None:
            on_progress(event)
    raise TrainingError(f"{who}: ended without an outcome")


def _events(work: SeedWork[Progress, Outcome], seed: int) -> Iterator[Progress | _Ended[Outcome]]:
    outcome = yield from work(seed)
    yield _Ended(outcome)


def _fetch(who: str, reference: Any) -> Any:
    """The event behind a reference; Ray's wrappers around errors are taken off."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, WealthArenaError):
            raise error.cause from None
        raise TrainingError(f"{who}: {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:
        raise _ProcessLostError(f"{who}: its process was lost: {error}") from error

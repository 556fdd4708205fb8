"""The two kinds of Prefect task of a night, and which of their failures are worth another try."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from wealtharena.core.errors import VendorUnavailable, WealthArenaError

VENDOR_RETRIES = 3
_VENDOR_RETRY_DELAYS = exponential_backoff(backoff_factor=2)
_RETRY_JITTER = 0.5

P = ParamSpec("P")
R = TypeVar("R")


def stage_task(name: str, run_name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A task that is tried twice, unless it ended with one of our own errors.

    Prefect's cache is off: what was finished before is known by receipts (see ``tasks.receipts``).
    """
    return task(
        name=name, task_run_name=run_name, retries=1, retry_condition_fn=not_our_own_verdict, cache_policy=NO_CACHE
    )


def vendor_task(name: str, run_name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A task that asks a vendor: tried again with growing pauses while the vendor is out of reach."""
    return task(
        name=name,
        task_run_name=run_name,
        retries=VENDOR_RETRIES,
        retry_delay_seconds=_VENDOR_RETRY_DELAYS,
        retry_jitter_factor=_RETRY_JITTER,
        retry_condition_fn=vendor_may_recover,
        cache_policy=NO_CACHE,
    )


def vendor_may_recover(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Only a source that was out of reach is asked again; a refusal stays a refusal."""
    return isinstance(_error_of(state), VendorUnavailable)


def not_our_own_verdict(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Our own errors are verdicts on the input and would come again; anything else may be a passing fault."""
    return not isinstance(_error_of(state), WealthArenaError)


def _error_of(state: State[Any]) -> object:
    return state.result(raise_on_failure=False)

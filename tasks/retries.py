"""Which failures are worth another try."""

from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from wealtharena.core.errors import VendorUnavailable, WealthArenaError

VENDOR_RETRIES = 3
VENDOR_RETRY_DELAYS = exponential_backoff(backoff_factor=2)
RETRY_JITTER = 0.5


def vendor_may_recover(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Only a source that was out of reach is asked again; a refusal stays a refusal."""
    return isinstance(_error_of(state), VendorUnavailable)


def not_our_own_verdict(task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Our own errors are verdicts on the input and would come again; anything else may be a passing fault."""
    return not isinstance(_error_of(state), WealthArenaError)


def _error_of(state: State[Any]) -> object:
    return state.result(raise_on_failure=False)

"""Ends a stage whose items ran side by side: what is done stays done, what failed is named."""

from collections.abc import Callable, Mapping
from typing import Any

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed

from tasks.night import Night
from tasks.receipts import record_failure
from tasks.stage import StageResult


def conclude(
    night: Night,
    stage: str,
    futures: Mapping[str, PrefectFuture[Any]],
    if_failed: Callable[[str], tuple[str, ...]] = lambda item: (),
) -> State[StageResult]:
    """Waits for all items; the state is Failed if one of them failed, and carries the result either way.

    Args:
        if_failed: notes about an item that failed; one that is done has its own.
    """
    done: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for item, future in futures.items():
        outcome = future.result(raise_on_failure=False)
        if isinstance(outcome, BaseException):
            failed[item] = str(outcome) or type(outcome).__name__
            record_failure(night, stage, item, failed[item])
        else:
            done[item] = outcome
    warnings = {item: "; ".join(receipt.problems) for item, receipt in done.items() if getattr(receipt, "problems", ())}
    notes = {item: tuple(receipt.notes) for item, receipt in done.items() if getattr(receipt, "notes", ())}
    notes |= {item: if_failed(item) for item in failed if if_failed(item)}
    return state_of(StageResult(stage, done, failed, warnings, notes))


def state_of(result: StageResult) -> State[StageResult]:
    """The Prefect state of a stage that ended with ``result``."""
    if result.failed:
        message = "; ".join(f"{item}: {reason}" for item, reason in sorted(result.failed.items()))
        return Failed(message=message, data=result)
    return Completed(message=f"{len(result.done)} done", data=result)


def result_of(state: State[Any]) -> StageResult:
    """The result that a stage's state carries, whether it failed or not; an unforeseen error is raised."""
    outcome: Any = state.result(raise_on_failure=False)
    if isinstance(outcome, BaseException):
        raise outcome
    result: StageResult = outcome
    return result

"""A change of champion that a person has to agree to: asked in Prefect, answered in its UI or on the command line.

Each question is a flow run of its own, ``ask-for-approval``, which pauses until it is answered. So several agents wait
side by side, and a question that nobody answers ends as failed without touching the night that asked it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prefect import flow, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import FlowPauseTimeout, NotPausedError
from prefect.flow_runs import pause_flow_run, resume_flow_run
from prefect.input import RunInput
from pydantic import Field

from tasks.night import Night
from wealtharena.agents.specs import resolve_agent
from wealtharena.core.errors import PipelineError
from wealtharena.settings import Settings

FLOW = "ask-for-approval"
NOBODY = "nobody"

_POLL_S = 2
_MOST_FIGURES = 40


class Answer(RunInput):
    """What a person fills in."""

    approve: bool = Field(description="Whether the champion may change as described.")
    name: str = Field(min_length=1, description="Who decides; kept with the decision.")
    comment: str = Field(default="", description="Why; kept with the decision.")


@dataclass(frozen=True, slots=True)
class Approval:
    """What became of a question.

    Attributes:
        approved: whether the champion may change.
        by: name of the person; ``nobody`` if there was no answer in time.
        comment: why.
    """

    approved: bool
    by: str
    comment: str


def ask(night: Night, agent: str, decision_record: Mapping[str, Any]) -> Approval:
    """Waits for a person's answer, at most ``promotion.approval_hours``; without one the champion stays.

    Must be called within a flow or task run. A night that is repeated before there was an answer asks anew.

    Args:
        night: that asks.
        agent: whose champion would change.
        decision_record: JSON-able figures of the decision, ``reason`` among them; shown beside the form.
    """
    hours = night.settings.promotion.approval_hours
    seconds = max(1, round(hours * 3600))
    answered: list[Answer] = []
    waited: list[FlowPauseTimeout] = []

    @flow(name=FLOW, flow_run_name="approve {agent} {night_id}", validate_parameters=False)
    def question(agent: str, night_id: str, home: str, reason: str) -> None:
        form = Answer.with_initial_data(description=_described(agent, night_id, decision_record, hours))
        try:
            answered.append(pause_flow_run(wait_for_input=form, timeout=seconds, poll_interval=_POLL_S))
        except FlowPauseTimeout as error:
            waited.append(error)
            raise

    reason = str(decision_record.get("reason", ""))
    state: Any = question(agent, night.night_id, _home(night.settings), reason, return_state=True)
    if answered:
        return Approval(answered[0].approve, answered[0].name, answered[0].comment)
    if waited:
        return Approval(False, NOBODY, f"nobody answered within {hours:g} hours: the champion stays")
    ended = f"{state.name.lower()}: {state.message or 'no reason given'}"
    raise PipelineError(f"{agent}: the question for approval ended without an answer, {ended}")


def answer(settings: Settings, name: str, *, approve: bool, by: str, comment: str) -> str:
    """Answers the oldest open question about an agent; returns what was asked.

    Raises:
        SettingsError: there is no such agent.
        PipelineError: nothing is being asked about it, it was answered meanwhile, or ``by`` is empty.
    """
    agent = resolve_agent(name).name
    if not by.strip():
        raise PipelineError("an answer must say who gives it, got an empty name")
    for run in open_questions(settings):
        if run.parameters["agent"] != agent:
            continue
        try:
            resume_flow_run(run.id, run_input={"approve": approve, "name": by, "comment": comment})
        except (NotPausedError, FlowPauseTimeout) as error:
            raise PipelineError(
                f"{agent}: the question of night {run.parameters['night_id']} is closed: {error}"
            ) from None
        return str(run.parameters["reason"])
    raise PipelineError(f"nobody is asked about {agent}: no run of {FLOW!r} waits for input at {_api()}")


def open_questions(settings: Settings) -> Iterator[FlowRun]:
    """Runs that wait for an answer about a model of this home folder, the oldest first."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
            flow_run_filter=FlowRunFilter.model_validate({"state": {"type": {"any_": ["PAUSED"]}}}),
            sort=FlowRunSort.START_TIME_ASC,
        )
    yield from (run for run in runs if run.parameters.get("home") == _home(settings))


def _described(agent: str, night_id: str, record: Mapping[str, Any], hours: float) -> str:
    """The form's text in Markdown: what would change, and the figures behind it."""
    rows = [f"| {name} | {value} |" for name, value in _flat(record) if name != "reason"]
    left = [f"… and {len(rows) - _MOST_FIGURES} more, see the decision's record"] if len(rows) > _MOST_FIGURES else []
    lines = [
        f"# May the champion of {agent} change?",
        f"Night {night_id}. {record.get('reason', '')}",
        f"Without an answer within {hours:g} hours the champion stays.",
        "\n".join(["| figure | value |", "|---|---|", *rows[:_MOST_FIGURES]]),
        *left,
    ]
    return "\n\n".join(lines)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            named = {
                str(item.get("name", k)) if isinstance(item, Mapping) else str(k): item for k, item in enumerate(value)
            }
            yield from _flat(named, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "/")


def _home(settings: Settings) -> str:
    return str(settings.home.resolve())


def _api() -> str:
    return os.environ.get("PREFECT_API_URL", "")

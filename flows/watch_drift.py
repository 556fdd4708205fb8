"""Watches whether the champions still see, do and earn what they were tested on."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks.drift import STAGE, agents_to_watch, watch_agent
from tasks.night import Night
from tasks.stage import StageResult


@flow(name="watch-drift", flow_run_name="watch-drift {night.as_of}", validate_parameters=False)
def watch_drift(night: Night) -> State[StageResult]:
    """One task per champion of a class; an alarm is a note of the night, not a failure."""
    futures = {agent: watch_agent.submit(night, agent) for agent in agents_to_watch(night)}
    return conclude(night, STAGE, futures)

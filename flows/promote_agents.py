"""Decides about every candidate and moves the registry's aliases."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks import artifacts
from tasks.night import Night
from tasks.promotion import STAGE, agents_to_decide, decide_agent
from tasks.stage import StageResult


@flow(name="promote-agents", flow_run_name="promote-agents {night.as_of}", validate_parameters=False)
def promote_agents(night: Night) -> State[StageResult]:
    """One decision per scored agent, each with its reason."""
    futures = {agent: decide_agent.submit(night, agent) for agent in agents_to_decide(night)}
    state = conclude(night, STAGE, futures)
    artifacts.decision_summary(night)
    return state

"""Turns champions into target weights for the next session."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks.night import Night
from tasks.signals import STAGE, agents_to_signal, signal_agent, signal_meta
from tasks.stage import StageResult
from wealtharena.agents.specs import META_AGENT


@flow(name="generate-signals", flow_run_name="generate-signals {night.as_of}", validate_parameters=False)
def generate_signals(night: Night) -> State[StageResult]:
    """One task per champion, then the combined book over them."""
    futures = {agent: signal_agent.submit(night, agent) for agent in agents_to_signal(night)}
    if night.with_meta:
        futures[META_AGENT] = signal_meta.submit(night)
    return conclude(night, STAGE, futures)

"""Takes every lane's paper account to the night's close, and records what the lane decides there."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks.markets import with_market
from tasks.night import Night
from tasks.paper import STAGE, trade_agent, trade_meta
from tasks.stage import StageResult
from wealtharena.agents.specs import META_AGENT


@flow(name="trade-on-paper", flow_run_name="trade-on-paper {night.as_of}", validate_parameters=False)
def trade_on_paper(night: Night) -> State[StageResult]:
    """One task per agent's market, with all the accounts that trade it; then the combined book."""
    futures = {agent: trade_agent.submit(night, agent) for agent in with_market(night, night.agents)}
    if night.with_meta:
        futures[META_AGENT] = trade_meta.submit(night)
    return conclude(night, STAGE, futures)

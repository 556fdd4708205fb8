"""Says how robust the held-out results are and where they came from."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks.analysis import STAGE, agents_to_analyse, analyse_agent
from tasks.night import Night
from tasks.stage import StageResult


@flow(name="analyse-results", flow_run_name="analyse-results {night.as_of}", validate_parameters=False)
def analyse_results(night: Night) -> State[StageResult]:
    """One task per agent that was scored, the meta-agent last."""
    return conclude(night, STAGE, {agent: analyse_agent.submit(night, agent) for agent in agents_to_analyse(night)})

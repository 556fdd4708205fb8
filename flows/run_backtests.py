"""Scores candidates, champions and baselines on the held-out window."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks import artifacts
from tasks.backtest import STAGE, agents_to_score, backtest_agent
from tasks.night import Night
from tasks.stage import StageResult


@flow(name="run-backtests", flow_run_name="run-backtests {night.as_of}", validate_parameters=False)
def run_backtests(night: Night) -> State[StageResult]:
    """One task per agent that was trained, the meta-agent last."""
    futures = {agent: backtest_agent.submit(night, agent) for agent in agents_to_score(night)}
    state = conclude(night, STAGE, futures)
    artifacts.agent_table(night)
    return state

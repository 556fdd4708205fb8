"""Completes the history of every lane."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.fan_out import conclude
from tasks.markets import with_market
from tasks.night import Night
from tasks.stage import StageResult
from tasks.training import training_cluster
from tasks.walk_forward import STAGE, walk_forward_agent


@flow(
    name="walk-forward",
    flow_run_name="walk-forward {night.as_of}",
    validate_parameters=False,
    # The threads only wait: Ray decides how many trainings run at a time.
    task_runner=ThreadPoolTaskRunner(max_workers=16),  # type: ignore[arg-type]
)
def walk_forward(night: Night) -> State[StageResult]:
    """One task per class agent; without ``walk_forward.enabled`` none."""
    agents = with_market(night, night.agents) if night.settings.walk_forward.enabled else []
    with training_cluster(night):
        return conclude(night, STAGE, {agent: walk_forward_agent.submit(night, agent) for agent in agents})

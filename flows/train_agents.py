"""Trains the lanes of the agents, as many at a time as there are workers."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.fan_out import conclude
from tasks.night import Night
from tasks.stage import StageResult
from tasks.training import STAGE, lanes_to_train, train_lane, training_cluster


@flow(
    name="train-agents",
    flow_run_name="train-agents {night.as_of}",
    validate_parameters=False,
    # The threads only wait: Ray decides how many trainings run at a time.
    task_runner=ThreadPoolTaskRunner(max_workers=16),  # type: ignore[arg-type]
)
def train_agents(night: Night) -> State[StageResult]:
    """One task per lane, the longest first; one lane's failure does not stop the others."""
    with training_cluster(night):
        futures = {lane.name: train_lane.submit(night, lane) for lane in lanes_to_train(night)}
        return conclude(night, STAGE, futures)

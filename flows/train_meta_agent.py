"""Trains the allocator over the night's agents."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks.meta import STAGE, train_meta
from tasks.night import Night
from tasks.stage import StageResult
from tasks.training import training_cluster
from wealtharena.agents.specs import META_AGENT


@flow(name="train-meta-agent", flow_run_name="train-meta-agent {night.as_of}", validate_parameters=False)
def train_meta_agent(night: Night) -> State[StageResult]:
    """One training, on the agents' out-of-sample curves of the validation window."""
    with training_cluster(night):
        futures = {META_AGENT: train_meta.submit(night)} if night.with_meta else {}
        return conclude(night, STAGE, futures)

"""Computes the indicators of every class."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks.features import STAGE, classes_to_compute, compute_class_features
from tasks.night import Night
from tasks.stage import StageResult


@flow(name="compute-features", flow_run_name="compute-features {night.as_of}", validate_parameters=False)
def compute_features(night: Night) -> State[StageResult]:
    """One task per class that was collected."""
    futures = {str(name): compute_class_features.submit(night, name) for name in classes_to_compute(night)}
    return conclude(night, STAGE, futures)

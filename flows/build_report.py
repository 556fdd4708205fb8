"""Writes the morning's report."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks import artifacts
from tasks.night import Night
from tasks.reporting import STAGE, write_night_report
from tasks.stage import StageResult


@flow(name="build-report", flow_run_name="build-report {night.as_of}", validate_parameters=False)
def build_report(night: Night) -> State[StageResult]:
    """One HTML file, from what the warehouse holds of this night."""
    state = conclude(night, STAGE, {"html": write_night_report.submit(night)})
    artifacts.report_link(night)
    return state

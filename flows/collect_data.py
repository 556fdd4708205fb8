"""Collects every asset class and the macro series, side by side."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.fan_out import conclude
from tasks import artifacts
from tasks.collection import STAGE, collect_class, collect_macro
from tasks.night import Night
from tasks.stage import StageResult
from tasks.vendor_desk import forget, left_out
from wealtharena.vendors import MACRO


@flow(name="collect-data", flow_run_name="collect-data {night.as_of}", validate_parameters=False)
def collect_data(night: Night) -> State[StageResult]:
    """Fetch, curate and store; a class that fails does not keep the others from being stored."""
    futures = {MACRO: collect_macro.submit(night)}
    futures |= {str(name): collect_class.submit(night, name) for name in night.asset_classes}
    state = conclude(night, STAGE, futures, if_failed=lambda item: left_out(night, item))
    artifacts.data_coverage(night)
    artifacts.data_quality(night)
    forget(night)
    return state

"""Turns champions into target weights for the next session."""

from prefect import flow
from prefect.client.schemas.objects import State

from flows.collect_data import collect_data
from flows.compute_features import compute_features
from flows.fan_out import conclude, result_of
from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.night import Night
from tasks.receipts import finished_or_empty
from tasks.signals import STAGE, agents_to_signal, signal_agent, signal_meta
from tasks.stage import StageResult
from wealtharena.agents.specs import META_AGENT
from wealtharena.core.errors import PipelineError


@flow(name="generate-signals", flow_run_name="generate-signals {night.as_of}", validate_parameters=False)
def generate_signals(night: Night) -> State[StageResult]:
    """One task per champion, then the combined book over them.

    A given date for which no night was run gets its market first, as it was known then.
    """
    if night.settings.run.as_of is not None and not finished_or_empty(night, FEATURES, FeaturesReceipt):
        _make_market(night)
    futures = {agent: signal_agent.submit(night, agent) for agent in agents_to_signal(night)}
    if night.with_meta:
        futures[META_AGENT] = signal_meta.submit(night)
    return conclude(night, STAGE, futures)


def _make_market(night: Night) -> None:
    for stage in (collect_data, compute_features):
        result = result_of(stage(night, return_state=True))
        if not result.done:
            reasons = "; ".join(f"{item}: {reason}" for item, reason in sorted(result.failed.items()))
            raise PipelineError(f"no market of {night.as_of} could be made ({result.stage}): {reasons}")

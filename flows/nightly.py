"""The parent flow: one night, every stage in order."""

from contextlib import ExitStack
from datetime import date
from pathlib import Path

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.stages import STAGES
from tasks import tracking
from tasks.conclusion import NightConclusion, conclude_night
from tasks.opening import open_night
from tasks.stage import StageResult
from tasks.training import training_cluster
from wealtharena.core.errors import PipelineError
from wealtharena.settings import load_settings

AFTER_TRAINING = "backtest"
"""First stage that needs no Ray any more: what it held is free for the rest of the night."""

FOUNDATIONS = ("collect", "features")
"""Stages without which no agent has a market: where one of them finishes no class, the rest would only echo it."""


def _run_name() -> str:
    parameters = flow_run.get_parameters()
    return f"nightly {Path(str(parameters.get('profile'))).stem} {parameters.get('as_of') or 'latest'}"


@flow(name="nightly", flow_run_name=_run_name)
def nightly(
    profile: str = "quickstart",
    as_of: date | None = None,
    overrides: list[str] | None = None,
    agents: list[str] | None = None,
    force: bool = False,
) -> State[NightConclusion]:
    """Collect, compute features, train, complete histories, backtest, analyse, trade on paper, promote, signal, report.

    A stage that fails for one agent goes on with the others; the night then ends failed and says which. Without the
    market of a single class it ends at once. A night that was run before with the same data, settings and seed
    repeats nothing.

    Args:
        profile: quickstart, files, nightly, or the path of a YAML file.
        as_of: last session that the night may know of; empty: the latest complete one.
        overrides: settings as ``key.sub=value``.
        agents: names of the agents; empty: all.
        force: repeat what was finished before.
    """
    extra = [f"run.as_of={as_of.isoformat()}"] if as_of else []
    night = open_night(load_settings(profile, [*(overrides or []), *extra]), agents, force)
    results: list[StageResult] = []
    labels = tags("wealtharena", Path(profile).stem, str(night.as_of))
    with labels, ExitStack() as cluster, tracking.night_run(night) as outcome:
        cluster.enter_context(training_cluster(night))
        for stage, run in STAGES.items():
            if stage == AFTER_TRAINING:
                cluster.close()
            try:
                results.append(run(night))
            except PipelineError as error:
                # Nothing of an earlier stage is left to work on; the report still tells what happened.
                results.append(StageResult(stage, failed={"all": str(error)}))
            if stage in FOUNDATIONS and not results[-1].done.keys() & set(map(str, night.asset_classes)):
                break
        conclusion = conclude_night(night, results)
        outcome.succeeded = conclusion.succeeded
    if not conclusion.succeeded:
        return Failed(message=conclusion.failure_text(), data=conclusion)
    return Completed(message=f"night {night.night_id} is complete", data=conclusion)

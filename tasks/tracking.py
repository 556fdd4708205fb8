"""The night in MLflow: one run, a nested run per agent, models with their aliases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.night import Night
from wealtharena.agents.lanes import Lane
from wealtharena.core import CheckpointRef
from wealtharena.serving.model import ServedModel, load_model
from wealtharena.tracking import ModelRegistry, ModelVersionInfo, Tracker


@dataclass
class NightOutcome:
    """Set by whoever runs the night; a night that nobody vouches for counts as failed."""

    succeeded: bool = False


@contextmanager
def night_run(night: Night) -> Iterator[NightOutcome]:
    """The night's MLflow run, ended as FINISHED or FAILED."""
    tracker = Tracker(night.settings)
    run_id = start_night_run(tracker, night)
    outcome = NightOutcome()
    try:
        yield outcome
    finally:
        tracker.finish(run_id, failed=not outcome.succeeded)


def start_night_run(tracker: Tracker, night: Night) -> str:
    """Run id of the night; a rerun goes on with the run of the first attempt."""
    tags = {
        "as_of": night.as_of.isoformat(),
        "profile": night.settings.profile,
        "source": night.settings.vendors.source,
    }
    return tracker.start_night(night.night_id, tags)


def start_agent_run(tracker: Tracker, night: Night, agent: str, data_version: str) -> str:
    """Run id of an agent or lane, nested under the night's."""
    return tracker.start_agent(start_night_run(tracker, night), agent, {"data_version": data_version})


def register(night: Night, lane: Lane, ref: CheckpointRef, run_id: str) -> str:
    """Registers a bundle as a version of its agent's model; the same bundle keeps its version."""
    tags = {"bundle_hash": ref.bundle_hash, "data_version": ref.data_version, "settings_hash": ref.settings_hash}
    tags |= {"night": night.night_id, "seed": str(night.settings.seed), "lane": lane.name, "lane_id": lane.lane_id}
    return ModelRegistry(Tracker(night.settings)).register(lane.agent, Path(ref.uri), run_id, tags)


def champion_version(night: Night, agent: str) -> ModelVersionInfo | None:
    """The version in service, or None."""
    return ModelRegistry(Tracker(night.settings)).alias(agent, "champion")


def load_champion(night: Night, agent: str) -> ServedModel | None:
    """The verified model in service, or None if there is none yet."""
    info = champion_version(night, agent)
    return None if info is None else load_version(night, info)


def load_version(night: Night, info: ModelVersionInfo) -> ServedModel:
    """The verified model of a registered version."""
    folder = ModelRegistry(Tracker(night.settings)).download(info.agent, info.version)
    return load_model(folder, f"v{info.version}", info.bundle_hash)


def log_held_out(night: Night, agent: str, figures: dict[str, float | None], monitor: dict[str, float | None]) -> None:
    """Adds the figures of the held-out window to the agent's run, and those of the risk monitor under their names."""
    tracker = Tracker(night.settings)
    run_id = tracker.start_agent(start_night_run(tracker, night), agent)
    values = {f"held_out_{name}": value for name, value in figures.items()} | monitor
    tracker.log_metrics(run_id, {name: value for name, value in values.items() if value is not None})
    tracker.finish(run_id)


def log_report(night: Night, path: Path, sheets: Path) -> None:
    """Keeps a copy of the report, and of the folder of tear sheets that it links to, with the night's run."""
    tracker = Tracker(night.settings)
    run_id = start_night_run(tracker, night)
    tracker.log_artifact(run_id, path, "report")
    if sheets.is_dir():
        tracker.log_artifact(run_id, sheets, f"report/{sheets.name}")

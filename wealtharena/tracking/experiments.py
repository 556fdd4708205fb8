"""Runs of the experiment: one per night, and under it one per agent."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from pydantic import SecretStr

from wealtharena.core.asset_class import META_AGENT
from wealtharena.core.errors import TrackingError
from wealtharena.settings import Settings, settings_hash
from wealtharena.tracking.connection import (
    artifact_location,
    connect,
    current_commit,
    exclusive,
    mlflow_folder,
    raising,
    silence,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NIGHT_TAG = "wealtharena.night"
AGENT_TAG = "wealtharena.agent"
PARENT_TAG = "mlflow.parentRunId"

# Where results are kept says nothing about them, and addresses may carry credentials.
_SECTIONS_NOT_LOGGED = {"home", "log_level", "mlflow", "prefect"}
_PARAMS_PER_BATCH = 100
_METRICS_PER_BATCH = 1_000
_RUNNING = "RUNNING"

Item = TypeVar("Item")


class Tracker:
    """Writes runs to MLflow. Safe to use from several threads and processes; each makes its own."""

    def __init__(self, settings: Settings) -> None:
        """Connects at first use, not here."""
        silence()
        self.settings = settings

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client for the settings' server or database."""
        with raising(TrackingError, "connecting", self.settings):
            return connect(self.settings)

    @cached_property
    def experiment_id(self) -> str:
        """Id of the settings' experiment, which is made if it is not there."""
        name = self.settings.mlflow.experiment
        with raising(TrackingError, f"opening experiment {name}", self.settings), self._lock():
            found = self.client.get_experiment_by_name(name)
            if found is not None:
                return str(found.experiment_id)
            return str(self.client.create_experiment(name, artifact_location=artifact_location(self.settings)))

    def start_night(self, night: str, tags: Mapping[str, str] | None = None) -> str:
        """Run id of a night: a new run with all settings as parameters, or the one that an earlier attempt began."""
        run_id = self._start(night, {NIGHT_TAG: night, AGENT_TAG: ""}, tags or {})
        self.log_params(run_id, _flat(self.settings.model_dump(exclude=_SECTIONS_NOT_LOGGED)))
        return run_id

    def start_agent(self, night_run_id: str, agent: str, tags: Mapping[str, str] | None = None) -> str:
        """Run id of an agent or lane under its night's run: a new run, or the one that an earlier attempt began.

        Its parameters are the recipe, and limits and reward as its risk profile makes them.
        """
        with raising(TrackingError, f"reading run {night_run_id}", self.settings):
            night = self.client.get_run(night_run_id).data.tags[NIGHT_TAG]
        identity = {NIGHT_TAG: night, AGENT_TAG: agent, PARENT_TAG: night_run_id}
        run_id = self._start(agent, identity, tags or {})
        self.log_params(run_id, self._params_of(agent))
        return run_id

    def _params_of(self, agent: str) -> dict[str, object]:
        if agent not in (META_AGENT, *self.settings.agents, *self.settings.lanes):
            return {}
        own = self.settings.meta if agent == META_AGENT else self.settings.recipe_of(agent)
        appetite = {"risk": self.settings.risk_of(agent), "reward": self.settings.reward_of(agent)}
        return _flat(own.model_dump() | {name: section.model_dump() for name, section in appetite.items()})

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Adds or replaces tags."""
        from mlflow.entities import RunTag

        entities = [RunTag(key, value) for key, value in sorted(tags.items())]
        with raising(TrackingError, f"tagging run {run_id}", self.settings):
            self.client.log_batch(run_id, tags=entities)

    def log_params(self, run_id: str, params: Mapping[str, object]) -> None:
        """Adds parameters. One that the run already has keeps its first value, since MLflow lets none change."""
        from mlflow.entities import Param

        # Under the lock: MLflow refuses a parameter that another thread has added since we looked.
        with raising(TrackingError, f"logging parameters of run {run_id}", self.settings), self._lock():
            known = self.client.get_run(run_id).data.params
            new = (Param(key, str(value)) for key, value in sorted(params.items()) if key not in known)
            for batch in _batches(new, _PARAMS_PER_BATCH):
                self.client.log_batch(run_id, params=batch)

    def log_metrics(self, run_id: str, metrics: Mapping[str, float]) -> None:
        """Adds single figures, such as the Sharpe ratio of the held-out window; NaN is kept as NaN."""
        self._log_points(run_id, ((name, value, 0) for name, value in sorted(metrics.items())))

    def log_curves(self, run_id: str, curves: pd.DataFrame) -> None:
        """Adds learning curves. Points that the run already has are not added again.

        Args:
            run_id: run of an agent.
            curves: columns ``iteration``, ``metric``, ``value``; further columns are ignored.
        """
        ordered = curves.sort_values(["metric", "iteration"])
        columns = (ordered[name].tolist() for name in ("metric", "value", "iteration"))
        self._log_points(run_id, zip(*columns, strict=True))

    def last_step(self, run_id: str, metric: str) -> int:
        """Highest step at which a run has a metric; 0 if at none."""
        with raising(TrackingError, f"reading {metric} of run {run_id}", self.settings):
            return max((point.step for point in self.client.get_metric_history(run_id, metric)), default=0)

    def log_artifact(self, run_id: str, path: Path, folder: str = "") -> None:
        """Copies a file, or everything in a folder, to the run's artifacts under ``folder``."""
        with raising(TrackingError, f"logging artifact {path} of run {run_id}", self.settings):
            if path.is_dir():
                self.client.log_artifacts(run_id, str(path), folder or None)
            else:
                self.client.log_artifact(run_id, str(path), folder or None)

    def finish(self, run_id: str, *, failed: bool = False) -> None:
        """Ends a run as FINISHED or FAILED."""
        with raising(TrackingError, f"ending run {run_id}", self.settings):
            self.client.set_terminated(run_id, status="FAILED" if failed else "FINISHED")

    def _start(self, name: str, identity: Mapping[str, str], tags: Mapping[str, str]) -> str:
        described = {
            "settings_hash": settings_hash(self.settings),
            "git_commit": current_commit(),
            "seed": str(self.settings.seed),
        }
        everything = {**described, **tags, **identity}
        experiment_id = self.experiment_id
        with raising(TrackingError, f"starting run {name}", self.settings), self._lock():
            run = self._find(identity)
            if run is None:
                return str(self.client.create_run(experiment_id, run_name=name, tags=everything).info.run_id)
            if run.info.status != _RUNNING:
                self.client.update_run(run.info.run_id, status=_RUNNING)
        run_id = str(run.info.run_id)
        changed = {key: value for key, value in everything.items() if run.data.tags.get(key) != value}
        if changed:
            self.set_tags(run_id, changed)
        return run_id

    def _find(self, identity: Mapping[str, str]) -> "Run | None":
        # MLflow loads all figures of every run that it finds: the search names as much as it can.
        wanted = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
        return next(iter(self.client.search_runs([self.experiment_id], wanted, max_results=1)), None)

    def _log_points(self, run_id: str, points: Iterable[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        with raising(TrackingError, f"logging metrics of run {run_id}", self.settings):
            # Stamped from the run's start, not the clock: MLflow then knows a point that is logged again.
            start = self.client.get_run(run_id).info.start_time
            metrics = (
                Metric(name, math.nan if value is None else float(value), start + step, step)
                for name, value, step in points
            )
            for batch in _batches(metrics, _METRICS_PER_BATCH):
                self.client.log_batch(run_id, metrics=batch)

    def _lock(self) -> AbstractContextManager[None]:
        return exclusive(mlflow_folder(self.settings) / "runs.lock")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``; secrets are left out."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        elif not isinstance(value, SecretStr):
            flat[name] = value
    return flat


def _batches(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch

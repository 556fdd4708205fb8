"""Trains the night's agents in Ray, and keeps what they became as verified bundles."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.markets import agent_market
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.tracking import register, start_agent_run
from wealtharena.agents.specs import AGENTS
from wealtharena.core import CheckpointRef, MarketPanel
from wealtharena.core.errors import ModelIntegrityError
from wealtharena.evaluation.windows import window_dates
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.serving.bundle import verify_bundle
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.serving.model import ServedModel, load_model
from wealtharena.settings import AgentSettings, settings_hash
from wealtharena.tracking import Tracker
from wealtharena.training.cluster import expected_cost, submit_training
from wealtharena.training.curves import curve_frame
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.session import deferred_ray_session

STAGE = "train"
STAGE_META = "train-meta"


@dataclass(frozen=True)
class TrainingReceipt:
    """A trained policy.

    Attributes:
        agent: name.
        checkpoint: the bundle.
        version: number in the model registry.
        mlflow_run_id: run that holds parameters, curves and artifacts.
        algorithm: that trained it.
        weights_hash: hash of the network's parameters.
        validation_sharpe: of the kept checkpoint; None if undefined.
        final_reward: mean episode return at the end.
        seconds: wall time of the training.
    """

    agent: str
    checkpoint: CheckpointRef
    version: str
    mlflow_run_id: str
    algorithm: str
    weights_hash: str
    validation_sharpe: float | None
    final_reward: float | None
    seconds: float


_open_cluster: list[Callable[[], None]] = []


@contextmanager
def training_cluster(night: Night) -> Iterator[None]:
    """Ray for the trainings of the block, opened when the first one begins; an outer block's is used instead."""
    if _open_cluster:
        yield
        return
    with deferred_ray_session(night.settings.training, night.settings.training.num_workers) as open_session:
        _open_cluster.append(open_session)
        try:
            yield
        finally:
            _open_cluster.remove(open_session)


def agents_to_train(night: Night) -> list[str]:
    """Agents whose class has features, the longest training first so that none ends alone."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    agents = [name for name in night.agents if str(AGENTS[name].asset_class) in ready]
    symbols = {name: ready[str(AGENTS[name].asset_class)].symbols for name in agents}
    return sorted(agents, key=lambda name: -expected_cost(night.settings.agents[name], symbols[name]))


@stage_task("train-agent", "train {agent}")
def train_agent(night: Night, agent: str) -> TrainingReceipt:
    """Trains one agent on its training window; validation picks the checkpoint, the held-out window is not touched."""
    market = agent_market(night, agent)
    panel, windows = market.panel, market.windows
    recipe = night.settings.agents[agent]
    train = panel.rows(*windows.train)
    # Some rows more: the first decision, after the close before the window, sees so many sessions.
    validation = panel.rows(windows.validation[0] - recipe.window, windows.validation[1])
    dates = {"training": window_dates(panel, windows.train), "validation": window_dates(panel, windows.validation)}
    return train_once(night, agent, recipe, train, validation, market.rules, dates)


def train_once(
    night: Night,
    agent: str,
    recipe: AgentSettings,
    train: MarketPanel,
    validation: MarketPanel,
    rules: TradingRules,
    dates: dict[str, Any],
) -> TrainingReceipt:
    """The receipt of a training; the stored one if an equal training was done before and its bundle is intact."""
    training, reward = night.settings.training, RewardWeights.from_settings(night.settings, agent)
    inputs = {
        "recipe": recipe.model_dump(mode="json"),
        "train": train.content_hash,
        "validation": validation.content_hash,
        "rules": asdict(rules),
        "reward": asdict(reward),
        "episode_days": training.episode_days,
        "evaluations": training.evaluations,
        "seed": night.settings.seed,
    }
    job = TrainingJob(
        agent=AGENTS[agent],
        recipe=recipe,
        panel_train=train,
        panel_validation=validation,
        rules=rules,
        reward=reward,
        training=training,
        seed=night.settings.seed,
        output_dir=night.folder / "training" / agent,
    )
    stage = STAGE if AGENTS[agent].asset_class is not None else STAGE_META
    return once(night, stage, agent, inputs, lambda: _train(night, job, dates), TrainingReceipt, _is_intact)


def candidate(receipt: TrainingReceipt) -> ServedModel:
    """The verified model of a night's training."""
    return load_model(Path(receipt.checkpoint.uri), f"v{receipt.version}", receipt.checkpoint.bundle_hash)


def _train(night: Night, job: TrainingJob, dates: dict[str, Any]) -> TrainingReceipt:
    agent, tracker = job.agent.name, Tracker(night.settings)
    data_version = job.panel_train.content_hash
    run_id = start_agent_run(tracker, night, agent, data_version)
    shutil.rmtree(job.output_dir, ignore_errors=True)
    tell(ProgressEvent(STAGE, agent, 0, job.recipe.env_steps, f"{job.recipe.algorithm} waits for a core"))
    try:
        _open_cluster[-1]()
        result = submit_training(job, _bar(agent, str(job.recipe.algorithm)))
    except Exception:
        tracker.finish(run_id, failed=True)
        raise
    ref = _write_bundle(night, job, result, dates)
    curves = curve_frame(result.curve)
    night.warehouse.write(
        "out_training__curves", curves.assign(night=night.night_id, agent=agent), f"{night.night_id}/{agent}"
    )
    tracker.log_curves(run_id, curves)
    tracker.log_metrics(run_id, {"validation_sharpe_best": result.validation_sharpe, "train_seconds": result.seconds})
    version = register(night, agent, ref, run_id)
    tracker.finish(run_id)
    return TrainingReceipt(
        agent=agent,
        checkpoint=ref,
        version=version,
        mlflow_run_id=run_id,
        algorithm=str(job.recipe.algorithm),
        weights_hash=result.weights_hash,
        validation_sharpe=result.validation_sharpe,
        final_reward=result.final_reward,
        seconds=result.seconds,
    )


def _write_bundle(night: Night, job: TrainingJob, result: TrainingResult, dates: dict[str, Any]) -> CheckpointRef:
    agent = job.agent.name
    card = ModelCard(
        agent=agent,
        kind=ModelKind.POLICY,
        algorithm=str(job.recipe.algorithm),
        feature_names=job.panel_train.feature_names,
        window=job.recipe.window,
        actions=job.recipe.action_kind,
        symbols=job.panel_train.symbols,
        rules=job.rules,
        settings_hash=settings_hash(night.settings),
        data_version=job.panel_train.content_hash,
        seed=job.seed,
        windows=dates,
        metrics={"validation_sharpe": result.validation_sharpe, "final_reward": result.final_reward},
    )
    name = f"{night.night_id}-{result.weights_hash[:8]}"
    store = ModelCheckpoint(night.settings.home)
    return store.save_checkpoint(agent, name, card, job.output_dir, datetime.now(UTC))


def _is_intact(receipt: TrainingReceipt) -> bool:
    try:
        verify_bundle(Path(receipt.checkpoint.uri), receipt.checkpoint.bundle_hash)
    except ModelIntegrityError:
        return False
    return True


def _bar(agent: str, algorithm: str) -> Callable[[TrainingProgress], None]:
    def advance(progress: TrainingProgress) -> None:
        note = f"{algorithm} return {progress.episode_return_mean:+.3f}"
        if progress.validation_sharpe is not None:
            note += f", validation Sharpe {progress.validation_sharpe:+.2f}"
        tell(ProgressEvent(STAGE, agent, progress.env_steps, progress.total_env_steps, note))

    return advance

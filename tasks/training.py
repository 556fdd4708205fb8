"""Trains the lanes of the night's agents in Ray, each with several seeds; what the best became is a verified bundle."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.ledger import append_trials, seed_trials
from tasks.markets import agent_market, class_of, tables_behind, with_market
from tasks.night import Night
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.tracking import champion_version, load_version, register, start_agent_run
from tasks.watch import TrainingWatch
from wealtharena.agents.lanes import Lane, policy_lanes
from wealtharena.agents.specs import AGENTS
from wealtharena.core import CheckpointRef, MarketPanel
from wealtharena.core.errors import ModelIntegrityError, TrainingError, WealthArenaError
from wealtharena.core.numbers import number_or_none
from wealtharena.evaluation.windows import window_dates
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.serving.bundle import verify_bundle
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.serving.model import ServedModel, load_model
from wealtharena.settings import decisive_settings, settings_hash
from wealtharena.tracking import Tracker
from wealtharena.training.cluster import OnProgress, TrainingQueue, cores_needed, expected_cost, submit_training
from wealtharena.training.curves import curves_frame
from wealtharena.training.result import TrainingJob, TrainingResult, WarmStart
from wealtharena.training.selection import SeedOutcome, best_of, describe, jobs_of, outcome_of, spread_of
from wealtharena.training.session import deferred_ray_session
from wealtharena.training.work import discard_work

STAGE = "train"
STAGE_META = "train-meta"

_RLLIB = "rllib"


@dataclass(frozen=True)
class TrainingReceipt:
    """A trained policy.

    Attributes:
        agent: whose market the policy trades.
        checkpoint: the bundle.
        version: number in the model registry.
        mlflow_run_id: run that holds parameters, curves and artifacts.
        algorithm: that trained it.
        weights_hash: hash of the network's parameters.
        validation_sharpe: of the kept checkpoint; None if undefined.
        final_reward: mean episode return at the end.
        seconds: wall time of the kept training.
        seeds: how the training with each seed ended.
        notes: seeds that failed, though others did not, and a champion that could not be begun with, each with the
            reason.
        lane: name of the recipe; ``""`` in receipts of before there were several: the agent's own.
        lane_id: of the recipe, see ``Lane``; ``""`` in receipts of before.
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
    seeds: tuple[SeedOutcome, ...] = ()
    notes: tuple[str, ...] = ()
    lane: str = ""
    lane_id: str = ""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Where the trainings of a night run: ``open`` starts Ray at the first call; ``queue`` lets them begin in turn."""

    open: Callable[[], None]
    queue: TrainingQueue


_open_cluster: list[_Cluster] = []


@contextmanager
def training_cluster(night: Night) -> Iterator[None]:
    """Ray for the trainings of the block, opened when the first one begins; an outer block's is used instead."""
    if _open_cluster:
        yield
        return
    training = night.settings.training
    with deferred_ray_session(training, cores_needed(training)) as open_session:
        cluster = _Cluster(open_session, TrainingQueue(training.num_workers))
        _open_cluster.append(cluster)
        try:
            yield
        finally:
            _open_cluster.remove(cluster)


def lanes_to_train(night: Night) -> list[Lane]:
    """Lanes of the agents whose class has features, the longest training first so that none ends alone."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    agents = with_market(night, night.agents)
    symbols = {name: ready[str(class_of(name))].symbols for name in agents}
    lanes = [lane for agent in agents for lane in policy_lanes(night.settings, agent)]
    return sorted(lanes, key=lambda lane: -expected_cost(night.settings.recipe_of(lane.name), symbols[lane.agent]))


@stage_task("train-lane", "train {lane.name}")
def train_lane(night: Night, lane: Lane) -> TrainingReceipt:
    """Trains one lane on its training window; validation picks the checkpoint, the held-out window is not touched."""
    market = agent_market(night, lane.name)
    panel, windows = market.panel, market.windows
    # Some rows more: the first decision, after the close before the window, sees so many sessions.
    seen = night.settings.recipe_of(lane.name).window
    train, validation = panel.rows(*windows.train), panel.rows(windows.validation[0] - seen, windows.validation[1])
    dates = {"training": window_dates(panel, windows.train), "validation": window_dates(panel, windows.validation)}
    return train_once(night, lane, train, validation, market.rules, dates)


def train_once(
    night: Night,
    lane: Lane,
    train: MarketPanel,
    validation: MarketPanel,
    rules: TradingRules,
    dates: dict[str, Any],
) -> TrainingReceipt:
    """The receipt of a training; the stored one if an equal training was done before and its bundle is intact."""
    training = night.settings.training
    job = TrainingJob(
        agent=AGENTS[lane.agent],
        recipe=night.settings.recipe_of(lane.name),
        panel_train=train,
        panel_validation=validation,
        rules=rules,
        reward=RewardWeights.from_settings(night.settings, lane.name),
        training=training,
        seed=night.settings.seed,
        output_dir=night.folder / "training" / lane.name,
    )
    inputs = {
        "lane": lane.lane_id,
        "recipe": job.recipe.model_dump(mode="json"),
        "train": train.content_hash,
        "validation": validation.content_hash,
        "rules": asdict(rules),
        "reward": asdict(job.reward),
        "training": job.decisive_settings | {"seeds": training.seeds, "warm_start": training.warm_start},
        "seed": job.seed,
        # Promotion changes the champion: a repeat of the night keeps to what it once began with.
        "night": night.night_id if training.warm_start == "champion" else "",
    }
    stage = STAGE if job.agent.asset_class is not None else STAGE_META
    receipt = once(
        night, stage, lane.name, inputs, lambda: _train(night, lane, job, dates), TrainingReceipt, _is_intact
    )
    sessions = len(validation.dates) - job.recipe.window
    scored = (receipt.seeds, receipt.checkpoint.bundle_hash, window_dates(validation, (-sessions, 0)), sessions)
    append_trials(night.warehouse, seed_trials(night, lane, *scored, validation.annualisation))
    _tidy(job)
    return receipt


def train_in_turn(job: TrainingJob, on_progress: OnProgress | None = None) -> TrainingResult:
    """Trains within an open ``training_cluster``, as soon as its turn has come."""
    cluster = _open_cluster[-1]
    with cluster.queue.turn(expected_cost(job.recipe, len(job.panel_train.symbols))):
        cluster.open()
        return submit_training(job, on_progress)


def settled(
    trainings: Mapping[Future[TrainingResult], int],
) -> tuple[dict[int, TrainingResult], dict[int, str]]:
    """By seed: the trainings that ended well, and why the others did not; waits for all of them.

    Raises:
        TrainingError: none ended well.
    """
    ended: dict[int, TrainingResult] = {}
    failures: dict[int, str] = {}
    for future, seed in trainings.items():
        error = future.exception()
        if error is None:
            ended[seed] = future.result()
        elif isinstance(error, WealthArenaError):
            failures[seed] = str(error)
        else:
            raise error
    if not ended:
        raise TrainingError("; ".join(dict.fromkeys(failures.values())))
    return ended, failures


def candidate(receipt: TrainingReceipt) -> ServedModel:
    """The verified model of a night's training."""
    return load_model(Path(receipt.checkpoint.uri), f"v{receipt.version}", receipt.checkpoint.bundle_hash)


def _train(night: Night, lane: Lane, job: TrainingJob, dates: dict[str, Any]) -> TrainingReceipt:
    tracker = Tracker(night.settings)
    start, notes = _warm_start(night, lane, dates)
    run_id = start_agent_run(tracker, night, lane.name, job.panel_train.content_hash)
    jobs = jobs_of(replace(job, warm_start=start))
    watch = TrainingWatch(STAGE, lane.name, tracker, run_id, jobs)
    try:
        _open_cluster[-1].open()
        results, outcomes = _train_seeds(jobs, watch)
    except Exception:
        tracker.finish(run_id, failed=True)
        raise
    best = best_of(results)
    kept = jobs[[item.seed for item in jobs].index(best.seed)]
    ref = _write_bundle(night, lane, kept, best, outcomes, dates)
    curves = curves_frame(results, best)
    own = {"night": night.night_id, "agent": lane.name}
    night.warehouse.write("out_training__curves", curves.assign(**own), f"{night.night_id}/{lane.name}")
    watch.conclude(results, best, describe(outcomes))
    figures = {"validation_sharpe_best": best.validation_sharpe, "train_seconds": best.seconds}
    tracker.log_metrics(run_id, figures | _spread(outcomes))
    version = register(night, lane, ref, run_id)
    tracker.finish(run_id)
    return TrainingReceipt(
        agent=lane.agent,
        checkpoint=ref,
        version=version,
        mlflow_run_id=run_id,
        algorithm=str(job.recipe.algorithm),
        weights_hash=best.weights_hash,
        validation_sharpe=number_or_none(best.validation_sharpe),
        final_reward=number_or_none(best.final_reward),
        seconds=best.seconds,
        seeds=outcomes,
        notes=(*notes, *_cold_starts(results), *(item.failure for item in outcomes if item.failure)),
        lane=lane.name,
        lane_id=lane.lane_id,
    )


def _train_seeds(
    jobs: Sequence[TrainingJob], watch: TrainingWatch
) -> tuple[list[TrainingResult], tuple[SeedOutcome, ...]]:
    """The trainings that ended well, and how each one ended.

    Raises:
        TrainingError: none ended well.
    """
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="seed") as pool:
        trainings: dict[Future[TrainingResult], int] = {}
        for job in jobs:
            trainings[pool.submit(train_in_turn, job, watch.hear)] = job.seed
        watch.follow(trainings)
    ended, failures = settled(trainings)
    outcomes = [
        outcome_of(ended[seed]) if seed in ended else SeedOutcome(seed, failure=failures[seed])
        for seed in trainings.values()
    ]
    return list(ended.values()), tuple(outcomes)


def _warm_start(night: Night, lane: Lane, dates: dict[str, Any]) -> tuple[WarmStart | None, tuple[str, ...]]:
    """The champion to begin with, verified; or None and why not, unless nothing else was asked for."""
    champion = champion_version(night, lane.agent) if night.settings.training.warm_start == "champion" else None
    if champion is None:
        return None, ()
    try:
        model = load_version(night, champion)
    except ModelIntegrityError as error:
        return None, (f"training began from scratch: {error}",)
    if model.card.lane != lane.name:
        # What another recipe has learnt would count as this one's merit.
        return None, (f"training began from scratch: the champion {model.label} is of {model.card.lane}",)
    checkpoint = model.folder / _RLLIB
    if not checkpoint.is_dir():
        return None, (f"training began from scratch: the champion {model.label} has no RLlib checkpoint",)
    for window, (_, last) in dates.items():
        # A champion that knows later sessions would carry them into windows that tonight's agent is judged on.
        if window not in model.card.windows or model.card.windows[window][1] > last:
            known = model.card.windows.get(window, ("", "an unknown day"))[1]
            return None, (
                f"training began from scratch: the champion {model.label} knows {window} sessions up to {known}, "
                f"tonight's end on {last}",
            )
    return WarmStart(checkpoint, model.label, model.card.feature_names), ()


def _cold_starts(results: Sequence[TrainingResult]) -> tuple[str, ...]:
    """Why trainings did not begin with the champion."""
    told = dict.fromkeys(result.warm_start for result in results)
    return tuple(f"training began {text}" for text in told if text.startswith("from scratch"))


def _spread(outcomes: Sequence[SeedOutcome]) -> dict[str, float]:
    """Over the seeds; NaN where it is undefined."""
    spread = spread_of(outcome.validation_sharpe for outcome in outcomes)
    return {"validation_sharpe_mean": spread.mean, "validation_sharpe_deviation": spread.deviation}


def _write_bundle(
    night: Night,
    lane: Lane,
    job: TrainingJob,
    result: TrainingResult,
    outcomes: Sequence[SeedOutcome],
    dates: dict[str, Any],
) -> CheckpointRef:
    card = ModelCard(
        agent=lane.agent,
        lane_id=lane.lane_id,
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
        metrics={"final_reward": result.final_reward, "validation_sharpe": result.validation_sharpe}
        | _spread(outcomes),
    )
    name = f"{night.night_id}-{lane.name}-{result.weights_hash[:8]}"
    store = ModelCheckpoint(night.settings.home)
    made_with = decisive_settings(night.settings), tables_behind(night, lane.agent)
    return store.save_checkpoint(lane.agent, name, card, job.output_dir, datetime.now(UTC), *made_with)


def _tidy(job: TrainingJob) -> None:
    """Removes what the trainings left besides the bundle, now that the receipt speaks for them."""
    for item in jobs_of(job):
        discard_work(item)
    shutil.rmtree(job.output_dir, ignore_errors=True)


def _is_intact(receipt: TrainingReceipt) -> bool:
    try:
        verify_bundle(Path(receipt.checkpoint.uri), receipt.checkpoint.bundle_hash)
    except ModelIntegrityError:
        return False
    return True

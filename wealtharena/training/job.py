"""One training from start to files: the same in a notebook, a Ray worker or a test."""

import json
import math
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from wealtharena.agents.networks import TorchPolicy
from wealtharena.core.errors import ExecutionError, TrainingError
from wealtharena.core.hashing import hash_arrays
from wealtharena.envs import run_policy
from wealtharena.evaluation.metrics import sharpe_ratio
from wealtharena.training.environment import reward_scale, training_environment
from wealtharena.training.export import export_policy
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config, steps_per_iteration
from wealtharena.training.result import CurveRow, TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.seeding import isolated_randomness
from wealtharena.training.session import quieten_rllib

CHECKPOINT_FOLDER = "rllib"
POLICY_FILE = "policy.onnx"
RECORD_FILE = "training.json"
TIMINGS_FILE = "timings.json"

OnProgress = Callable[[TrainingProgress], None]


def train_policy(job: TrainingJob, progress: OnProgress | None = None) -> TrainingResult:
    """Trains, keeps the policy with the best validation Sharpe ratio, and writes it to ``job.output_dir``.

    Writes ``rllib/`` (checkpoint), ``policy.onnx``, ``training.json`` (equal for equal jobs) and ``timings.json``.
    Runs on one thread; the process's random state is as before afterwards. Not for two threads of one process at once.

    Raises:
        TrainingError: a loss or weight is not finite, or the export fails; names agent, iteration and value.
        SettingsError: figures of the recipe do not fit together.
        DataWindowError: a panel is too short to trade.
    """
    for event in training_events(job):
        if isinstance(event, TrainingResult):
            return event
        if progress is not None:
            progress(event)
    raise TrainingError(f"{job.agent.name}: the training ended without a result")


def training_events(job: TrainingJob) -> Iterator[TrainingProgress | TrainingResult]:
    """``train_policy`` as it goes: one progress per iteration, then the result."""
    started = time.perf_counter()
    job.output_dir.mkdir(parents=True, exist_ok=True)
    quieten_rllib()
    with isolated_randomness(job.seed):
        algorithm = _build(job)
        try:
            curve, best = yield from _learn(job, algorithm)
            algorithm.module.load_state_dict(best.weights)
            row_width = algorithm.config.observation_space.shape[-1]
            export_policy(algorithm.module.scoring_network, row_width, job.output_dir / POLICY_FILE)
        finally:
            algorithm.stop()
            shutil.rmtree(_work_folder(job), ignore_errors=True)
    result = TrainingResult(
        agent=job.agent.name,
        seed=job.seed,
        final_reward=curve[-1].episode_return_mean,
        best_iteration=best.iteration,
        validation_sharpe=best.sharpe,
        curve=tuple(curve),
        weights_hash=_weights_hash(best.weights),
        checkpoint=job.output_dir / CHECKPOINT_FOLDER,
        policy=job.output_dir / POLICY_FILE,
        record=job.output_dir / RECORD_FILE,
        seconds=time.perf_counter() - started,
    )
    _write_records(job, result)
    yield result


@dataclass(frozen=True, slots=True)
class _Best:
    iteration: int
    sharpe: float
    weights: dict[str, torch.Tensor]


def _build(job: TrainingJob) -> Any:
    recipe = job.recipe
    config = training_environment(recipe, job.rules, job.reward, job.training, job.panel_train)
    market = TrainingMarket.write(job.panel_train, config, job.seed, _work_folder(job) / "market")
    return build_config(recipe, market, market.spaces(), job.seed, job.training).build_algo()


def _work_folder(job: TrainingJob) -> Path:
    return job.output_dir.parent / f"{job.output_dir.name}-work"


def _learn(job: TrainingJob, algorithm: Any) -> Generator[TrainingProgress, None, tuple[list[CurveRow], _Best]]:
    per_iteration = steps_per_iteration(job.recipe)
    iterations = math.ceil(job.recipe.env_steps / per_iteration)
    evaluated = {math.ceil(k * iterations / job.training.evaluations) for k in range(1, job.training.evaluations + 1)}
    curve: list[CurveRow] = []
    started = time.perf_counter()
    best: _Best | None = None
    for iteration in range(1, iterations + 1):
        losses = _train_once(job, algorithm, iteration)
        episode_return = algorithm.episode_return_mean()
        sharpe = _validation_sharpe(job, algorithm) if iteration in evaluated else None
        if sharpe is not None and (best is None or _better(sharpe, best.sharpe)):
            best = _Best(iteration, sharpe, _copied_weights(algorithm))
            _save(algorithm, job.output_dir / CHECKPOINT_FOLDER)
        steps = iteration * per_iteration
        terms, limits = algorithm.session_statistics()
        curve.append(CurveRow(iteration, steps, episode_return, *losses, sharpe, terms, limits))
        rate = steps / (time.perf_counter() - started)
        yield TrainingProgress(job.agent.name, job.seed, curve[-1], iterations * per_iteration, rate)
    assert best is not None  # noqa: S101 - the last iteration is always evaluated
    return curve, best


def _train_once(job: TrainingJob, algorithm: Any, iteration: int) -> tuple[float, float, float]:
    """Policy loss, value loss and entropy of one iteration, all of it checked."""
    try:
        results = algorithm.train().get("learners", {}).get("default_policy", {})
    except (ExecutionError, TrainingError) as error:
        raise TrainingError(f"{job.agent.name}: iteration {iteration}: {error}") from error
    for name in ("total_loss", "policy_loss", "vf_loss", "qf_loss", "entropy"):
        if not math.isfinite(float(results.get(name, 0.0))):
            raise _not_finite(job, iteration, name, float(results[name]))
    for name, weights in algorithm.module.state_dict().items():
        if not bool(torch.isfinite(weights).all()):
            raise _not_finite(job, iteration, f"weights of {name}", math.nan)
    value_loss = results.get("vf_loss", results.get("qf_loss", math.nan))
    entropy = results.get("entropy", -float(results.get("logps", math.nan)))
    return float(results.get("policy_loss", math.nan)), float(value_loss), float(entropy)


def _not_finite(job: TrainingJob, iteration: int, name: str, value: float) -> TrainingError:
    return TrainingError(f"{job.agent.name}: {name} must be finite, got {value} in iteration {iteration}")


def _validation_sharpe(job: TrainingJob, algorithm: Any) -> float:
    panel = job.panel_validation
    policy = TorchPolicy(algorithm.module.scoring_network)
    path = run_policy(policy.act, panel, 1, len(panel.dates) - 1, job.rules)
    return sharpe_ratio(path.excess_returns, panel.annualisation)


def _better(sharpe: float, than: float) -> bool:
    """An undefined ratio is worse than any other; a tie keeps the earlier policy."""
    return math.isfinite(sharpe) and (not math.isfinite(than) or sharpe > than)


def _copied_weights(algorithm: Any) -> dict[str, torch.Tensor]:
    return {name: weights.clone() for name, weights in algorithm.module.state_dict().items()}


def _weights_hash(weights: dict[str, torch.Tensor]) -> str:
    return hash_arrays(weights[name].numpy() for name in sorted(weights))


def _save(algorithm: Any, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    algorithm.save_to_path(str(folder.resolve()))


def _write_records(job: TrainingJob, result: TrainingResult) -> None:
    record = {
        "agent": result.agent,
        "algorithm": job.recipe.algorithm,
        "recipe": job.recipe.model_dump(mode="json"),
        "seed": job.seed,
        "feature_names": job.panel_train.feature_names,
        "reward": asdict(job.reward),
        "reward_scale": reward_scale(job.panel_train),
        "rules": asdict(job.rules),
        "best_iteration": result.best_iteration,
        "validation_sharpe": _json_number(result.validation_sharpe),
        "final_reward": _json_number(result.final_reward),
        "weights_hash": result.weights_hash,
        "curve": [_json_values(asdict(row)) for row in result.curve],
    }
    result.record.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    timings = {"seconds": result.seconds, "steps_per_second": result.steps_per_second}
    (job.output_dir / TIMINGS_FILE).write_text(json.dumps(timings, indent=1) + "\n")


def _json_values(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _json_values(value) if isinstance(value, dict) else _json_number(value) for name, value in values.items()
    }


def _json_number(value: float | None) -> float | None:
    """JSON knows no NaN: what is undefined is null."""
    return None if value is None or not math.isfinite(value) else value

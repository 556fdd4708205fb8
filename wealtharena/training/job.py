"""One training from start to files: the same in a notebook, a Ray worker or a test."""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wealtharena.agents.networks import ScoringNetwork, TorchPolicy
from wealtharena.core.errors import ExecutionError, TrainingError, WealthArenaError
from wealtharena.core.hashing import hash_arrays
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.envs import SimulationPath, run_policy
from wealtharena.envs.simulation import PolicyAct
from wealtharena.evaluation.metrics import sharpe_ratio
from wealtharena.training.environment import reward_scale, training_environment
from wealtharena.training.export import export_policy
from wealtharena.training.fingerprint import fingerprint
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config, steps_per_iteration
from wealtharena.training.result import CurveRow, TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.seeding import isolated_randomness
from wealtharena.training.selection import Purpose, derived_seed, is_better
from wealtharena.training.session import quieten_rllib, ray_session
from wealtharena.training.warm_start import load_module, warm_up
from wealtharena.training.work import CHECKPOINT_FOLDER, Best, Point, TrainingState, WorkFolder, discard_work, hold

MARKET_FOLDER = "market"
POLICY_FILE = "policy.onnx"
PARITY_FILE = "parity.json"
RECORD_FILE = "training.json"
TIMINGS_FILE = "timings.json"

_UNKNOWN_VOLATILITY = 0.01

OnProgress = Callable[[TrainingProgress], None]


def train_policy(job: TrainingJob, progress: OnProgress | None = None) -> TrainingResult:
    """Trains, keeps the policy with the best validation Sharpe ratio, and writes it to ``job.output_dir``.

    Writes ``rllib/`` (checkpoint), ``policy.onnx`` with ``parity.json`` (how closely it repeats torch),
    ``training.json`` (equal for equal jobs) and ``timings.json``.
    Goes on where an equal job was killed (see ``wealtharena.training.work``), and tries again after a failure.
    Runs on one thread; the process's random state is as before afterwards. Not for two threads of one process at once.

    Raises:
        TrainingError: a loss or weight is not finite, once more after every retry, or the export fails; names agent,
            seed, iteration and value.
        SettingsError: figures of the recipe do not fit together.
        DataWindowError: a panel is too short to trade.
    """
    result: TrainingResult | None = None
    try:
        for event in training_events(job):
            if isinstance(event, TrainingResult):
                result = event
            elif progress is not None:
                progress(event)
    except WealthArenaError:
        # The same job would end the same way; what stopped it from outside is another matter.
        discard_work(job)
        raise
    if result is None:
        raise TrainingError(f"{job.agent.name}: the training ended without a result")
    discard_work(job)
    return result


def training_events(job: TrainingJob) -> Iterator[TrainingProgress | TrainingResult]:
    """``train_policy`` as it goes: one progress per iteration, then the result.

    The work folder stays, for whoever else must be done before this training counts: the same job then gives the same
    result at once. See ``discard_work``.
    """
    quieten_rllib()
    with hold(job.work_dir, fingerprint(job)) as work:
        state = work.finished_state(job.output_dir)
        if state is None:
            training = _Training(job, work)
            yield from training.events()
            state = training.state
            _write_results(job, work, state)
            work.mark_finished(state, job.output_dir)
    yield _result(job, state)


class _Training:
    """A job on its way: begins at its last point, and after a failure once more at its best one."""

    def __init__(self, job: TrainingJob, work: WorkFolder) -> None:
        self.state = TrainingState()
        self._job, self._work = job, work
        per_iteration = steps_per_iteration(job.recipe)
        self._iterations = math.ceil(job.recipe.env_steps / per_iteration)
        self._total_steps = self._iterations * per_iteration
        count = job.training.evaluations
        self._evaluated = {math.ceil(k * self._iterations / count) for k in range(1, count + 1)}

    def events(self) -> Iterator[TrainingProgress]:
        """Trains to the end; ``state`` is then the final one.

        Raises:
            TrainingError: the last attempt failed too.
        """
        point = self._work.latest_point()
        self.state = point.state if point else TrainingState()
        is_done = False
        while not is_done:
            try:
                yield from self._attempt(point)
                is_done = True
            except (ExecutionError, TrainingError) as error:
                point = self._back_to_the_best(error)

    def _attempt(self, point: Point | None) -> Iterator[TrainingProgress]:
        job, failures = self._job, len(self.state.failures)
        seed = derived_seed(job.seed, Purpose.RETRY, failures) if failures else job.seed
        with _ray_if_needed(job), isolated_randomness(seed):
            algorithm = _build(job, seed)
            try:
                if point is None:
                    self.state = replace(self.state, warm_start=warm_up(job, algorithm.module))
                else:
                    algorithm.restore_from_path(str(point.checkpoint.resolve()))
                    if len(point.state.failures) < failures:
                        algorithm.explore_anew(seed)
                yield from self._learn(algorithm)
            finally:
                algorithm.stop()

    def _back_to_the_best(self, error: Exception) -> Point | None:
        """The point to try again from, None for the beginning; ``state`` is set back to it."""
        failures = (*self.state.failures, str(error))
        if len(failures) > self._job.training.max_retries:
            before = "".join(f"; attempt {number}: {text}" for number, text in enumerate(failures[:-1], start=1))
            raise TrainingError(f"{error}{before}") from error
        point = self._work.best_point(self.state)
        seconds = self.state.seconds
        self.state = replace(point.state if point else TrainingState(), failures=failures, seconds=seconds)
        return point

    def _learn(self, algorithm: Any) -> Iterator[TrainingProgress]:
        job, first = self._job, self.state.iteration
        started = saved = time.perf_counter()
        seconds_before = self.state.seconds
        while self.state.iteration < self._iterations and not self._patience_is_over():
            row, is_best = self._iterate(algorithm)
            now = time.perf_counter()
            self.state = replace(self.state, seconds=seconds_before + now - started)
            if is_best or now - saved >= job.training.checkpoint_seconds:
                self._work.write_point(self.state, lambda folder: algorithm.save_to_path(str(folder.resolve())))
                saved = time.perf_counter()
            rate = (self.state.iteration - first) * steps_per_iteration(job.recipe) / (now - started)
            attempt = len(self.state.failures) + 1
            yield TrainingProgress(job.agent.name, job.seed, row, self._total_steps, rate, attempt)

    def _iterate(self, algorithm: Any) -> tuple[CurveRow, bool]:
        """One more row, and whether the policy is the best one so far."""
        job, iteration = self._job, self.state.iteration + 1
        losses = _train_once(job, algorithm, iteration)
        sharpe = _validation_sharpe(job, algorithm) if iteration in self._evaluated else None
        row = _row(algorithm, iteration, iteration * steps_per_iteration(job.recipe), losses, sharpe)
        self.state = self.state.with_row(row)
        best = self.state.best
        if sharpe is None or (best is not None and not is_better(sharpe, best.sharpe)):
            return row, False
        best = Best(iteration, sharpe, self.state.point_name, _weights_hash(algorithm.module))
        self.state = replace(self.state, best=best)
        return row, True

    def _patience_is_over(self) -> bool:
        patience = self._job.training.patience
        return patience is not None and self.state.evaluations_since_best >= patience


def _ray_if_needed(job: TrainingJob) -> AbstractContextManager[None]:
    """A Ray session where other processes trade, or RLlib's own engine runs, which asks for one in any case."""
    training = job.training
    if training.engine == "fast" and not training.env_runners:
        return nullcontext()
    return ray_session(training, 1 + training.env_runners)


def _build(job: TrainingJob, seed: int) -> Any:
    recipe, training = job.recipe, job.training
    config = training_environment(recipe, job.rules, job.reward, training, job.panel_train)
    market = TrainingMarket.write(job.panel_train, config, seed, job.work_dir / MARKET_FOLDER)
    return build_config(recipe, market, market.spaces(), seed, training).build_algo()


def _row(
    algorithm: Any, iteration: int, env_steps: int, losses: tuple[float, float, float], sharpe: float | None
) -> CurveRow:
    mean = algorithm.episode_return_mean()
    terms, limits = algorithm.session_statistics()
    return CurveRow(iteration, env_steps, mean, *losses, sharpe, terms, limits, algorithm.episode_return_std())


def _train_once(job: TrainingJob, algorithm: Any, iteration: int) -> tuple[float, float, float]:
    """Policy loss, value loss and entropy of one iteration, all of it checked."""
    try:
        results = algorithm.train().get("learners", {}).get("default_policy", {})
    except (ExecutionError, TrainingError) as error:
        raise TrainingError(f"{_name(job)}: iteration {iteration}: {error}") from error
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
    return TrainingError(f"{_name(job)}: {name} must be finite, got {value} in iteration {iteration}")


def _name(job: TrainingJob) -> str:
    return f"{job.agent.name}: seed {job.seed}"


def _validation_sharpe(job: TrainingJob, algorithm: Any) -> float:
    path = _validated(job, TorchPolicy(algorithm.module.scoring_network).act)
    return sharpe_ratio(path.excess_returns, job.panel_validation.annualisation)


def _validated(job: TrainingJob, act: PolicyAct) -> SimulationPath:
    panel, window = job.panel_validation, job.recipe.window
    last = len(panel.dates) - 1
    return run_policy(act, panel, window, last, job.rules, window=window, actions=job.recipe.action_kind)


def _recorded_observations(job: TrainingJob, network: ScoringNetwork) -> Float32Array:
    """(N, A, D): what the policy observes on the way through the validation window."""
    seen: list[Float32Array] = []
    policy = TorchPolicy(network)

    def act(observation: Float32Array) -> FloatArray:
        seen.append(observation.copy())
        return policy.act(observation)

    _validated(job, act)
    return np.concatenate(seen)


def _weights_hash(module: Any) -> str:
    weights = module.state_dict()
    return hash_arrays(weights[name].cpu().numpy() for name in sorted(weights))


def _write_results(job: TrainingJob, work: WorkFolder, state: TrainingState) -> None:
    best = work.best_point(state)
    if best is None:
        raise TrainingError(f"{_name(job)}: the point of the best policy in {work.folder} is gone")
    checkpoint = job.output_dir / CHECKPOINT_FOLDER
    shutil.rmtree(checkpoint, ignore_errors=True)
    shutil.copytree(best.checkpoint, checkpoint)
    with isolated_randomness(job.seed):
        module = load_module(checkpoint)
        network, width = module.scoring_network, module.observation_space.shape[-1]
        recorded = _recorded_observations(job, network)
        parity = export_policy(network, width, job.output_dir / POLICY_FILE, recorded)
    _write_json(job.output_dir / PARITY_FILE, asdict(parity))
    result = _result(job, state)
    _write_json(result.record, _record(job, result))
    timings = {"seconds": result.seconds, "steps_per_second": result.steps_per_second}
    _write_json(job.output_dir / TIMINGS_FILE, timings)


def _result(job: TrainingJob, state: TrainingState) -> TrainingResult:
    assert state.best is not None  # noqa: S101 - the last iteration is always evaluated
    return TrainingResult(
        agent=job.agent.name,
        seed=job.seed,
        final_reward=state.curve[-1].episode_return_mean,
        best_iteration=state.best.iteration,
        validation_sharpe=state.best.sharpe,
        curve=state.curve,
        weights_hash=state.best.weights_hash,
        checkpoint=job.output_dir / CHECKPOINT_FOLDER,
        policy=job.output_dir / POLICY_FILE,
        record=job.output_dir / RECORD_FILE,
        seconds=state.seconds,
        failures=state.failures,
        warm_start=state.warm_start,
    )


def _record(job: TrainingJob, result: TrainingResult) -> dict[str, Any]:
    return {
        "agent": result.agent,
        "algorithm": job.recipe.algorithm,
        "engine": job.training.engine,
        "recipe": job.recipe.model_dump(mode="json"),
        "seed": job.seed,
        "feature_names": job.panel_train.feature_names,
        "reward": asdict(job.reward),
        "reward_scale": reward_scale(job.panel_train),
        "rules": asdict(job.rules),
        "warm_start": result.warm_start,
        "attempts": result.attempts,
        "failures": result.failures,
        "best_iteration": result.best_iteration,
        "validation_sharpe": _json_number(result.validation_sharpe),
        "final_reward": _json_number(result.final_reward),
        "weights_hash": result.weights_hash,
        "curve": [_json_values(asdict(row)) for row in result.curve],
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def _json_values(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _json_values(value) if isinstance(value, dict) else _json_number(value) for name, value in values.items()
    }


def _json_number(value: float | None) -> float | None:
    """JSON knows no NaN: what is undefined is null."""
    return None if value is None or not math.isfinite(value) else value

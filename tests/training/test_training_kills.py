"""Trainings whose process is killed at any moment, in the middle of a write too: the end is that of an undisturbed one.

``WEALTHARENA_TEST_KILLS`` says how often each algorithm is killed.
"""

import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from training_samples import make_job_in

from wealtharena.settings.models import Algorithm
from wealtharena.training.result import TrainingJob

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("WEALTHARENA_TEST_KILLS", "3"))
STEPS = {Algorithm.PPO: 1_280, Algorithm.A2C: 1_280, Algorithm.SAC: 6_144, Algorithm.DQN: 6_144}
RESULTS = ("training.json", "policy.onnx")


def job_of(folder: Path, algorithm: Algorithm) -> TrainingJob:
    """A second's work with a point at every iteration."""
    job = make_job_in(folder, algorithm, env_steps=STEPS[algorithm], updates_per_step=0.02)
    return replace(job, training=job.training.model_copy(update={"checkpoint_seconds": 1e-9, "evaluations": 10}))


def train(folder: Path, algorithm: Algorithm) -> None:
    """In a process of its own."""
    from wealtharena.training.job import train_policy

    train_policy(job_of(folder, algorithm))


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["wealtharena.training.job"])
    return context


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_training_killed_anywhere_ends_like_one_that_was_not(
    algorithm: Algorithm, tmp_path: Path, processes: ForkServerContext
) -> None:
    draw = random.Random(algorithm.value)  # noqa: S311
    span = train_until(processes, tmp_path / "calm", algorithm, None)
    kills = interrupted = 0
    while kills < KILLS:
        folder = tmp_path / f"killed-{kills}"
        while kills < KILLS:
            seconds = train_until(processes, folder, algorithm, draw.uniform(0.0, span))
            if seconds < 0:
                break
            kills += 1
            interrupted += any((folder.parent / f"{folder.name}-work" / "points").glob("0*"))
        train_until(processes, folder, algorithm, None)
        for name in RESULTS:
            assert (folder / name).read_bytes() == (tmp_path / "calm" / name).read_bytes(), (
                f"{name} after {kills} kills"
            )
    assert interrupted, "no training was killed after its first point"


def train_until(processes: ForkServerContext, folder: Path, algorithm: Algorithm, kill_after_s: float | None) -> float:
    """Trains to the end, or kills it after some time; seconds that it took, negative if there was nothing to kill."""
    process = processes.Process(target=train, args=(folder, algorithm))
    started = time.monotonic()
    process.start()
    process.join(kill_after_s)
    seconds = time.monotonic() - started
    if process.is_alive():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        return seconds
    assert process.exitcode == 0
    return seconds if kill_after_s is None else -seconds

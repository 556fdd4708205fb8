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


# One of each kind; that every algorithm goes on to the bit is a fast test (test_training_resume).
@pytest.mark.parametrize("algorithm", [Algorithm.PPO, Algorithm.SAC])
def test_a_training_killed_anywhere_ends_like_one_that_was_not(
    algorithm: Algorithm, tmp_path: Path, processes: ForkServerContext
) -> None:
    draw = random.Random(algorithm.value)  # noqa: S311
    calm = Run(processes, tmp_path / "calm", algorithm)
    began, started = calm.began, calm.wait_for_point()
    ended = calm.end()
    kills = nights = in_training = 0
    while kills < KILLS:
        folder = tmp_path / f"killed-{nights}"
        nights += 1
        assert nights <= 2 * KILLS, "most trainings ended before they were killed"
        while kills < KILLS:
            run = Run(processes, folder, algorithm)
            # Every third kill comes at any moment, the others when something was written that can be gone on from.
            if kills % 3 == 2:
                was_killed = run.kill_after(draw.uniform(0.0, ended - began))
            else:
                run.wait_for_point()
                was_killed = run.kill_after(draw.uniform(0.0, (ended - started) / 2))
            if not was_killed:
                break
            kills += 1
            in_training += bool(run.points())
        Run(processes, folder, algorithm).end()
        for name in RESULTS:
            assert (folder / name).read_bytes() == (tmp_path / "calm" / name).read_bytes(), (
                f"{name} after {kills} kills"
            )
    assert in_training, "no training was killed after its first point"


class Run:
    """A training in a process of its own, to be killed."""

    def __init__(self, processes: ForkServerContext, folder: Path, algorithm: Algorithm) -> None:
        self._points = folder.with_name(f"{folder.name}-work") / "points"
        self._before = self.points()
        self._process = processes.Process(target=train, args=(folder, algorithm))
        self.began = time.monotonic()
        self._process.start()

    def points(self) -> set[str]:
        """Names of the points that are there."""
        return {path.name for path in self._points.glob("0*")}

    def wait_for_point(self) -> float:
        """Until it has made a point of its own, or has ended; when that was."""
        while self._process.is_alive() and self.points() <= self._before:
            time.sleep(0.002)
        return time.monotonic()

    def end(self) -> float:
        """Waits for its end; when that was."""
        self._process.join()
        assert self._process.exitcode == 0
        return time.monotonic()

    def kill_after(self, seconds: float) -> bool:
        """Whether there was something left to kill."""
        self._process.join(seconds)
        if not self._process.is_alive():
            assert self._process.exitcode == 0
            return False
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        return True

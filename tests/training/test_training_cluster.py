"""Trainings in Ray tasks: side by side, each failing on its own, reporting as they go."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from training_samples import planted_panel

from wealtharena.core.errors import TrainingError
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.cluster import expected_cost, submit_training
from wealtharena.training.job import train_policy
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.session import ray_session

MakeJob = Callable[..., TrainingJob]
TRAINING = TrainingSettings(num_workers=2)


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    with ray_session(TRAINING, num_cpus=2):
        yield


def test_without_a_session_a_submitted_training_says_so(make_job: MakeJob) -> None:
    with pytest.raises(TrainingError, match="stocks: no Ray session"):
        submit_training(make_job(Algorithm.PPO))


@pytest.mark.slow
@pytest.mark.usefixtures("session")
def test_one_failure_does_not_stop_the_others(make_job: MakeJob) -> None:
    broken = planted_panel(160, 3, 0.1, seed=5)
    broken.features[:, :, 1] = np.nan
    jobs = [
        make_job(Algorithm.A2C, folder="a2c"),
        make_job(Algorithm.PPO, broken, folder="broken"),
        make_job(Algorithm.DQN, folder="dqn"),
    ]
    heard: list[TrainingProgress] = []
    with ThreadPoolExecutor(3) as pool:
        etfs, stocks, currencies = (pool.submit(submit_training, job, heard.append) for job in jobs)
    with pytest.raises(TrainingError, match=r"^stocks: seed 1: iteration 1: "):
        stocks.result()
    assert currencies.result().agent == "currencies"
    assert etfs.result().weights_hash == train_policy(make_job(Algorithm.A2C, folder="here")).weights_hash
    assert {event.agent for event in heard} == {"etfs", "currencies"}


@pytest.mark.slow
@pytest.mark.usefixtures("session")
def test_threads_of_one_process_may_submit_at_the_same_time(make_job: MakeJob) -> None:
    results: dict[int, TrainingResult] = {}
    heard: list[int] = []

    def submit(seed: int) -> None:
        job = make_job(Algorithm.A2C, seed=seed, folder=str(seed))
        results[seed] = submit_training(job, lambda event: heard.append(event.iteration))

    threads = [threading.Thread(target=submit, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len({result.weights_hash for result in results.values()}) == 3
    assert sorted(heard) == sorted(3 * list(range(1, 9)))


@pytest.mark.slow
@pytest.mark.usefixtures("session")
def test_a_killed_training_process_costs_time_and_changes_nothing(make_job: MakeJob) -> None:
    job = with_points(make_job(Algorithm.PPO, env_steps=1024))
    heard: list[int] = []

    def kill_once(progress: TrainingProgress) -> None:
        if progress.iteration == 9 and 9 not in heard:
            _kill_workers_of_this_session()
        heard.append(progress.iteration)

    result = submit_training(job, kill_once)
    assert heard.count(1) == 1 and heard[-1] == 16
    expected = train_policy(with_points(make_job(Algorithm.PPO, env_steps=1024, folder="here")))
    assert result.record.read_bytes() == expected.record.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("session")
def test_a_training_process_that_is_killed_again_and_again_is_an_error_of_that_agent(make_job: MakeJob) -> None:
    job = make_job(Algorithm.PPO, env_steps=1_000_000)
    with pytest.raises(TrainingError, match="stocks: seed 1: the training's process was lost"):
        submit_training(job, lambda _: _kill_workers_of_this_session())


def with_points(job: TrainingJob) -> TrainingJob:
    """The job with a point at each iteration."""
    return replace(job, training=job.training.model_copy(update={"checkpoint_seconds": 1e-9}))


def _kill_workers_of_this_session() -> None:
    import psutil

    for child in psutil.Process(os.getpid()).children(recursive=True):
        # One that was killed before may not be buried yet.
        with suppress(psutil.Error):
            if "ray::_run" in " ".join(child.cmdline()):
                child.kill()


def test_long_trainings_are_expected_to_cost_more() -> None:
    sac, ppo = AgentSettings(algorithm=Algorithm.SAC), AgentSettings(algorithm=Algorithm.PPO)
    assert expected_cost(sac, 6) > expected_cost(ppo, 6)
    assert expected_cost(ppo, 12) > expected_cost(ppo, 6)

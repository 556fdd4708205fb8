"""Remote runners: what they bring is the same whether or not they die on the way."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_samples import planted_panel, weights_hash

from wealtharena.core.errors import SettingsError, TrainingError
from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.seeding import isolated_randomness
from wealtharena.training.session import ray_session
from wealtharena.training.transitions import side_by_side

SMALL = {"hidden_sizes": (8,), "num_accounts": 4, "train_batch_size": 64, "minibatch_size": 32, "env_steps": 512}


@pytest.fixture(scope="module")
def two_runners() -> Iterator[None]:
    """A Ray session with room for two runners, for all tests of this file."""
    with ray_session(TrainingSettings(), num_cpus=3):
        yield


def config_of(folder: Path, algorithm: Algorithm = Algorithm.PPO, panel: Any = None) -> Any:
    market = TrainingMarket.write(
        planted_panel(60, 3, 0.1, seed=5) if panel is None else panel, EnvConfig(episode_days=10), 3, folder / "market"
    )
    agent = AgentSettings(algorithm=algorithm, **SMALL)
    return build_config(agent, market, market.spaces(), 1, TrainingSettings(env_runners=2))


def train(algorithm: Any, iterations: int = 1) -> list[float]:
    """Return of each iteration's episodes."""
    returns = []
    for _ in range(iterations):
        algorithm.train()
        returns.append(algorithm.episode_return_mean())
    return returns


def kill_a_runner(algorithm: Any, index: int = 1) -> None:
    (pid,) = algorithm.env_runner_group.foreach_env_runner(
        lambda _: os.getpid(), remote_worker_ids=[index], local_env_runner=False
    )
    os.kill(pid, signal.SIGKILL)


def test_accounts_of_several_runners_stand_side_by_side() -> None:
    wide, narrow = (
        ("observations", "actions", "next_observations", "assets"),
        ("rewards", "terminated", "ended", "rows"),
    )

    def part(first: int) -> dict[str, Any]:
        values = {name: np.full((2, 1, 3), first) for name in wide} | {name: np.full((2, 1), first) for name in narrow}
        return values | {"action_inputs": np.empty(0), "action_logp": np.empty(0)}

    both = side_by_side([part(1), part(2)])
    assert both.observations.shape == (2, 2, 3)
    assert both.rewards.tolist() == [[1, 2], [1, 2]]
    assert both.action_logp.numel() == 0


def test_runners_that_cannot_share_the_accounts_and_gpus_that_are_not_there_are_refused(tmp_path: Path) -> None:
    market = TrainingMarket.write(planted_panel(60, 3, 0.1, seed=5), EnvConfig(), 3, tmp_path)
    agent = AgentSettings(algorithm=Algorithm.PPO, **SMALL)
    with pytest.raises(SettingsError, match=r"num_accounts must be a multiple of training.env_runners \(3\), got 4"):
        build_config(agent, market, market.spaces(), 1, TrainingSettings(env_runners=3))
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match=r"training.gpus must be 0 where there is no GPU, got 0.5"):
            build_config(agent, market, market.spaces(), 1, TrainingSettings(gpus=0.5))


@pytest.mark.slow
@pytest.mark.usefixtures("two_runners")
def test_a_killed_runner_and_a_restart_from_a_checkpoint_cost_time_but_change_nothing(tmp_path: Path) -> None:
    from ray.rllib.algorithms.algorithm import Algorithm as RLlibAlgorithm

    with isolated_randomness(1):
        algorithm = config_of(tmp_path).build_algo()
        train(algorithm, 2)
        checkpoint = algorithm.save_to_path(str(tmp_path / "checkpoint"))
        returns = train(algorithm, 2)
        undisturbed = weights_hash(algorithm)
        algorithm.stop()
    with isolated_randomness(99):
        restored = RLlibAlgorithm.from_checkpoint(checkpoint)
        killer = threading.Timer(0.02, kill_a_runner, (restored, 2))
        killer.start()
        assert train(restored, 2) == returns
        killer.join()
        assert weights_hash(restored) == undisturbed
        restored.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("two_runners")
def test_what_is_wrong_in_the_market_is_said_by_the_algorithm(tmp_path: Path) -> None:
    panel = planted_panel(60, 3, 0.1, seed=5)
    panel.features[:, :, 1] = np.nan
    algorithm = config_of(tmp_path, Algorithm.SAC, panel).build_algo()
    with pytest.raises(TrainingError, match="observations must be finite"):
        algorithm.train()
    algorithm.stop()

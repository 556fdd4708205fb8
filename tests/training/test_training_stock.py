"""RLlib's own engine on the same market, as the reference, and its PPO on our runner."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_samples import make_job_in, planted_panel, weights_hash

from wealtharena.core.errors import SettingsError
from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.job import train_policy
from wealtharena.training.local import load_policy
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.runner import BatchedEnvRunner
from wealtharena.training.seeding import isolated_randomness
from wealtharena.training.session import ray_session

SMALL = {"hidden_sizes": (8,), "num_accounts": 4, "train_batch_size": 32, "minibatch_size": 16, "env_steps": 512,
         "updates_per_step": 0.05}  # fmt: skip
STOCK = TrainingSettings(engine="stock")


@pytest.fixture(scope="module")
def own_ray() -> Iterator[None]:
    """A Ray session for all tests of this file: RLlib would open one of its own and leave it behind."""
    with ray_session(TrainingSettings(), 1):
        yield


def market_in(folder: Path, **config: Any) -> TrainingMarket:
    figures = EnvConfig(**{"episode_days": 10, "reward_scale": 50.0, **config})
    return TrainingMarket.write(planted_panel(60, 3, 0.1, seed=5), figures, 3, folder / "market")


def config_of(folder: Path, algorithm: Algorithm) -> Any:
    discrete = {"action": "levels", "levels": (0.0, 1.0), "symbols_per_episode": 1}
    market = market_in(folder, **(discrete if algorithm is Algorithm.DQN else {}))
    return build_config(AgentSettings(algorithm=algorithm, **SMALL), market, market.spaces(), 1, STOCK)


def test_shadow_accounts_that_rllibs_own_engine_cannot_give_are_refused(tmp_path: Path) -> None:
    market = market_in(tmp_path)
    agent = AgentSettings(algorithm=Algorithm.PPO, shadow_accounts=True, **SMALL)
    with pytest.raises(SettingsError, match=r"shadow_accounts must be false or empty where training.engine is stock"):
        build_config(agent, market, market.spaces(), 1, STOCK)


@pytest.mark.slow
@pytest.mark.usefixtures("own_ray")
@pytest.mark.parametrize("kind", list(Algorithm))
def test_rllibs_own_engine_trains_the_same_module_and_repeats_itself(tmp_path: Path, kind: Algorithm) -> None:
    outcomes = []
    for _ in range(2):
        with isolated_randomness(1):
            algorithm = config_of(tmp_path, kind).build_algo()
            start = weights_hash(algorithm)
            results = [algorithm.train() for _ in range(2)]
            outcomes.append((weights_hash(algorithm), algorithm.episode_return_mean()))
            algorithm.stop()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] != start
    assert np.isfinite(outcomes[0][1])
    assert np.isfinite(results[-1]["learners"]["default_policy"]["total_loss"])
    assert type(algorithm).training_step.__module__.startswith("ray.rllib.algorithms")


@pytest.mark.slow
@pytest.mark.usefixtures("own_ray")
def test_a_stock_ppo_trains_and_evaluates_with_our_runner(tmp_path: Path) -> None:
    config = config_of(tmp_path, Algorithm.PPO)
    config.env_runners(env_runner_cls=BatchedEnvRunner)
    algorithm = config.build_algo()
    before = weights_hash(algorithm)
    results = [algorithm.train() for _ in range(4)][-1]["env_runners"]
    assert weights_hash(algorithm) != before
    assert results["episode_len_mean"] == 10.0
    assert results["num_env_steps_sampled_lifetime"] == 4 * 32
    assert algorithm.evaluate()["env_runners"]["num_episodes"] >= 10
    algorithm.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("own_ray")
def test_a_whole_training_with_rllibs_own_engine_leaves_what_ours_leaves(tmp_path: Path) -> None:
    job = make_job_in(tmp_path / "stock", Algorithm.PPO, env_steps=256)
    job = replace(job, training=job.training.model_copy(update={"engine": "stock"}))
    result = train_policy(job)
    assert [row.env_steps for row in result.curve] == [64, 128, 192, 256]
    assert np.isfinite(result.curve[-1].episode_return_mean)
    assert result.curve[-1].reward_terms == {}
    assert load_policy(result.checkpoint).act(np.zeros((1, 3, 8), np.float32)).shape == (1, 3)
    assert result.policy.is_file()

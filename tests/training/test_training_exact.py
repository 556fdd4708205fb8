"""Algorithms that go on from a checkpoint as if nothing had happened, and that evaluate without leaving a trace."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from ray.rllib.algorithms.algorithm import Algorithm as RLlibAlgorithm
from training_samples import SMALL, planted_panel, weights_hash

from wealtharena.core.errors import TrainingError
from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.seeding import isolated_randomness

EPISODE = 20
each_algorithm = pytest.mark.parametrize("kind", list(Algorithm))


def config_of(folder: Path, kind: Algorithm, **recipe: Any) -> Any:
    discrete = {"action": "levels", "levels": (0.0, 1.0), "symbols_per_episode": 1}
    config = EnvConfig(episode_days=EPISODE, **(discrete if kind is Algorithm.DQN else {}))
    market = TrainingMarket.write(planted_panel(120, 3, 0.1, seed=5), config, 3, folder / "market")
    kl = {"kl_coeff": 0.2} if kind is Algorithm.PPO else {}
    agent = AgentSettings(algorithm=kind, **SMALL, updates_per_step=0.05, env_steps=8_192, **kl, **recipe)
    return build_config(agent, market, market.spaces(), 1, TrainingSettings())


def history(algorithm: Any, iterations: int) -> list[Any]:
    """All that a curve would show of further iterations."""
    rows = []
    for _ in range(iterations):
        losses = algorithm.train()["learners"]["default_policy"]
        named = {name: float(losses[name]) for name in ("total_loss", "policy_loss", "vf_loss") if name in losses}
        rows.append((algorithm.iteration, algorithm.episode_return_mean(), algorithm.session_statistics(), named))
    return rows


@each_algorithm
def test_after_a_restart_from_a_checkpoint_weights_and_metrics_are_those_of_the_undisturbed_run(
    tmp_path: Path, kind: Algorithm
) -> None:
    with isolated_randomness(1):
        algorithm = config_of(tmp_path, kind).build_algo()
        history(algorithm, 2)
        checkpoint = algorithm.save_to_path(str(tmp_path / "checkpoint"))
        expected = history(algorithm, 3), weights_hash(algorithm)
        algorithm.stop()
    with isolated_randomness(99):
        restored = RLlibAlgorithm.from_checkpoint(checkpoint)
        assert (history(restored, 3), weights_hash(restored)) == expected
        restored.stop()


def test_a_checkpoint_loads_without_its_market_and_keeps_what_it_knows(tmp_path: Path) -> None:
    with isolated_randomness(1):
        algorithm = config_of(tmp_path, Algorithm.A2C).build_algo()
        history(algorithm, 1)
        checkpoint = algorithm.save_to_path(str(tmp_path / "checkpoint"))
        expected = history(algorithm, 2)
        (tmp_path / "market").rename(tmp_path / "elsewhere")
        restored = RLlibAlgorithm.from_checkpoint(checkpoint)
        assert weights_hash(restored) != weights_hash(algorithm)
        with pytest.raises(TrainingError, match=f"market of this algorithm is not there .*{tmp_path}/market"):
            restored.train()
        with pytest.raises(TrainingError, match="market of this algorithm is not there"):
            restored.evaluate()
        again = restored.save_to_path(str(tmp_path / "again"))
        (tmp_path / "elsewhere").rename(tmp_path / "market")
        assert history(RLlibAlgorithm.from_checkpoint(again), 2) == expected


@each_algorithm
def test_an_evaluation_repeats_itself_and_changes_nothing(tmp_path: Path, kind: Algorithm) -> None:
    hashes = []
    for evaluates in (False, True):
        with isolated_randomness(1):
            algorithm = config_of(tmp_path, kind).build_algo()
            algorithm.train()
            if evaluates:
                figures = algorithm.evaluate()["env_runners"]
                assert figures == algorithm.evaluate()["env_runners"]
                assert figures["num_episodes"] == 64
                assert figures["episode_len_mean"] == EPISODE
                assert figures["episode_return_min"] < figures["episode_return_mean"] < figures["episode_return_max"]
            algorithm.train()
            hashes.append(weights_hash(algorithm))
            algorithm.stop()
    assert hashes[0] == hashes[1]


def test_who_never_trades_earns_nothing_in_an_evaluation(tmp_path: Path) -> None:
    algorithm = config_of(tmp_path, Algorithm.PPO, long_only=False).build_algo()
    with torch.no_grad():
        for weights in algorithm.module.pi.parameters():
            weights.zero_()
    figures = algorithm.evaluate()["env_runners"]
    algorithm.stop()
    assert figures["episode_return_min"] == figures["episode_return_max"] == 0.0


def test_an_evaluation_in_every_iteration_is_part_of_its_results(tmp_path: Path) -> None:
    config = config_of(tmp_path, Algorithm.A2C)
    elsewhere = TrainingMarket.write(
        planted_panel(60, 3, 0.1, seed=9), EnvConfig(episode_days=7), 3, tmp_path / "validation"
    )
    config.evaluation(
        evaluation_interval=1, evaluation_duration=5, evaluation_config={"env_config": {"market": elsewhere}}
    )
    algorithm = config.build_algo()
    figures = algorithm.train()["evaluation"]["env_runners"]
    algorithm.stop()
    assert (figures["num_episodes"], figures["episode_len_mean"]) == (5, 7.0)
    shutil.rmtree(tmp_path / "validation")

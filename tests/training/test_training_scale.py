"""Our algorithms in Ray Tune, and on several nodes, of which some disappear."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from training_samples import planted_panel, weights_hash

from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.on_policy import MarketPPO
from wealtharena.training.recipe import build_config
from wealtharena.training.seeding import isolated_randomness
from wealtharena.training.session import ray_session

pytestmark = pytest.mark.slow

SMALL = {"hidden_sizes": (8,), "num_accounts": 4, "train_batch_size": 64, "minibatch_size": 32}


def config_of(folder: Path, runners: int) -> Any:
    market = TrainingMarket.write(
        planted_panel(60, 3, 0.1, seed=5), EnvConfig(episode_days=10), 3, folder / f"market-{runners}"
    )
    agent = AgentSettings(algorithm=Algorithm.PPO, **SMALL)
    return build_config(agent, market, market.spaces(), 1, TrainingSettings(env_runners=runners))


def test_tune_compares_trainings_of_our_algorithms(tmp_path: Path) -> None:
    from ray import tune

    config = config_of(tmp_path, runners=0).training(lr=tune.grid_search([1e-4, 1e-2]))
    with ray_session(TrainingSettings(), num_cpus=2):
        tuner = tune.Tuner(
            MarketPPO,
            param_space=config,
            run_config=tune.RunConfig(
                stop={"training_iteration": 2}, storage_path=str(tmp_path / "tune"), verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=True),
            ),
        )  # fmt: skip
        results = tuner.fit()
        best = results.get_best_result("env_runners/episode_return_mean", mode="max")
        assert not results.errors
        assert sorted(result.config["lr"] for result in results) == [1e-4, 1e-2]
        assert best.metrics["num_env_steps_sampled_lifetime"] == 2 * 64
        restored = MarketPPO.from_checkpoint(best.checkpoint.path)
        assert restored.train()["training_iteration"] == 3
        restored.stop()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster of two nodes with a core each, and a connection to it."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    try:
        # The connection ends before the cluster does, or Ray leaves its processes behind.
        with ray_session(TrainingSettings(ray_address=nodes.address), num_cpus=2):
            yield nodes
    finally:
        nodes.shutdown()


def places(algorithm: Any) -> dict[int, tuple[int, str]]:
    """Process and node of each runner."""

    def place(runner: Any) -> tuple[int, tuple[int, str]]:
        import ray

        return runner.worker_index, (os.getpid(), ray.get_runtime_context().get_node_id())

    return dict(algorithm.env_runner_group.foreach_env_runner(place, local_env_runner=False))


def returns(algorithm: Any, iterations: int) -> list[float]:
    return [algorithm.train()["env_runners"]["episode_return_mean"] for _ in range(iterations)]


def test_a_restart_a_killed_runner_and_a_removed_node_cost_time_but_change_nothing(
    tmp_path: Path, cluster: Any
) -> None:
    from ray.rllib.algorithms.algorithm import Algorithm as RLlibAlgorithm

    with isolated_randomness(1):
        undisturbed = config_of(tmp_path, runners=2).build_algo()
        returns(undisturbed, 1)
        checkpoint = undisturbed.save_to_path(str(tmp_path / "checkpoint"))
        expected = returns(undisturbed, 3), weights_hash(undisturbed)
        undisturbed.stop()
    with isolated_randomness(99):
        algorithm = RLlibAlgorithm.from_checkpoint(checkpoint)
        before = places(algorithm)
        assert len({node for _, node in before.values()}) == 2
        killer = threading.Timer(0.02, os.kill, (before[1][0], signal.SIGKILL))
        killer.start()
        taken = returns(algorithm, 2)
        killer.join()
        (old,) = cluster.worker_nodes
        new = cluster.add_node(num_cpus=1)
        cluster.remove_node(old)
        taken += returns(algorithm, 1)
        after = places(algorithm)
        assert (taken, weights_hash(algorithm)) == expected
        algorithm.stop()
    assert new.node_id in {node for _, node in after.values()}
    assert old.node_id not in {node for _, node in after.values()}

"""Whole (tiny) trainings with every algorithm: files, reproducibility, checkpoints, export, failures."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from training_samples import make_job_in, planted_panel

from wealtharena.agents.networks import MASK_COLUMN, TorchPolicy
from wealtharena.core.errors import TrainingError
from wealtharena.execution.market import market_arrays, save_market
from wealtharena.settings.models import Algorithm
from wealtharena.training.environment import reward_scale
from wealtharena.training.job import train_policy
from wealtharena.training.local import load_policy
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult

MakeJob = Callable[..., TrainingJob]
Trained = Callable[[Algorithm], TrainingResult]

pytestmark = pytest.mark.parametrize("algorithm", list(Algorithm))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Algorithm], TrainingResult]:
    """One training per algorithm, for the tests that only look at what it left behind."""

    @cache
    def train(algorithm: Algorithm) -> TrainingResult:
        return train_policy(make_job_in(tmp_path_factory.mktemp(algorithm.value), algorithm))

    return train


@pytest.fixture(scope="module")
def hashes_of_another_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Weights per algorithm, all trained in one process of their own, which takes seconds to load what it needs."""
    code = (
        "import json, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from training_samples import make_job_in\n"
        "from wealtharena.settings.models import Algorithm; from wealtharena.training.job import train_policy\n"
        "jobs = {name.value: make_job_in(Path(sys.argv[2]) / name.value, name) for name in reversed(Algorithm)}\n"
        "print(json.dumps({name: train_policy(job).weights_hash for name, job in jobs.items()}))"
    )
    arguments = [str(Path(__file__).parent), str(tmp_path_factory.mktemp("another-process"))]
    other = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    hashes: dict[str, str] = json.loads(other.stdout.splitlines()[-1])
    return hashes


def test_a_training_writes_its_files_and_tells_how_far_it_is(algorithm: Algorithm, make_job: MakeJob) -> None:
    heard: list[TrainingProgress] = []
    job = make_job(algorithm)
    result = train_policy(job, heard.append)
    record = json.loads(result.record.read_text())
    assert [event.iteration for event in heard] == list(range(1, len(result.curve) + 1))
    assert heard[-1].env_steps == heard[-1].total_env_steps >= 512
    assert {row.iteration for row in result.curve if row.validation_sharpe is not None} >= {result.best_iteration}
    assert np.isfinite(result.final_reward)
    assert record["weights_hash"] == result.weights_hash
    weighted = {name for name, weight in asdict(job.reward).items() if weight > 0.0}
    assert set(record["curve"][0]["reward_terms"]) == weighted >= {"log_return", "variance"}
    assert 0.0 <= record["curve"][0]["limits"]["max_var"] <= 1.0
    assert record["curve"][-1]["env_steps"] == result.curve[-1].env_steps
    assert result.checkpoint.is_dir()
    assert result.steps_per_second > 0


def test_equal_jobs_give_equal_weights_and_files(algorithm: Algorithm, make_job: MakeJob, trained: Trained) -> None:
    first = trained(algorithm)
    torch.manual_seed(99)  # what others did before must not matter
    second = train_policy(make_job(algorithm))
    assert first.weights_hash == second.weights_hash
    assert first.record.read_bytes() == second.record.read_bytes()
    assert first.policy.read_bytes() == second.policy.read_bytes()


def test_a_folder_may_be_relative_as_the_default_home_is(
    algorithm: Algorithm, make_job: MakeJob, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RLlib takes a relative path for an address without a scheme."""
    monkeypatch.chdir(tmp_path)
    result = train_policy(replace(make_job(algorithm), output_dir=Path("data") / "training"))
    assert not result.checkpoint.is_absolute()
    assert result.weights_hash == trained(algorithm).weights_hash
    assert isinstance(load_policy(result.checkpoint), TorchPolicy)


@pytest.mark.slow
def test_another_process_gives_the_same_weights(
    algorithm: Algorithm, trained: Trained, hashes_of_another_process: dict[str, str]
) -> None:
    assert hashes_of_another_process[algorithm.value] == trained(algorithm).weights_hash


def test_another_seed_gives_other_weights(algorithm: Algorithm, make_job: MakeJob, trained: Trained) -> None:
    assert train_policy(make_job(algorithm, seed=2)).weights_hash != trained(algorithm).weights_hash


def test_a_training_leaves_the_random_state_of_the_process_alone(algorithm: Algorithm, make_job: MakeJob) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = (random.random(), np.random.rand(), torch.rand(1).item())  # noqa: S311
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    train_policy(make_job(algorithm))
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected  # noqa: S311


def test_the_checkpoint_loads_in_rllib_and_trains_on(algorithm: Algorithm, make_job: MakeJob, trained: Trained) -> None:
    from ray.rllib.algorithms.algorithm import Algorithm as RLlibAlgorithm

    job, result = make_job(algorithm), trained(algorithm)
    restored = RLlibAlgorithm.from_checkpoint(str(result.checkpoint))
    assert restored.iteration == result.best_iteration
    market = restored.config.env_config["market"]
    with pytest.raises(TrainingError, match=f"market of this algorithm .* {market.folder}"):
        restored.train()
    save_market(market_arrays(job.panel_train), Path(market.folder))
    restored.train()
    restored.stop()


def test_exported_network_and_checkpoint_agree(algorithm: Algorithm, trained: Trained) -> None:
    result = trained(algorithm)
    policy = load_policy(result.checkpoint)
    session = onnxruntime.InferenceSession(str(result.policy), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for assets in (1, 3, 17):
        observation = rng.standard_normal((4, assets, 8)).astype(np.float32)
        observation[..., MASK_COLUMN] = rng.random((4, assets)) < 0.7
        (scores,) = session.run(None, {"observation": observation})
        assert isinstance(policy, TorchPolicy)
        assert np.abs(scores - policy.act(observation)).max() < 1e-5
        assert np.all(scores[observation[..., MASK_COLUMN] == 0] == 0)


def test_a_nan_in_the_market_stops_the_training_with_the_agents_name(algorithm: Algorithm, make_job: MakeJob) -> None:
    panel = planted_panel(160, 3, 0.1, seed=5)
    panel.features[40:60, :, 1] = np.nan
    job = make_job(algorithm, panel)
    with pytest.raises(TrainingError, match=rf"^{job.agent.name}: .*iteration 1"):
        train_policy(job)


def test_unobserved_and_delisted_assets_do_not_stop_a_training(algorithm: Algorithm, make_job: MakeJob) -> None:
    panel = planted_panel(160, 3, 0.1, seed=5)
    panel.observed[:50, 0] = panel.observed[100:, 1] = False
    panel.tradable[100:, 1] = False
    panel.features[~panel.observed] = 0.0
    panel.delisted[100, 1] = True
    panel.close[100:, 1] = panel.open[100:, 1] = np.nan
    assert np.isfinite(train_policy(make_job(algorithm, panel)).final_reward)


def test_rewards_are_scaled_by_the_volatility_of_the_training_window(algorithm: Algorithm, make_job: MakeJob) -> None:
    panel = make_job(algorithm).panel_train
    assert reward_scale(panel) == pytest.approx(100.0)
    assert reward_scale(replace(panel, volatility=panel.volatility * 4)) == pytest.approx(25.0)
    assert reward_scale(replace(panel, volatility=panel.volatility * np.nan)) == pytest.approx(100.0)

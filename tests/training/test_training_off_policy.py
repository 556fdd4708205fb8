"""SAC and DQN: the lean learners do what RLlib's do, and a training goes on from a checkpoint bit for bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.algorithms.algorithm import Algorithm as RLlibAlgorithm
from ray.rllib.algorithms.dqn.torch.dqn_torch_learner import DQNTorchLearner
from ray.rllib.algorithms.sac.torch.sac_torch_learner import SACTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME
from training_samples import planted_panel

from wealtharena.core.errors import SettingsError, TrainingError
from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.lean_replay import LeanReplayLearner
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config

ACCOUNTS, ASSETS, ROWS, LEVELS = 4, 3, 16, 3
STOCK: dict[Algorithm, Any] = {Algorithm.SAC: SACTorchLearner, Algorithm.DQN: DQNTorchLearner}
SMALL: dict[str, Any] = {
    "hidden_sizes": (8, 8), "num_accounts": ACCOUNTS, "train_batch_size": ROWS, "replay_capacity": 200,
    "updates_per_step": 0.25, "long_only": False, "initial_temperature": 0.5, "n_step": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As every training has it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


both = pytest.mark.parametrize("algorithm", [Algorithm.SAC, Algorithm.DQN])


def config_of(algorithm: Algorithm, folder: Path, **recipe: Any) -> Any:
    discrete = algorithm is Algorithm.DQN
    agent = AgentSettings(**{"algorithm": algorithm, **SMALL, **recipe})
    figures = EnvConfig(
        action="levels" if discrete else "weights", levels=agent.position_levels, window=agent.window,
        symbols_per_episode=1 if discrete else None, episode_days=9, reward_scale=50.0,
    )  # fmt: skip
    market = TrainingMarket.write(planted_panel(60, ASSETS, 0.1, seed=5), figures, 3, folder / "market")
    return build_config(agent, market, market.spaces(), 1, TrainingSettings())


def learners(config: Any, algorithm: Algorithm) -> tuple[LeanReplayLearner, Any]:
    """A lean learner and RLlib's own with the same weights."""
    spec = config.get_multi_rl_module_spec(
        spaces={DEFAULT_MODULE_ID: (config.observation_space, config.action_space)}, inference_only=False
    )
    lean = config.get_default_learner_class()(config=config, module_spec=spec)
    stock = STOCK[algorithm](config=config, module_spec=spec)
    for learner in (lean, stock):
        learner.build()
    stock.module.set_state(lean.module.get_state())
    return lean, stock


def batch_for(algorithm: Algorithm, width: int) -> dict[str, torch.Tensor]:
    draw, assets = torch.Generator().manual_seed(4), 1 if algorithm is Algorithm.DQN else ASSETS
    shown, following = torch.randn(2, ROWS, assets, width, generator=draw)
    for each in (shown, following):
        each[..., -3] = (torch.rand(ROWS, assets, generator=draw) < 0.8).float()
    scores = 2.0 * torch.rand(ROWS, assets, generator=draw) - 1.0
    return {
        "obs": shown, "new_obs": following,
        "actions": torch.randint(LEVELS, (ROWS,), generator=draw) if algorithm is Algorithm.DQN else scores,
        "rewards": 2.0 * torch.randn(ROWS, generator=draw), "terminateds": torch.rand(ROWS, generator=draw) < 0.3,
        "n_step": torch.randint(1, 4, (ROWS,), generator=draw).float(), "weights": torch.rand(ROWS, generator=draw),
    }  # fmt: skip


def same_noise(lean: LeanReplayLearner, seed: int) -> None:
    """RLlib's learner draws from the global generator."""
    torch.manual_seed(seed)
    lean._noise.manual_seed(seed)


CASES: dict[str, tuple[Algorithm, dict[str, Any], dict[str, Any]]] = {
    "sac": (Algorithm.SAC, {}, {}),
    "sac-short": (Algorithm.SAC, {"hidden_sizes": (8,), "long_only": True}, {}),
    "sac-plain": (Algorithm.SAC, {"network": "plain", "window": 3}, {}),
    "sac-plain-deep": (Algorithm.SAC, {"network": "plain", "hidden_sizes": (8, 6, 4)}, {}),
    "sac-attention": (Algorithm.SAC, {"network": "attention"}, {}),
    "sac-clipped": (Algorithm.SAC, {}, {"grad_clip": 0.01}),
    "dqn": (Algorithm.DQN, {}, {}),
    "dqn-short": (Algorithm.DQN, {"hidden_sizes": (8,), "window": 3}, {}),
    "dqn-lstm": (Algorithm.DQN, {"network": "lstm", "window": 3}, {}),
    "dqn-single": (Algorithm.DQN, {}, {"double_q": False, "td_error_loss_fn": "mse"}),
    "dqn-clipped": (Algorithm.DQN, {}, {"grad_clip": 0.01}),
}
"""Recipe, and what it does not say, in RLlib's terms."""


@pytest.fixture(params=list(CASES))
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[LeanReplayLearner, Any, Any]:
    algorithm, recipe, options = CASES[request.param]
    config = config_of(algorithm, tmp_path, **recipe)
    config.training(**options)
    return *learners(config, algorithm), batch_for(algorithm, config.observation_space.shape[-1])


def test_gradients_and_losses_are_those_of_rllib(pair: Any) -> None:
    lean, stock, batch = pair
    same_noise(lean, 7)
    own = {
        parameter: gradient
        for name, of_optimizer in lean.gradients(batch).items()
        for parameter, gradient in zip(lean._parameters(name), of_optimizer, strict=True)
    }
    of_module = {DEFAULT_MODULE_ID: batch}
    losses = stock.compute_losses(fwd_out=stock.module.forward_train(of_module), batch=of_module)
    stock.compute_gradients(losses)
    theirs = [
        p.grad for _, optimizer in stock.get_optimizers_for_module(DEFAULT_MODULE_ID) for p in _parameters(optimizer)
    ]
    mine = [
        own[p] for _, optimizer in lean.get_optimizers_for_module(DEFAULT_MODULE_ID) for p in _parameters(optimizer)
    ]
    assert len(mine) == len(own) == len(theirs)
    for gradient, expected in zip(mine, theirs, strict=True):
        assert torch.allclose(gradient, expected, atol=1e-6, rtol=1e-5)
    assert float(lean.figures()["total_loss"]) == pytest.approx(losses[DEFAULT_MODULE_ID].item(), rel=1e-5)


def test_gradients_by_hand_are_those_of_autograd(pair: Any) -> None:
    lean, _, batch = pair
    if lean._by_hand is None:
        assert {"attention", "lstm"} & {str(lean.config.rl_module_spec.model_config["network"])}
        return
    same_noise(lean, 7)
    own = {name: [g.clone() for g in gradients] for name, gradients in lean.gradients(batch).items()}
    figures = lean.figures()
    lean._by_hand = None
    same_noise(lean, 7)
    for name, gradients in lean.gradients(batch).items():
        for mine, expected in zip(own[name], gradients, strict=True):
            assert torch.allclose(mine, expected, atol=1e-6, rtol=1e-5), name
    for name, expected in lean.figures().items():
        assert float(figures[name]) == pytest.approx(float(expected), rel=1e-4, abs=1e-6), name


def test_an_update_moves_weights_and_targets_and_reports_figures_as_rllib_does(pair: Any) -> None:
    lean, stock, batch = pair
    reports = []
    for k in range(3):
        same_noise(lean, k)
        lean.learn(batch, sampled=100 * (k + 1))
        theirs = stock.update(
            batch=MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(batch)}, env_steps=ROWS),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: 100 * (k + 1)},
        )
        reports.append((lean.report()[DEFAULT_MODULE_ID], theirs[DEFAULT_MODULE_ID]))
    own, expected = lean.module[DEFAULT_MODULE_ID].state_dict(), stock.module[DEFAULT_MODULE_ID].state_dict()
    assert own.keys() == expected.keys()
    for name, weights in own.items():
        assert torch.allclose(weights, expected[name], atol=2e-5), name
    for mine, theirs in reports:
        for name in (n for n in theirs if n.endswith(("_loss", "logps", "_value", "td_error_mean")) or "qf_m" in n):
            assert float(mine[name].peek()) == pytest.approx(float(theirs[name].peek()), rel=1e-3, abs=1e-4), name


def test_a_loss_that_is_not_finite_changes_nothing(pair: Any) -> None:
    lean, _, batch = pair
    before = {name: weights.clone() for name, weights in lean.module[DEFAULT_MODULE_ID].state_dict().items()}
    batch["rewards"][0] = torch.nan
    with pytest.raises(TrainingError, match="loss must be finite, got nan"):
        lean.learn(batch, sampled=1)
    after = lean.module[DEFAULT_MODULE_ID].state_dict()
    assert all(torch.equal(weights, after[name]) for name, weights in before.items())


@pytest.mark.parametrize(
    ("algorithm", "option", "message"),
    [
        (Algorithm.SAC, {"twin_q": False}, "twin_q must be True for MarketSACConfig, got False"),
        (Algorithm.DQN, {"num_atoms": 5}, "num_atoms must be 1"),
        (Algorithm.DQN, {"dueling": True}, "dueling must be False"),
    ],
)
def test_what_the_lean_learners_leave_out_is_refused(
    algorithm: Algorithm, option: dict[str, Any], message: str, tmp_path: Path
) -> None:
    config = config_of(algorithm, tmp_path)
    config.training(**option)
    with pytest.raises(SettingsError, match=message):
        config.build_algo()


def test_a_learning_rate_follows_its_schedule(tmp_path: Path) -> None:
    config = config_of(Algorithm.DQN, tmp_path)
    config.training(lr=[[0, 1e-3], [100, 0.0]])
    lean, _ = learners(config, Algorithm.DQN)
    batch = batch_for(Algorithm.DQN, config.observation_space.shape[-1])
    lean.learn(batch, sampled=50)
    lean.report()
    assert lean.get_optimizer(DEFAULT_MODULE_ID).param_groups[0]["lr"] == pytest.approx(5e-4)


@both
def test_updates_begin_after_the_random_ones_and_come_as_often_as_they_are_earned(
    algorithm: Algorithm, tmp_path: Path
) -> None:
    config = config_of(algorithm, tmp_path)
    assert config.sessions_per_iteration == 1024 // ACCOUNTS
    config.sessions_per_iteration = 38
    built = config.build_algo()
    first = _weights(built)
    result = built.train()
    assert built._updates == (38 * ACCOUNTS - 4 * ROWS - 2 * ACCOUNTS) // 4
    assert not np.array_equal(_weights(built), first)
    figures = result["learners"][DEFAULT_MODULE_ID]
    assert np.isfinite(figures["qf_loss"])
    assert figures["num_module_steps_trained"] == built._updates * ROWS
    built.stop()


@both
def test_a_training_goes_on_from_its_checkpoint_bit_for_bit(algorithm: Algorithm, tmp_path: Path) -> None:
    config = config_of(algorithm, tmp_path)
    config.sessions_per_iteration = 30
    whole = config.build_algo()
    whole.train()
    saved = whole.save_to_path(str(tmp_path / "checkpoint"))
    other = RLlibAlgorithm.from_checkpoint(saved)
    for _ in range(2):
        expected = whole.train()["learners"][DEFAULT_MODULE_ID]
    torch.rand(5)  # what the process draws by the way plays no part
    for _ in range(2):
        figures = other.train()["learners"][DEFAULT_MODULE_ID]
    assert np.array_equal(_weights(whole), _weights(other))
    assert figures["qf_loss"] == expected["qf_loss"]
    ours, theirs = whole._ring.get_state(), other._ring.get_state()
    assert all(np.array_equal(column, theirs["columns"][name]) for name, column in ours["columns"].items())
    whole.stop()
    other.stop()


@both
def test_the_same_seed_gives_the_same_weights(algorithm: Algorithm, tmp_path: Path) -> None:
    weights = []
    for k in range(2):
        torch.manual_seed(0)  # of the first weights
        config = config_of(algorithm, tmp_path / str(k))
        config.sessions_per_iteration = 40
        built = config.build_algo()
        torch.rand(k)
        built.train()
        weights.append(_weights(built))
        built.stop()
    assert np.array_equal(*weights)


def _parameters(optimizer: Any) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _weights(built: Any) -> np.ndarray:
    return np.concatenate([weights.numpy().ravel() for weights in built.module.state_dict().values()])

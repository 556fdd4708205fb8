"""Every network and action space trains, and the policy that comes out is one and the same wherever it runs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModule, RLModuleSpec
from training_samples import SMALL, make_job_in, planted_panel

from wealtharena.agents.networks import NETWORKS, GaussianScores, LevelScores, ObservationStatistics
from wealtharena.core.errors import ExecutionError
from wealtharena.envs import EnvConfig, next_targets, run_policy
from wealtharena.envs.spaces import action_space, observation_space
from wealtharena.evaluation.metrics import sharpe_ratio
from wealtharena.serving.onnx_policy import OnnxPolicy
from wealtharena.settings.models import Actions, AgentSettings, Algorithm, Network, Settings
from wealtharena.training.factory import RLAgentFactory
from wealtharena.training.job import train_policy
from wealtharena.training.local import load_policy
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.modules import ActorCriticModule, LevelModule, SoftActorCriticModule, model_config

MODULES: dict[Algorithm, Any] = {
    Algorithm.PPO: ActorCriticModule,
    Algorithm.SAC: SoftActorCriticModule,
    Algorithm.DQN: LevelModule,
}
ASSETS, FEATURES, WINDOW = 3, 2, 3
STATISTICS = ObservationStatistics((1.0, -2.0), (0.5, 4.0))


def possible(algorithm: Algorithm, network: Network, actions: Actions) -> bool:
    discrete, small = algorithm is Algorithm.DQN, network in (Network.FEED_FORWARD, Network.LSTM)
    if discrete:
        return actions is Actions.LEVELS and small
    return algorithm is Algorithm.PPO or actions is not Actions.LEVELS


COMBINATIONS = [
    (algorithm, network, actions)
    for algorithm in MODULES
    for network in Network
    for actions in Actions
    if possible(algorithm, network, actions)
]


def made(algorithm: Algorithm, network: Network, actions: Actions, **recipe: Any) -> RLModule:
    torch.manual_seed(2)
    agent = AgentSettings(
        algorithm=algorithm, network=network, actions=actions, window=WINDOW, hidden_sizes=(8,), **recipe
    )
    num_assets = 1 if algorithm is Algorithm.DQN else ASSETS
    config = {"twin_q": True, "double_q": True, "epsilon": [[0, 1.0], [10, 0.1]]}
    return RLModuleSpec(
        module_class=MODULES[algorithm],
        observation_space=observation_space(num_assets, FEATURES, WINDOW),
        action_space=action_space(EnvConfig(action=actions.value, levels=agent.position_levels), num_assets),
        model_config=model_config(agent, STATISTICS) | config,
    ).build()


def observations(module: RLModule, accounts: int = 5) -> torch.Tensor:
    rows = torch.randn(accounts, *module.observation_space.shape, generator=torch.Generator().manual_seed(1))
    rows[..., -3] = 1.0
    return rows


@pytest.mark.parametrize(("algorithm", "network", "actions"), COMBINATIONS, ids=str)
def test_modules_act_within_their_space_and_come_back_from_a_checkpoint_as_they_were(
    tmp_path: Path, algorithm: Algorithm, network: Network, actions: Actions
) -> None:
    module = made(algorithm, network, actions)
    seen = observations(module)
    out = module.forward_exploration({Columns.OBS: seen}, t=0, generator=torch.Generator().manual_seed(1))
    if Columns.ACTIONS in out:
        acted = out[Columns.ACTIONS]
    else:
        distribution = module.get_exploration_action_dist_cls().from_logits(out[Columns.ACTION_DIST_INPUTS])
        acted = distribution.sample(generator=torch.Generator().manual_seed(1))
        assert distribution.logp(acted).shape == (5,)
    assert acted.shape == (5, *module.action_space.shape)
    if actions is Actions.LEVELS:
        assert all(module.action_space.contains(action) for action in acted.numpy())
    if algorithm is Algorithm.PPO:
        assert module.compute_values({Columns.OBS: seen}).shape == (5,)
    module.save_to_path(tmp_path / "module")
    again = RLModule.from_checkpoint(tmp_path / "module")
    torch.testing.assert_close(again.scoring_network.scores(seen), module.scoring_network.scores(seen))
    assert again.scoring_network.inputs.mean.tolist() == [*(1.0, -2.0) * WINDOW, 0.0, 0.0, 0.0, 0.0]
    assert type(again.scoring_network.encoder) is NETWORKS[network]


@pytest.mark.parametrize("algorithm", [Algorithm.PPO, Algorithm.SAC])
def test_a_change_may_be_negative_where_a_position_may_not(algorithm: Algorithm) -> None:
    lows = {actions: made(algorithm, Network.FEED_FORWARD, actions).scoring_network.low for actions in
            (Actions.WEIGHTS, Actions.CHANGES)}  # fmt: skip
    assert lows == {Actions.WEIGHTS: 0.0, Actions.CHANGES: -1.0}
    short_seller = made(algorithm, Network.FEED_FORWARD, Actions.WEIGHTS, long_only=False)
    assert short_seller.scoring_network.low == -1.0


def test_levels_of_ppo_are_those_of_the_recipe() -> None:
    module = made(Algorithm.PPO, Network.FEED_FORWARD, Actions.LEVELS, levels=(0.0, 0.25, 1.0))
    assert isinstance(module.scoring_network, LevelScores)
    assert set(module.scoring_network.scores(observations(module, 50)).flatten().tolist()) <= {0.0, 0.25, 1.0}
    assert isinstance(module.action_space, gymnasium.spaces.MultiDiscrete)
    assert isinstance(made(Algorithm.PPO, Network.FEED_FORWARD, Actions.WEIGHTS).scoring_network, GaussianScores)


@pytest.mark.parametrize("window", [1, 3])
def test_the_scale_of_features_is_that_of_the_training_window_alone(tmp_path: Path, window: int) -> None:
    panel = planted_panel(60, 3, 0.1, seed=5)
    features = panel.features[:40].astype(np.float64)
    market = TrainingMarket.write(panel.rows(0, 40), EnvConfig(window=window), 1, tmp_path / "market")
    statistics = market.statistics()
    assert statistics.mean == pytest.approx(features.mean(axis=(0, 1)))
    assert statistics.deviation == pytest.approx(features.std(axis=(0, 1)))


TRAINED = [
    (Algorithm.PPO, Network.ATTENTION, Actions.LEVELS),
    (Algorithm.A2C, Network.PLAIN, Actions.CHANGES),
    (Algorithm.SAC, Network.ATTENTION, Actions.CHANGES),
    (Algorithm.DQN, Network.LSTM, Actions.LEVELS),
    pytest.param(Algorithm.PPO, Network.LSTM, Actions.WEIGHTS, marks=pytest.mark.slow),
    pytest.param(Algorithm.SAC, Network.PLAIN, Actions.WEIGHTS, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("algorithm", "network", "actions"), TRAINED, ids=str)
def test_what_was_validated_is_what_is_exported_and_what_the_checkpoint_holds(
    tmp_path: Path, algorithm: Algorithm, network: Network, actions: Actions
) -> None:
    job = make_job_in(tmp_path / "out", algorithm, network=network, actions=actions, window=2, env_steps=256)
    result = train_policy(job)
    exported, restored = OnnxPolicy(result.policy), load_policy(result.checkpoint)
    parity = json.loads(result.policy.with_name("parity.json").read_text())
    assert parity["observations"] > 0
    assert parity["max_abs_difference"] <= 1e-5
    panel, how = job.panel_validation, {"window": 2, "actions": actions}
    paths = [
        run_policy(policy.act, panel, 2, len(panel.dates) - 1, job.rules, **how) for policy in (exported, restored)
    ]
    np.testing.assert_allclose(paths[0].equity, paths[1].equity, rtol=1e-5)
    sharpes = [sharpe_ratio(path.excess_returns, panel.annualisation) for path in paths]
    assert sharpes[1] == pytest.approx(result.validation_sharpe, nan_ok=True)
    assert sharpes[0] == pytest.approx(result.validation_sharpe, rel=1e-3, nan_ok=True)
    fewer = panel.select(panel.symbols[:2])
    if network is Network.PLAIN:
        with pytest.raises(ExecutionError, match="must show the 3 assets that it was made for, got 2"):
            run_policy(restored.act, fewer, 2, 10, job.rules, **how)
    else:
        path = run_policy(exported.act, fewer, 2, len(panel.dates) - 1, job.rules, **how)
        assert np.isfinite(path.equity).all()


def test_a_feature_in_other_units_trains_the_same_policy(tmp_path: Path) -> None:
    """Powers of two, so that not even the rounding differs."""
    panel = planted_panel(160, 3, 0.1, seed=5)
    units = np.array([2.0**10, 2.0**-10, 1.0, 4.0], np.float32)
    scaled = replace(panel, features=panel.features * units)
    results = [
        train_policy(make_job_in(tmp_path / name, Algorithm.PPO, market))
        for name, market in (("one", panel), ("other", scaled))
    ]
    assert results[0].validation_sharpe == results[1].validation_sharpe
    assert [row.policy_loss for row in results[0].curve] == [row.policy_loss for row in results[1].curve]


def prices(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(240)))
    bars = {"Open": close, "High": close * 1.01, "Low": close * 0.99, "Close": close, "Volume": 1e6}
    return pd.DataFrame(bars, index=pd.bdate_range("2023-01-02", periods=240))


def test_an_agent_in_a_notebook_sees_and_says_what_its_recipe_names(tmp_path: Path) -> None:
    defaults = Settings()
    figures = {**SMALL, "network": Network.LSTM, "window": 3, "actions": Actions.CHANGES}
    recipes = {"reits": defaults.agents["reits"].model_copy(update=figures)}
    settings = defaults.model_copy(update={"agents": defaults.agents | recipes})
    agent = RLAgentFactory.create_agent("reits", settings, tmp_path)
    data = {"AAA": prices(1), "BBB": prices(2)}
    report = agent.train(data, num_iterations=1)
    panel = agent.panel(data)
    sessions = len(panel.dates) - int(np.argmax(panel.observed.any(axis=1)))
    book = agent.validation_book()
    assert len(book.dates) == sessions - int(sessions * 0.8)
    assert sharpe_ratio(book.excess_returns, 252) == pytest.approx(report["validation_sharpe"], nan_ok=True)
    expected = next_targets(agent.policy.act, panel, agent.rules, window=3, actions="changes")
    assert list(agent.predict(data).values()) == expected.tolist()

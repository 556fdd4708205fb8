"""What an agent's plan says is what its training is made of: RLlib's configuration, the network and the environment."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from training_samples import planted_panel

from wealtharena.agents.plan import FIGURES, agent_plan
from wealtharena.core.asset_class import META_AGENT, AssetClass
from wealtharena.envs import EnvConfig
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings import AgentSettings, Algorithm, Settings, load_settings
from wealtharena.training.environment import training_environment
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config

PANEL = planted_panel(40, 3, 0.0, seed=1)
AGENTS = [*map(str, AssetClass), META_AGENT]
PROFILES = ("conservative", "balanced", "aggressive")
OTHER = {
    "train_batch_size": 512, "minibatch_size": 256, "num_epochs": 7, "gae_lambda": 0.5, "clip_param": 0.3,
    "kl_coeff": 0.4, "entropy_coeff": 0.01, "shadow_accounts": False, "replay_capacity": 7_777,
    "updates_per_step": 0.5, "n_step": 3, "tau": 0.5, "initial_temperature": 0.7, "target_entropy": -3.0,
    "explored_share": 0.25, "final_epsilon": 0.01, "learning_rate": 0.5, "final_learning_rate": 0.0, "gamma": 0.5,
}  # fmt: skip
"""A value of each figure that no default recipe has."""
RLLIB_NAMES = {
    "gae_lambda": "lambda_",
    "initial_temperature": "initial_alpha",
    "learning_rate": "lr",
}

Built = Callable[..., tuple[Any, EnvConfig]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """RLlib's configuration and the environment's of one agent's training."""

    def build(settings: Settings, agent: str, recipe: AgentSettings | None = None) -> tuple[Any, EnvConfig]:
        own = recipe or settings.recipe_of(agent)
        rules, reward = TradingRules.from_settings(settings, agent), RewardWeights.from_settings(settings, agent)
        environment = training_environment(own, rules, reward, settings.training, PANEL)
        market = TrainingMarket.write(PANEL, environment, 1, Path(tmp_path_factory.mktemp("market")))
        return build_config(own, market, market.spaces(), 1, settings.training), environment

    return build


def chosen(agent: str, profile: str) -> Settings:
    place = "meta" if agent == META_AGENT else f"agents.{agent}"
    return load_settings("quickstart", [f"{place}.risk_profile={profile}"], {})


@pytest.mark.parametrize("agent", AGENTS)
def test_the_figures_of_a_plan_are_those_of_rllibs_configuration(built: Built, agent: str) -> None:
    settings = chosen(agent, "balanced")
    plan = agent_plan(settings, agent)
    config, _ = built(settings, agent)
    figures: dict[str, Any] = {"learning_rate": plan.learning_rate, "gamma": plan.gamma, **plan.figures}
    if plan.algorithm == "DQN":
        explored, final = figures.pop("explored_share"), figures.pop("final_epsilon")
        assert config.epsilon == [[0, 1.0], [int(explored * plan.env_steps), final]]
    if plan.algorithm == "SAC":
        rate, per_asset = figures.pop("learning_rate"), figures.pop("target_entropy")
        assert config.target_entropy == per_asset * len(PANEL.symbols)
        assert (config.actor_lr, config.critic_lr, config.alpha_lr) == (rate, rate, rate)
    assert {name: getattr(config, RLLIB_NAMES.get(name, name)) for name in figures} == figures
    assert config.num_envs_per_env_runner == plan.num_accounts
    network = config.rl_module_spec.model_config
    assert (network["hidden_sizes"], network["long_only"]) == (plan.hidden_sizes, plan.long_only)
    assert (network["network"], network["window"], network["actions"]) == (plan.network, plan.window, plan.actions)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("agent", AGENTS)
def test_actions_reward_and_limits_of_a_plan_are_those_of_the_environment(
    built: Built, agent: str, profile: str
) -> None:
    settings = chosen(agent, profile)
    plan = agent_plan(settings, agent)
    _, environment = built(settings, agent)
    assert plan.risk_profile == profile
    assert asdict(environment.rules) == plan.limits
    assert {term: weight for term, weight in asdict(environment.reward).items() if weight} == plan.reward
    assert (environment.action, environment.window) == (plan.actions, plan.window)
    assert environment.episode_days == plan.episode_days
    assert environment.levels == plan.levels or plan.actions != "levels"


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_plan_has_the_figures_that_change_a_training_and_no_others(built: Built, algorithm: Algorithm) -> None:
    recipe = AgentSettings(algorithm=algorithm, kl_coeff=0.1 if algorithm is Algorithm.PPO else 0.0)
    settings = Settings()

    def trained_as(own: AgentSettings) -> tuple[dict[str, Any], Any, EnvConfig]:
        config, environment = built(settings, "stocks", own)
        return config.to_dict() | {"env_config": None}, config.rl_module_spec.model_config, environment

    plain = trained_as(recipe)
    changing = {name for name, value in OTHER.items() if trained_as(recipe.model_copy(update={name: value})) != plain}
    assert changing == {"learning_rate", "final_learning_rate", "gamma", *FIGURES[algorithm]}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_final_learning_rate_is_reached_at_the_last_step_of_the_training(built: Built, algorithm: Algorithm) -> None:
    recipe = AgentSettings(algorithm=algorithm, env_steps=5_000, learning_rate=3e-3, final_learning_rate=1e-4)
    config, _ = built(Settings(), "stocks", recipe)
    rates = ("actor_lr", "critic_lr", "alpha_lr") if algorithm is Algorithm.SAC else ("lr",)
    assert all(getattr(config, rate) == [[0, 3e-3], [5_000, 1e-4]] for rate in rates)

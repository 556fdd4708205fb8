"""From an agent's settings to an RLlib configuration: every figure that the settings name is used as it stands."""

import math
from collections.abc import Callable
from typing import Any

import torch
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from wealtharena.core.errors import SettingsError
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.markets import MARKET, Spaces, TrainingMarket
from wealtharena.training.modules import ActorCriticModule, LevelModule, SoftActorCriticModule, model_config
from wealtharena.training.off_policy import WARM_UP_BATCHES, MarketDQNConfig, MarketSACConfig
from wealtharena.training.on_policy import MarketA2CConfig, MarketPPOConfig
from wealtharena.training.stock import StockA2CConfig, StockDQNConfig, StockPPOConfig, StockSACConfig

STEPS_PER_ITERATION = 1_024
"""Environment steps per row in the learning curve of SAC and DQN, whose updates have no rounds of their own."""


def steps_per_iteration(agent: AgentSettings) -> int:
    """Environment steps of one ``Algorithm.train()``."""
    if agent.algorithm in (Algorithm.PPO, Algorithm.A2C):
        return agent.train_batch_size
    return max(1, STEPS_PER_ITERATION // agent.num_accounts) * agent.num_accounts


def build_config(
    agent: AgentSettings, market: TrainingMarket, spaces: Spaces, seed: int, training: TrainingSettings
) -> Any:
    """RLlib's ``AlgorithmConfig`` of an agent's recipe on a market.

    Raises:
        SettingsError: the runners cannot share the accounts, a GPU is asked for and there is none, or shadow accounts
            of RLlib's own engine.
    """
    config: Any = (_FAST if training.engine == "fast" else _STOCK)[agent.algorithm]()
    _FIGURES[agent.algorithm](config, agent)
    config.environment(env_config={MARKET: market}, observation_space=spaces[0], action_space=spaces[1])
    module = RLModuleSpec(module_class=_MODULES[agent.algorithm], model_config=model_config(agent, market.statistics()))
    config.rl_module(rl_module_spec=module)
    config.env_runners(
        num_env_runners=training.env_runners, num_envs_per_env_runner=_accounts_per_runner(agent, training)
    )
    config.learners(num_learners=0, num_gpus_per_learner=_gpus(training))
    config.training(gamma=agent.gamma)
    if agent.algorithm is Algorithm.SAC:
        config.training(target_entropy=agent.target_entropy * math.prod(spaces[1].shape or ()))
    config.debugging(seed=seed, log_level="ERROR")
    (_set_fast_figures if training.engine == "fast" else _set_stock_figures)(config, agent)
    return config


def _set_fast_figures(config: Any, agent: AgentSettings) -> None:
    if agent.algorithm in (Algorithm.PPO, Algorithm.A2C):
        config.shadow_accounts = agent.shadow_accounts is not False
        return
    # Critics of SAC and DQN learn from old transitions too, which old shadows would have to be taken from.
    config.replay_capacity = agent.replay_capacity
    config.updates_per_step = agent.updates_per_step
    config.sessions_per_iteration = steps_per_iteration(agent) // agent.num_accounts


def _set_stock_figures(config: Any, agent: AgentSettings) -> None:
    """Rounds and replay as in our engine, in RLlib's terms."""
    if agent.shadow_accounts:
        raise SettingsError("shadow_accounts must be false or empty where training.engine is stock, got true")
    if agent.algorithm in (Algorithm.PPO, Algorithm.A2C):
        return
    config.env_runners(rollout_fragment_length=1)
    config.training(
        replay_buffer_config={"type": "EpisodeReplayBuffer", "capacity": agent.replay_capacity},
        num_steps_sampled_before_learning_starts=WARM_UP_BATCHES * agent.train_batch_size,
        training_intensity=agent.updates_per_step * agent.train_batch_size,
    )
    config.reporting(min_sample_timesteps_per_iteration=steps_per_iteration(agent))


def _accounts_per_runner(agent: AgentSettings, training: TrainingSettings) -> int:
    runners = max(1, training.env_runners)
    if agent.num_accounts % runners:
        raise SettingsError(
            f"num_accounts must be a multiple of training.env_runners ({runners}), got {agent.num_accounts}"
        )
    return agent.num_accounts // runners


def _gpus(training: TrainingSettings) -> float:
    if training.gpus > 0.0 and not torch.cuda.is_available():
        raise SettingsError(f"training.gpus must be 0 where there is no GPU, got {training.gpus}")
    return training.gpus


def _ppo(config: Any, agent: AgentSettings) -> None:
    _on_policy(config, agent)
    config.training(
        num_epochs=agent.num_epochs,
        minibatch_size=agent.minibatch_size,
        clip_param=agent.clip_param,
        use_kl_loss=agent.kl_coeff > 0.0,
        kl_coeff=agent.kl_coeff,
    )


def _on_policy(config: Any, agent: AgentSettings) -> None:
    config.training(
        lr=_learning_rate(agent),
        lambda_=agent.gae_lambda,
        train_batch_size=agent.train_batch_size,
        entropy_coeff=agent.entropy_coeff,
    )


def _learning_rate(agent: AgentSettings) -> float | list[list[float]]:
    """A figure, or RLlib's schedule over environment steps."""
    if agent.final_learning_rate is None:
        return agent.learning_rate
    return [[0, agent.learning_rate], [agent.env_steps, agent.final_learning_rate]]


def _sac(config: Any, agent: AgentSettings) -> None:
    rate = _learning_rate(agent)
    config.training(
        actor_lr=rate,
        critic_lr=rate,
        alpha_lr=rate,
        initial_alpha=agent.initial_temperature,
        train_batch_size=agent.train_batch_size,
        tau=agent.tau,
        n_step=agent.n_step,
    )


def _dqn(config: Any, agent: AgentSettings) -> None:
    explored = max(1, int(agent.env_steps * agent.explored_share))
    config.training(
        lr=_learning_rate(agent),
        train_batch_size=agent.train_batch_size,
        double_q=True,
        dueling=False,
        num_atoms=1,
        tau=agent.tau,
        n_step=agent.n_step,
        target_network_update_freq=0,
        epsilon=[[0, 1.0], [explored, agent.final_epsilon]],
    )


_FIGURES: dict[Algorithm, Callable[[Any, AgentSettings], None]] = {
    Algorithm.PPO: _ppo,
    Algorithm.A2C: _on_policy,
    Algorithm.SAC: _sac,
    Algorithm.DQN: _dqn,
}

_FAST: dict[Algorithm, Callable[[], Any]] = {
    Algorithm.PPO: MarketPPOConfig,
    Algorithm.A2C: MarketA2CConfig,
    Algorithm.SAC: MarketSACConfig,
    Algorithm.DQN: MarketDQNConfig,
}

_STOCK: dict[Algorithm, Callable[[], Any]] = {
    Algorithm.PPO: StockPPOConfig,
    Algorithm.A2C: StockA2CConfig,
    Algorithm.SAC: StockSACConfig,
    Algorithm.DQN: StockDQNConfig,
}

_MODULES: dict[Algorithm, type] = {
    Algorithm.PPO: ActorCriticModule,
    Algorithm.A2C: ActorCriticModule,
    Algorithm.SAC: SoftActorCriticModule,
    Algorithm.DQN: LevelModule,
}

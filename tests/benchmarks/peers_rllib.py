"""RLlib as it comes: its own algorithms, runners, replay buffers and learners on single trading environments.

Networks are its default multilayer perceptrons of the sizes asked for, over the flattened observation; everything that
is not asked for is as RLlib has it.
"""

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.wrappers import FlattenObservation
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME

NAME = "RLlib 2.60.0"
ENVS = 16
WARM_UP = 1_500
MakeEnv = Callable[[], gymnasium.Env]


class SingleAccount(gymnasium.Wrapper):
    """One account with a flat observation; ``make`` in the context makes it."""

    def __init__(self, context: dict[str, Any]) -> None:
        super().__init__(FlattenObservation(context["make"]()))


def ppo(make_env: MakeEnv, hidden: tuple[int, ...], batch: int, minibatch: int, epochs: int) -> Algorithm:
    """PPO."""
    config = PPOConfig().training(train_batch_size=batch, minibatch_size=minibatch, num_epochs=epochs)
    return _built(config, make_env, hidden)


def actor_critic(make_env: MakeEnv, hidden: tuple[int, ...], batch: int) -> Algorithm:
    """What comes nearest to A2C, which RLlib no longer has: PPO, one step over the whole batch, no divergence term."""
    config = PPOConfig().training(train_batch_size=batch, minibatch_size=batch, num_epochs=1, use_kl_loss=False)
    return _built(config, make_env, hidden)


def sac(make_env: MakeEnv, hidden: tuple[int, ...], batch: int) -> Algorithm:
    """SAC: one update per step of all environments."""
    config = SACConfig().training(train_batch_size=batch, num_steps_sampled_before_learning_starts=WARM_UP)
    return _built(_by_steps(config), make_env, hidden)


def dqn(make_env: MakeEnv, hidden: tuple[int, ...], batch: int) -> Algorithm:
    """DQN: one update per step of all environments."""
    config = DQNConfig().training(train_batch_size=batch, num_steps_sampled_before_learning_starts=WARM_UP)
    return _built(_by_steps(config).env_runners(rollout_fragment_length=1), make_env, hidden)


def steps_of_training(algorithm: Algorithm, least: int) -> int:
    """Trains for ``least`` environment steps or a few more; returns how many."""
    before = _sampled(algorithm)
    while (done := _sampled(algorithm) - before) < least:
        algorithm.train()
    return done


def _sampled(algorithm: Algorithm) -> int:
    return int(algorithm.metrics.peek(("env_runners", NUM_ENV_STEPS_SAMPLED_LIFETIME), default=0))


def _by_steps(config: AlgorithmConfig) -> AlgorithmConfig:
    """Iterations of so many steps instead of a second each: work must not depend on the clock."""
    return config.reporting(min_time_s_per_iteration=0, min_sample_timesteps_per_iteration=16 * ENVS)


def _built(config: AlgorithmConfig, make_env: MakeEnv, hidden: tuple[int, ...]) -> Algorithm:
    config = (
        config.environment(SingleAccount, env_config={"make": make_env})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=ENVS)
        .learners(num_learners=0)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=list(hidden), vf_share_layers=False))
        .evaluation(
            evaluation_num_env_runners=0,
            evaluation_duration=64,
            evaluation_duration_unit="episodes",
            evaluation_config={"explore": False},
        )
        .debugging(seed=1, log_level="ERROR")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return config.build_algo()

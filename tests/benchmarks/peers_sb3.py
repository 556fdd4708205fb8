"""Stable-Baselines3 as it comes: its algorithms over copies of a single trading environment in one process."""

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

NAME = "Stable-Baselines3 2.9.2"
ENVS = 16
WARM_UP = 1_500
MakeEnv = Callable[[], gymnasium.Env]


def is_installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("stable_baselines3") is not None


def ppo(make_env: MakeEnv, hidden: tuple[int, ...], batch: int, minibatch: int, epochs: int) -> "BaseAlgorithm":
    """PPO."""
    from stable_baselines3 import PPO

    return _built(PPO, make_env, hidden, n_steps=batch // ENVS, batch_size=minibatch, n_epochs=epochs)


def a2c(make_env: MakeEnv, hidden: tuple[int, ...], batch: int) -> "BaseAlgorithm":
    """A2C."""
    from stable_baselines3 import A2C

    return _built(A2C, make_env, hidden, n_steps=batch // ENVS)


def sac(make_env: MakeEnv, hidden: tuple[int, ...], batch: int) -> "BaseAlgorithm":
    """SAC: one update per step of all environments."""
    from stable_baselines3 import SAC

    return _built(SAC, make_env, hidden, batch_size=batch, buffer_size=50_000, learning_starts=WARM_UP)


def dqn(make_env: MakeEnv, hidden: tuple[int, ...], batch: int) -> "BaseAlgorithm":
    """DQN: one update per step of all environments."""
    from stable_baselines3 import DQN

    more = {"buffer_size": 50_000, "learning_starts": WARM_UP, "train_freq": 1, "gradient_steps": 1}
    return _built(DQN, make_env, hidden, batch_size=batch, **more)


def steps_of_training(algorithm: "BaseAlgorithm", least: int) -> int:
    """Trains for ``least`` environment steps or a few more; returns how many."""
    before = algorithm.num_timesteps
    algorithm.learn(least, reset_num_timesteps=False)
    return algorithm.num_timesteps - before


def _built(kind: Any, make_env: MakeEnv, hidden: tuple[int, ...], **figures: Any) -> "BaseAlgorithm":
    from stable_baselines3.common.vec_env import DummyVecEnv

    envs = DummyVecEnv([make_env] * ENVS)
    return kind("MlpPolicy", envs, policy_kwargs={"net_arch": list(hidden)}, seed=1, device="cpu", **figures)

"""Stable-Baselines3 as it comes: its algorithms over copies of a single trading environment in one process.

PPO over our accounts too, which trade side by side: what is left of the difference is not the environment's.
"""

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from wealtharena.envs import TradingVectorEnv

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

NAME = "Stable-Baselines3 2.9.2"
OVER_ACCOUNTS = f"{NAME} over our accounts"
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


def ppo_over(accounts: TradingVectorEnv, hidden: tuple[int, ...], batch: int, minibatch: int, epochs: int) -> Any:
    """PPO over a vector environment with ``SAME_STEP`` resets."""
    from stable_baselines3 import PPO

    figures = {"n_steps": batch // accounts.num_envs, "batch_size": minibatch, "n_epochs": epochs}
    policy = {"net_arch": list(hidden)}
    return PPO("MlpPolicy", _vec_env(accounts), policy_kwargs=policy, seed=1, device="cpu", **figures)


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


def _vec_env(accounts: TradingVectorEnv) -> Any:
    """The accounts with Stable-Baselines3's face."""
    from stable_baselines3.common.vec_env import VecEnv

    class Accounts(VecEnv):
        def __init__(self) -> None:
            super().__init__(accounts.num_envs, accounts.single_observation_space, accounts.single_action_space)
            self._actions = np.empty(0)

        def reset(self) -> np.ndarray:
            return accounts.reset()[0]

        def step_async(self, actions: np.ndarray) -> None:
            self._actions = actions

        def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
            observations, rewards, terminated, truncated, info = accounts.step(self._actions)
            ended = terminated | truncated
            infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
            for place in np.flatnonzero(ended):
                infos[place] = {
                    "terminal_observation": info["final_obs"][place],
                    "TimeLimit.truncated": bool(truncated[place] and not terminated[place]),
                }
            return observations, rewards, ended, infos

        def close(self) -> None:
            accounts.close()

        def seed(self, seed: int | None = None) -> list[int | None]:
            return [seed] * self.num_envs

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [None] * self.num_envs

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            raise NotImplementedError

        def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
            raise NotImplementedError

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * self.num_envs

    return Accounts()


def _built(kind: Any, make_env: MakeEnv, hidden: tuple[int, ...], **figures: Any) -> "BaseAlgorithm":
    from stable_baselines3.common.vec_env import DummyVecEnv

    envs = DummyVecEnv([make_env] * ENVS)
    return kind("MlpPolicy", envs, policy_kwargs={"net_arch": list(hidden)}, seed=1, device="cpu", **figures)

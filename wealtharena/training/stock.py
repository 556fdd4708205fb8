"""RLlib untouched, as the reference for our engine: its own runners, replay buffers, connectors and learners.

The classes below only tell a job what it asks of every algorithm; what is trained, and how, is RLlib's. Needs a Ray
session.
"""

import math
from typing import Any, cast

import numpy as np
from ray.rllib.algorithms.dqn import DQN, DQNConfig
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.algorithms.sac import SAC, SACConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, EPISODE_RETURN_MEAN

from wealtharena.training.a2c import A2CTorchLearner, set_a2c_figures
from wealtharena.training.markets import MARKET, MarketEnv


class StockConfig:
    """Mixed into RLlib's configurations, before them: the market as an environment of RLlib's kind."""

    def __init__(self, algo_class: Any = None) -> None:
        cast(Any, super()).__init__(algo_class=algo_class)
        self.env = MarketEnv
        self.gym_env_vectorize_mode = "vector_entry_point"
        # Scores are what accounts take, as in our engine.
        self.normalize_actions = False
        self.clip_actions = False
        # What an iteration does must not depend on the clock.
        self.min_time_s_per_iteration = 0


class StockTraining:
    """Mixed into RLlib's algorithms, before them: what a job asks, answered from RLlib's results."""

    config: Any
    learner_group: Any
    local_replay_buffer: Any
    _return_mean = math.nan

    def setup(self, config: Any) -> None:
        """RLlib's setup; its replay buffer, if there is one, gets a seed."""
        cast(Any, super()).setup(config)
        if self.local_replay_buffer is not None:
            self.local_replay_buffer.rng = np.random.default_rng(self.config.seed)

    def step(self) -> dict[str, Any]:
        """RLlib's step."""
        results: dict[str, Any] = cast(Any, super()).step()
        mean = float(results.get(ENV_RUNNER_RESULTS, {}).get(EPISODE_RETURN_MEAN, math.nan))
        if math.isfinite(mean):
            self._return_mean = mean / self.config.env_config[MARKET].config.reward_scale
        return results

    @property
    def module(self) -> Any:
        """The one module, in the learner."""
        return self.learner_group._learner.module[DEFAULT_MODULE_ID].unwrapped()

    def episode_return_mean(self) -> float:
        """RLlib's figure, unscaled; where no episode ended, the last one; before the first has ended, NaN."""
        return self._return_mean

    def episode_return_std(self) -> None:
        """Unknown: RLlib's results have none."""

    def session_statistics(self) -> tuple[dict[str, float], dict[str, float]]:
        """Nothing: RLlib's runners do not collect them."""
        return {}, {}

    def explore_anew(self, seed: int) -> None:
        """Nothing: RLlib's runners draw from the process's generators, which a new attempt seeds anew."""

    def _setup_logdir(self) -> None:
        # RLlib's own would leave an empty folder in ~/ray_results for every algorithm.
        self._logdir = None


class StockPPOConfig(StockConfig, PPOConfig):
    """RLlib's PPO on a market."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or StockPPO)


class StockPPO(StockTraining, PPO):
    """RLlib's PPO."""

    @classmethod
    def get_default_config(cls) -> StockPPOConfig:
        """Settings before anyone changed them."""
        return StockPPOConfig()


class StockA2CConfig(StockPPOConfig):
    """A2C on RLlib's runners and connectors."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or StockA2C)
        set_a2c_figures(self)

    def get_default_learner_class(self) -> type[TorchLearner]:
        """RLlib's learner with A2C's loss."""
        return A2CTorchLearner


class StockA2C(StockPPO):
    """A2C, which RLlib no longer has, from RLlib's parts."""

    @classmethod
    def get_default_config(cls) -> StockA2CConfig:
        """Settings before anyone changed them."""
        return StockA2CConfig()


class StockSACConfig(StockConfig, SACConfig):
    """RLlib's SAC on a market."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or StockSAC)


class StockSAC(StockTraining, SAC):
    """RLlib's SAC."""

    @classmethod
    def get_default_config(cls) -> StockSACConfig:
        """Settings before anyone changed them."""
        return StockSACConfig()


class StockDQNConfig(StockConfig, DQNConfig):
    """RLlib's DQN on a market."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or StockDQN)


class StockDQN(StockTraining, DQN):
    """RLlib's DQN."""

    @classmethod
    def get_default_config(cls) -> StockDQNConfig:
        """Settings before anyone changed them."""
        return StockDQNConfig()

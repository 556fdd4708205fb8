"""SAC and DQN: RLlib's learners, fed from our own seeded ring instead of buffers of episode objects."""

from typing import Any

import torch
from ray.rllib.algorithms.dqn import DQN, DQNConfig
from ray.rllib.algorithms.sac import SAC, SACConfig

from wealtharena.training.learning import MarketConfig, MarketTraining
from wealtharena.training.replay import ReplayRing

_WARM_UP_BATCHES = 4


class MarketReplayTraining(MarketTraining):
    """Samples one session of every account, then learns as often as ``updates_per_step`` has earned."""

    _ring: ReplayRing
    _updates: int

    def setup(self, config: Any) -> None:
        """Builds the algorithm and an empty ring."""
        super().setup(config)
        self._ring = ReplayRing(self.config.replay_capacity, self.config.seed)
        self._updates = 0

    def training_step(self) -> None:
        """``sessions_per_iteration`` sessions and the updates that they earn."""
        for _ in range(self.config.sessions_per_iteration):
            warm_up = _WARM_UP_BATCHES * self.config.train_batch_size
            sampled_before = self.steps_sampled
            self._ring.add(self.rollout(1, random_actions=sampled_before < warm_up))
            learned_steps = self.steps_sampled - warm_up
            while self._updates < int(learned_steps * self.config.updates_per_step):
                self._update()

    def _update(self) -> None:
        rows = self.config.train_batch_size
        ones = torch.ones(rows)
        self.learn({**self._ring.draw(rows), "weights": ones, "n_step": ones})
        self._updates += 1


class MarketSACConfig(MarketConfig, SACConfig):
    """SAC with a ring of ``replay_capacity`` transitions."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or MarketSAC)
        self.replay_capacity = 50_000
        self.updates_per_step = 0.03
        self.sessions_per_iteration = 1


class MarketSAC(MarketReplayTraining, SAC):
    """SAC on the vectorised market."""

    @classmethod
    def get_default_config(cls) -> MarketSACConfig:
        """Settings before anyone changed them."""
        return MarketSACConfig()


class MarketDQNConfig(MarketConfig, DQNConfig):
    """Double DQN with a ring of ``replay_capacity`` transitions."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or MarketDQN)
        self.replay_capacity = 50_000
        self.updates_per_step = 0.03
        self.sessions_per_iteration = 1


class MarketDQN(MarketReplayTraining, DQN):
    """DQN on the vectorised market, one symbol per account."""

    @classmethod
    def get_default_config(cls) -> MarketDQNConfig:
        """Settings before anyone changed them."""
        return MarketDQNConfig()

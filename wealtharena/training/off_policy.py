"""SAC and DQN: RLlib's algorithms with lean learners, fed from our own seeded ring instead of episode objects."""

from functools import cached_property
from typing import Any, ClassVar, cast

from ray.rllib.algorithms.dqn import DQN, DQNConfig
from ray.rllib.algorithms.sac import SAC, SACConfig
from ray.rllib.utils.metrics import LEARNER_RESULTS

from wealtharena.core.errors import SettingsError
from wealtharena.execution import MarketArrays
from wealtharena.training.lean_replay import LeanDQNLearner, LeanSACLearner
from wealtharena.training.learning import MarketConfig, MarketTraining
from wealtharena.training.replay import ReplayRing

WARM_UP_BATCHES = 4


class MarketReplayConfig(MarketConfig):
    """What the configurations of SAC and DQN have beyond RLlib's, and what they do not have.

    Attributes:
        replay_capacity: transitions in the ring.
        updates_per_step: updates that a step of one account earns, after the first ones, which explore at random.
        sessions_per_iteration: sessions of every account in one ``train()``.
    """

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class)
        self.replay_capacity = 50_000
        self.updates_per_step = 0.03
        self.sessions_per_iteration = 1

    _only: ClassVar[dict[str, Any]] = {}

    def validate(self) -> None:
        """RLlib's checks, and those of what our learners leave out.

        Raises:
            SettingsError: something is asked for that they would not do.
        """
        cast(Any, super()).validate()
        for name, possible in self._only.items():
            if getattr(self, name) != possible:
                raise SettingsError(f"{name} must be {possible} for {type(self).__name__}, got {getattr(self, name)}")


class MarketReplayTraining(MarketTraining):
    """Samples one session of every account, then learns as often as ``updates_per_step`` has earned."""

    def setup(self, config: Any) -> None:
        """Builds the algorithm and an empty ring."""
        super().setup(config)
        own = self.config
        self._ring = ReplayRing(own.replay_capacity, own.seed or 0, own.n_step, own.gamma)
        self._updates = 0

    def training_step(self) -> None:
        """``sessions_per_iteration`` sessions and the updates that they earn; one report on all of those."""
        config, learner, before = self.config, self._learner, self._updates
        # The first transitions enter the ring late where they are of several sessions.
        warm_up = WARM_UP_BATCHES * config.train_batch_size + (config.n_step - 1) * self.num_accounts
        for _ in range(config.sessions_per_iteration):
            self._ring.add(self.rollout(1, random_actions=self.steps_sampled < warm_up))
            while self._updates < int((self.steps_sampled - warm_up) * config.updates_per_step):
                learner.learn(self._ring.draw(config.train_batch_size, self._arrays), self.steps_sampled)
                self._updates += 1
        if self._updates > before:
            self.metrics.aggregate([learner.report()], key=LEARNER_RESULTS)

    def exact_state(self) -> dict[str, Any]:
        """What RLlib's state leaves out, the ring included."""
        return {**super().exact_state(), "ring": self._ring.get_state(), "updates": self._updates}

    def set_exact_state(self, state: dict[str, Any]) -> None:
        """Go on from ``exact_state``."""
        super().set_exact_state(state)
        self._ring.set_state(state["ring"])
        self._updates = state["updates"]

    @cached_property
    def _arrays(self) -> MarketArrays:
        return self._market.arrays()


class MarketSACConfig(MarketReplayConfig, SACConfig):
    """SAC for continuous actions with twin critics."""

    _only: ClassVar[dict[str, Any]] = {"twin_q": True}

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class or MarketSAC)

    def get_default_learner_class(self) -> type[LeanSACLearner]:
        """The lean learner."""
        return LeanSACLearner


class MarketSAC(MarketReplayTraining, SAC):
    """SAC on the vectorised market."""

    @classmethod
    def get_default_config(cls) -> MarketSACConfig:
        """Settings before anyone changed them."""
        return MarketSACConfig()


class MarketDQNConfig(MarketReplayConfig, DQNConfig):
    """DQN, single or double, over expected values."""

    _only: ClassVar[dict[str, Any]] = {"num_atoms": 1, "dueling": False, "noisy": False}

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class or MarketDQN)

    def get_default_learner_class(self) -> type[LeanDQNLearner]:
        """The lean learner."""
        return LeanDQNLearner


class MarketDQN(MarketReplayTraining, DQN):
    """DQN on the vectorised market, one symbol per account."""

    @classmethod
    def get_default_config(cls) -> MarketDQNConfig:
        """Settings before anyone changed them."""
        return MarketDQNConfig()

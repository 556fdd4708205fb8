"""What our algorithms share: accounts that trade in arrays instead of RLlib's episodes, and updates from arrays."""

from typing import Any, cast

import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    EPISODE_RETURN_MEAN,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from torch import Tensor

from wealtharena.training.evaluation import deterministic_episodes
from wealtharena.training.markets import MARKET, MarketEnv, TrainingMarket
from wealtharena.training.remote import LocalRunner, RemoteRunners, Runners
from wealtharena.training.runner import EXACT, BatchedEnvRunner
from wealtharena.training.seeding import random_state, set_random_state
from wealtharena.training.statistics import SessionStatistics
from wealtharena.training.transitions import Transitions

EVALUATION_EPISODES = 64


class MarketConfig:
    """Mixed into RLlib's configurations, before them: our runner, and one training step per iteration.

    The market is ``env_config={"market": TrainingMarket}``. ``num_envs_per_env_runner`` accounts trade in each runner.
    """

    num_env_runners: int

    def __init__(self, algo_class: Any = None) -> None:
        cast(Any, super()).__init__(algo_class=algo_class)
        self.env = MarketEnv
        self.env_runner_cls = BatchedEnvRunner
        self.create_local_env_runner = False
        self.evaluation_duration = EVALUATION_EPISODES
        self.min_time_s_per_iteration = 0
        self.min_sample_timesteps_per_iteration = 0
        self.min_train_timesteps_per_iteration = 0
        self.shadow_accounts = False

    @property
    def is_online(self) -> bool:
        """Whether RLlib is to make runners, and with them a Ray session: only if they are remote."""
        return self.num_env_runners > 0


class MarketTraining:
    """Mixed into RLlib's algorithms, before them; needs a local learner.

    A checkpoint holds no data, and continues bit for bit: what RLlib's own state leaves out is under ``EXACT``. It
    loads although the market's folder is gone; only sampling needs it.
    """

    config: Any
    learner_group: Any
    metrics: Any
    env_runner_group: Any
    evaluation_config: Any
    steps_sampled: int
    _runners: Runners
    _statistics: SessionStatistics

    def setup(self, config: Any) -> None:
        """Builds the algorithm around the learner's module."""
        # Past DQN's own setup, which asks RLlib's runners whether the module is recurrent.
        Algorithm.setup(self, config)
        self.steps_sampled = 0
        self._statistics = SessionStatistics(self._market.config)
        if self.config.num_env_runners > 0:
            self._runners = RemoteRunners(self.env_runner_group)
        else:
            self.env_runner_group = _NoRunners()
            self._runners = LocalRunner(BatchedEnvRunner(config=self.config, module=self.module, worker_index=0))

    def step(self) -> dict[str, Any]:
        """One iteration; ``env_runners/episode_return_mean`` in its results is scaled and never missing."""
        results: dict[str, Any] = cast(Any, super()).step()
        mean = self.episode_return_mean() * self._market.config.reward_scale
        results.setdefault(ENV_RUNNER_RESULTS, {})[EPISODE_RETURN_MEAN] = mean
        return results

    @property
    def module(self) -> Any:
        """The one module, in the learner."""
        return self._learner.module[DEFAULT_MODULE_ID].unwrapped()

    @property
    def num_accounts(self) -> int:
        """Accounts of all runners together, N."""
        accounts: int = self.config.num_envs_per_env_runner * max(1, self.config.num_env_runners)
        return accounts

    def rollout(self, num_sessions: int, random_actions: bool = False) -> Transitions:
        """Trades ``num_sessions`` sessions of every account, and counts them.

        Raises:
            TrainingError: the market's folder is gone, it shows or pays something that is not finite, or remote runners
                died and did not come back.
        """
        sampled, statistics = self._runners.rollout(self.module, num_sessions, random_actions)
        self._statistics.merge(statistics)
        steps = sampled.rewards.numel()
        self.steps_sampled += steps
        self.metrics.log_value((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), steps, reduce="lifetime_sum")
        return sampled

    def learn(self, batch: dict[str, Tensor], **passes: Any) -> None:
        """One call of the learner on a batch of tensors, and its results in the metrics."""
        device = self._learner.device
        rows = len(batch["obs"])
        results = self.learner_group.update(
            batch=MultiAgentBatch(
                {DEFAULT_MODULE_ID: SampleBatch({name: column.to(device) for name, column in batch.items()})},
                env_steps=rows,
            ),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.steps_sampled},
            **passes,
        )
        self.metrics.aggregate(results, key=LEARNER_RESULTS)

    def episode_return_mean(self) -> float:
        """See ``SessionStatistics.episode_return_mean``."""
        return self._statistics.episode_return_mean()

    def episode_return_std(self) -> float | None:
        """See ``SessionStatistics.episode_return_std``."""
        return self._statistics.episode_return_std()

    def session_statistics(self) -> tuple[dict[str, float], dict[str, float]]:
        """Terms of the reward and shares of bound limits since the last call, see ``SessionStatistics.take``."""
        return self._statistics.take()

    def evaluate(self, parallel_train_future: Any = None) -> dict[str, Any]:
        """Returns of ``evaluation_duration`` deterministic episodes, traded side by side; the same ones every time.

        They are drawn from the market in ``evaluation_config``'s ``env_config`` (the training's, if that names none)
        and influence nothing that comes after. Rewards are scaled, as everywhere in RLlib's results.

        Raises:
            TrainingError: the market's folder is gone.
        """
        market: TrainingMarket = self.evaluation_config.env_config[MARKET]
        return {
            ENV_RUNNER_RESULTS: deterministic_episodes(self.module, market, self.evaluation_config.evaluation_duration)
        }

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state and, under ``EXACT``, everything else that influences the future."""
        state: dict[str, Any] = cast(Any, super()).get_state(components, not_components=not_components, **kwargs)
        return state | ({EXACT: self.exact_state()} if components is None else {})

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``get_state``, the process's random state included."""
        cast(Any, super()).set_state(state)
        if EXACT in state:
            self.set_exact_state(state[EXACT])

    def explore_anew(self, seed: int) -> None:
        """Go on with other random actions: the generators that they are drawn from begin at ``seed``."""
        states = self._runners.get_states()
        for stream, state in enumerate(states):
            if state is not None:
                drawn = int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])
                state["generator"] = torch.Generator().manual_seed(drawn).get_state().numpy()
        self._runners.set_states(states)

    def exact_state(self) -> dict[str, Any]:
        """What RLlib's state leaves out; algorithms with more to remember add to it."""
        learner = self._learner
        return {
            "runners": self._runners.get_states(),
            "statistics": self._statistics.get_state(),
            "steps_sampled": self.steps_sampled,
            "learner": learner.exact_state() if hasattr(learner, "exact_state") else {},
            "random": random_state(),
        }

    def set_exact_state(self, state: dict[str, Any]) -> None:
        """Go on from ``exact_state``."""
        self._runners.set_states(state["runners"])
        self._statistics.set_state(state["statistics"])
        self.steps_sampled = state["steps_sampled"]
        if state["learner"]:
            self._learner.set_exact_state(state["learner"])
        set_random_state(state["random"])

    @classmethod
    def _should_create_evaluation_env_runners(cls, eval_config: Any) -> bool:
        # ``evaluate`` needs none.
        return False

    @property
    def _learner(self) -> Any:
        return self.learner_group._learner

    @property
    def _market(self) -> TrainingMarket:
        market: TrainingMarket = self.config.env_config[MARKET]
        return market

    def _setup_logdir(self) -> None:
        # RLlib's own would leave an empty folder in ~/ray_results for every algorithm.
        self._logdir = None


class _NoRunners:
    """Stands where RLlib keeps its runners: false, and deaf to what a restored algorithm tells them."""

    local_env_runner = None

    def __bool__(self) -> bool:
        return False

    def sync_weights(self, **_: Any) -> None:
        """Nothing: the runner acts with the learner's own module."""

    def num_remote_env_runners(self) -> int:
        return 0

    def stop(self) -> None:
        """Nothing runs."""

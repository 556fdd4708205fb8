"""What our four algorithms share: a runner that borrows the learner's module, and updates from whole arrays."""

from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from torch import Tensor

from wealtharena.envs import TradingVectorEnv
from wealtharena.training.runner import BatchedEnvRunner, Transitions


class MarketTraining:
    """Mixed into RLlib's algorithms, before them; needs ``num_learners=0`` and ``BatchedEnvRunner``."""

    config: Any
    learner_group: Any
    metrics: Any
    env_runner: BatchedEnvRunner

    def setup(self, config: Any) -> None:
        """Builds the algorithm and lends the learner's module to the runner."""
        # Past DQN's own setup, which asks the runner whether its module is recurrent; ours has none yet.
        Algorithm.setup(self, config)
        self.env_runner.module = self.module

    @property
    def module(self) -> Any:
        """The one module, in the learner."""
        return self.learner_group._learner.module[DEFAULT_MODULE_ID].unwrapped()

    def attach(self, market: TradingVectorEnv, shadow: TradingVectorEnv | None = None) -> None:
        """Takes the market to train on."""
        self.env_runner.attach(market, shadow)

    def sample(self, num_sessions: int, random_actions: bool = False) -> Transitions:
        """Samples and counts."""
        transitions = self.env_runner.sample(num_sessions=num_sessions, random_actions=random_actions)
        steps = transitions.rewards.numel()
        self.metrics.log_value((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), steps, reduce="lifetime_sum")
        return transitions

    def learn(self, batch: dict[str, Tensor], **passes: Any) -> None:
        """One call of the learner on a batch of tensors, and its results in the metrics."""
        rows = len(batch["obs"])
        results = self.learner_group.update(
            batch=MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(batch)}, env_steps=rows),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.env_runner.steps_sampled},
            **passes,
        )
        self.metrics.aggregate(results, key=LEARNER_RESULTS)

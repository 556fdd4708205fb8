"""What our four algorithms share: accounts of their own instead of RLlib's runners, and updates from whole arrays."""

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
from wealtharena.training.sampling import MarketSampler, Transitions


class MarketTraining:
    """Mixed into RLlib's algorithms, before them; needs a local learner.

    The configuration says that the algorithm is not online, so RLlib makes no runners, and with them no Ray session:
    a training runs in any process. The market is attached after the algorithm is built, so a checkpoint holds no data
    and loads without any.
    """

    config: Any
    learner_group: Any
    metrics: Any
    sampler: MarketSampler

    def setup(self, config: Any) -> None:
        """Builds the algorithm around the learner's module."""
        # Past DQN's own setup, which asks RLlib's runners whether the module is recurrent.
        Algorithm.setup(self, config)
        self.env_runner_group = _NoRunners()
        self.sampler = MarketSampler(self.module, self.config.action_space, self.config.explores_by_time)

    @property
    def module(self) -> Any:
        """The one module, in the learner."""
        return self.learner_group._learner.module[DEFAULT_MODULE_ID].unwrapped()

    def attach(self, market: TradingVectorEnv, shadow: TradingVectorEnv | None = None) -> None:
        """Takes the market to train on."""
        self.sampler.attach(market, shadow)

    def sample(self, num_sessions: int, random_actions: bool = False) -> Transitions:
        """Samples and counts."""
        transitions = self.sampler.sample(num_sessions, random_actions)
        steps = transitions.rewards.numel()
        self.metrics.log_value((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME), steps, reduce="lifetime_sum")
        return transitions

    def learn(self, batch: dict[str, Tensor], **passes: Any) -> None:
        """One call of the learner on a batch of tensors, and its results in the metrics."""
        rows = len(batch["obs"])
        results = self.learner_group.update(
            batch=MultiAgentBatch({DEFAULT_MODULE_ID: SampleBatch(batch)}, env_steps=rows),
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.sampler.steps_sampled},
            **passes,
        )
        self.metrics.aggregate(results, key=LEARNER_RESULTS)

    def _setup_logdir(self) -> None:
        # RLlib's own would leave an empty folder in ~/ray_results for every algorithm.
        self._logdir = None


class _NoRunners:
    """Stands where RLlib keeps its runners: false, and deaf to what a restored algorithm tells them."""

    local_env_runner = None

    def __bool__(self) -> bool:
        return False

    def sync_weights(self, **_: Any) -> None:
        """Nothing: the sampler acts with the learner's own module."""

    def num_remote_env_runners(self) -> int:
        return 0

    def stop(self) -> None:
        """Nothing runs."""

"""PPO and our A2C: RLlib's algorithms and learners, fed with whole arrays instead of episode objects."""

from typing import Any

from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from torch import Tensor

from wealtharena.training.a2c import set_a2c_figures
from wealtharena.training.advantages import following_values, generalised_advantages
from wealtharena.training.lean_on_policy import INPUTS, LeanA2CLearner, LeanPPOLearner
from wealtharena.training.learning import MarketConfig, MarketTraining
from wealtharena.training.transitions import Transitions


class MarketPPOConfig(MarketConfig, PPOConfig):
    """PPO whose ``train_batch_size`` is made of whole sessions of every account."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or MarketPPO)

    def get_default_learner_class(self) -> type[TorchLearner]:
        """PPO's learner without bookkeeping."""
        return LeanPPOLearner


class MarketPPO(MarketTraining, PPO):
    """PPO on the vectorised market."""

    @classmethod
    def get_default_config(cls) -> MarketPPOConfig:
        """Settings before anyone changed them."""
        return MarketPPOConfig()

    def training_step(self) -> None:
        """Samples one batch and learns from it."""
        config = self.config
        transitions = self.rollout(config.train_batch_size // self.num_accounts)
        self.learn(
            self._batch(transitions),
            num_epochs=config.num_epochs,
            minibatch_size=config.minibatch_size,
            shuffle_batch_per_epoch=config.shuffle_batch_per_epoch,
        )

    def _batch(self, sampled: Transitions) -> dict[str, Tensor]:
        learner, config = self._learner, self.config
        observations = sampled.observations.flatten(0, 1)
        inputs = learner.inputs(observations)
        values = learner.values(inputs).reshape(sampled.rewards.shape)
        next_values = following_values(sampled, values, lambda rows: learner.values(learner.inputs(rows)))
        advantages, targets = generalised_advantages(
            sampled.rewards, values, next_values, sampled.terminated, sampled.ended, config.gamma, config.lambda_
        )
        normalised = (advantages - advantages.mean()) / advantages.std().clamp(min=1e-4)
        return {
            Columns.OBS: observations,
            INPUTS: inputs,
            Columns.ACTIONS: sampled.actions.flatten(0, 1),
            Columns.ACTION_DIST_INPUTS: sampled.action_inputs.flatten(0, 1),
            Columns.ACTION_LOGP: sampled.action_logp.flatten(),
            Columns.ADVANTAGES: normalised.flatten(),
            Columns.VALUE_TARGETS: targets.flatten(),
        }


class MarketA2CConfig(MarketPPOConfig):
    """Advantage actor-critic: one gradient step over the whole batch (Mnih et al. 2016, arXiv:1602.01783)."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or MarketA2C)
        set_a2c_figures(self)

    def get_default_learner_class(self) -> type[TorchLearner]:
        """The learner with A2C's loss, without bookkeeping."""
        return LeanA2CLearner


class MarketA2C(MarketPPO):
    """A2C, which RLlib no longer has, on the vectorised market."""

    @classmethod
    def get_default_config(cls) -> MarketA2CConfig:
        """Settings before anyone changed them."""
        return MarketA2CConfig()

"""PPO and our A2C: RLlib's algorithms and learners, fed with whole arrays instead of episode objects."""

from typing import Any

import torch
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import ENTROPY_KEY, POLICY_LOSS_KEY, VF_LOSS_KEY
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from torch import Tensor

from wealtharena.training.advantages import generalised_advantages
from wealtharena.training.lean import LeanLearner
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
        with torch.no_grad():
            values = self._values(sampled.observations)
            next_values = self._values(sampled.next_observations)
        advantages, targets = generalised_advantages(
            sampled.rewards,
            values,
            next_values,
            sampled.terminated,
            sampled.ended,
            self.config.gamma,
            self.config.lambda_,
        )
        normalised = (advantages - advantages.mean()) / advantages.std().clamp(min=1e-4)
        return {
            Columns.OBS: sampled.observations.flatten(0, 1),
            Columns.ACTIONS: sampled.actions.flatten(0, 1),
            Columns.ACTION_DIST_INPUTS: sampled.action_inputs.flatten(0, 1),
            Columns.ACTION_LOGP: sampled.action_logp.flatten(),
            Columns.ADVANTAGES: normalised.flatten(),
            Columns.VALUE_TARGETS: targets.flatten(),
        }

    def _values(self, observations: Tensor) -> Tensor:
        values: Tensor = self.module.compute_values({Columns.OBS: observations.flatten(0, 1)})
        return values.reshape(observations.shape[:2])


class MarketA2CConfig(MarketPPOConfig):
    """Advantage actor-critic: one gradient step over the whole batch (Mnih et al. 2016, arXiv:1602.01783)."""

    def __init__(self, algo_class: Any = None) -> None:
        super().__init__(algo_class=algo_class or MarketA2C)
        self.num_epochs = 1
        self.minibatch_size = None
        self.shuffle_batch_per_epoch = False
        self.use_kl_loss = False
        self.vf_loss_coeff = 0.5
        self.grad_clip = 0.5
        self.grad_clip_by = "global_norm"

    def get_default_learner_class(self) -> type[TorchLearner]:
        """The learner with A2C's loss, without bookkeeping."""
        return LeanA2CLearner


class MarketA2C(MarketPPO):
    """A2C, which RLlib no longer has, on the vectorised market."""

    @classmethod
    def get_default_config(cls) -> MarketA2CConfig:
        """Settings before anyone changed them."""
        return MarketA2CConfig()


class A2CTorchLearner(PPOTorchLearner):
    """RMSprop on the policy gradient, the squared error of the value and the entropy; no ratio, no clipping."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """RMSprop with the constants of the paper's authors."""
        params = self.get_parameters(self._module[module_id])
        self.register_optimizer(
            module_id=module_id,
            optimizer=torch.optim.RMSprop(params, alpha=0.99, eps=1e-5),
            params=params,
            lr_or_lr_schedule=config.lr,
        )

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Any]
    ) -> Tensor:
        """The scalar loss of one module."""
        module = self.module[module_id].unwrapped()
        distribution = module.get_train_action_dist_cls().from_logits(fwd_out[Columns.ACTION_DIST_INPUTS])
        policy_loss = -(batch[Columns.ADVANTAGES] * distribution.logp(batch[Columns.ACTIONS])).mean()
        value_loss = (module.compute_values(batch) - batch[Columns.VALUE_TARGETS]).pow(2).mean()
        entropy = distribution.entropy().mean()
        self.metrics.log_dict(
            {POLICY_LOSS_KEY: policy_loss, VF_LOSS_KEY: value_loss, ENTROPY_KEY: entropy}, key=module_id, window=1
        )
        coefficient = self.entropy_coeff_schedulers_per_module[module_id].get_current_value()
        loss: Tensor = policy_loss + config.vf_loss_coeff * value_loss - coefficient * entropy
        return loss

    def _update_module_kl_coeff(self, **_: Any) -> None:
        """A2C has no divergence term."""


class LeanPPOLearner(LeanLearner, PPOTorchLearner):
    """PPO from whole arrays."""

    def exact_state(self) -> dict[str, Any]:
        """What influences the future and is not in RLlib's ``get_state``."""
        return {
            **super().exact_state(),
            "kl_coefficients": {name: float(value) for name, value in self.curr_kl_coeffs_per_module.items()},
            "entropy_coefficients": {
                name: float(schedule.get_current_value())
                for name, schedule in self.entropy_coeff_schedulers_per_module.items()
            },
        }

    def set_exact_state(self, state: dict[str, Any]) -> None:
        """Continues where ``exact_state`` was taken."""
        super().set_exact_state(state)
        for name, value in state["kl_coefficients"].items():
            self.curr_kl_coeffs_per_module[name].fill_(value)
        for name, value in state["entropy_coefficients"].items():
            schedule = self.entropy_coeff_schedulers_per_module[name]
            if schedule.use_schedule:
                schedule.get_current_value().fill_(value)


class LeanA2CLearner(LeanPPOLearner, A2CTorchLearner):
    """A2C from whole arrays."""

"""A2C's loss and optimizer as a learner of RLlib's, which no longer has any."""

from typing import Any

import torch
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import ENTROPY_KEY, POLICY_LOSS_KEY, VF_LOSS_KEY
from torch import Tensor


def set_a2c_figures(config: Any) -> None:
    """Make a configuration of PPO one of A2C: one step over the whole batch, no penalty, gradients clipped."""
    config.num_epochs = 1
    config.minibatch_size = None
    config.shuffle_batch_per_epoch = False
    config.use_kl_loss = False
    config.vf_loss_coeff = 0.5
    config.grad_clip = 0.5
    config.grad_clip_by = "global_norm"


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
        """The scalar loss of one module, over the rows that ``LOSS_MASK`` admits if there is one: RLlib's connectors
        add a row to each episode for the value of what follows."""
        module, mask = self.module[module_id].unwrapped(), batch.get(Columns.LOSS_MASK)

        def mean(rows: Tensor) -> Tensor:
            return rows.mean() if mask is None else rows[mask].mean()

        distribution = module.get_train_action_dist_cls().from_logits(fwd_out[Columns.ACTION_DIST_INPUTS])
        policy_loss = -mean(batch[Columns.ADVANTAGES] * distribution.logp(batch[Columns.ACTIONS]))
        value_loss = mean((module.compute_values(batch) - batch[Columns.VALUE_TARGETS]).pow(2))
        entropy = mean(distribution.entropy())
        self.metrics.log_dict(
            {POLICY_LOSS_KEY: policy_loss, VF_LOSS_KEY: value_loss, ENTROPY_KEY: entropy}, key=module_id, window=1
        )
        coefficient = self.entropy_coeff_schedulers_per_module[module_id].get_current_value()
        loss: Tensor = policy_loss + config.vf_loss_coeff * value_loss - coefficient * entropy
        return loss

    def _update_module_kl_coeff(self, **_: Any) -> None:
        """A2C has no divergence term."""

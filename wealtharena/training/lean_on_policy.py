"""Learners of PPO and A2C without RLlib's bookkeeping, and where it is worth it without autograd."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ray.rllib.algorithms.ppo.ppo import LEARNER_RESULTS_VF_EXPLAINED_VAR_KEY
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import ENTROPY_KEY, POLICY_LOSS_KEY, VF_LOSS_KEY
from torch import Tensor

from wealtharena.core.panel import FloatArray
from wealtharena.training.a2c import A2CTorchLearner
from wealtharena.training.flat import FlatAdam
from wealtharena.training.gradients import HandWritten, hand_written
from wealtharena.training.lean import LeanLearner, Minibatch
from wealtharena.training.losses import FIGURES, LossTerms, Sampled, explained_variance

INPUTS = "inputs"
"""Column of a batch, optional: what ``LeanActorCriticLearner.inputs`` makes of its observations."""

_LOGGED = 5


class LeanActorCriticLearner(LeanLearner):
    """What PPO and A2C share: gradients by hand for networks that have them, by autograd and RLlib's loss for others.

    By hand, all rows of a batch are scaled once, and the figures of the loss are sums that its gradient needs anyway.
    """

    curr_kl_coeffs_per_module: Any
    entropy_coeff_schedulers_per_module: Any
    _module: Any
    _by_hand: HandWritten | None = None

    @abstractmethod
    def loss_terms(self, module_id: str) -> LossTerms:
        """The loss as it is now."""

    @abstractmethod
    def loss_figures(self, figures: FloatArray) -> dict[str, float]:
        """RLlib's metrics of a minibatch from its ``FIGURES``."""

    def lay_side_by_side(self, module_id: str) -> None:
        """Parameters whose gradients will be made by hand; before the optimizer takes them."""
        self._by_hand = hand_written(self._module[module_id].unwrapped()) if self.device.type == "cpu" else None

    def inputs(self, observations: Tensor) -> Tensor:
        """What ``values`` and the gradients read of observations (R, A, D), on the learner's device."""
        on_device = observations.to(self.device)
        return on_device if self._by_hand is None else self._by_hand.inputs(on_device)

    def values(self, inputs: Tensor) -> Tensor:
        """(R,) values of ``inputs``, in the processor's memory."""
        with torch.no_grad():
            if self._by_hand is not None:
                return self._by_hand.values(inputs)
            values: Tensor = self.module[DEFAULT_MODULE_ID].compute_values({Columns.OBS: inputs})
            return values.cpu()

    def minibatch_step(self, module_id: str, columns: Minibatch) -> Callable[[Tensor | None], Tensor | float]:
        """See ``LeanLearner``."""
        given = {name: values for name, values in columns.items() if name != INPUTS}
        if self._by_hand is None:
            return super().minibatch_step(module_id, given)
        inputs = columns[INPUTS] if INPUTS in columns else self._by_hand.inputs(columns[Columns.OBS])
        return self._step_by_hand(module_id, self._by_hand, inputs, Sampled.of(columns))

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
        """Continues where ``exact_state`` was taken; call it after ``set_state``."""
        super().set_exact_state(state)
        for name, value in state["kl_coefficients"].items():
            self.curr_kl_coeffs_per_module[name].fill_(value)
        for name, value in state["entropy_coefficients"].items():
            schedule = self.entropy_coeff_schedulers_per_module[name]
            if schedule.use_schedule:
                schedule.get_current_value().fill_(value)

    def entropy_weight(self, module_id: str) -> float:
        """As its schedule has it now."""
        return float(self.entropy_coeff_schedulers_per_module[module_id].get_current_value())

    def _step_by_hand(
        self, module_id: str, network: HandWritten, inputs: Tensor, sampled: Sampled
    ) -> Callable[[Tensor | None], float]:
        network.flat.adopt()
        terms, everything = self.loss_terms(module_id), torch.arange(len(inputs))

        def step(rows: Tensor | None) -> float:
            with torch.no_grad():
                figures = network.learn(inputs, sampled, everything if rows is None else rows, terms)
                loss = terms.total(figures)
                if not math.isfinite(loss):
                    self._refuse(figures)
                self._apply_flat(module_id, network)
            self.metrics.log_dict(self.loss_figures(figures), key=module_id)
            return loss

        return step

    def _apply_flat(self, module_id: str, network: HandWritten) -> None:
        gradients = network.flat.gradients
        is_finite = math.isfinite(float(gradients.dot(gradients)))
        if not is_finite or self.config.grad_clip is not None or self.config.log_gradients:
            self.apply_checked(module_id, network.flat.by_parameter())
            return
        for _, optimizer in self.get_optimizers_for_module(module_id):
            optimizer.step()

    def _refuse(self, figures: FloatArray) -> None:
        for name, value in zip(FIGURES, figures, strict=True):
            self.require_finite(value, name)
        self.require_finite(np.nan, self.TOTAL_LOSS_KEY)


class LeanPPOLearner(LeanActorCriticLearner, PPOTorchLearner):
    """PPO: RLlib's loss, Adam, and the divergence's weight adapted as RLlib does."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Adam, in one pass over parameters that lie side by side if gradients are made by hand."""
        self.lay_side_by_side(module_id)
        if self._by_hand is None:
            super().configure_optimizers_for_module(module_id, config)
            return
        parameters = self.get_parameters(self._module[module_id])
        optimizer = FlatAdam(parameters, self._by_hand.flat)
        self.register_optimizer(
            module_id=module_id, optimizer=optimizer, params=parameters, lr_or_lr_schedule=config.lr
        )

    def loss_terms(self, module_id: str) -> LossTerms:
        """The loss as it is now."""
        config = self.config
        return LossTerms(
            ratio_clip=config.clip_param,
            value_clip=config.vf_clip_param,
            value=config.vf_loss_coeff,
            entropy=self.entropy_weight(module_id),
            divergence=float(self.curr_kl_coeffs_per_module[module_id]) if config.use_kl_loss else 0.0,
        )

    def loss_figures(self, figures: FloatArray) -> dict[str, float]:
        """RLlib's metrics of a minibatch from its ``FIGURES``."""
        return {
            **dict(zip(FIGURES[:_LOGGED], figures[:_LOGGED], strict=True)),
            LEARNER_RESULTS_VF_EXPLAINED_VAR_KEY: explained_variance(figures),
        }


class LeanA2CLearner(LeanActorCriticLearner, A2CTorchLearner):
    """A2C: one step of RMSprop on the whole batch."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """RMSprop, once a batch."""
        self.lay_side_by_side(module_id)
        super().configure_optimizers_for_module(module_id, config)

    def loss_terms(self, module_id: str) -> LossTerms:
        """The loss as it is now."""
        return LossTerms(
            ratio_clip=math.inf,
            value_clip=math.inf,
            value=self.config.vf_loss_coeff,
            entropy=self.entropy_weight(module_id),
            divergence=0.0,
        )

    def loss_figures(self, figures: FloatArray) -> dict[str, float]:
        """RLlib's metrics of a minibatch from its ``FIGURES``."""
        policy_loss, value_loss, _, entropy, *_ = figures
        return {POLICY_LOSS_KEY: policy_loss, VF_LOSS_KEY: value_loss, ENTROPY_KEY: entropy}

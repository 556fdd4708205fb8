"""Learners of SAC and DQN without RLlib's bookkeeping: its losses, gradients and steps in a fraction of the time.

RLlib's learners make one backward pass per optimizer over one graph of all losses, step optimizers one by one, copy the
target networks through dictionaries and log a dozen figures per update. Here each loss has a graph of its own, so that
no gradient is computed that nobody wants, and figures are made when they are reported.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from ray.rllib.algorithms.dqn.dqn_learner import QF_LOSS_KEY, QF_MAX_KEY, QF_MEAN_KEY, QF_MIN_KEY, TD_ERROR_MEAN_KEY
from ray.rllib.algorithms.dqn.torch.dqn_torch_learner import DQNTorchLearner
from ray.rllib.algorithms.sac.sac_learner import LOGPS_KEY, QF_TWIN_LOSS_KEY
from ray.rllib.algorithms.sac.torch.sac_torch_learner import SACTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.learner import DEFAULT_OPTIMIZER, POLICY_LOSS_KEY, Learner
from ray.rllib.utils.metrics import LAST_TARGET_UPDATE_TS, NUM_ENV_STEPS_SAMPLED_LIFETIME, NUM_TARGET_UPDATES
from torch import Tensor, nn
from torch.nn.functional import huber_loss, mse_loss

from wealtharena.agents.networks import MASK_COLUMN
from wealtharena.agents.networks.actors import column
from wealtharena.training.lean import LeanLearner, Minibatch
from wealtharena.training.replay_gradients import (
    Gradients,
    LevelGradients,
    SoftGradients,
    SoftTerms,
    hand_written_dqn,
    hand_written_sac,
)

_N_STEP, _WEIGHTS = "n_step", "weights"

_Shown = tuple[Tensor, Tensor]
"""Rows (B, A, R) that networks read, and which assets are observed (B, A, 1)."""


class LeanReplayLearner(LeanLearner):
    """What SAC and DQN share: steps of all optimizers, target networks, figures of the last update."""

    last_update_ts_by_mid: dict[str, int]
    _optimizer_names: Sequence[str]
    get_optimizer: Callable[..., Any]
    _get_clip_function: Callable[[], Callable[..., Any]]

    def build(self) -> None:
        """Builds module, optimizers and target networks."""
        super().build()
        (self._module_id,) = self.module.keys()
        self._network = self.module[self._module_id].unwrapped()
        self._noise = torch.Generator(self.device).manual_seed(self.config.seed or 0)
        self._targets, self._followed = _aligned(self._network.get_target_network_pairs())
        self._target_updates = 0
        self._steps: dict[str, _AdamStep] = {}
        self._learnt: dict[str, Tensor] = {}
        self._rows = self._sampled = 0
        self._sums = {name: [torch.zeros_like(p) for p in self._parameters(name)] for name in self._optimizer_names}
        self._by_hand = self._written_out() if self.device.type == "cpu" else None

    def learn(self, batch: Minibatch, sampled: int) -> None:
        """One update by a batch of tensors; its figures wait for ``report``.

        Args:
            batch: as ``ReplayRing.draw`` gives it.
            sampled: environment steps so far.

        Raises:
            TrainingError: the loss is not finite; nothing was changed.
        """
        on_cpu = self.device.type == "cpu"
        self.learn_minibatch(
            self._module_id, batch if on_cpu else {name: values.to(self.device) for name, values in batch.items()}
        )
        self._follow(sampled)
        self._sampled = sampled
        self._rows += len(batch[_WEIGHTS])
        self._weights_seq_no += 1

    def report(self) -> Any:
        """Reduced metrics of the updates since the last report: figures of the last one, and counts.

        Learning rates are moved along their schedules, if there are any.
        """
        Learner.after_gradient_based_update(self, timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self._sampled})
        self._log_figures()
        self._log_steps(self._module_id, len(self._learnt["td_error"]), self._rows, self._rows)
        self._rows = 0
        return self.metrics.reduce()

    def learn_minibatch(self, module_id: str, minibatch: Minibatch) -> Tensor:
        """One step of every optimizer; returns the total loss before it.

        Raises:
            TrainingError: the loss is not finite; nothing was changed.
        """
        gradients = self.gradients(minibatch)
        self.require_finite(self._learnt["loss"], "loss")
        for name, of_optimizer in gradients.items():
            if name not in self._steps:
                self._steps[name] = _AdamStep(self.get_optimizer(self._module_id, name))
            self._steps[name].take(self._clipped(of_optimizer))
        return self._learnt["loss"]

    @abstractmethod
    def gradients(self, batch: Minibatch) -> dict[str, Sequence[Tensor]]:
        """Gradients for each optimizer by its name; what ``figures`` needs is kept in ``_learnt``."""

    @abstractmethod
    def _written_out(self) -> Any:
        """Gradients by hand into ``_sums``; None for networks that are left to autograd."""

    @abstractmethod
    def figures(self) -> dict[str, Tensor]:
        """RLlib's metrics of the last update."""

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Moves the target networks after an ``update``, and logs what was learnt."""
        Learner.after_gradient_based_update(self, timesteps=timesteps)
        self._follow(timesteps.get(NUM_ENV_STEPS_SAMPLED_LIFETIME, 0))
        self._log_figures()

    def exact_state(self) -> dict[str, Any]:
        """What influences the future and is not in RLlib's ``get_state``."""
        return {
            **super().exact_state(),
            "noise": self._noise.get_state(),
            "last_update_ts": dict(self.last_update_ts_by_mid),
        }

    def set_exact_state(self, state: dict[str, Any]) -> None:
        """Continues where ``exact_state`` was taken; call it after ``set_state``."""
        super().set_exact_state(state)
        self._noise.set_state(state["noise"])
        self.last_update_ts_by_mid.update(state["last_update_ts"])

    def _set_optimizer_state(self, state: dict[str, Any]) -> None:
        super()._set_optimizer_state(state)  # type: ignore[misc]  # of RLlib's learner
        self._steps = {}  # the optimizers' tensors are others now

    def _parameters(self, *optimizers: str) -> list[Tensor]:
        return [p for name in optimizers for p in self.get_optimizer(self._module_id, name).param_groups[0]["params"]]

    def _gradients_of_parameters(self) -> Gradients:
        """Where gradients by hand are added up; the temperature's is not among them."""
        return {
            parameter: gradient
            for name in self._optimizer_names
            if name != "alpha"
            for parameter, gradient in zip(self._parameters(name), self._sums[name], strict=True)
        }

    def _clipped(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """Gradients of one optimizer, clipped by RLlib's own function if the configuration says so."""
        if self.config.grad_clip is None:
            return gradients
        by_place = dict(enumerate(gradients))
        self._get_clip_function()(by_place, grad_clip=self.config.grad_clip, grad_clip_by=self.config.grad_clip_by)
        return list(by_place.values())

    def _bootstrapped(self, batch: Minibatch, following: Tensor) -> Tensor:
        """(B,) rewards and the discounted value of what follows, which is nothing after a ruin."""
        discount = self.config.gamma ** batch[_N_STEP]
        alive = 1.0 - batch[Columns.TERMINATEDS].float()
        target: Tensor = batch[Columns.REWARDS] + discount * (alive * following)
        return target

    def _follow(self, sampled: int) -> None:
        if sampled - self.last_update_ts_by_mid[self._module_id] >= self.config.target_network_update_freq:
            torch._foreach_lerp_(self._targets, self._followed, self.config.tau)
            self.last_update_ts_by_mid[self._module_id] = sampled
            self._target_updates += 1

    def _log_figures(self) -> None:
        mid = self._module_id
        self.metrics.log_dict(self.figures(), key=mid, window=1)
        self.metrics.log_value((mid, NUM_TARGET_UPDATES), self._target_updates, reduce="lifetime_sum")
        self.metrics.log_value((mid, LAST_TARGET_UPDATE_TS), self.last_update_ts_by_mid[mid], reduce="max")
        self._target_updates = 0


class LeanSACLearner(LeanReplayLearner, SACTorchLearner):
    """SAC for continuous actions with twin critics; losses as in RLlib's ``SACTorchLearner``."""

    curr_log_alpha: dict[str, Tensor]
    target_entropy: dict[str, Tensor]

    _optimizer_names = ("policy", "qf", "qf_twin", "alpha")

    def gradients(self, batch: Minibatch) -> dict[str, Sequence[Tensor]]:
        """Of actor, critics and temperature, all by the weights before the update."""
        log_alpha = self.curr_log_alpha[self._module_id].detach().clone()
        gradients: Mapping[str, Sequence[Tensor]] = self._sums
        if self._by_hand is None:
            terms, gradients = self._derive(batch, log_alpha.exp())
        else:
            shape = batch[Columns.ACTIONS].shape
            noise, next_noise = (torch.empty(shape).normal_(generator=self._noise) for _ in range(2))
            terms = self._by_hand.derive(batch, noise, next_noise, float(log_alpha.exp()), self.config.gamma)
        surplus = terms.logp.mean() + self.target_entropy[self._module_id]
        alpha_loss = -log_alpha * surplus
        self._learnt = {
            "loss": terms.actor_loss + terms.critic_losses.sum() + alpha_loss[0], "actor_loss": terms.actor_loss,
            "critic_losses": terms.critic_losses, "alpha_loss": alpha_loss, "log_alpha": log_alpha,
            "logp": terms.logp, "values": terms.values, "td_error": terms.td_error,
        }  # fmt: skip
        return {**gradients, "alpha": [-surplus.reshape(1)]}

    def figures(self) -> dict[str, Tensor]:
        """The metrics of RLlib's ``SACTorchLearner``."""
        learnt, values = self._learnt, self._learnt["values"]
        return {
            self.TOTAL_LOSS_KEY: learnt["loss"],
            POLICY_LOSS_KEY: learnt["actor_loss"],
            QF_LOSS_KEY: learnt["critic_losses"][0],
            QF_TWIN_LOSS_KEY: learnt["critic_losses"][1],
            "alpha_loss": learnt["alpha_loss"][0],
            "alpha_value": learnt["log_alpha"].exp()[0],
            "log_alpha_value": learnt["log_alpha"][0],
            "target_entropy": self.target_entropy[self._module_id],
            LOGPS_KEY: learnt["logp"].mean(),
            QF_MEAN_KEY: values.mean(),
            QF_MAX_KEY: values.max(),
            QF_MIN_KEY: values.min(),
            TD_ERROR_MEAN_KEY: learnt["td_error"].mean(),
        }

    def exact_state(self) -> dict[str, Any]:
        """What influences the future and is not in RLlib's ``get_state``."""
        return {**super().exact_state(), "log_alpha": self.curr_log_alpha[self._module_id].detach().cpu().clone()}

    def set_exact_state(self, state: dict[str, Any]) -> None:
        """Continues where ``exact_state`` was taken; call it after ``set_state``."""
        super().set_exact_state(state)
        with torch.no_grad():
            self.curr_log_alpha[self._module_id].copy_(state["log_alpha"])

    def _written_out(self) -> SoftGradients | None:
        return hand_written_sac(self._network, self._gradients_of_parameters())

    def _derive(self, batch: Minibatch, alpha: Tensor) -> tuple[SoftTerms, dict[str, Sequence[Tensor]]]:
        """The same by autograd."""
        network, shown = self._network, self._shown(batch[Columns.OBS])
        actions, logp = self._act(shown)
        with torch.no_grad():
            targets = self._bootstrapped(batch, self._next_values(batch[Columns.NEXT_OBS], alpha))

        critics = self._parameters("qf", "qf_twin")
        predictions = _both(network.qf, network.qf_twin, shown, batch[Columns.ACTIONS])
        errors = huber_loss(predictions, targets.expand_as(predictions), reduction="none")
        critic_losses = (batch[_WEIGHTS] * errors).mean(1)
        of_critics = torch.autograd.grad(critic_losses.sum(), critics)

        # The actor learns through the critics, which are not to learn from it.
        for parameter in critics:
            parameter.requires_grad_(False)
        values = _both(network.qf, network.qf_twin, shown, actions).amin(0)
        for parameter in critics:
            parameter.requires_grad_(True)
        actor_loss = (alpha * logp - values).mean()
        of_actor = torch.autograd.grad(actor_loss, self._parameters("policy"))

        predictions, half = predictions.detach(), len(critics) // 2
        terms = SoftTerms(
            actor_loss.detach(), critic_losses.detach(), logp.detach(), values.detach(),
            (predictions - targets).abs().mean(0),
        )  # fmt: skip
        return terms, {"policy": of_actor, "qf": of_critics[:half], "qf_twin": of_critics[half:]}

    def _shown(self, observations: Tensor) -> _Shown:
        # Actor and critics scale by the same statistics.
        return self._network.pi.inputs(observations), column(observations, MASK_COLUMN)

    def _act(self, shown: _Shown) -> tuple[Tensor, Tensor]:
        """Actions (B, A) drawn at what was observed, and their log-probabilities (B,)."""
        network = self._network
        distribution = network.get_train_action_dist_cls().from_logits(network.pi.from_rows(*shown))
        drawn: tuple[Tensor, Tensor] = distribution.rsample_and_logp(generator=self._noise)
        return drawn

    def _next_values(self, observations: Tensor, alpha: Tensor) -> Tensor:
        """(B,) soft values by the target critics."""
        network, shown = self._network, self._shown(observations)
        actions, logp = self._act(shown)
        return _both(network.target_qf, network.target_qf_twin, shown, actions).amin(0) - alpha * logp


class LeanDQNLearner(LeanReplayLearner, DQNTorchLearner):
    """DQN over expected values (no atoms, no dueling); losses as in RLlib's ``DQNTorchLearner``."""

    _optimizer_names = (DEFAULT_OPTIMIZER,)

    def gradients(self, batch: Minibatch) -> dict[str, Sequence[Tensor]]:
        """Of the Q-network's loss."""
        huber, double = self.config.td_error_loss_fn == "huber", self.config.double_q
        if self._by_hand is None:
            loss, values, errors, gradients = self._derive(batch, huber, double)
        else:
            loss, values, errors = self._by_hand.derive(batch, self.config.gamma, double, huber)
            gradients = self._sums[DEFAULT_OPTIMIZER]
        self._learnt = {"loss": loss, "values": values, "td_error": errors}
        return {DEFAULT_OPTIMIZER: gradients}

    def figures(self) -> dict[str, Tensor]:
        """The metrics of RLlib's ``DQNTorchLearner``."""
        loss, values = self._learnt["loss"], self._learnt["values"]
        return {
            self.TOTAL_LOSS_KEY: loss,
            QF_LOSS_KEY: loss,
            QF_MEAN_KEY: values.mean(),
            QF_MAX_KEY: values.max(),
            QF_MIN_KEY: values.min(),
            TD_ERROR_MEAN_KEY: self._learnt["td_error"].mean(),
        }

    def _written_out(self) -> LevelGradients | None:
        return hand_written_dqn(self._network, self._gradients_of_parameters())

    def _derive(self, batch: Minibatch, huber: bool, double_q: bool) -> tuple[Tensor, Tensor, Tensor, Sequence[Tensor]]:
        """The same by autograd: loss, values of what was done, absolute errors, gradients."""
        with torch.no_grad():
            targets = self._bootstrapped(batch, self._next_values(batch[Columns.NEXT_OBS], double_q))
        predictions = self._network.af(batch[Columns.OBS])[:, 0]
        chosen = predictions.gather(1, batch[Columns.ACTIONS].long().unsqueeze(1)).squeeze(1)
        error_of = huber_loss if huber else mse_loss
        loss = (batch[_WEIGHTS] * error_of(chosen, targets, reduction="none")).mean()
        gradients = torch.autograd.grad(loss, self._parameters(DEFAULT_OPTIMIZER))
        values = chosen.detach()
        return loss.detach(), values, (values - targets).abs(), gradients

    def _next_values(self, observations: Tensor, double_q: bool) -> Tensor:
        """(B,) target values of the best actions, which the network itself names with double Q (van Hasselt et al.
        2016, arXiv:1509.06461)."""
        network = self._network
        shown = network.af.inputs(observations), column(observations, MASK_COLUMN)
        values: Tensor = network._target_af.from_rows(*shown)[:, 0]
        if not double_q:
            return values.amax(1)
        best = network.af.from_rows(*shown)[:, 0].argmax(1, keepdim=True)
        return values.gather(1, best).squeeze(1)


class _AdamStep:
    """Steps of one Adam optimizer in one call, on the state that the optimizer itself keeps and saves."""

    def __init__(self, optimizer: torch.optim.Adam) -> None:
        (self._group,) = optimizer.param_groups
        self._parameters: list[Tensor] = self._group["params"]
        for parameter in self._parameters:
            if not optimizer.state[parameter]:
                optimizer.state[parameter] = {
                    "step": torch.zeros((), device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        states = [optimizer.state[parameter] for parameter in self._parameters]
        self._steps, self._means, self._squares = (
            [state[name] for state in states] for name in ("step", "exp_avg", "exp_avg_sq")
        )

    def take(self, gradients: Sequence[Tensor]) -> None:
        """One step."""
        group = self._group
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            torch._foreach_add_(self._steps, 1.0)
            torch._fused_adam_(
                self._parameters, list(gradients), self._means, self._squares, [], self._steps, lr=group["lr"],
                beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False,
                maximize=False,
            )  # fmt: skip


def _both(critic: nn.Module, twin: nn.Module, shown: _Shown, actions: Tensor) -> Tensor:
    """(2, B) what two critics say."""
    return torch.cat([each.from_rows(*shown, actions) for each in (critic, twin)], dim=1).T  # type: ignore[operator]


def _aligned(pairs: Iterable[tuple[nn.Module, nn.Module]]) -> tuple[list[Tensor], list[Tensor]]:
    """Tensors of target networks, and those of the networks that they follow."""
    targets, followed = [], []
    for network, target in pairs:
        own = network.state_dict()
        for name, tensor in target.state_dict().items():
            targets.append(tensor)
            followed.append(own[name])
    return targets, followed

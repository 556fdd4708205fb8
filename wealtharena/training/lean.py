"""Updates without RLlib's bookkeeping: its losses, optimizers, schedules and metrics, from one batch of tensors."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from ray.rllib.policy.sample_batch import MultiAgentBatch
from ray.rllib.utils.metrics import (
    ALL_MODULES,
    MODULE_TRAIN_BATCH_SIZE_MEAN,
    NUM_ENV_STEPS_TRAINED,
    NUM_ENV_STEPS_TRAINED_LIFETIME,
    NUM_MODULE_STEPS_TRAINED,
    NUM_MODULE_STEPS_TRAINED_LIFETIME,
    WEIGHTS_SEQ_NO,
)
from torch import Tensor

from wealtharena.core.errors import TrainingError

Minibatch = dict[str, Tensor]


class LeanLearner:
    """Mixed into RLlib's torch learners, before them, for algorithms with one module and a local learner.

    ``update`` takes a batch of tensors instead of episodes: no connectors, no copies by slice and concatenation, rows
    drawn by a generator of the learner's own, and one entry in the metrics per update instead of one per minibatch.
    What a minibatch does is ``minibatch_step``; by default RLlib's own loss of the learner that this is mixed into.
    """

    config: Any
    module: Any
    metrics: Any
    device: Any
    before_gradient_based_update: Any
    after_gradient_based_update: Any
    compute_losses: Any
    compute_gradients: Any
    postprocess_gradients: Any
    get_optimizers_for_module: Any
    TOTAL_LOSS_KEY: str
    _weights_seq_no: int
    _named_optimizers: dict[str, torch.optim.Optimizer]

    def build(self) -> None:
        """Builds module and optimizers."""
        super().build()  # type: ignore[misc]  # of RLlib's learner
        for optimizer in self._named_optimizers.values():
            if type(optimizer) is torch.optim.Adam:
                optimizer.param_groups[0].update(fused=True, foreach=False)
        self._shuffler = torch.Generator().manual_seed(self.config.seed or 0)

    def update(
        self,
        batch: MultiAgentBatch | None = None,
        *,
        training_data: Any = None,
        timesteps: dict[str, Any] | None = None,
        num_epochs: int = 1,
        minibatch_size: int | None = None,
        shuffle_batch_per_epoch: bool = False,
        _no_metrics_reduce: bool = False,
        **_: Any,
    ) -> Any:
        """``num_epochs`` passes over the batch, as RLlib's ``Learner.update``; returns its reduced metrics.

        Raises:
            TrainingError: there is no batch of tensors of exactly one module, or a loss or gradient is not finite; the
                weights are then those before the minibatch.
        """
        self.before_gradient_based_update(timesteps=timesteps or {})
        module_id, columns, env_steps = self._columns(batch if training_data is None else training_data.batch)
        self._weights_seq_no += 1
        size = minibatch_size or _rows(columns)
        logger, self.metrics = self.metrics, _LatestValues()
        steps = 0
        try:
            step = self.minibatch_step(module_id, columns)
            for rows in self._minibatches(_rows(columns), size, num_epochs, shuffle_batch_per_epoch):
                self.metrics.log_value((module_id, self.TOTAL_LOSS_KEY), step(rows))
                steps += size
        finally:
            latest, self.metrics = self.metrics, logger
        for key, value in latest.values.items():
            self.metrics.log_value(key, value, window=1)
        self._log_steps(module_id, size, steps, env_steps)
        self.after_gradient_based_update(timesteps=timesteps or {})
        return None if _no_metrics_reduce else self.metrics.reduce()

    def minibatch_step(self, module_id: str, columns: Minibatch) -> Callable[[Tensor | None], Tensor | float]:
        """What ``update`` calls with the rows of each minibatch, None for all: it takes a step and returns the loss."""

        def step(rows: Tensor | None) -> Tensor:
            minibatch = columns if rows is None else {name: values[rows] for name, values in columns.items()}
            return self.learn_minibatch(module_id, minibatch)

        return step

    def learn_minibatch(self, module_id: str, minibatch: Minibatch) -> Tensor:
        """One gradient step on ``minibatch``; returns the loss before it.

        Raises:
            TrainingError: the loss or a gradient is not finite; nothing was changed.
        """
        batch = {module_id: minibatch}
        losses = self.compute_losses(fwd_out=self.module.forward_train(batch), batch=batch)
        loss: Tensor = losses[module_id].detach()
        self.require_finite(loss, self.TOTAL_LOSS_KEY)
        self.apply_checked(module_id, self.compute_gradients(losses))
        return loss

    def apply_checked(self, module_id: str, gradients: dict[Any, Tensor]) -> None:
        """Clips finite gradients (keyed by parameter) as the configuration says and steps every optimizer.

        Raises:
            TrainingError: a gradient is not finite; nothing was changed.
        """
        if not torch.isfinite(torch.nn.utils.get_total_norm(list(gradients.values()))):
            self._name_what_is_not_finite(module_id, gradients)
        if self.config.grad_clip is not None or self.config.log_gradients:
            for parameter, gradient in self.postprocess_gradients(gradients).items():
                if gradient is not parameter.grad:
                    parameter.grad.copy_(gradient)
        for _, optimizer in self.get_optimizers_for_module(module_id):
            optimizer.step()

    def require_finite(self, value: Tensor | float, name: str) -> None:
        """Refuses a NaN or infinite scalar."""
        if not math.isfinite(value):
            raise TrainingError(f"{name} must be finite, got {float(value)}")

    def exact_state(self) -> dict[str, Any]:
        """What influences the future and is not in RLlib's ``get_state``."""
        return {"shuffler": self._shuffler.get_state(), WEIGHTS_SEQ_NO: self._weights_seq_no}

    def set_exact_state(self, state: dict[str, Any]) -> None:
        """Continues where ``exact_state`` was taken; call it after ``set_state``."""
        self._shuffler.set_state(state["shuffler"])
        self._weights_seq_no = state[WEIGHTS_SEQ_NO]

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes a state, older ones too: RLlib would keep the weights if it had made more updates itself."""
        self._weights_seq_no = 0
        super().set_state(state)  # type: ignore[misc]  # of RLlib's learner

    def _columns(self, batch: MultiAgentBatch | None) -> tuple[str, Minibatch, int]:
        if batch is None or len(batch.policy_batches) != 1:
            raise TrainingError(
                "update() of a lean learner needs a batch of one module, got "
                + ("none" if batch is None else f"{sorted(batch.policy_batches)}")
            )
        ((module_id, columns),) = batch.policy_batches.items()
        return module_id, {name: values.to(self.device) for name, values in columns.items()}, batch.env_steps()

    def _minibatches(self, count: int, size: int, epochs: int, shuffle: bool) -> Iterator[Tensor | None]:
        """Row indices of each minibatch, None for all rows; what the last one lacks comes from one more epoch."""
        if size == count:
            yield from [None] * epochs
            return
        waiting = torch.empty(0, dtype=torch.int64)
        for _ in range(-(-epochs * count // size)):
            while len(waiting) < size:
                epoch = torch.randperm(count, generator=self._shuffler) if shuffle else torch.arange(count)
                waiting = torch.cat([waiting, epoch])
            yield waiting[:size].to(self.device)
            waiting = waiting[size:]

    def _log_steps(self, module_id: str, size: int, steps: int, env_steps: int) -> None:
        log = self.metrics.log_value
        log((module_id, WEIGHTS_SEQ_NO), self._weights_seq_no, window=1)
        log((module_id, MODULE_TRAIN_BATCH_SIZE_MEAN), size, reduce="mean")
        log((module_id, NUM_MODULE_STEPS_TRAINED), steps, reduce="sum")
        log((module_id, NUM_MODULE_STEPS_TRAINED_LIFETIME), steps, reduce="lifetime_sum", with_throughput=True)
        log((ALL_MODULES, NUM_MODULE_STEPS_TRAINED), steps, reduce="sum", with_throughput=True)
        log((ALL_MODULES, NUM_MODULE_STEPS_TRAINED_LIFETIME), steps, reduce="lifetime_sum", with_throughput=True)
        log((ALL_MODULES, NUM_ENV_STEPS_TRAINED), env_steps, reduce="sum", with_throughput=True)
        log((ALL_MODULES, NUM_ENV_STEPS_TRAINED_LIFETIME), env_steps, reduce="lifetime_sum", with_throughput=True)

    def _name_what_is_not_finite(self, module_id: str, gradients: dict[Any, Tensor]) -> None:
        for name, parameter in self.module[module_id].named_parameters():
            if not bool(torch.isfinite(gradients.get(parameter, parameter)).all()):
                raise TrainingError(f"gradients must be finite, got NaN or infinity in that of {name}")
        raise TrainingError("gradients must be finite, got a norm beyond what float32 can hold")


class _LatestValues:
    """Stands for the learner's metrics while minibatches pass: keeps the last value of each key, as a window of 1."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}

    def log_value(self, key: Any, value: Any, **_: Any) -> None:
        self.values[key] = value

    def log_dict(self, value_dict: dict[str, Any], *, key: str | None = None, **_: Any) -> None:
        for name, value in value_dict.items():
            path = name if isinstance(name, tuple) else (name,)
            self.values[path if key is None else (key, *path)] = value


def _rows(columns: Minibatch) -> int:
    return len(next(iter(columns.values())))

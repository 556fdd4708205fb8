"""Gradients of SAC and DQN written out by hand, for networks on which autograd takes longer than the arithmetic.

A critic of ``feed_forward`` reads for each asset its row x, the score s and the product s x. Its first layer is
``x U + s (x V + w) + b``: U and V meet the rows once, whatever the scores, and what comes back to a score needs no
product of matrices. Accounts pass in blocks that stay in the processor's cache.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wealtharena.agents.networks import INPUT_LIMIT, MASK_COLUMN, GaussianScores, LevelValues, PooledActionValue
from wealtharena.agents.networks.actors import LOG_STD_RANGE
from wealtharena.agents.networks.feed_forward import FeedForward
from wealtharena.agents.networks.inputs import ScaledRows
from wealtharena.agents.networks.plain import Plain
from wealtharena.core.panel import BoolArray, Float32Array
from wealtharena.execution.accounts import IntArray
from wealtharena.training.compiled import compiled
from wealtharena.training.gradients import linear_layers
from wealtharena.training.loops import (
    add_bias_relu,
    add_bias_tanh,
    derive_mix,
    derive_relu,
    derive_tanh,
    mix_context,
    pool_rows,
    scale_rows,
)
from wealtharena.training.losses import tanh32

Batch = dict[str, Tensor]
Gradients = dict[Tensor, Tensor]
"""Where the gradients of parameters are added up; what is not in it does not learn."""

_BLOCK = 4_096
_ZERO, _HALF, _ONE, _TWO = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0)
_LOG_2, _HALF_LOG_2PI = np.float32(np.log(2.0)), np.float32(0.5 * np.log(2.0 * np.pi))
_LEAST, _MOST = np.float32(LOG_STD_RANGE[0]), np.float32(LOG_STD_RANGE[1])


@dataclass(frozen=True, slots=True)
class SoftTerms:
    """What an update of SAC consists of, for each of B transitions: ``actor_loss`` and ``critic_losses`` (2,) over all
    of them, log-probabilities and values of new actions, absolute errors (mean of both critics)."""

    actor_loss: Tensor
    critic_losses: Tensor
    logp: Tensor
    values: Tensor
    td_error: Tensor


def hand_written_sac(module: Any, gradients: Gradients) -> "SoftGradients | None":
    """Gradients of a ``SoftActorCriticModule``; None if its networks are left to autograd."""
    kinds: dict[type, tuple[Any, Any]] = {FeedForward: (SharedActor, SharedCritic), Plain: (PlainActor, PlainCritic)}
    if type(module.pi.encoder) not in kinds:
        return None
    actor, critic = kinds[type(module.pi.encoder)]
    online, targets = (module.qf, module.qf_twin), (module.target_qf, module.target_qf_twin)
    return SoftGradients(
        actor(module.pi, gradients), [critic(each, gradients) for each in online],
        [critic(each, {}) for each in targets], module.pi.inputs, module.pi.low, gradients,
    )  # fmt: skip


def hand_written_dqn(module: Any, gradients: Gradients) -> "LevelGradients | None":
    """Gradients of a ``LevelModule``; None if its network is left to autograd."""
    return LevelGradients(module, gradients) if type(module.af.encoder) is FeedForward else None


class SoftGradients:
    """SAC: actor, twin critics and their targets."""

    def __init__(
        self, actor: "Actor", critics: list["Critic"], targets: list["Critic"], scaling: ScaledRows,
        low: float, gradients: Gradients,
    ) -> None:  # fmt: skip
        self._actor, self._critics, self._targets = actor, critics, targets
        self._scaling, self._low, self._sums = scaling, np.float32(low), list(gradients.values())

    def derive(self, batch: Batch, noise: Tensor, next_noise: Tensor, alpha: float, gamma: float) -> SoftTerms:
        """Sets all gradients to those of critics and actor.

        Args:
            batch: as ``ReplayRing.draw`` gives it.
            noise, next_noise: (B, A) standard normal, of the actions drawn at both ends.
            alpha: temperature.
            gamma: discount per session.
        """
        torch._foreach_zero_(self._sums)
        count, num_assets = noise.shape
        losses = np.zeros(3)
        logp, values, errors = np.empty(count, np.float32), np.empty(count, np.float32), np.zeros(count, np.float32)
        size = max(1, _BLOCK // num_assets)
        for start in range(0, count, size):
            part = slice(start, start + size)
            block = {name: column[part] for name, column in batch.items()}
            losses += self._derive_block(
                block, noise[part], next_noise[part], np.float32(alpha), np.float32(gamma), np.float32(1.0 / count),
                logp[part], values[part], errors[part],
            )  # fmt: skip
        total = torch.from_numpy(losses.astype(np.float32))
        return SoftTerms(total[2], total[:2], *(torch.from_numpy(each) for each in (logp, values, errors)))

    def _derive_block(
        self, block: Batch, noise: Tensor, next_noise: Tensor, alpha: np.float32, gamma: np.float32,
        share: np.float32, logp: Float32Array, values: Float32Array, errors: Float32Array,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        count = len(noise)
        targets = self._next_values(block, next_noise, alpha, gamma)
        rows = _rows(self._scaling, block["obs"])
        actions, weights = block["actions"].flatten(), block["weights"].numpy()
        losses, by_values = [], torch.empty(count)
        for critic in self._critics:
            critic.read(rows, count)
            predicted = critic.values(actions).numpy()
            losses.append(_huber(predicted, targets, weights, share, by_values.numpy(), errors))
            critic.learn(by_values)

        outputs, noise_array = self._actor.outputs(rows, count).numpy(), noise.numpy().reshape(-1)
        scores, squeezed = torch.empty(len(rows)), np.empty(len(rows), np.float32)
        _draw(outputs, rows.numpy(), noise_array, self._low, scores.numpy(), squeezed, logp)
        both = [critic.values(scores) for critic in self._critics]
        slopes = [torch.empty(count) for _ in both]
        actor_loss = _worse(both[0].numpy(), both[1].numpy(), logp, alpha, share, values, *(s.numpy() for s in slopes))
        by_scores = self._critics[0].by_scores(slopes[0]) + self._critics[1].by_scores(slopes[1])
        by_outputs = torch.empty(outputs.shape)
        _derive_draw(
            outputs, rows.numpy(), noise_array, squeezed, self._low, alpha * share, by_scores.numpy(),
            by_outputs.numpy(),
        )  # fmt: skip
        self._actor.learn(by_outputs)
        return losses[0], losses[1], actor_loss

    def _next_values(self, block: Batch, noise: Tensor, alpha: np.float32, gamma: np.float32) -> Float32Array:
        """(B,) rewards and the discounted soft value of what follows."""
        count, rows = len(noise), _rows(self._scaling, block["new_obs"])
        outputs, scores, logp = self._actor.outputs(rows, count), torch.empty(len(rows)), np.empty(count, np.float32)
        _draw(
            outputs.numpy(), rows.numpy(), noise.numpy().reshape(-1), self._low, scores.numpy(),
            np.empty(len(rows), np.float32), logp,
        )  # fmt: skip
        both = []
        for target in self._targets:
            target.read(rows, count)
            both.append(target.values(scores).numpy())
        targets = np.empty(count, np.float32)
        _soft_targets(
            block["rewards"].numpy(), block["n_step"].numpy(), block["terminateds"].numpy(), *both, logp, alpha, gamma,
            targets,
        )  # fmt: skip
        return targets


class LevelGradients:
    """DQN: the Q-network of ``feed_forward`` for accounts of one asset."""

    def __init__(self, module: Any, gradients: Gradients) -> None:
        self._scaling, self._sums = module.af.inputs, list(gradients.values())
        self._network, self._target = _LevelNetwork(module.af, gradients), _LevelNetwork(module._target_af, {})

    def derive(self, batch: Batch, gamma: float, double_q: bool, huber: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Sets all gradients to those of the loss; returns it, the values (B,) of what was done, absolute errors (B,).

        Args:
            batch: as ``ReplayRing.draw`` gives it.
            gamma: discount per session.
            double_q: let the network itself choose what the target network is to value.
            huber: Huber's loss; else the squared error.
        """
        torch._foreach_zero_(self._sums)
        following = _rows(self._scaling, batch["new_obs"])
        next_values = self._target.values(following).numpy()
        chooser = self._network.values(following).numpy().copy() if double_q else next_values
        rows = _rows(self._scaling, batch["obs"])
        shown = self._network.values(rows)
        by_values = torch.empty(shown.shape)
        values, errors = (np.empty(len(shown), np.float32) for _ in range(2))
        loss = _level_loss(
            shown.numpy(), rows.numpy(), batch["actions"].numpy(), next_values, chooser, following.numpy(),
            batch["rewards"].numpy(), batch["n_step"].numpy(), batch["terminateds"].numpy(), batch["weights"].numpy(),
            np.float32(gamma), huber, by_values.numpy(), values, errors,
        )  # fmt: skip
        self._network.learn(by_values)
        return torch.tensor(loss), torch.from_numpy(values), torch.from_numpy(errors)


class Linear:
    """A layer's weights, which the optimizer changes in place, and where their gradients are added up."""

    def __init__(self, layer: nn.Linear, gradients: Gradients) -> None:
        self.weight, self.bias = layer.weight.detach(), layer.bias.detach()
        self.transposed, self.bias_array = self.weight.t(), self.bias.numpy()
        self.by_weight = gradients.get(layer.weight)
        by_bias = gradients.get(layer.bias)
        self.by_bias = torch.zeros_like(self.bias) if by_bias is None else by_bias
        self.unwanted = np.zeros_like(self.bias_array)

    def by_bias_array(self, learns: bool) -> Float32Array:
        """Where to add derivatives by the bias."""
        array: Float32Array = self.by_bias.numpy() if learns else self.unwanted
        return array


class Layers:
    """Layers with one activation; remembers what it saw last."""

    def __init__(self, layers: list[nn.Linear], tanh: bool, gradients: Gradients) -> None:
        self.layers = [Linear(layer, gradients) for layer in layers]
        self._activate, self._derive = (add_bias_tanh, derive_tanh) if tanh else (add_bias_relu, derive_relu)
        self._space = Workspace()
        self._seen: list[Tensor] = []

    def outputs(self, inputs: Tensor) -> Tensor:
        """(R, H) of the last layer; ``inputs`` themselves if there is none."""
        self._seen = [inputs]
        for k, layer in enumerate(self.layers):
            hidden = self._space.of(f"hidden{k}", len(inputs), len(layer.bias))
            torch.mm(self._seen[-1], layer.transposed, out=hidden)
            self._activate(hidden.numpy(), layer.bias_array)
            self._seen.append(hidden)
        return self._seen[-1]

    def back(self, slopes: Tensor, learns: bool, to_inputs: bool = True) -> Tensor:
        """Derivatives by the inputs from those by the outputs, which are overwritten; those by the first layer's sums
        if not ``to_inputs``."""
        for k in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[k]
            self._derive(slopes.numpy(), self._seen[k + 1].numpy(), layer.by_bias_array(learns))
            if learns and layer.by_weight is not None:
                layer.by_weight.addmm_(slopes.t(), self._seen[k])
            if k or to_inputs:
                below = self._space.of(f"slopes{k}", len(slopes), layer.weight.shape[1])
                slopes = torch.mm(slopes, layer.weight, out=below)
        return slopes


class Actor(ABC):
    """Location and log standard deviation of each score."""

    @abstractmethod
    def outputs(self, rows: Tensor, count: int) -> Tensor:
        """(B*A, 2) from rows (B*A, D) of B accounts."""

    @abstractmethod
    def learn(self, by_outputs: Tensor) -> None:
        """Adds to the gradients, from derivatives by what ``outputs`` gave last."""


class Critic(ABC):
    """Value of an account and its scores; rows are read once for several sets of scores."""

    @abstractmethod
    def read(self, rows: Tensor, count: int) -> None:
        """Takes rows (B*A, D) of B accounts."""

    @abstractmethod
    def values(self, scores: Tensor) -> Tensor:
        """(B,) for scores (B*A,)."""

    @abstractmethod
    def learn(self, by_values: Tensor) -> None:
        """Adds to the gradients, from derivatives (B,) by what ``values`` gave last."""

    @abstractmethod
    def by_scores(self, by_values: Tensor) -> Tensor:
        """Derivatives (B*A,) by the scores, from those by what ``values`` gave last."""


class SharedActor(Actor):
    """The actor of ``feed_forward``."""

    def __init__(self, actor: GaussianScores, gradients: Gradients) -> None:
        head: Any = actor.head
        self._layers = Layers(linear_layers(actor.encoder), tanh=False, gradients=gradients)
        self._own, self._context, self._out = (Linear(each, gradients) for each in (head.own, head.context, head.out))
        self._space = Workspace()

    def outputs(self, rows: Tensor, count: int) -> Tensor:
        """See ``Actor``."""
        self._rows, self._num_assets, width = rows, len(rows) // count, len(self._own.bias)
        self._encoded = self._layers.outputs(rows)
        self._pooled = self._space.of("pooled", count, width)
        pool_rows(self._encoded.numpy(), rows.numpy(), self._num_assets, self._pooled.numpy())
        self._mixed = self._space.of("mixed", len(rows), width)
        torch.mm(self._encoded, self._own.transposed, out=self._mixed)
        context = torch.addmm(self._context.bias, self._pooled, self._context.transposed)
        mix_context(self._mixed.numpy(), context.numpy(), self._own.bias_array)
        return torch.addmm(self._out.bias, self._mixed, self._out.transposed)

    def learn(self, by_outputs: Tensor) -> None:
        """See ``Actor``."""
        out, own, context = self._out, self._own, self._context
        assert out.by_weight is not None and own.by_weight is not None and context.by_weight is not None  # noqa: S101
        out.by_weight.addmm_(by_outputs.t(), self._mixed)
        out.by_bias.add_(by_outputs.sum(0))
        by_mixed = torch.mm(by_outputs, out.weight, out=self._space.of("by_mixed", *self._mixed.shape))
        by_context = self._space.of("by_context", *self._pooled.shape)
        derive_mix(by_mixed.numpy(), self._mixed.numpy(), by_context.numpy())
        by_bias = by_context.sum(0)
        own.by_bias.add_(by_bias)
        context.by_bias.add_(by_bias)
        own.by_weight.addmm_(by_mixed.t(), self._encoded)
        context.by_weight.addmm_(by_context.t(), self._pooled)
        by_encoded = torch.mm(by_mixed, own.weight, out=self._space.of("by_encoded", *self._encoded.shape))
        by_pooled = torch.mm(by_context, context.weight)
        _share(by_pooled.numpy(), self._rows.numpy(), self._num_assets, by_encoded.numpy())
        self._layers.back(by_encoded, learns=True, to_inputs=False)


class SharedCritic(Critic):
    """A critic of ``feed_forward``."""

    def __init__(self, critic: PooledActionValue, gradients: Gradients) -> None:
        first, *deeper = linear_layers(critic.encoder)
        self._first, self._out = Linear(first, gradients), Linear(critic.out, gradients)
        width = (first.in_features - 1) // 2
        self._by_row, self._by_score, self._by_product = _thirds(self._first.weight, width)
        self._sums = None if self._first.by_weight is None else _thirds(self._first.by_weight, width)
        self._deeper = Layers(deeper, tanh=False, gradients=gradients)
        self._account = Layers(linear_layers(critic.hidden), tanh=True, gradients=gradients)
        self._space = Workspace()

    def read(self, rows: Tensor, count: int) -> None:
        """See ``Critic``."""
        self._rows, self._num_assets = rows, len(rows) // count
        shape = len(rows), len(self._first.bias)
        self._base = torch.mm(rows, self._by_row.t(), out=self._space.of("base", *shape))
        self._product = torch.mm(rows, self._by_product.t(), out=self._space.of("product", *shape))
        self._product += self._by_score

    def values(self, scores: Tensor) -> Tensor:
        """See ``Critic``."""
        self._scores, self._hidden = scores, self._space.of("hidden", *self._base.shape)
        _combine(
            self._base.numpy(), self._product.numpy(), scores.numpy(), self._first.bias_array, self._hidden.numpy()
        )
        encoded = self._deeper.outputs(self._hidden)
        pooled = self._space.of("pooled", len(scores) // self._num_assets, encoded.shape[1])
        pool_rows(encoded.numpy(), self._rows.numpy(), self._num_assets, pooled.numpy())
        self._last = self._account.outputs(pooled)
        return torch.addmv(self._out.bias, self._last, self._out.weight[0])

    def learn(self, by_values: Tensor) -> None:
        """See ``Critic``."""
        out = self._out
        assert self._sums is not None and out.by_weight is not None  # noqa: S101 - targets do not learn
        out.by_weight[0].addmv_(self._last.t(), by_values)
        out.by_bias.add_(by_values.sum())
        slopes = self._back(by_values, learns=True)
        by_row, by_score, by_product = self._sums
        by_row.addmm_(slopes.t(), self._rows)
        slopes *= self._scores.unsqueeze(1)
        by_score.add_(slopes.sum(0))
        by_product.addmm_(slopes.t(), self._rows)

    def by_scores(self, by_values: Tensor) -> Tensor:
        """See ``Critic``."""
        slopes = self._back(by_values, learns=False)
        derivatives = torch.empty(len(slopes))
        _row_products(slopes.numpy(), self._product.numpy(), derivatives.numpy())
        return derivatives

    def _back(self, by_values: Tensor, learns: bool) -> Tensor:
        """Derivatives (B*A, H) by the sums of the first layer."""
        by_last = torch.outer(by_values, self._out.weight[0])
        by_pooled = self._account.back(by_last, learns)
        slopes = self._space.of("slopes", len(self._rows), by_pooled.shape[1]).zero_()
        _share(by_pooled.numpy(), self._rows.numpy(), self._num_assets, slopes.numpy())
        slopes = self._deeper.back(slopes, learns)
        derive_relu(slopes.numpy(), self._hidden.numpy(), self._first.by_bias_array(learns))
        return slopes


class PlainActor(Actor):
    """The actor of ``plain``."""

    def __init__(self, actor: GaussianScores, gradients: Gradients) -> None:
        head: Any = actor.head
        self._layers = Layers(linear_layers(actor.encoder), tanh=True, gradients=gradients)
        self._out = Linear(head.out, gradients)

    def outputs(self, rows: Tensor, count: int) -> Tensor:
        """See ``Actor``."""
        self._encoded = self._layers.outputs(rows.view(count, -1))
        return torch.addmm(self._out.bias, self._encoded, self._out.transposed).view(len(rows), -1)

    def learn(self, by_outputs: Tensor) -> None:
        """See ``Actor``."""
        assert self._out.by_weight is not None  # noqa: S101 - actors learn
        slopes = by_outputs.view(len(self._encoded), -1)
        self._out.by_weight.addmm_(slopes.t(), self._encoded)
        self._out.by_bias.add_(slopes.sum(0))
        self._layers.back(torch.mm(slopes, self._out.weight), learns=True, to_inputs=False)


class PlainCritic(Critic):
    """A critic of ``plain``: rows and scores of all assets side by side."""

    def __init__(self, critic: PooledActionValue, gradients: Gradients) -> None:
        first, *deeper = linear_layers(critic.encoder)
        self._first, self._out = Linear(first, gradients), Linear(critic.out, gradients)
        self._deeper = Layers(deeper, tanh=True, gradients=gradients)
        self._space = Workspace()

    def read(self, rows: Tensor, count: int) -> None:
        """See ``Critic``."""
        num_assets, width = len(rows) // count, rows.shape[1]
        weights = self._first.weight.view(-1, num_assets, width + 1)
        self._shape, self._by_score = (num_assets, width), weights[..., width].contiguous()
        self._rows, self._mask = rows.view(count, -1), rows[:, MASK_COLUMN].view(count, -1)
        by_row = weights[..., :width].reshape(len(weights), -1)
        self._base = torch.mm(self._rows, by_row.t(), out=self._space.of("base", count, len(weights)))

    def values(self, scores: Tensor) -> Tensor:
        """See ``Critic``."""
        self._scores = scores.view_as(self._mask) * self._mask
        self._hidden = self._space.of("hidden", *self._base.shape)
        torch.addmm(self._base, self._scores, self._by_score.t(), out=self._hidden)
        add_bias_tanh(self._hidden.numpy(), self._first.bias_array)
        self._last = self._deeper.outputs(self._hidden)
        return torch.addmv(self._out.bias, self._last, self._out.weight[0])

    def learn(self, by_values: Tensor) -> None:
        """See ``Critic``."""
        out, by_first = self._out, self._first.by_weight
        assert out.by_weight is not None and by_first is not None  # noqa: S101 - targets do not learn
        out.by_weight[0].addmv_(self._last.t(), by_values)
        out.by_bias.add_(by_values.sum())
        slopes = self._back(by_values, learns=True)
        num_assets, width = self._shape
        sums = by_first.view(-1, num_assets, width + 1)
        sums[..., :width] += torch.mm(slopes.t(), self._rows).view(-1, num_assets, width)
        sums[..., width] += torch.mm(slopes.t(), self._scores)

    def by_scores(self, by_values: Tensor) -> Tensor:
        """See ``Critic``."""
        return (torch.mm(self._back(by_values, learns=False), self._by_score) * self._mask).flatten()

    def _back(self, by_values: Tensor, learns: bool) -> Tensor:
        """Derivatives (B, H) by the sums of the first layer."""
        slopes = self._deeper.back(torch.outer(by_values, self._out.weight[0]), learns)
        derive_tanh(slopes.numpy(), self._hidden.numpy(), self._first.by_bias_array(learns))
        return slopes


class _LevelNetwork:
    """Values of levels for one asset, before the mask."""

    def __init__(self, network: LevelValues, gradients: Gradients) -> None:
        self._layers = Layers(linear_layers(network.encoder), tanh=False, gradients=gradients)
        self._out = Linear(network.out, gradients)
        self._width = self._layers.layers[0].weight.shape[1]

    def values(self, rows: Tensor) -> Tensor:
        """(B, L) of rows (B, D)."""
        self._encoded = self._layers.outputs(rows[:, : self._width])
        return torch.addmm(self._out.bias, self._encoded, self._out.transposed)

    def learn(self, by_values: Tensor) -> None:
        """Adds to the gradients, from derivatives (B, L) by what ``values`` gave last."""
        assert self._out.by_weight is not None  # noqa: S101 - targets do not learn
        self._out.by_weight.addmm_(by_values.t(), self._encoded)
        self._out.by_bias.add_(by_values.sum(0))
        self._layers.back(torch.mm(by_values, self._out.weight), learns=True, to_inputs=False)


class Workspace:
    """Memory that is made once for every name and size."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int, int], Tensor] = {}

    def of(self, name: str, rows: int, columns: int) -> Tensor:
        """(rows, columns), with whatever was left there."""
        key = name, rows, columns
        if key not in self._held:
            self._held[key] = torch.empty(rows, columns)
        return self._held[key]


def _rows(scaling: ScaledRows, observations: Tensor) -> Tensor:
    """(B*A, D) scaled rows of observations (B, A, D), 0 where the mask is."""
    rows = torch.empty_like(observations)
    scale_rows(
        observations.numpy(), scaling.mean.numpy(), scaling.factor.numpy(), scaling.window, np.float32(INPUT_LIMIT),
        rows.numpy(),
    )  # fmt: skip
    return rows.flatten(0, 1)


def _thirds(weights: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Columns that meet the row, the score, and the product of both."""
    return weights[:, :width], weights[:, width], weights[:, width + 1 :]


@compiled
def _combine(
    base: Float32Array, product: Float32Array, scores: Float32Array, bias: Float32Array, hidden: Float32Array
) -> None:
    for i in range(len(hidden)):
        own, other, out, score = base[i], product[i], hidden[i], scores[i]
        for k in range(len(bias)):
            value = own[k] + score * other[k] + bias[k]
            out[k] = _ZERO if value <= _ZERO else value  # NaN stays


@compiled
def _share(by_pooled: Float32Array, rows: Float32Array, num_assets: int, slopes: Float32Array) -> None:
    """Adds to derivatives by encodings (B*A, H) those (B, H) by their means over observed assets."""
    place = rows.shape[1] + MASK_COLUMN
    for i in range(len(by_pooled)):
        observed, part = _ZERO, by_pooled[i]
        for k in range(i * num_assets, (i + 1) * num_assets):
            observed += rows[k, place]
        share = _ONE / max(observed, _ONE)
        for k in range(i * num_assets, (i + 1) * num_assets):
            slope, weight = slopes[k], share * rows[k, place]
            for j in range(len(part)):
                slope[j] += weight * part[j]


@compiled
def _row_products(left: Float32Array, right: Float32Array, sums: Float32Array) -> None:
    for i in range(len(sums)):
        a, b, total = left[i], right[i], _ZERO
        for k in range(len(a)):
            total += a[k] * b[k]
        sums[i] = total


@compiled
def _huber(
    predicted: Float32Array, targets: Float32Array, weights: Float32Array, share: np.float32, slopes: Float32Array,
    errors: Float32Array,
) -> np.floating[Any]:  # fmt: skip
    """Sum of Huber's losses times ``share``; adds half of each absolute error to ``errors``."""
    loss = 0.0
    for i in range(len(predicted)):
        error = predicted[i] - targets[i]
        size = abs(error)
        loss += weights[i] * (_HALF * error * error if size <= _ONE else size - _HALF)
        slopes[i] = share * weights[i] * (error if size <= _ONE else np.sign(error))
        errors[i] += _HALF * size
    return loss * share


@compiled
def _soft_targets(
    rewards: Float32Array, n_step: Float32Array, terminated: BoolArray, values: Float32Array, twin: Float32Array,
    logp: Float32Array, alpha: np.float32, gamma: np.float32, targets: Float32Array,
) -> None:  # fmt: skip
    for i in range(len(targets)):
        alive = _ZERO if terminated[i] else _ONE
        following = min(values[i], twin[i]) - alpha * logp[i]
        targets[i] = rewards[i] + gamma ** n_step[i] * (alive * following)


@compiled
def _worse(
    values: Float32Array, twin: Float32Array, logp: Float32Array, alpha: np.float32, share: np.float32,
    worse: Float32Array, slopes: Float32Array, twin_slopes: Float32Array,
) -> np.floating[Any]:  # fmt: skip
    """The actor's loss by the lower of two values, and its derivatives by both."""
    loss = 0.0
    for i in range(len(values)):
        first = values[i] <= twin[i]
        worse[i] = values[i] if first else twin[i]
        slopes[i], twin_slopes[i] = (-share, _ZERO) if first else (_ZERO, -share)
        loss += alpha * logp[i] - worse[i]
    return loss * share


@compiled
def _draw(
    outputs: Float32Array, rows: Float32Array, noise: Float32Array, low: np.float32, scores: Float32Array,
    squeezed: Float32Array, logps: Float32Array,
) -> None:  # fmt: skip
    """Scores (B*A,) in [low, 1] and their log-probabilities (B,): see ``SquashedGaussian``."""
    num_assets, place = len(scores) // len(logps), rows.shape[1] + MASK_COLUMN
    for i in range(len(logps)):
        total = _ZERO
        for k in range(i * num_assets, (i + 1) * num_assets):
            log_std = min(max(outputs[k, 1], _LEAST), _MOST)
            raw = outputs[k, 0] + noise[k] * np.exp(log_std)
            squeezed[k] = tanh32(raw)
            scores[k] = (low + (_ONE - low) * (squeezed[k] + _ONE) * _HALF) * rows[k, place]
            density = -_HALF * noise[k] * noise[k] - log_std - _HALF_LOG_2PI
            jacobian = _TWO * (_LOG_2 - abs(raw) - np.log1p(np.exp(-_TWO * abs(raw))))
            total += (density - jacobian) * rows[k, place]
        logps[i] = total


@compiled
def _derive_draw(
    outputs: Float32Array, rows: Float32Array, noise: Float32Array, squeezed: Float32Array, low: np.float32,
    by_logp: np.float32, by_scores: Float32Array, by_outputs: Float32Array,
) -> None:  # fmt: skip
    place = rows.shape[1] + MASK_COLUMN
    for k in range(len(noise)):
        mask, value = rows[k, place], squeezed[k]
        by_raw = by_logp * _TWO * value + by_scores[k] * _HALF * (_ONE - low) * (_ONE - value * value)
        inside = _LEAST <= outputs[k, 1] <= _MOST
        by_log_std = by_raw * noise[k] * np.exp(outputs[k, 1]) - by_logp
        by_outputs[k, 0] = mask * by_raw
        by_outputs[k, 1] = mask * by_log_std if inside else _ZERO


@compiled
def _level_loss(
    shown: Float32Array, rows: Float32Array, actions: IntArray, next_values: Float32Array, chooser: Float32Array,
    following: Float32Array, rewards: Float32Array, n_step: Float32Array, terminated: BoolArray,
    weights: Float32Array, gamma: np.float32, huber: bool, by_values: Float32Array, values: Float32Array,
    errors: Float32Array,
) -> np.float32:  # fmt: skip
    loss, share, place = 0.0, np.float32(1.0 / len(shown)), rows.shape[1] + MASK_COLUMN
    by_values[:] = _ZERO
    for i in range(len(shown)):
        best = np.argmax(chooser[i])
        alive = _ZERO if terminated[i] else _ONE
        target = rewards[i] + gamma ** n_step[i] * (alive * next_values[i, best] * following[i, place])
        values[i] = shown[i, actions[i]] * rows[i, place]
        error = values[i] - target
        size = abs(error)
        errors[i] = size
        linear = huber and size > _ONE
        cost = size - _HALF if linear else error * error * (_HALF if huber else _ONE)
        slope = np.sign(error) if linear else error * (_ONE if huber else _TWO)
        loss += weights[i] * cost
        by_values[i, actions[i]] = share * weights[i] * slope * rows[i, place]
    return np.float32(loss * share)

"""Gradients of PPO and A2C written out by hand, for networks on which autograd takes longer than the arithmetic.

Actor and critic read the same rows: their first layers are one product of matrices, and wherever both have a layer the
two lie side by side, the actor's columns first. Rows pass in blocks that stay in the processor's cache.
"""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wealtharena.agents.networks import INPUT_LIMIT, GaussianScores, LevelScores, PooledValue
from wealtharena.agents.networks.feed_forward import FeedForward
from wealtharena.agents.networks.inputs import ScaledRows
from wealtharena.agents.networks.plain import Plain
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.training.flat import FlatParameters, Slot
from wealtharena.training.loops import (
    add_bias_relu,
    add_bias_tanh,
    derive_mix,
    derive_relu,
    derive_tanh,
    mix_context,
    pool_rows,
    scale_rows,
    spread_twins,
)
from wealtharena.training.losses import FIGURES, GaussianLoss, LevelsLoss, LossTerms, PolicyLoss, Sampled

Actor = GaussianScores | LevelScores

_BLOCK = 512


def hand_written(module: Any) -> "HandWritten | None":
    """Gradients of an actor-critic module; None if its networks are left to autograd."""
    actor, critic = module.pi, module.vf
    kinds = {Plain: PlainGradients, FeedForward: SharedGradients}
    kind = kinds.get(type(actor.encoder))
    return None if kind is None else kind(actor, critic)


class HandWritten(ABC):
    """Loss and gradients of one actor and critic over minibatches."""

    flat: FlatParameters
    _scaling: ScaledRows
    _layers: "TwinPerceptron"
    _value: Slot
    _value_bias: Slot
    _loss: PolicyLoss
    _workspaces: dict[tuple[int, int], "_Workspace"]

    def inputs(self, observations: Tensor) -> Tensor:
        """(R, A, D) scaled rows of observations, 0 where the mask is: made once per batch, not once per minibatch."""
        rows, scaling = torch.empty_like(observations), self._scaling
        factors = scaling.mean.numpy(), scaling.factor.numpy()
        scale_rows(observations.numpy(), *factors, scaling.window, np.float32(INPUT_LIMIT), rows.numpy())
        return rows

    def learn(self, inputs: Tensor, sampled: Sampled, rows: Tensor, terms: LossTerms) -> FloatArray:
        """Sets all gradients to those of the loss over ``rows`` of a batch; returns its ``FIGURES``."""
        self.flat.gradients.zero_()
        figures: FloatArray = np.zeros(len(FIGURES))
        for block in torch.split(rows, self._block(inputs)):
            figures += self._learn_block(inputs, sampled, block, terms, 1.0 / len(rows))
        return figures

    @abstractmethod
    def values(self, inputs: Tensor) -> Tensor:
        """(R,) values."""

    @abstractmethod
    def _learn_block(
        self, inputs: Tensor, sampled: Sampled, rows: Tensor, terms: LossTerms, share: float
    ) -> FloatArray:
        """Adds to the gradients; returns what a few rows add to ``FIGURES`` if each of all rows counts ``share``."""

    @abstractmethod
    def _block(self, inputs: Tensor) -> int:
        """How many rows pass at once."""

    def _lay_out(self, actor: Actor, critic: PooledValue, head: list[Tensor]) -> None:
        """Parameters side by side, ``head`` being those of the actor that the critic has no like of."""
        twins, value = TwinPerceptron.parameters(actor.encoder, critic.encoder), critic.out
        deviations = [actor.log_std] if isinstance(actor, GaussianScores) else []
        self.flat = FlatParameters([*twins, *head, value.weight, value.bias, *deviations])
        self._scaling = actor.inputs
        self._layers = TwinPerceptron(self.flat, actor.encoder, critic.encoder)
        self._value, self._value_bias = self.flat.slot(value.weight), self.flat.slot(value.bias)
        self._loss = GaussianLoss(actor, self.flat) if isinstance(actor, GaussianScores) else LevelsLoss(actor)
        self._workspaces = {}

    def _derive(
        self, outputs: Tensor, encoded: Tensor, sampled: Sampled, rows: Tensor, terms: LossTerms, share: float
    ) -> tuple[Tensor, Tensor, FloatArray]:
        """Derivatives by the actor's outputs (B, A*L) and by the values, whose layer's gradients are added; figures."""
        values = torch.addmv(self._value_bias.values, encoded, self._value.values[0])
        by_outputs, by_values = torch.empty_like(outputs), torch.empty_like(values)
        figures = self._loss.derive(outputs, values, sampled, rows, terms, share, by_outputs, by_values)
        self._value.gradients[0].addmv_(encoded.t(), by_values)
        self._value_bias.gradients.add_(by_values.sum())
        return by_outputs, by_values, figures

    def _valued(self, encoded: list[Tensor]) -> Tensor:
        return torch.cat(encoded) @ self._value.values[0] + self._value_bias.values

    def _workspace(self, accounts: int, rows: int) -> "_Workspace":
        if (accounts, rows) not in self._workspaces:
            self._workspaces[accounts, rows] = _Workspace(accounts, rows, self._layers.widths)
        return self._workspaces[accounts, rows]


class TwinPerceptron:
    """Layers of actor and critic side by side, H columns each."""

    def __init__(self, flat: FlatParameters, actor: nn.Module, critic: nn.Module) -> None:
        own, other = linear_layers(actor), linear_layers(critic)
        self.widths = [layer.out_features for layer in own]
        self._first = flat.slot(own[0].weight, other[0].weight)
        self._biases = [flat.slot(a.bias, c.bias) for a, c in zip(own, other, strict=True)]
        self._deeper = [(flat.slot(a.weight), flat.slot(c.weight)) for a, c in zip(own[1:], other[1:], strict=True)]
        tanh = any(isinstance(layer, nn.Tanh) for layer in actor.modules())
        self._activate, self._derive = (add_bias_tanh, derive_tanh) if tanh else (add_bias_relu, derive_relu)

    @staticmethod
    def parameters(actor: nn.Module, critic: nn.Module) -> list[Tensor]:
        """In the order in which the flat tensors must hold them."""
        pairs = zip(linear_layers(actor), linear_layers(critic), strict=True)
        return [piece for a, c in pairs for piece in (a.weight, c.weight, a.bias, c.bias)]

    def forward(self, inputs: Tensor, hidden: "list[_Twins]") -> None:
        """Fills ``hidden``, the activations of each layer."""
        torch.mm(inputs, self._first.transposed, out=hidden[0].both)
        self._activate(hidden[0].array, self._biases[0].value_array)
        for (below, above), (own, other), bias in zip(pairwise(hidden), self._deeper, self._biases[1:], strict=True):
            torch.mm(below.own, own.transposed, out=above.own)
            torch.mm(below.other, other.transposed, out=above.other)
            self._activate(above.array, bias.value_array)

    def backward(self, inputs: Tensor, hidden: "list[_Twins]", slopes: "list[_Twins]") -> None:
        """Adds to the gradients; the last of ``slopes`` holds the derivatives by the last activations."""
        for k in range(len(hidden) - 1, 0, -1):
            (own, other), slope, below = self._deeper[k - 1], slopes[k], hidden[k - 1]
            self._derive(slope.array, hidden[k].array, self._biases[k].gradient_array)
            own.gradients.addmm_(slope.own_transposed, below.own)
            other.gradients.addmm_(slope.other_transposed, below.other)
            torch.mm(slope.own, own.values, out=slopes[k - 1].own)
            torch.mm(slope.other, other.values, out=slopes[k - 1].other)
        self._derive(slopes[0].array, hidden[0].array, self._biases[0].gradient_array)
        self._first.gradients.add_(torch.mm(inputs.t(), slopes[0].both).t())

    def critic(self, inputs: Tensor) -> Tensor:
        """(R, H) of the critic alone."""
        columns = inputs
        weights = [self._first.values.chunk(2)[1], *(critic.values for _, critic in self._deeper)]
        for weight, bias in zip(weights, self._biases, strict=True):
            columns = columns @ weight.t()
            self._activate(columns.numpy(), bias.value_array[len(bias.value_array) // 2 :])
        return columns


class PlainGradients(HandWritten):
    """Network ``plain``: perceptrons over the rows of all assets at once."""

    def __init__(self, actor: Actor, critic: PooledValue) -> None:
        out = linear_layers(actor.head)[0]
        self._lay_out(actor, critic, [out.weight, out.bias])
        self._out, self._out_bias = self.flat.slot(out.weight), self.flat.slot(out.bias)

    def values(self, inputs: Tensor) -> Tensor:
        """(R,) values."""
        return self._valued([self._layers.critic(block) for block in torch.split(inputs.flatten(1), _BLOCK)])

    def _block(self, inputs: Tensor) -> int:
        return _BLOCK

    def _learn_block(
        self, inputs: Tensor, sampled: Sampled, rows: Tensor, terms: LossTerms, share: float
    ) -> FloatArray:
        work = self._workspace(len(rows), len(rows))
        shown = torch.index_select(inputs.flatten(1), 0, rows)
        self._layers.forward(shown, work.hidden)
        encoded, by_encoded = work.hidden[-1], work.slopes[-1]
        outputs = torch.addmm(self._out_bias.values, encoded.own, self._out.transposed)
        by_outputs, by_values, figures = self._derive(outputs, encoded.other, sampled, rows, terms, share)
        self._out.gradients.addmm_(by_outputs.t(), encoded.own)
        self._out_bias.gradients.add_(by_outputs.sum(0))
        torch.mm(by_outputs, self._out.values, out=by_encoded.own)
        torch.outer(by_values, self._value.values[0], out=by_encoded.other)
        self._layers.backward(shown, work.hidden, work.slopes)
        return figures


class SharedGradients(HandWritten):
    """Network ``feed_forward``: one perceptron for all assets, their mean, and a head with one hidden layer."""

    def __init__(self, actor: Actor, critic: PooledValue) -> None:
        head: Any = actor.head
        last = [head.own.weight, head.own.bias, head.context.weight, head.context.bias, head.out.weight, head.out.bias]
        self._lay_out(actor, critic, last)
        self._own, self._own_bias, self._context, self._context_bias, self._out, self._out_bias = (
            self.flat.slot(each) for each in last
        )

    def values(self, inputs: Tensor) -> Tensor:
        """(R,) values."""
        num_assets = inputs.shape[1]
        pooled = []
        for block in torch.split(inputs, self._block(inputs)):
            rows = block.flatten(0, 1)
            encoded = self._layers.critic(rows)
            pooled.append(torch.empty(len(block), encoded.shape[1]))
            pool_rows(encoded.numpy(), rows.numpy(), num_assets, pooled[-1].numpy())
        return self._valued(pooled)

    def _block(self, inputs: Tensor) -> int:
        return max(1, _BLOCK // inputs.shape[1])

    def _learn_block(
        self, inputs: Tensor, sampled: Sampled, rows: Tensor, terms: LossTerms, share: float
    ) -> FloatArray:
        count, num_assets = len(rows), inputs.shape[1]
        work = self._workspace(count, count * num_assets)
        shown = torch.index_select(inputs, 0, rows).flatten(0, 1)
        self._layers.forward(shown, work.hidden)
        encoded, pooled, seen = work.hidden[-1], work.pooled, shown.numpy()
        pool_rows(encoded.array, seen, num_assets, pooled.array)
        mixed = torch.mm(encoded.own, self._own.transposed)
        context = torch.addmm(self._context_bias.values, pooled.own, self._context.transposed)
        mix_context(mixed.numpy(), context.numpy(), self._own_bias.value_array)
        outputs = torch.addmm(self._out_bias.values, mixed, self._out.transposed)
        by_outputs, by_values, figures = self._derive(
            outputs.view(count, -1), pooled.other, sampled, rows, terms, share
        )
        by_mixed = self._derive_head(by_outputs.view_as(outputs), mixed, encoded, work)
        torch.mm(by_mixed, self._own.values, out=work.slopes[-1].own)
        torch.outer(by_values, self._value.values[0], out=work.by_pooled.other)
        spread_twins(work.by_pooled.array, seen, num_assets, work.slopes[-1].array)
        self._layers.backward(shown, work.hidden, work.slopes)
        return figures

    def _derive_head(self, by_outputs: Tensor, mixed: Tensor, encoded: "_Twins", work: "_Workspace") -> Tensor:
        """Derivatives (B*A, H) by what the hidden layer took; those by the accounts' means go into ``work``."""
        self._out.gradients.addmm_(by_outputs.t(), mixed)
        self._out_bias.gradients.add_(by_outputs.sum(0))
        by_mixed = torch.mm(by_outputs, self._out.values)
        by_context = torch.empty(len(work.pooled.both), by_mixed.shape[1])
        derive_mix(by_mixed.numpy(), mixed.numpy(), by_context.numpy())
        by_bias = by_context.sum(0)
        self._own_bias.gradients.add_(by_bias)
        self._context_bias.gradients.add_(by_bias)
        self._own.gradients.addmm_(by_mixed.t(), encoded.own)
        self._context.gradients.addmm_(by_context.t(), work.pooled.own)
        torch.mm(by_context, self._context.values, out=work.by_pooled.own)
        return by_mixed


class _Twins:
    """Memory for (R, 2H) numbers, the actor's and the critic's, and views of it, which are dear to make."""

    def __init__(self, rows: int, width: int) -> None:
        self.both = torch.empty(rows, 2 * width)
        self.array: Float32Array = self.both.numpy()
        self.own, self.other = self.both[:, :width], self.both[:, width:]
        self.own_transposed, self.other_transposed = self.own.t(), self.other.t()


class _Workspace:
    """Activations of every layer and derivatives by them, for R rows; the same of B accounts' means."""

    def __init__(self, accounts: int, rows: int, widths: list[int]) -> None:
        self.hidden, self.slopes = ([_Twins(rows, width) for width in widths] for _ in range(2))
        self.pooled, self.by_pooled = (_Twins(accounts, widths[-1]) for _ in range(2))


def linear_layers(network: nn.Module) -> list[nn.Linear]:
    """Those in ``network``, in order."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]

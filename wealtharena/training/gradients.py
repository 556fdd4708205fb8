"""Gradients of PPO and A2C written out by hand, for networks on which autograd takes longer than the arithmetic.

Actor and critic read the same rows: their first layers are one product of matrices, and wherever both have a layer the
two lie side by side, the actor's columns first. Rows pass in blocks that stay in the processor's cache.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wealtharena.agents.networks import INPUT_LIMIT, MASK_COLUMN, GaussianScores, PooledValue
from wealtharena.agents.networks.feed_forward import FeedForward
from wealtharena.agents.networks.inputs import ScaledRows
from wealtharena.agents.networks.plain import Plain
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.training.compiled import compiled
from wealtharena.training.flat import FlatParameters
from wealtharena.training.losses import FIGURES, GaussianLoss, LossTerms, Sampled, tanh32

_BLOCK = 512


def hand_written(module: Any) -> "HandWritten | None":
    """Gradients of an actor-critic module; None if its networks are left to autograd."""
    actor, critic = module.pi, module.vf
    if type(actor) is not GaussianScores or type(critic) is not PooledValue:
        return None
    if type(actor.encoder) is Plain:
        return PlainGradients(actor, critic)
    if type(actor.encoder) is FeedForward:
        return None
    return None


class HandWritten(ABC):
    """Loss and gradients of one actor and critic over minibatches."""

    flat: FlatParameters
    _scaling: ScaledRows

    def inputs(self, observations: Tensor) -> Tensor:
        """(R, A, D) scaled rows of observations, 0 where the mask is: made once per batch, not once per minibatch."""
        rows, scaling = torch.empty_like(observations), self._scaling
        factors = scaling.mean.numpy(), scaling.factor.numpy()
        _scale(observations.numpy(), *factors, scaling.window, np.float32(INPUT_LIMIT), rows.numpy())
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


class TwinPerceptron:
    """Layers of actor and critic side by side, H columns each."""

    def __init__(self, flat: FlatParameters, actor: nn.Module, critic: nn.Module) -> None:
        own, other = _linear(actor), _linear(critic)
        self.widths = [layer.out_features for layer in own]
        self._first = flat.slot(own[0].weight, other[0].weight)
        self._biases = [flat.slot(a.bias, c.bias) for a, c in zip(own, other, strict=True)]
        self._deeper = [(flat.slot(a.weight), flat.slot(c.weight)) for a, c in zip(own[1:], other[1:], strict=True)]
        tanh = any(isinstance(layer, nn.Tanh) for layer in actor.modules())
        self._activate, self._derive = (_tanh, _derive_tanh) if tanh else (_relu, _derive_relu)

    @staticmethod
    def parameters(actor: nn.Module, critic: nn.Module) -> list[Tensor]:
        """In the order in which the flat tensors must hold them."""
        pairs = zip(_linear(actor), _linear(critic), strict=True)
        return [piece for a, c in pairs for piece in (a.weight, c.weight, a.bias, c.bias)]

    def forward(self, inputs: Tensor, hidden: list[Tensor]) -> None:
        """Fills ``hidden``, the activations (R, 2H) of each layer."""
        torch.mm(inputs, self._first.values.t(), out=hidden[0])
        self._activate(hidden[0].numpy(), self._biases[0].values.numpy())
        for (below, above), weights, bias in zip(pairwise(hidden), self._deeper, self._biases[1:], strict=True):
            for source, target, weight in zip(below.chunk(2, 1), above.chunk(2, 1), weights, strict=True):
                torch.mm(source, weight.values.t(), out=target)
            self._activate(above.numpy(), bias.values.numpy())

    def backward(self, inputs: Tensor, hidden: list[Tensor], slopes: list[Tensor]) -> None:
        """Adds to the gradients; the last of ``slopes`` (R, 2H) holds the derivatives by the last activations."""
        for k in range(len(hidden) - 1, 0, -1):
            self._derive(slopes[k].numpy(), hidden[k].numpy(), self._biases[k].gradients.numpy())
            halves = zip(*(each.chunk(2, 1) for each in (slopes[k], hidden[k - 1], slopes[k - 1])), strict=True)
            for (slope, below, slope_below), weight in zip(halves, self._deeper[k - 1], strict=True):
                weight.gradients.addmm_(slope.t(), below)
                torch.mm(slope, weight.values, out=slope_below)
        self._derive(slopes[0].numpy(), hidden[0].numpy(), self._biases[0].gradients.numpy())
        self._first.gradients.addmm_(slopes[0].t(), inputs)

    def critic(self, inputs: Tensor) -> Tensor:
        """(R, H) of the critic alone."""
        columns = inputs
        weights = [self._first.values.chunk(2)[1], *(critic.values for _, critic in self._deeper)]
        for weight, bias in zip(weights, self._biases, strict=True):
            columns = columns @ weight.t()
            self._activate(columns.numpy(), bias.values.chunk(2)[1].numpy())
        return columns


class PlainGradients(HandWritten):
    """Network ``plain``: perceptrons over the rows of all assets at once."""

    def __init__(self, actor: GaussianScores, critic: PooledValue) -> None:
        self._scaling = actor.inputs
        out, value = _linear(actor.head)[0], critic.out
        twins = TwinPerceptron.parameters(actor.encoder, critic.encoder)
        last = [out.weight, out.bias, value.weight, value.bias]
        self.flat = FlatParameters([*twins, *last, actor.log_std])
        self._layers = TwinPerceptron(self.flat, actor.encoder, critic.encoder)
        self._out, self._out_bias, self._value, self._value_bias = (self.flat.slot(each) for each in last)
        self._loss = GaussianLoss(actor, self.flat)
        self._work = _Workspaces(self._layers.widths)

    def values(self, inputs: Tensor) -> Tensor:
        """(R,) values."""
        blocks = [
            self._layers.critic(block) @ self._value.values[0] for block in torch.split(inputs.flatten(1), _BLOCK)
        ]
        return torch.cat(blocks) + self._value_bias.values

    def _block(self, inputs: Tensor) -> int:
        return _BLOCK

    def _learn_block(
        self, inputs: Tensor, sampled: Sampled, rows: Tensor, terms: LossTerms, share: float
    ) -> FloatArray:
        work = self._work.of(len(rows))
        shown = torch.index_select(inputs.flatten(1), 0, rows)
        self._layers.forward(shown, work.hidden)
        own, other = work.hidden[-1].chunk(2, 1)
        outputs = torch.addmm(self._out_bias.values, own, self._out.values.t())
        values = torch.addmv(self._value_bias.values, other, self._value.values[0])
        by_outputs, by_values = torch.empty_like(outputs), torch.empty_like(values)
        figures = self._loss.derive(outputs, values, sampled, rows, terms, share, by_outputs, by_values)
        self._out.gradients.addmm_(by_outputs.t(), own)
        self._out_bias.gradients.add_(by_outputs.sum(0))
        self._value.gradients[0].addmv_(other.t(), by_values)
        self._value_bias.gradients.add_(by_values.sum())
        by_own, by_other = work.slopes[-1].chunk(2, 1)
        torch.mm(by_outputs, self._out.values, out=by_own)
        torch.outer(by_values, self._value.values[0], out=by_other)
        self._layers.backward(shown, work.hidden, work.slopes)
        return figures


@dataclass(frozen=True, slots=True)
class _Workspace:
    """Activations (R, 2H) of every layer, and derivatives by them."""

    hidden: list[Tensor]
    slopes: list[Tensor]


class _Workspaces:
    """One for every number of rows in use."""

    def __init__(self, widths: list[int]) -> None:
        self._widths = widths
        self._by_rows: dict[int, _Workspace] = {}

    def of(self, rows: int) -> _Workspace:
        """That of R rows."""
        if rows not in self._by_rows:
            self._by_rows[rows] = _Workspace(*([torch.empty(rows, 2 * h) for h in self._widths] for _ in range(2)))
        return self._by_rows[rows]


def _linear(network: nn.Module) -> list[nn.Linear]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)]


@compiled
def _tanh(columns: Float32Array, bias: Float32Array) -> None:
    for i in range(len(columns)):
        row = columns[i]
        for k in range(len(bias)):
            row[k] = tanh32(row[k] + bias[k])


@compiled
def _relu(columns: Float32Array, bias: Float32Array) -> None:
    for i in range(len(columns)):
        row = columns[i]
        for k in range(len(bias)):
            value = row[k] + bias[k]
            row[k] = np.float32(0.0) if value <= np.float32(0.0) else value  # NaN stays


@compiled
def _derive_tanh(slopes: Float32Array, hidden: Float32Array, by_bias: Float32Array) -> None:
    """Derivatives by activations become those by what they were made of, and are added up for the bias."""
    for i in range(len(slopes)):
        slope, value = slopes[i], hidden[i]
        for k in range(len(by_bias)):
            slope[k] *= np.float32(1.0) - value[k] * value[k]
            by_bias[k] += slope[k]


@compiled
def _derive_relu(slopes: Float32Array, hidden: Float32Array, by_bias: Float32Array) -> None:
    for i in range(len(slopes)):
        slope, value = slopes[i], hidden[i]
        for k in range(len(by_bias)):
            slope[k] = slope[k] if value[k] > np.float32(0.0) else np.float32(0.0)
            by_bias[k] += slope[k]


@compiled
def _scale(
    observations: Float32Array, mean: Float32Array, factor: Float32Array, window: int, limit: np.float32,
    rows: Float32Array,
) -> None:  # fmt: skip
    """``ScaledRows`` of observations (R, A, D), and 0 where the mask is."""
    count, num_assets, width = observations.shape
    features = (width - ACCOUNT_COLUMNS) // window
    for i in range(count):
        for a in range(num_assets):
            seen, row = observations[i, a], rows[i, a]
            if seen[width + MASK_COLUMN] == np.float32(0.0):
                row[:] = np.float32(0.0)
                continue
            for k in range(width):
                row[k] = min(max((seen[k] - mean[k]) * factor[k], -limit), limit)
            for session in range(window if window > 1 else 0):
                start, stop = session * features, (session + 1) * features
                if not np.any(seen[start:stop]):
                    row[start:stop] = np.float32(0.0)

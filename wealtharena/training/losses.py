"""Losses of PPO and A2C and their derivatives by what networks put out, written out by hand: one pass over the rows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray.rllib.core.columns import Columns
from torch import Tensor

from wealtharena.agents.networks import GaussianScores, LevelScores
from wealtharena.agents.networks.actors import LOG_STD_RANGE
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.execution.accounts import IntArray
from wealtharena.training.compiled import compiled
from wealtharena.training.flat import FlatParameters

FIGURES = ("policy_loss", "vf_loss", "vf_loss_unclipped", "entropy", "mean_kl_loss", "target", "target_square", "error")
"""Means over the rows that every loss here gives, in this order; the first five by RLlib's names."""

_HALF_LOG_2PI = np.float32(0.5 * np.log(2.0 * np.pi))
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


@dataclass(frozen=True, slots=True)
class LossTerms:
    """Which loss, and the weights of its terms.

    Attributes:
        ratio_clip: how far PPO's ratio of probabilities may move before its gradient ends; infinity: A2C, whose loss
            has no ratio.
        value_clip: squared error from which on a value has no gradient.
        value: weight of the squared error.
        entropy: weight of the entropy bonus.
        divergence: weight of the divergence from the policy that sampled.
    """

    ratio_clip: float
    value_clip: float
    value: float
    entropy: float
    divergence: float

    def total(self, figures: FloatArray) -> float:
        """The loss that has these ``FIGURES``."""
        policy, value, _, entropy, divergence, *_ = figures
        return float(policy + self.value * value - self.entropy * entropy + self.divergence * divergence)

    def numbers(self) -> tuple[np.float32, ...]:
        """All of them, for the kernels below."""
        terms = self.ratio_clip, self.value_clip, self.value, self.entropy, self.divergence
        return tuple(np.float32(term) for term in terms)


def explained_variance(figures: FloatArray) -> float:
    """Share of the targets' variance that the values explain, at least -1, as RLlib has it; from ``FIGURES``."""
    _, _, error_square, _, _, target, target_square, error = figures
    return max(-1.0, 1.0 - float((error_square - error**2) / (target_square - target**2 + 1e-6)))


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a loss reads of a batch of R rows: actions, parameters of the distribution they were drawn from, their
    log-probabilities, advantages, and targets of the values."""

    actions: Any
    inputs: Float32Array
    logps: Float32Array
    advantages: Float32Array
    targets: Float32Array

    @classmethod
    def of(cls, batch: dict[str, Tensor]) -> "Sampled":
        """The arrays of a batch of tensors, not copied."""
        return cls(
            *(
                batch[name].numpy()
                for name in (
                    Columns.ACTIONS,
                    Columns.ACTION_DIST_INPUTS,
                    Columns.ACTION_LOGP,
                    Columns.ADVANTAGES,
                    Columns.VALUE_TARGETS,
                )
            )
        )


class PolicyLoss(ABC):
    """Loss over one kind of decision."""

    @abstractmethod
    def derive(
        self,
        outputs: Tensor,
        values: Tensor,
        sampled: Sampled,
        rows: Tensor,
        terms: LossTerms,
        share: float,
        by_outputs: Tensor,
        by_values: Tensor,
    ) -> FloatArray:
        """Sums of ``FIGURES`` over B rows, times ``share``, and derivatives of the loss that they make up.

        Args:
            outputs: (B, A*L) of the actor's last layer, L for each asset.
            values: (B,).
            sampled: the batch.
            rows: (B,) which of its rows these are.
            terms: of the loss.
            share: 1 over the rows of the minibatch.
            by_outputs: (B, A*L), set to the derivatives by ``outputs``.
            by_values: (B,), likewise.
        """


class GaussianLoss(PolicyLoss):
    """Over ``MaskedGaussian`` scores: an output per asset, squeezed into the range of scores, is the location, and the
    deviations are parameters."""

    def __init__(self, actor: GaussianScores, flat: FlatParameters) -> None:
        self._low = np.float32(actor.low)
        self._log_std = flat.slot(actor.log_std)

    def derive(
        self,
        outputs: Tensor,
        values: Tensor,
        sampled: Sampled,
        rows: Tensor,
        terms: LossTerms,
        share: float,
        by_outputs: Tensor,
        by_values: Tensor,
    ) -> FloatArray:
        """See ``PolicyLoss``."""
        figures: FloatArray = _gaussian(
            outputs.numpy(),
            values.numpy(),
            self._log_std.value_array,
            rows.numpy(),
            sampled.actions,
            sampled.inputs,
            sampled.logps,
            sampled.advantages,
            sampled.targets,
            terms.numbers(),
            self._low,
            np.float32(share),
            by_outputs.numpy(),
            by_values.numpy(),
            self._log_std.gradient_array,
        )
        return figures


class LevelsLoss(PolicyLoss):
    """Over ``MaskedCategorical`` levels: outputs are their logits."""

    def __init__(self, actor: LevelScores) -> None:
        self._num_levels = len(actor.get_buffer("levels"))

    def derive(
        self,
        outputs: Tensor,
        values: Tensor,
        sampled: Sampled,
        rows: Tensor,
        terms: LossTerms,
        share: float,
        by_outputs: Tensor,
        by_values: Tensor,
    ) -> FloatArray:
        """See ``PolicyLoss``."""
        figures: FloatArray = _categorical(
            outputs.numpy(),
            values.numpy(),
            self._num_levels,
            rows.numpy(),
            sampled.actions.reshape(len(sampled.logps), -1),
            sampled.inputs,
            sampled.logps,
            sampled.advantages,
            sampled.targets,
            terms.numbers(),
            np.float32(share),
            by_outputs.numpy(),
            by_values.numpy(),
        )
        return figures


@compiled
def tanh32(value: np.float32) -> np.float32:
    """Hyperbolic tangent to 3e-7 by Eigen's rational approximation: a loop of these runs in vector registers."""
    x = min(max(value, np.float32(-7.90531110763549805)), np.float32(7.90531110763549805))
    square = x * x
    top = square * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
    top = square * top + np.float32(-8.60467152213735e-11)
    top = square * top + np.float32(5.12229709037114e-08)
    top = square * top + np.float32(1.48572235717979e-05)
    top = square * top + np.float32(6.37261928875436e-04)
    top = square * top + np.float32(4.89352455891786e-03)
    bottom = square * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
    bottom = square * bottom + np.float32(2.26843463243900e-03)
    bottom = square * bottom + np.float32(4.89352518554385e-03)
    return x * top / bottom


@compiled
def _gaussian(
    outputs: Float32Array,
    values: Float32Array,
    log_std: Float32Array,
    rows: IntArray,
    actions: Float32Array,
    inputs: Float32Array,
    logps: Float32Array,
    advantages: Float32Array,
    targets: Float32Array,
    terms: tuple[np.float32, ...],
    low: np.float32,
    share: np.float32,
    by_outputs: Float32Array,
    by_values: Float32Array,
    by_log_std: Float32Array,
) -> FloatArray:
    ratio_clip, value_clip, value_weight, entropy_weight, divergence_weight = terms
    num_assets, span = outputs.shape[1], _HALF * (_ONE - low)
    deviation, precision = _deviations(log_std, num_assets)
    location, distance = np.empty_like(deviation), np.empty_like(deviation)
    by_deviation = np.zeros_like(deviation)
    figures = np.zeros(len(FIGURES))
    for i in range(len(rows)):
        row = rows[i]
        action, old, mask = actions[row], inputs[row], inputs[row, 2 * num_assets :]
        output, by_output = outputs[i], by_outputs[i]
        logp, entropy, divergence = _ZERO, _ZERO, _ZERO
        for k in range(num_assets):
            squeezed = tanh32(output[k])
            location[k] = low + span * (squeezed + _ONE)
            distance[k] = (action[k] - location[k]) * precision[k]
            by_output[k] = span * (_ONE - squeezed * squeezed) * precision[k] * mask[k]
            logp += mask[k] * (-_HALF * distance[k] * distance[k] - deviation[k] - _HALF_LOG_2PI)
            entropy += mask[k] * (deviation[k] + _HALF + _HALF_LOG_2PI)
        loss, by_logp = policy_term(advantages[row], logp, logps[row], ratio_clip)
        for k in range(num_assets):
            by_location = by_logp * distance[k]
            slope = by_logp * (distance[k] * distance[k] - _ONE) - entropy_weight
            if divergence_weight > _ZERO:
                wider = np.exp(old[num_assets + k]) * precision[k]
                apart = (location[k] - old[k]) * precision[k]
                spread = wider * wider + apart * apart - _ONE
                divergence += mask[k] * (deviation[k] - old[num_assets + k] + _HALF * spread)
                by_location += divergence_weight * apart
                slope -= divergence_weight * spread
            by_output[k] *= share * by_location
            by_deviation[k] += share * slope * mask[k]
        error = values[i] - targets[row]
        by_values[i] = _value_slope(error, value_clip, value_weight * share)
        _count(figures, loss, entropy, divergence, error, targets[row], value_clip)
    least, most = np.float32(LOG_STD_RANGE[0]), np.float32(LOG_STD_RANGE[1])
    for k in range(num_assets):
        place = k % len(log_std)
        if least <= log_std[place] <= most:
            by_log_std[place] += by_deviation[k]
    return figures * share


@compiled
def _deviations(log_std: Float32Array, num_assets: int) -> tuple[Float32Array, Float32Array]:
    """(A,) log standard deviations from parameters (1,) or (A,), and inverse standard deviations."""
    deviation, precision = np.empty(num_assets, np.float32), np.empty(num_assets, np.float32)
    for k in range(num_assets):
        value = log_std[k % len(log_std)]
        deviation[k] = min(max(value, np.float32(LOG_STD_RANGE[0])), np.float32(LOG_STD_RANGE[1]))
        precision[k] = np.exp(-deviation[k])
    return deviation, precision


@compiled
def _categorical(
    outputs: Float32Array,
    values: Float32Array,
    num_levels: int,
    rows: IntArray,
    actions: IntArray,
    inputs: Float32Array,
    logps: Float32Array,
    advantages: Float32Array,
    targets: Float32Array,
    terms: tuple[np.float32, ...],
    share: np.float32,
    by_outputs: Float32Array,
    by_values: Float32Array,
) -> FloatArray:
    ratio_clip, value_clip, value_weight, entropy_weight, divergence_weight = terms
    num_assets = outputs.shape[1] // num_levels
    new, old = np.empty((2, num_assets, num_levels), np.float32)  # log-probabilities
    own_entropy = np.empty(num_assets, np.float32)
    figures = np.zeros(len(FIGURES))
    for i in range(len(rows)):
        row = rows[i]
        mask = inputs[row, num_assets * num_levels :]
        logp, entropy, divergence = _ZERO, _ZERO, _ZERO
        for k in range(num_assets):
            start = k * num_levels
            _log_softmax(outputs[i, start : start + num_levels], mask[k], new[k])
            _log_softmax(inputs[row, start : start + num_levels], mask[k], old[k])
            own_entropy[k] = -np.sum(np.exp(new[k]) * new[k])
            logp += mask[k] * new[k, actions[row, k]]
            entropy += mask[k] * own_entropy[k]
            if divergence_weight > _ZERO:
                divergence += mask[k] * np.sum(np.exp(old[k]) * (old[k] - new[k]))
        loss, by_logp = policy_term(advantages[row], logp, logps[row], ratio_clip)
        for k in range(num_assets):
            for level in range(num_levels):
                probability = np.exp(new[k, level])
                chosen = _ONE if level == actions[row, k] else _ZERO
                slope = by_logp * (chosen - probability)
                slope += entropy_weight * probability * (new[k, level] + own_entropy[k])
                slope += divergence_weight * (probability - np.exp(old[k, level]))
                by_outputs[i, k * num_levels + level] = share * slope * mask[k]
        error = values[i] - targets[row]
        by_values[i] = _value_slope(error, value_clip, value_weight * share)
        _count(figures, loss, entropy, divergence, error, targets[row], value_clip)
    return figures * share


@compiled
def _log_softmax(logits: Float32Array, mask: np.float32, log_probabilities: Float32Array) -> None:
    largest = np.max(logits) * mask
    total = _ZERO
    for level in range(len(logits)):
        log_probabilities[level] = logits[level] * mask - largest
        total += np.exp(log_probabilities[level])
    log_probabilities -= np.log(total)


@compiled
def policy_term(
    advantage: np.float32, logp: np.float32, old_logp: np.float32, ratio_clip: np.float32
) -> tuple[np.float32, np.float32]:
    """Loss of one row's action, and its derivative by the action's log-probability."""
    if ratio_clip == np.inf:
        return -advantage * logp, -advantage
    ratio = np.exp(logp - old_logp)
    least, most = _ONE - ratio_clip, _ONE + ratio_clip
    gain = advantage * ratio
    stopped = (advantage > _ZERO and ratio > most) or (advantage < _ZERO and ratio < least)
    return -min(gain, advantage * min(max(ratio, least), most)), _ZERO if stopped else -gain


@compiled
def _value_slope(error: np.float32, clip: np.float32, weight: np.float32) -> np.float32:
    """Derivative of ``weight`` times the squared error, by the value; none beyond ``clip``."""
    return np.float32(2.0) * weight * error if error * error <= clip else _ZERO


@compiled
def _count(
    figures: FloatArray,
    loss: np.float32,
    entropy: np.float32,
    divergence: np.float32,
    error: np.float32,
    target: np.float32,
    value_clip: np.float32,
) -> None:
    """Adds one row to the sums of ``FIGURES``."""
    square = error * error
    figures[0] += loss
    figures[1] += min(square, value_clip)
    figures[2] += square
    figures[3] += entropy
    figures[4] += divergence
    figures[5] += target
    figures[6] += target * target
    figures[7] += error

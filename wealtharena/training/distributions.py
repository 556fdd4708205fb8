"""Action distributions that count only the assets an account can see: a masked asset has no probability to speak of."""

import math
from typing import Any, Self

import gymnasium
import torch
from ray.rllib.core.distribution.torch.torch_distribution import TorchDeterministic, TorchDistribution
from torch import Tensor
from torch.nn.functional import softplus

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class MaskedGaussian(TorchDistribution):
    """Independent Gaussians over assets; log-probability, entropy and divergence sum over those whose mask is 1."""

    def __init__(self, logits: Tensor) -> None:
        self.location, self.log_std, self.mask = logits.chunk(3, dim=-1)

    @classmethod
    def from_logits(cls, logits: Tensor, **_: object) -> Self:
        """From (N, 3A): locations, log standard deviations, masks."""
        return cls(logits)

    @staticmethod
    def required_input_dim(space: gymnasium.spaces.Box, **_: object) -> int:
        """Width of ``logits`` for scores in ``space`` (A,)."""
        return 3 * int(space.shape[0])

    def sample(self, *, sample_shape: object = None, generator: torch.Generator | None = None) -> Tensor:
        """Scores (N, A), 0 where masked; drawn from torch's global generator if none is given."""
        with torch.no_grad():
            return self.rsample(generator=generator)

    def rsample(self, *, sample_shape: object = None, generator: torch.Generator | None = None) -> Tensor:
        """Scores (N, A) through which gradients flow."""
        noise = torch.empty_like(self.location).normal_(generator=generator)
        sampled: Tensor = (self.location + noise * self.log_std.exp()) * self.mask
        return sampled

    def to_deterministic(self) -> TorchDeterministic:
        """The locations, as a distribution that gives nothing else."""
        return TorchDeterministic(loc=self.location)

    def logp(self, value: Tensor, **_: object) -> Tensor:
        """(N,) log-probabilities."""
        normalised = (value - self.location) * torch.exp(-self.log_std)
        density = -0.5 * normalised**2 - self.log_std - _HALF_LOG_2PI
        total: Tensor = (density * self.mask).sum(-1)
        return total

    def entropy(self) -> Tensor:
        """(N,) differential entropies."""
        total: Tensor = ((self.log_std + 0.5 + _HALF_LOG_2PI) * self.mask).sum(-1)
        return total

    def kl(self, other: Self) -> Tensor:
        """(N,) Kullback-Leibler divergences from ``other`` to this one."""
        ratio = torch.exp(2.0 * (self.log_std - other.log_std))
        distance = ((self.location - other.location) * torch.exp(-other.log_std)) ** 2
        divergence = other.log_std - self.log_std + 0.5 * (ratio + distance - 1.0)
        total: Tensor = (divergence * self.mask).sum(-1)
        return total

    def _get_torch_distribution(self, *_: object, **__: object) -> None:
        """Nothing: the formulas above need no object of torch.distributions."""


class SquashedGaussian(MaskedGaussian):
    """Gaussians pressed into [low, 1] by tanh; entropy and divergence have no closed form and SAC needs neither."""

    low = -1.0

    def sample_and_logp(
        self, *, sample_shape: object = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scores (N, A) and their log-probabilities (N,), without gradients."""
        with torch.no_grad():
            return self.rsample_and_logp(generator=generator)

    def rsample_and_logp(
        self, *, sample_shape: object = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Scores (N, A) and their log-probabilities (N,) (Haarnoja et al. 2018, appendix C), with gradients."""
        noise = torch.empty_like(self.location).normal_(generator=generator)
        raw = self.location + noise * self.log_std.exp()
        # Of the density before squashing, log N(raw), only the width is left: raw moves with the location.
        density = -0.5 * noise**2 - self.log_std - _HALF_LOG_2PI
        jacobian = 2.0 * (math.log(2.0) - raw - softplus(-2.0 * raw))
        return self._squash(raw), ((density - jacobian) * self.mask).sum(-1)

    def rsample(self, *, sample_shape: object = None, generator: torch.Generator | None = None) -> Tensor:
        """Scores (N, A) through which gradients flow."""
        return self._squash(super().rsample(generator=generator))

    def to_deterministic(self) -> TorchDeterministic:
        """The squashed locations, as a distribution that gives nothing else."""
        return TorchDeterministic(loc=self._squash(self.location))

    def _squash(self, raw: Tensor) -> Tensor:
        return (self.low + (1.0 - self.low) * (torch.tanh(raw) + 1.0) / 2.0) * self.mask


class LongOnlySquashedGaussian(SquashedGaussian):
    """The same for accounts that may not sell short."""

    low = 0.0


class MaskedCategorical(TorchDistribution):
    """One of L levels per asset; log-probability, entropy and divergence sum over assets whose mask is 1.

    Made by ``MaskedCategorical.get_partial_dist_cls(num_levels=L)``, RLlib's way to say what the logits do not.
    """

    def __init__(self, logits: Tensor, num_levels: int) -> None:
        num_assets = logits.shape[-1] // (num_levels + 1)
        self.mask = logits[:, -num_assets:]
        self.log_probabilities = logits[:, :-num_assets].reshape(-1, num_assets, num_levels).log_softmax(-1)

    @classmethod
    def from_logits(cls, logits: Tensor, *, num_levels: int, **_: object) -> Self:
        """From (N, A*L + A): logits, the levels of the first asset first, then masks."""
        return cls(logits, num_levels)

    @staticmethod
    def required_input_dim(space: gymnasium.Space[Any], *, num_levels: int, **_: object) -> int:
        """Width of ``logits`` for levels in ``space``: MultiDiscrete (A,), or Discrete for one asset."""
        num_assets = int(space.shape[0]) if space.shape else 1
        return num_assets * (num_levels + 1)

    def sample(self, *, sample_shape: object = None, generator: torch.Generator | None = None) -> Tensor:
        """Places of levels (N, A), or (N,) for one asset as ``Discrete`` has it; 0 where masked."""
        # The largest of log-probabilities plus Gumbel noise is a draw from them.
        noise = torch.empty_like(self.log_probabilities).exponential_(generator=generator).log_()
        return self._places(self.log_probabilities.detach() - noise)

    def rsample(self, *, sample_shape: object = None) -> Tensor:
        """Not possible.

        Raises:
            NotImplementedError: no gradient flows through a choice.
        """
        raise NotImplementedError("no gradient flows through a choice of levels")

    def to_deterministic(self) -> TorchDeterministic:
        """The likeliest levels, as a distribution that gives nothing else."""
        return TorchDeterministic(loc=self._places(self.log_probabilities))

    def logp(self, value: Tensor, **_: object) -> Tensor:
        """(N,) log-probabilities of places (N, A), or (N,) for one asset."""
        places = value.reshape(self.mask.shape).long().unsqueeze(-1)
        total: Tensor = (self.log_probabilities.gather(-1, places).squeeze(-1) * self.mask).sum(-1)
        return total

    def entropy(self) -> Tensor:
        """(N,) entropies."""
        own = -(self.log_probabilities.exp() * self.log_probabilities).sum(-1)
        total: Tensor = (own * self.mask).sum(-1)
        return total

    def kl(self, other: Self) -> Tensor:
        """(N,) Kullback-Leibler divergences from ``other`` to this one."""
        distance = self.log_probabilities - other.log_probabilities
        own = (self.log_probabilities.exp() * distance).sum(-1)
        total: Tensor = (own * self.mask).sum(-1)
        return total

    def _places(self, preferences: Tensor) -> Tensor:
        """Places of the highest of (N, A, L)."""
        places = preferences.argmax(-1) * self.mask.long()
        return places.squeeze(-1) if places.shape[-1] == 1 else places

    def _get_torch_distribution(self, *_: object, **__: object) -> None:
        """Nothing: the formulas above need no object of torch.distributions."""

"""Networks over a market of any size: one encoder shared by all assets, and a context pooled over those observed.

Observations are float32 (N, A, D): N accounts, A assets, D columns of which the last four are position, observed mask,
gross exposure and drawdown. Every network here is equivariant to the order of the assets, and an asset whose mask is 0
neither influences the others nor gets a score.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wealtharena.core.panel import Float32Array, FloatArray

MASK_COLUMN = -3
INPUT_LIMIT = 5.0

_ACCOUNT_COLUMNS = 2
_INITIAL_STD = 0.5
_LOG_STD_RANGE = (-3.0, 0.0)


class AssetEncoder(nn.Module):
    """The same multilayer perceptron for the row of every asset, and the mean of its output over observed assets."""

    def __init__(self, row_width: int, hidden_sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width_in, width_out in zip((row_width, *hidden_sizes[:-1]), hidden_sizes, strict=True):
            layers += [_linear(width_in, width_out, gain=2**0.5), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encodings (N, A, H) of ``rows`` (N, A, row width) and their mean (N, H) where ``mask`` (N, A, 1) is 1."""
        encoded = self.layers(rows.clamp(-INPUT_LIMIT, INPUT_LIMIT)) * mask
        return encoded, encoded.sum(1) / mask.sum(1).clamp(min=1.0)


class AssetHead(nn.Module):
    """Outputs per asset from its encoding and the pooled context: one hidden layer, added before the nonlinearity."""

    def __init__(self, width: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.own = _linear(width, width, gain=1.0)
        self.context = _linear(width, width, gain=1.0)
        self.out = _linear(width, outputs, gain=gain)

    def forward(self, encoded: Tensor, pooled: Tensor) -> Tensor:
        """(N, A, outputs) from encodings (N, A, H) and context (N, H)."""
        hidden: Tensor = self.out(torch.tanh(self.own(encoded) + self.context(pooled).unsqueeze(1)))
        return hidden


class GaussianScores(nn.Module):
    """Actor of PPO, A2C and SAC: location and log standard deviation of each asset's score.

    With ``bounded`` the location is squeezed into the range of scores (PPO, A2C); without, it is left to the
    distribution's own squashing (SAC), and the log standard deviation depends on the observation.
    """

    def __init__(self, row_width: int, hidden_sizes: Sequence[int], long_only: bool, bounded: bool) -> None:
        super().__init__()
        self.low = 0.0 if long_only else -1.0
        self.bounded = bounded
        self.encoder = AssetEncoder(row_width, hidden_sizes)
        self.head = AssetHead(hidden_sizes[-1], 1 if bounded else 2, gain=0.1)
        if bounded:
            self.log_std = nn.Parameter(torch.full((1,), float(np.log(_INITIAL_STD * (1.0 - self.low) / 2.0))))

    def forward(self, observation: Tensor) -> Tensor:
        """(N, 3A): locations, log standard deviations and masks, the input of the masked distributions."""
        mask = observation[..., [MASK_COLUMN]]
        out = self.head(*self.encoder(observation, mask))
        if self.bounded:
            location = self._squeeze(out[..., 0])
            log_std = self.log_std.clamp(*_LOG_STD_RANGE).expand_as(location)
        else:
            location, log_std = out[..., 0], out[..., 1].clamp(*_LOG_STD_RANGE)
        mask = mask.squeeze(-1)
        return torch.cat([location * mask, log_std * mask, mask], dim=-1)

    def scores(self, observation: Tensor) -> Tensor:
        """Deterministic scores (N, A)."""
        mask = observation[..., [MASK_COLUMN]]
        out = self.head(*self.encoder(observation, mask))[..., 0]
        scores: Tensor = self._squeeze(out) * mask.squeeze(-1)
        return scores

    def _squeeze(self, value: Tensor) -> Tensor:
        return self.low + (1.0 - self.low) * (torch.tanh(value) + 1.0) / 2.0


class PooledValue(nn.Module):
    """Critic of PPO and A2C: the value of an account from the pooled context."""

    def __init__(self, row_width: int, hidden_sizes: Sequence[int]) -> None:
        super().__init__()
        self.encoder = AssetEncoder(row_width, hidden_sizes)
        self.out = _linear(hidden_sizes[-1], 1, gain=0.1)

    def forward(self, observation: Tensor) -> Tensor:
        """(N, 1) values."""
        _, pooled = self.encoder(observation, observation[..., [MASK_COLUMN]])
        value: Tensor = self.out(pooled)
        return value


class PooledActionValue(nn.Module):
    """Critic of SAC: the value of an account and the scores it chose, from the pooled context of the assets.

    Each asset's row enters with its score and the product of both: what a score earns is the score times something that
    the row tells, and a network given only the sum takes far longer to find products.
    """

    def __init__(self, row_width: int, hidden_sizes: Sequence[int]) -> None:
        super().__init__()
        self.encoder = AssetEncoder(2 * row_width + 1, hidden_sizes)
        self.hidden = _linear(hidden_sizes[-1], hidden_sizes[-1], gain=2**0.5)
        self.out = _linear(hidden_sizes[-1], 1, gain=0.1)

    def forward(self, observation: Tensor, scores: Tensor) -> Tensor:
        """(N, 1) values of observations (N, A, D) and scores (N, A)."""
        chosen = scores.unsqueeze(-1)
        rows = torch.cat([observation, chosen, chosen * observation.clamp(-INPUT_LIMIT, INPUT_LIMIT)], dim=-1)
        _, pooled = self.encoder(rows, observation[..., [MASK_COLUMN]])
        value: Tensor = self.out(torch.tanh(self.hidden(pooled)))
        return value


class LevelValues(nn.Module):
    """Q-network of DQN: the value of each level of position for one asset, from that asset's row alone.

    The account's gross exposure and drawdown are left out: in training an account holds one asset, in use many.
    """

    def __init__(self, row_width: int, hidden_sizes: Sequence[int], levels: Sequence[float]) -> None:
        super().__init__()
        self.encoder = AssetEncoder(row_width - _ACCOUNT_COLUMNS, hidden_sizes)
        self.out = _linear(hidden_sizes[-1], len(levels), gain=0.1)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))

    def forward(self, observation: Tensor) -> Tensor:
        """(N, A, L) values; 0 where the mask is 0."""
        mask = observation[..., [MASK_COLUMN]]
        encoded, _ = self.encoder(observation[..., :-_ACCOUNT_COLUMNS], mask)
        values: Tensor = self.out(encoded) * mask
        return values

    def scores(self, observation: Tensor) -> Tensor:
        """(N, A) the level of the highest value."""
        best = self.forward(observation).argmax(-1)
        levels: Tensor = self.get_buffer("levels")
        return levels[best] * observation[..., MASK_COLUMN]


class ScoringModule(nn.Module):
    """A network's deterministic scores as a module of its own, for export."""

    def __init__(self, network: GaussianScores | LevelValues) -> None:
        super().__init__()
        self.network = network

    def forward(self, observation: Tensor) -> Tensor:
        """Scores (N, A) of observations (N, A, D)."""
        return self.network.scores(observation)


class TorchPolicy:
    """A ``Policy`` that runs a network in this process."""

    def __init__(self, network: GaussianScores | LevelValues) -> None:
        self._network = network

    def act(self, observation: Float32Array) -> FloatArray:
        """Scores (N, A) for observations (N, A, D)."""
        with torch.inference_mode():
            scores = self._network.scores(torch.from_numpy(np.ascontiguousarray(observation)))
        return scores.numpy().astype(np.float64)


def _linear(width_in: int, width_out: int, gain: float) -> nn.Linear:
    layer = nn.Linear(width_in, width_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer

"""Networks that decide: what they say about each asset, and the scores that are traded."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wealtharena.agents.networks.catalogue import make_encoder
from wealtharena.agents.networks.inputs import ScaledRows
from wealtharena.agents.networks.layers import linear
from wealtharena.agents.networks.spec import MASK_COLUMN, NetworkSpec
from wealtharena.execution.columns import ACCOUNT_COLUMNS

_INITIAL_STD = 0.5
LOG_STD_RANGE = (-3.0, 0.0)
_WHOLE_ACCOUNT = 2


class GaussianScores(nn.Module):
    """Actor of PPO, A2C and SAC: location and log standard deviation of each asset's score.

    With ``bounded`` the location is squeezed into the range of scores (PPO, A2C); without, it is left to the
    distribution's own squashing (SAC), and the log standard deviation depends on the observation.
    """

    def __init__(self, spec: NetworkSpec, low: float, bounded: bool) -> None:
        """``low``: least score, 0 or -1; the largest is 1."""
        super().__init__()
        self.low = low
        self.bounded = bounded
        self.inputs = ScaledRows(spec)
        self.encoder = make_encoder(spec)
        self.head = self.encoder.asset_head(1 if bounded else 2, gain=0.1)
        if bounded:
            log_std = math.log(_INITIAL_STD * (1.0 - low) / 2.0)
            # One for all assets; where each has its own weights, one for each.
            self.log_std = nn.Parameter(torch.full((self.encoder.num_assets or 1,), log_std))

    def forward(self, observation: Tensor) -> Tensor:
        """(N, 3A): locations, log standard deviations and masks, the input of the masked distributions."""
        return self.from_rows(self.inputs(observation), column(observation, MASK_COLUMN))

    def from_rows(self, rows: Tensor, mask: Tensor) -> Tensor:
        """``forward`` from what ``inputs`` has made of an observation, and its mask (N, A, 1)."""
        out, mask = self.head(*self.encoder(rows, mask)), mask.squeeze(-1)
        if self.bounded:
            location = self._squeeze(out[..., 0])
            log_std = self.log_std.clamp(*LOG_STD_RANGE).expand_as(location)
        else:
            location, log_std = out[..., 0], out[..., 1].clamp(*LOG_STD_RANGE)
        return torch.cat([location * mask, log_std * mask, mask], dim=-1)

    def scores(self, observation: Tensor) -> Tensor:
        """Deterministic scores (N, A)."""
        mask = column(observation, MASK_COLUMN)
        out = self.head(*self.encoder(self.inputs(observation), mask))[..., 0]
        return self._squeeze(out) * mask.squeeze(-1)

    def _squeeze(self, value: Tensor) -> Tensor:
        return self.low + (1.0 - self.low) * (torch.tanh(value) + 1.0) / 2.0


class LevelScores(nn.Module):
    """Actor of PPO and A2C over positions to choose from: a logit per asset and level."""

    def __init__(self, spec: NetworkSpec, levels: Sequence[float]) -> None:
        super().__init__()
        self.inputs = ScaledRows(spec)
        self.encoder = make_encoder(spec)
        self.head = self.encoder.asset_head(len(levels), gain=0.1)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))

    def forward(self, observation: Tensor) -> Tensor:
        """(N, A*L + A): logits, the levels of the first asset first, then masks; input of ``MaskedCategorical``."""
        logits, mask = self._logits(observation)
        return torch.cat([(logits * mask).flatten(1), mask.squeeze(-1)], dim=-1)

    def scores(self, observation: Tensor) -> Tensor:
        """Likeliest levels (N, A)."""
        logits, mask = self._logits(observation)
        return _best_levels(self.get_buffer("levels"), logits) * mask.squeeze(-1)

    def leads(self, observation: Tensor) -> Tensor:
        """(N, A) by how much the likeliest level leads the next, relative to the largest logit."""
        return _leads(self._logits(observation)[0])

    def _logits(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """(N, A, L), and the mask (N, A, 1)."""
        mask = column(observation, MASK_COLUMN)
        return self.head(*self.encoder(self.inputs(observation), mask)), mask


class LevelValues(nn.Module):
    """Q-network of DQN: the value of each level of position for one asset, from that asset's row alone.

    The account's gross exposure and drawdown are left out: in training an account holds one asset, in use many.
    """

    def __init__(self, spec: NetworkSpec, levels: Sequence[float]) -> None:
        super().__init__()
        self.inputs = ScaledRows(spec)
        self.encoder = make_encoder(spec, account_columns=ACCOUNT_COLUMNS - _WHOLE_ACCOUNT)
        self.out = linear(self.encoder.width, len(levels), gain=0.1)
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32))

    def forward(self, observation: Tensor) -> Tensor:
        """(N, A, L) values; 0 where the mask is 0."""
        return self.from_rows(self.inputs(observation), column(observation, MASK_COLUMN))

    def from_rows(self, rows: Tensor, mask: Tensor) -> Tensor:
        """``forward`` from what ``inputs`` has made of an observation, and its mask (N, A, 1)."""
        encoded, _ = self.encoder(rows[..., :-_WHOLE_ACCOUNT], mask)
        values: Tensor = self.out(encoded) * mask
        return values

    def scores(self, observation: Tensor) -> Tensor:
        """(N, A) the level of the highest value."""
        best = _best_levels(self.get_buffer("levels"), self.forward(observation))
        return best * observation[..., MASK_COLUMN]

    def leads(self, observation: Tensor) -> Tensor:
        """(N, A) by how much the best level leads the next, relative to the largest value."""
        return _leads(self.forward(observation))


ScoringNetwork = GaussianScores | LevelScores | LevelValues
"""What trades: ``scores`` gives the deterministic decision."""


def column(observation: Tensor, place: int) -> Tensor:
    """One column (N, A, 1), not copied."""
    return observation[..., place : place + 1]


def _leads(values: Tensor) -> Tensor:
    first, second = values.topk(2, dim=-1).values.unbind(-1)
    return (first - second) / values.abs().amax(-1).clamp(min=1.0)


def _best_levels(levels: Tensor, values: Tensor) -> Tensor:
    return levels[values.argmax(-1)]

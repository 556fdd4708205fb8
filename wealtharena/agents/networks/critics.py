"""Networks that value an account."""

from torch import Tensor, nn

from wealtharena.agents.networks.actors import column
from wealtharena.agents.networks.catalogue import make_encoder
from wealtharena.agents.networks.inputs import ScaledRows
from wealtharena.agents.networks.layers import linear
from wealtharena.agents.networks.spec import MASK_COLUMN, NetworkSpec


class PooledValue(nn.Module):
    """Critic of PPO and A2C: the value of an account from the pooled context."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.inputs = ScaledRows(spec)
        self.encoder = make_encoder(spec)
        self.out = linear(self.encoder.width, 1, gain=0.1)

    def forward(self, observation: Tensor) -> Tensor:
        """(N, 1) values."""
        _, pooled = self.encoder(self.inputs(observation), column(observation, MASK_COLUMN))
        value: Tensor = self.out(pooled)
        return value


class PooledActionValue(nn.Module):
    """Critic of SAC: the value of an account and the scores it chose, from the pooled context of the assets."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.inputs = ScaledRows(spec)
        self.encoder = make_encoder(spec, takes_scores=True)
        self.hidden = self.encoder.account_layer()
        self.out = linear(self.encoder.width, 1, gain=0.1)

    def forward(self, observation: Tensor, scores: Tensor) -> Tensor:
        """(N, 1) values of observations (N, A, D) and scores (N, A)."""
        return self.from_rows(self.inputs(observation), column(observation, MASK_COLUMN), scores)

    def from_rows(self, rows: Tensor, mask: Tensor, scores: Tensor) -> Tensor:
        """``forward`` from what ``inputs`` has made of an observation, and its mask (N, A, 1)."""
        _, pooled = self.encoder(rows, mask, scores.unsqueeze(-1))
        value: Tensor = self.out(self.hidden(pooled))
        return value

"""Assets that look at one another: self-attention across those observed, between encoder and heads."""

import torch
from torch import Tensor, nn

from wealtharena.agents.networks.encoder import Encoder, pool
from wealtharena.agents.networks.feed_forward import FeedForward
from wealtharena.agents.networks.layers import linear, split_last
from wealtharena.agents.networks.spec import NetworkSpec

# Among few assets the products of small matrices take the time, and twice the heads twice of it.
_HEADS = 2
# In place of minus infinity, of which an account that sees nothing could make no average.
_UNSEEN = -1e9


class Attentive(Encoder):
    """``attention``: encodings of ``feed_forward`` plus what each asset takes from the others (Vaswani et al. 2017)."""

    def __init__(self, spec: NetworkSpec, account_columns: int, takes_scores: bool) -> None:
        super().__init__()
        self.encoder = FeedForward(spec, account_columns, takes_scores)
        self.width = self.encoder.width
        self._heads = 1 if self.width % _HEADS else _HEADS
        self.norm = nn.LayerNorm(self.width)
        self.query_key_value = linear(self.width, 3 * self.width, gain=1.0)
        self.out = linear(self.width, self.width, gain=1.0)

    def forward(self, rows: Tensor, mask: Tensor, scores: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See ``Encoder``."""
        encoded, _ = self.encoder(rows, mask, scores)
        attended = encoded + self.out(self._look_around(self.norm(encoded), mask))
        return attended, pool(attended, mask)

    def _look_around(self, encoded: Tensor, mask: Tensor) -> Tensor:
        """(N, A, H) what each asset sees in those that ``mask`` shows."""
        query, key, value = (
            split_last(part, self._heads).transpose(1, 2) for part in self.query_key_value(encoded).chunk(3, -1)
        )
        likeness = query @ key.transpose(-1, -2) * (self.width // self._heads) ** -0.5
        unseen = (1.0 - mask).transpose(1, 2).unsqueeze(1) * _UNSEEN
        seen: Tensor = torch.softmax(likeness + unseen, dim=-1) @ value
        return seen.transpose(1, 2).flatten(-2)

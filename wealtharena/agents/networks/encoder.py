"""What a kind of network consists of, and what most kinds share."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from wealtharena.agents.networks.layers import linear


class Encoder(nn.Module, ABC):
    """From the rows of all assets to an encoding of each and one of the account.

    Attributes:
        width: H, length of an encoding.
        num_assets: A, for kinds that take no other; None: any.
    """

    width: int
    num_assets: int | None = None

    @abstractmethod
    def forward(self, rows: Tensor, mask: Tensor, scores: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encodings (N, A, H) of the assets, and (N, H) of the account.

        Args:
            rows: (N, A, R), clamped: features of W sessions, the oldest first, then columns of the account.
            mask: (N, A, 1), 1 for assets that are observed; others influence nothing but their own encoding.
            scores: (N, A, 1) that an account chose, for encoders made to take them.
        """

    def asset_head(self, outputs: int, gain: float) -> nn.Module:
        """From what ``forward`` gives to (N, A, outputs)."""
        return AssetHead(self.width, outputs, gain)

    def account_layer(self) -> nn.Module:
        """From the account's encoding to one that a product of features and scores can be read off."""
        return nn.Sequential(linear(self.width, self.width, gain=2**0.5), nn.Tanh())


class AssetHead(nn.Module):
    """Outputs per asset from its encoding and the account's: one hidden layer, added before the nonlinearity."""

    def __init__(self, width: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.own = linear(width, width, gain=1.0)
        self.context = linear(width, width, gain=1.0)
        self.out = linear(width, outputs, gain=gain)

    def forward(self, encoded: Tensor, pooled: Tensor) -> Tensor:
        """(N, A, outputs) from encodings (N, A, H) and (N, H)."""
        hidden: Tensor = self.out(torch.tanh(self.own(encoded) + self.context(pooled).unsqueeze(1)))
        return hidden


def pool(encoded: Tensor, mask: Tensor) -> Tensor:
    """(N, H) mean of encodings (N, A, H) where ``mask`` (N, A, 1) is 1; 0 where it is nowhere."""
    # A column of the observations is strided, for which the product of matrices has no fast path.
    weights = mask.transpose(1, 2).contiguous()
    return torch.matmul(weights, encoded).squeeze(1) / mask.sum(1).clamp(min=1.0)


def with_scores(rows: Tensor, scores: Tensor | None) -> Tensor:
    """Rows (N, A, R), and after them the scores (N, A, 1) and the product of both, R + 1 + R columns.

    What a score earns is the score times something that the row tells, and a network given only the sum takes far
    longer to find products.
    """
    return rows if scores is None else torch.cat([rows, scores, scores * rows], dim=-1)


def width_with_scores(row_width: int, takes_scores: bool) -> int:
    """Columns that ``with_scores`` gives."""
    return 2 * row_width + 1 if takes_scores else row_width

"""The same multilayer perceptron for the row of every asset, and the mean of its output over those observed."""

from torch import Tensor, nn

from wealtharena.agents.networks.encoder import Encoder, pool, width_with_scores, with_scores
from wealtharena.agents.networks.layers import perceptron
from wealtharena.agents.networks.spec import NetworkSpec


class FeedForward(Encoder):
    """``feed_forward``: what an asset is worth relative to others comes from the mean encoding."""

    def __init__(self, spec: NetworkSpec, account_columns: int, takes_scores: bool) -> None:
        super().__init__()
        self.width = spec.hidden_sizes[-1]
        row_width = width_with_scores(spec.shown_features + account_columns, takes_scores)
        self.layers = perceptron(row_width, spec.hidden_sizes, nn.ReLU)

    def forward(self, rows: Tensor, mask: Tensor, scores: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See ``Encoder``."""
        encoded: Tensor = self.layers(with_scores(rows, scores))
        return encoded, pool(encoded, mask)

"""One multilayer perceptron over everything, as stock RLlib and Stable-Baselines3 have it."""

import torch
from torch import Tensor, nn

from wealtharena.agents.networks.encoder import Encoder
from wealtharena.agents.networks.layers import linear, perceptron, split_last
from wealtharena.agents.networks.spec import NetworkSpec
from wealtharena.core.errors import ExecutionError, SettingsError


class Plain(Encoder):
    """``plain``: rows of a fixed number of assets side by side through tanh layers; every asset has its own weights."""

    def __init__(self, spec: NetworkSpec, account_columns: int, takes_scores: bool) -> None:
        """Takes the number of assets from ``spec``.

        Raises:
            SettingsError: it is not given.
        """
        super().__init__()
        if spec.num_assets is None:
            raise SettingsError("num_assets must be given for the network plain, got None")
        self.width = spec.hidden_sizes[-1]
        self.num_assets = self._assets = spec.num_assets
        row_width = spec.shown_features + account_columns + int(takes_scores)
        self.layers = perceptron(self._assets * row_width, spec.hidden_sizes, nn.Tanh)

    def forward(self, rows: Tensor, mask: Tensor, scores: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See ``Encoder``; both encodings are the account's.

        Raises:
            ExecutionError: the rows are of another number of assets.
        """
        if rows.shape[1] != self._assets:
            raise ExecutionError(
                f"observations for the network plain must show the {self._assets} assets that it was made for, "
                f"got {int(rows.shape[1])}"
            )
        everything = rows if scores is None else torch.cat([rows, scores], dim=-1)
        encoded: Tensor = self.layers((everything * mask).flatten(1))
        return encoded, encoded

    def asset_head(self, outputs: int, gain: float) -> nn.Module:
        """One linear layer for all assets."""
        return FlatHead(self.width, self._assets, outputs, gain)

    def account_layer(self) -> nn.Module:
        """Nothing: the layers before have mixed features and scores."""
        return nn.Identity()


class FlatHead(nn.Module):
    """Outputs of all assets from the account's encoding."""

    def __init__(self, width: int, num_assets: int, outputs: int, gain: float) -> None:
        super().__init__()
        self._num_assets = num_assets
        self.out = linear(width, num_assets * outputs, gain)

    def forward(self, _: Tensor, encoded: Tensor) -> Tensor:
        """(N, A, outputs) from an encoding (N, H)."""
        outputs: Tensor = self.out(encoded)
        return split_last(outputs, self._num_assets)

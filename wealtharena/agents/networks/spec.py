"""What a network is made for, in plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from wealtharena.agents.networks.statistics import ObservationStatistics
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.settings.models import Network

MASK_COLUMN = -3
"""Where an observation's row says whether the asset is observed."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Inputs and size of a network.

    Attributes:
        num_features: F, columns of one session.
        hidden_sizes: layers of the encoder.
        network: shape, see ``wealtharena.settings.models.Network``.
        window: W, sessions that an observation shows.
        num_assets: A; only ``plain`` needs to know, the others take any number.
        statistics: of the features, by which they are normalised; None leaves them as they are.
    """

    num_features: int
    hidden_sizes: Sequence[int] = (64, 64)
    network: Network = Network.FEED_FORWARD
    window: int = 1
    num_assets: int | None = None
    statistics: ObservationStatistics | None = None

    @property
    def shown_features(self) -> int:
        """Columns of an observation before the account's."""
        return self.window * self.num_features

    @property
    def row_width(self) -> int:
        """D, columns of an observation."""
        return self.shown_features + ACCOUNT_COLUMNS

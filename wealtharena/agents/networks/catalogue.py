"""Every kind of network by its name in the settings."""

from wealtharena.agents.networks.attention import Attentive
from wealtharena.agents.networks.encoder import Encoder
from wealtharena.agents.networks.feed_forward import FeedForward
from wealtharena.agents.networks.lstm import Recurrent
from wealtharena.agents.networks.plain import Plain
from wealtharena.agents.networks.spec import NetworkSpec
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.settings.models import Network

NETWORKS: dict[Network, type[FeedForward | Recurrent | Attentive | Plain]] = {
    Network.FEED_FORWARD: FeedForward,
    Network.LSTM: Recurrent,
    Network.ATTENTION: Attentive,
    Network.PLAIN: Plain,
}
"""A new kind is a file with its ``Encoder`` and a line here."""


def make_encoder(spec: NetworkSpec, account_columns: int = ACCOUNT_COLUMNS, takes_scores: bool = False) -> Encoder:
    """The encoder of a network.

    Args:
        spec: inputs and size.
        account_columns: how many columns of the account a row ends with.
        takes_scores: whether ``forward`` gets the scores that an account chose (critics of SAC).

    Raises:
        SettingsError: the network needs to know the number of assets and ``spec`` does not say.
    """
    return NETWORKS[spec.network](spec, account_columns, takes_scores)

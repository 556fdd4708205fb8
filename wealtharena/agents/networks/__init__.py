"""Networks over a market: an encoder of assets, heads that score them, and critics that value the account.

Observations are float32 (N, A, D): N accounts, A assets, D columns: features of W sessions, the oldest first, then
position, observed mask, gross exposure and drawdown. All networks but ``plain`` take any number of assets, are
equivariant to their order, and an asset whose mask is 0 neither influences the others nor gets a score.
"""

from wealtharena.agents.networks.actors import GaussianScores, LevelScores, LevelValues, ScoringNetwork
from wealtharena.agents.networks.catalogue import NETWORKS
from wealtharena.agents.networks.critics import PooledActionValue, PooledValue
from wealtharena.agents.networks.inputs import INPUT_LIMIT
from wealtharena.agents.networks.policies import ScoringModule, TorchPolicy
from wealtharena.agents.networks.spec import MASK_COLUMN, NetworkSpec
from wealtharena.agents.networks.statistics import ObservationStatistics, observation_statistics

__all__ = [
    "INPUT_LIMIT",
    "MASK_COLUMN",
    "NETWORKS",
    "GaussianScores",
    "LevelScores",
    "LevelValues",
    "NetworkSpec",
    "ObservationStatistics",
    "PooledActionValue",
    "PooledValue",
    "ScoringModule",
    "ScoringNetwork",
    "TorchPolicy",
    "observation_statistics",
]

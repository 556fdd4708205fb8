"""What observations look like on the training window, so that a network can bring every feature to the same scale."""

from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import MarketPanel

# Below this share of its mean, a column's deviation is rounding.
_CONSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class ObservationStatistics:
    """Mean and standard deviation of the F features of a session; constant ones have a deviation of 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def observation_statistics(panel: MarketPanel) -> ObservationStatistics:
    """Statistics of each feature over the sessions and assets of ``panel`` that are observed.

    A panel on which nothing is observed has means of 0 and deviations of 1.
    """
    seen = panel.features[panel.observed].astype(np.float64)
    if not len(seen):
        num_features = len(panel.feature_names)
        return ObservationStatistics((0.0,) * num_features, (1.0,) * num_features)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    varies = deviation > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT)
    return ObservationStatistics(tuple(mean.tolist()), tuple(np.where(varies, deviation, 1.0).tolist()))

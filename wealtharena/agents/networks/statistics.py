"""What observations look like on the training window, so that a network can bring every feature to the same scale."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import BoolArray, Float32Array, FloatArray

# Below this share of its mean, a column's deviation is rounding.
_CONSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class ObservationStatistics:
    """Mean and standard deviation of the F features of a session; constant ones have a deviation of 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


def observation_statistics(features: Float32Array, observed: BoolArray) -> ObservationStatistics:
    """Statistics of each feature over the sessions and assets that are observed.

    Where nothing is observed, means are 0 and deviations 1.

    Args:
        features: (T, A, F) of the training window.
        observed: (T, A).
    """
    count = max(1, int(observed.sum()))
    # Asset by asset, so that a large market is not copied as a whole.
    mean = sum(seen.sum(axis=0) for seen in _seen(features, observed)) / count
    deviation = np.sqrt(sum(((seen - mean) ** 2).sum(axis=0) for seen in _seen(features, observed)) / count)
    varies = deviation > _CONSTANT * np.maximum(np.abs(mean), _CONSTANT)
    return ObservationStatistics(tuple(mean.tolist()), tuple(np.where(varies, deviation, 1.0).tolist()))


def _seen(features: Float32Array, observed: BoolArray) -> Iterator[FloatArray]:
    for asset in range(features.shape[1]):
        yield features[observed[:, asset], asset].astype(np.float64)

"""How far the last sessions' positions lie from those that the model took before, measured in their own variation."""

from dataclasses import dataclass

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import FloatArray

SMALLEST_DEVIATION = 0.01
"""Of equity: means that hardly ever differ (a rule that is always invested) are not held against less than this."""


@dataclass(frozen=True, slots=True)
class PositionDrift:
    """Drift of one figure of the positions.

    Attributes:
        name: ``gross``, ``turnover`` or ``weights``.
        recent: mean of the last sessions; for ``weights`` the sum of the absolute differences between the mean weights
            and those of the reference.
        usual: mean of the same figure over all spans of that length in the reference.
        deviations: distance of the two in standard deviations of those spans.
    """

    name: str
    recent: float
    usual: float
    deviations: float


def position_drift(
    weights: FloatArray, gross: FloatArray, turnover: FloatArray, sessions: int
) -> tuple[PositionDrift, ...]:
    """Drift of gross exposure, turnover and weights over the last ``sessions`` of a path; the rest is the reference.

    Means over spans are compared with a mean over a span, so that slow changes of positions do not look like drift.

    Args:
        weights: (T, A) held at the close.
        gross: (T,) sum of absolute weights at the close.
        turnover: (T,) traded value over equity.
        sessions: N, at least 1.

    Raises:
        DataWindowError: T is less than 3 N: too few spans to know what is usual.
    """
    if sessions < 1 or len(gross) < 3 * sessions:
        raise DataWindowError(f"drift of positions needs 3 x {sessions} sessions of a path, got {len(gross)}")
    means = {
        name: _means(values[:, None], sessions)[:, 0] for name, values in (("gross", gross), ("turnover", turnover))
    }
    books = _means(weights, sessions)
    centre = books[:-sessions].mean(0)
    means["weights"] = np.abs(books - centre).sum(1)
    return tuple(_compared(name, values, sessions) for name, values in means.items())


def _means(values: FloatArray, length: int) -> FloatArray:
    """(T - length + 1, K) means of all spans of that length."""
    sums = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    return np.asarray((sums[length:] - sums[:-length]) / length)


def _compared(name: str, means: FloatArray, sessions: int) -> PositionDrift:
    # The last span reaches back over the sessions that are compared: no span of the reference may share one with it.
    reference, recent = means[:-sessions], float(means[-1])
    usual, deviation = float(reference.mean()), max(float(reference.std()), SMALLEST_DEVIATION)
    return PositionDrift(name, recent, usual, abs(recent - usual) / deviation)

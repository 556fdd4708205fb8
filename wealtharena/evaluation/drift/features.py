"""Population stability index of features: the last sessions against the training window.

``PSI = sum_i (a_i - e_i) ln(a_i / e_i)`` over bins i, with the shares e_i of the training window and a_i of the last
sessions. The bins are the tenths of the training window; a value that many observations share is a bin of its own. Half
an observation is added to each bin that either sample fills, so that one that is empty in the other stays finite.

The customary marks, 0.1 (moderate) and 0.25 (large), are for independent observations. Features are not: they move
slowly and for all assets together, so that any quarter of a year differs from ten years. So a feature is told as
drifted only if the index is also larger than in most spans of equal length within the training window itself.

Source: Siddiqi, "Credit Risk Scorecards" (2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray

BINS = 10
USUAL = 0.95
"""Share of the spans within the training window that count as usual."""

_MANY = 0.01


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """Drift of one feature.

    Attributes:
        name: of the feature.
        index: PSI of the last sessions against the training window; NaN without an observation in either.
        usual: what 95 % of the spans of equal length in the training window stay below; NaN if there is no such span.
    """

    name: str
    index: float
    usual: float

    def is_beyond(self, threshold: float) -> bool:
        """Whether the index exceeds the threshold and what is usual."""
        return self.index > threshold and not self.index <= self.usual


def population_stability(expected: FloatArray, actual: FloatArray) -> FloatArray:
    """PSI of counts per bin.

    Args:
        expected: (..., B) counts of the training window.
        actual: (..., B) counts of the other sample.

    Returns:
        (...); NaN where one of the samples is empty.
    """
    used = (expected > 0) | (actual > 0)
    e, a = _shares(expected, used), _shares(actual, used)
    index = np.where(used, (a - e) * np.log(a / e), 0.0).sum(-1)
    return np.asarray(np.where(used.any(-1), index, np.nan))


def feature_drift(
    names: Sequence[str],
    training: tuple[Float32Array, BoolArray],
    recent: tuple[Float32Array, BoolArray],
) -> tuple[FeatureDrift, ...]:
    """Drift of each feature, in the order of ``names``.

    Args:
        names: F names.
        training: (T, A, F) features of the training window, and (T, A) where they are valid.
        recent: (N, A', F) features of the last sessions, and (N, A') where they are valid.

    Raises:
        DataWindowError: the training window has no session, or there are no last sessions.
    """
    if not len(training[0]) or not len(recent[0]):
        raise DataWindowError(
            f"drift needs sessions of training and of late, got {len(training[0])} and {len(recent[0])}"
        )
    return tuple(
        _drift_of(name, (training[0][..., k], training[1]), (recent[0][..., k], recent[1]))
        for k, name in enumerate(names)
    )


def _drift_of(name: str, training: tuple[Any, BoolArray], recent: tuple[Any, BoolArray]) -> FeatureDrift:
    values = _valid(*training)
    if not len(values):
        return FeatureDrift(name, float("nan"), float("nan"))
    edges = _edges(values)
    own, late = (_counts(edges, *sample) for sample in (training, recent))
    index = float(population_stability(own.sum(0), late.sum(0)))
    spans = _spans(own, len(late))
    usual = float(np.nanquantile(population_stability(own.sum(0), spans), USUAL)) if len(spans) else float("nan")
    return FeatureDrift(name, index, usual)


def _shares(counts: FloatArray, used: BoolArray) -> FloatArray:
    total = counts.sum(-1, keepdims=True)
    known = np.where(total > 0, total + 0.5 * used.sum(-1, keepdims=True), np.nan)
    return np.asarray(np.where(used, counts + 0.5, 1.0) / known)


def _edges(values: FloatArray) -> FloatArray:
    """Tenths of the values; one that many of them are equal to is a bin of its own, so that a constant has three."""
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
    many = [edge for edge in edges if (values == edge).mean() >= _MANY]
    return np.unique([*edges, *np.nextafter(many, np.inf)])


def _valid(values: Any, observed: BoolArray) -> FloatArray:
    wide: FloatArray = np.asarray(values, dtype=np.float64)
    return wide[observed & np.isfinite(wide)]


def _counts(edges: FloatArray, values: Any, observed: BoolArray) -> FloatArray:
    """(T, B) observations of each session per bin."""
    wide = np.asarray(values, dtype=np.float64)
    bins: NDArray[np.int64] = np.searchsorted(edges, wide, side="right")
    kept = observed & np.isfinite(wide)
    return np.stack([((bins == k) & kept).sum(1) for k in range(len(edges) + 1)], axis=1).astype(np.float64)


def _spans(counts: FloatArray, length: int) -> FloatArray:
    """(S, B) counts of spans of that length, each beginning half a span after the one before; empty ones left out."""
    starts = range(0, len(counts) - length + 1, max(length // 2, 1))
    spans: FloatArray = np.array([counts[start : start + length].sum(0) for start in starts]).reshape(
        -1, counts.shape[1]
    )
    return np.asarray(spans[spans.sum(1) > 0])

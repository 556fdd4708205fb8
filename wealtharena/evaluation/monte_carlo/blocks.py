"""Which sessions a resampled history is made of: the stationary block bootstrap."""

import math

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics.observations import is_constant

IntArray = NDArray[np.int64]

_LEAST_RETURNS = 8


def draw_rows(
    num_rows: int, num_sessions: int, num_paths: int, mean_block: float, generator: np.random.Generator
) -> IntArray:
    """Rows (N, T) in [0, ``num_rows``) of N resampled histories of T sessions.

    Politis and Romano (1994), "The stationary bootstrap": a block begins anywhere, every session ends it with
    probability ``1 / mean_block``, and after the last row comes the first, so that each row is drawn equally often and
    the resampled series is stationary. A mean block of 1 draws every session on its own.

    Args:
        num_rows: sessions to draw from, at least 1.
        mean_block: mean length of a block, at least 1.
    """
    begins = generator.random((num_paths, num_sessions)) < 1.0 / mean_block
    begins[:, :1] = True
    starts = generator.integers(0, num_rows, (num_paths, num_sessions))
    own = np.arange(num_sessions)
    block = np.maximum.accumulate(np.where(begins, own, 0), axis=1)
    rows: IntArray = (np.take_along_axis(starts, block, axis=1) + own - block) % num_rows
    return rows


def mean_block_length(returns: FloatArray) -> float:
    """Mean block length that suits the dependence of a return series (n,): arch's ``optimal_block_length``.

    Politis and White (2004), "Automatic block-length selection for the dependent bootstrap", corrected by Patton,
    Politis and White (2009). At least 1; 1 for a constant series, one of fewer than eight returns, and where the rule
    finds no length.
    """
    if len(returns) < _LEAST_RETURNS or is_constant(returns):
        return 1.0
    from arch.bootstrap import optimal_block_length

    with np.errstate(all="ignore"):
        length = float(optimal_block_length(returns)["stationary"].iloc[0])
    return max(1.0, length) if math.isfinite(length) else 1.0

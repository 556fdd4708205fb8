"""Returns scaled to one volatility, so that an account wins by skill and not by taking more risk."""

import numpy as np
from numba import njit

from wealtharena.core.panel import FloatArray

DECAY = 0.97
"""Weight of the past in the moving variance; half of it is forgotten in 23 sessions."""
WARM_UP = 10
"""Observations before a volatility counts as known."""
TARGET = 0.01
"""Common volatility per session."""
_FLOOR = 0.0005


def matched(excess_returns: FloatArray) -> FloatArray:
    """Excess returns times ``TARGET`` over the volatility that was known the session before.

    Cash stays 0. An account that hardly moves is taken to move by 0.05 % a session at least, so that it is not
    levered without bound.

    Args:
        excess_returns: (..., T) returns above cash; NaN where there is none.

    Returns:
        (..., T); NaN where the return is NaN or fewer than ``WARM_UP`` returns lie before it.
    """
    return excess_returns * (TARGET / np.maximum(known_volatility(excess_returns), _FLOOR))


def known_volatility(values: FloatArray) -> FloatArray:
    """Standard deviation about 0 of each value as the values before it tell: exponentially weighted, factor ``DECAY``.

    The weights are normalised over what has been seen (no starting value). A NaN neither counts nor forgets.

    Args:
        values: (..., T).

    Returns:
        (..., T); element t depends on elements before t only, and is NaN where these are fewer than ``WARM_UP``.
    """
    rows = np.ascontiguousarray(values, dtype=np.float64).reshape(-1, max(values.shape[-1], 1))
    return _known_volatility(rows).reshape(values.shape)


@njit(cache=True)
def _known_volatility(values: FloatArray) -> FloatArray:
    known = np.full(values.shape, np.nan)
    for row in range(values.shape[0]):
        square, weight, seen = 0.0, 0.0, 0
        for t in range(values.shape[1]):
            if seen >= WARM_UP:
                known[row, t] = np.sqrt(square / weight)
            value = values[row, t]
            if not np.isnan(value):
                square = DECAY * square + (1.0 - DECAY) * value * value
                weight = DECAY * weight + (1.0 - DECAY)
                seen += 1
    return known

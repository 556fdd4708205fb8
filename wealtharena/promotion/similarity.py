"""Whether a new checkpoint wants roughly what the one in service wants."""

import math

import numpy as np

from wealtharena.core.panel import FloatArray

SESSIONS = 21
"""Last sessions of the held-out window whose positions are compared."""


def position_similarity(weights: FloatArray, others: FloatArray) -> float:
    """Correlation of the positions of two accounts over their last ``SESSIONS`` sessions and all assets.

    Args:
        weights: (T, A) held at the close.
        others: (T, A) of the same sessions and assets.

    Returns:
        NaN where an account holds the same of everything all along, or the assets differ.
    """
    one, other = weights[-SESSIONS:].ravel(), others[-SESSIONS:].ravel()
    if one.size != other.size or min(np.ptp(one), np.ptp(other)) < 1e-9:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])

"""Returns of an account and of its benchmark in the same sessions."""

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import FloatArray


def paired_observations(returns: ArrayLike, benchmark: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both series in the sessions that both have, (n,) each; empty if any value is infinite.

    Raises:
        DataWindowError: they are not equally long.
    """
    own, other = (np.asarray(values, dtype=np.float64).ravel() for values in (returns, benchmark))
    if own.size != other.size:
        raise DataWindowError(f"returns and benchmark must have the same sessions, got {own.size} and {other.size}")
    if np.isinf(own).any() or np.isinf(other).any():
        return own[:0], other[:0]
    both = ~(np.isnan(own) | np.isnan(other))
    return own[both], other[both]

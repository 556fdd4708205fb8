"""What counts as an observation, and when a series has no variation."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.core.panel import FloatArray

# Below these a spread is rounding noise: a constant series must not get a Sharpe ratio of 1e14.
_ABSOLUTE_NOISE = 1e-12
_RELATIVE_NOISE = 1e-9


def observations(returns: ArrayLike) -> FloatArray:
    """The returns without NaN, as a float64 vector (n,); NaN stands for a session that the series does not have.

    Empty if any return is infinite: such a series is broken, and every metric of it is NaN.
    """
    values = np.asarray(returns, dtype=np.float64).ravel()
    kept = values[~np.isnan(values)]
    return kept if np.isfinite(kept).all() else kept[:0]


def excess_returns(returns: ArrayLike, cash_returns: ArrayLike) -> FloatArray:
    """Returns above those of cash, (n,); what is only rounding is 0, so that an account in cash has none."""
    excess: FloatArray = np.asarray(returns, dtype=np.float64) - np.asarray(cash_returns, dtype=np.float64)
    return np.where(np.abs(excess) <= _ABSOLUTE_NOISE, 0.0, excess)


def is_constant(values: FloatArray) -> bool:
    """Whether all values are equal up to rounding; True for fewer than two of them."""
    if values.size < 2:
        return True
    spread = float(np.ptp(values))
    return spread <= _ABSOLUTE_NOISE + _RELATIVE_NOISE * float(np.max(np.abs(values)))


def finite_or_nan(value: float) -> float:
    """``value``, or NaN where it is infinite: a metric is a number or unknown, never infinity."""
    return float(value) if math.isfinite(value) else math.nan

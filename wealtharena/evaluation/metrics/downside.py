"""Downside deviation and potential, Sortino ratio."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant, observations


def downside_deviation(returns: ArrayLike, annualisation: int = 1, target: float = 0.0) -> float:
    """Root mean square of the shortfalls below ``target`` (per session) over all n observations; NaN if there are none.

    The mean runs over all observations, not only over those below the target: Sortino and Price (1994).
    """
    values = observations(returns)
    if not values.size:
        return math.nan
    shortfall = np.minimum(values - target, 0.0)
    return finite_or_nan(math.sqrt(float(np.mean(shortfall**2)) * annualisation))


def downside_potential(returns: ArrayLike, target: float = 0.0) -> float:
    """Mean shortfall below ``target`` (per session) over all n observations, positive; NaN if there are none.

    First lower partial moment: Fishburn (1977). At most ``downside_deviation``.
    """
    values = observations(returns)
    return finite_or_nan(float(np.mean(np.maximum(target - values, 0.0)))) if values.size else math.nan


def sortino_ratio(returns: ArrayLike, annualisation: int = 1, target: float = 0.0) -> float:
    """Mean return above ``target`` over downside deviation, times ``sqrt(annualisation)``.

    NaN for a constant series and for one that never fell below the target: there is no downside to divide by.
    """
    values = observations(returns)
    deviation = downside_deviation(values, 1, target)
    if is_constant(values) or not deviation > 0.0:
        return math.nan
    return finite_or_nan((float(np.mean(values)) - target) / deviation * math.sqrt(annualisation))

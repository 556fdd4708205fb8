"""Volatility, skewness and kurtosis of returns."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant, observations


def volatility(returns: ArrayLike, annualisation: int = 1) -> float:
    """Standard deviation (n - 1 in the denominator) times ``sqrt(annualisation)``; NaN below two observations."""
    values = observations(returns)
    if values.size < 2:
        return math.nan
    return finite_or_nan(float(np.std(values, ddof=1)) * math.sqrt(annualisation))


def skewness(returns: ArrayLike) -> float:
    """Population skewness ``m3 / m2**1.5``; NaN for a constant series or fewer than two observations."""
    return _standardised_moment(returns, 3)


def kurtosis(returns: ArrayLike) -> float:
    """Population kurtosis ``m4 / m2**2`` (3 for a Normal, not the excess); NaN as for ``skewness``."""
    return _standardised_moment(returns, 4)


def _standardised_moment(returns: ArrayLike, order: int) -> float:
    values = observations(returns)
    if is_constant(values):
        return math.nan
    standardised = (values - values.mean()) / values.std()
    return finite_or_nan(float(np.mean(standardised**order)))

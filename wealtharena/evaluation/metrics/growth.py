"""What an account earned: total and annual return, hit rate."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, observations


def total_return(returns: ArrayLike) -> float:
    """Compound return over all observations, as a fraction; NaN without observations or beyond all numbers.

    ``returns`` are simple returns per session, (n,).
    """
    values = observations(returns)
    with np.errstate(over="ignore"):
        return finite_or_nan(float(np.prod(1.0 + values)) - 1.0) if values.size else math.nan


def annual_return(returns: ArrayLike, annualisation: int) -> float:
    """Geometric return per year: ``(1 + total) ** (annualisation / n) - 1``.

    NaN without observations; -1 when everything (or more) was lost, where the root does not exist.
    """
    values = observations(returns)
    growth = 1.0 + total_return(values)
    if math.isnan(growth):
        return math.nan
    if growth <= 0.0:
        return -1.0
    # In logs: a short series with a huge return must overflow to NaN, not raise.
    exponent = math.log(growth) * annualisation / values.size
    return math.expm1(exponent) if exponent < 700.0 else math.nan


def hit_rate(returns: ArrayLike) -> float:
    """Share of winning sessions among those that won or lost; NaN if none did.

    Sessions with a return of exactly zero (an account in cash) are neither won nor lost.
    """
    values = observations(returns)
    moved = values[values != 0.0]
    return float(np.mean(moved > 0.0)) if moved.size else math.nan

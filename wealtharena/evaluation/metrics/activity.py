"""How much an account traded and held."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, observations

# Below this an exposure is what rounding leaves of a position that was sold.
_NOTHING = 1e-9


def total_turnover(turnover: ArrayLike) -> float:
    """Traded value over equity, summed over the sessions (1.0 = the whole account was bought once); NaN if empty.

    ``turnover`` is the traded value of each session as a fraction of equity, (n,).
    """
    values = observations(turnover)
    return finite_or_nan(float(values.sum())) if values.size else math.nan


def annual_turnover(turnover: ArrayLike, annualisation: int) -> float:
    """``total_turnover`` per year; NaN if empty."""
    values = observations(turnover)
    return finite_or_nan(float(values.mean()) * annualisation) if values.size else math.nan


def mean_gross(gross: ArrayLike) -> float:
    """Average gross exposure (sum of absolute weights) over the sessions; NaN if empty."""
    values = observations(gross)
    return finite_or_nan(float(np.mean(values))) if values.size else math.nan


def mean_net(net: ArrayLike) -> float:
    """Average net exposure (sum of weights, shorts negative) over the sessions; NaN if empty."""
    values = observations(net)
    return finite_or_nan(float(np.mean(values))) if values.size else math.nan


def time_in_market(gross: ArrayLike) -> float:
    """Share of the sessions with any position at the close, from gross exposures (n,); NaN if empty."""
    values = observations(gross)
    return float(np.mean(values > _NOTHING)) if values.size else math.nan

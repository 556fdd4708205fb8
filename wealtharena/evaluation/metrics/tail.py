"""Historical value at risk and expected shortfall, as positive losses per session."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, observations

DEFAULT_LEVEL = 0.95


def value_at_risk(returns: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """Loss that is exceeded on a share ``1 - level`` of the sessions: minus the empirical quantile (linear, type 7).

    A positive fraction is a loss. NaN without observations.
    """
    values = observations(returns)
    return finite_or_nan(-float(np.quantile(values, 1.0 - level))) if values.size else math.nan


def conditional_value_at_risk(returns: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """Mean loss of the sessions at least as bad as ``value_at_risk``; never below it. NaN without observations."""
    values = observations(returns)
    if not values.size:
        return math.nan
    worst = values[values <= np.quantile(values, 1.0 - level)]
    return finite_or_nan(-float(worst.mean())) if worst.size else math.nan

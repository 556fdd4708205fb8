"""What of an account's returns its benchmark explains: beta and alpha (Jensen 1968)."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant
from wealtharena.evaluation.metrics.pairs import paired_observations


def beta(returns: ArrayLike, benchmark: ArrayLike) -> float:
    """Covariance with the benchmark over the benchmark's variance: the slope of the regression on it.

    Both are returns above cash per session, (n,). 0 for an account that never moves; NaN for a constant benchmark and
    below two sessions that both have.
    """
    own, other = paired_observations(returns, benchmark)
    if is_constant(other):
        return math.nan
    around = other - other.mean()
    return finite_or_nan(float(around @ (own - own.mean())) / float(around @ around))


def alpha(returns: ArrayLike, benchmark: ArrayLike, annualisation: int = 1) -> float:
    """Mean return that ``beta`` times the benchmark's does not explain, times ``annualisation``.

    Both are returns above cash per session, (n,). NaN as for ``beta``.
    """
    own, other = paired_observations(returns, benchmark)
    slope = beta(own, other)
    if math.isnan(slope):
        return math.nan
    return finite_or_nan((float(np.mean(own)) - slope * float(np.mean(other))) * annualisation)

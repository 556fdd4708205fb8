"""An account beside its benchmark: active premium, tracking error and information ratio."""

import math

from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.growth import annual_return
from wealtharena.evaluation.metrics.moments import volatility
from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant
from wealtharena.evaluation.metrics.pairs import paired_observations


def active_premium(returns: ArrayLike, benchmark: ArrayLike, annualisation: int) -> float:
    """Geometric annual return of the account less that of the benchmark; NaN without sessions that both have."""
    own, other = paired_observations(returns, benchmark)
    return finite_or_nan(annual_return(own, annualisation) - annual_return(other, annualisation))


def tracking_error(returns: ArrayLike, benchmark: ArrayLike, annualisation: int = 1) -> float:
    """Standard deviation (n - 1) of the differences times ``sqrt(annualisation)``; NaN below two such sessions."""
    own, other = paired_observations(returns, benchmark)
    return volatility(own - other, annualisation)


def information_ratio(returns: ArrayLike, benchmark: ArrayLike, annualisation: int) -> float:
    """``active_premium`` over ``tracking_error``, both per year; NaN where the difference never varies.

    Geometric, as PerformanceAnalytics has it; the arithmetic one is ``sharpe_ratio`` of the differences.
    """
    own, other = paired_observations(returns, benchmark)
    if is_constant(own - other):
        return math.nan
    premium = active_premium(own, other, annualisation)
    return finite_or_nan(premium / tracking_error(own, other, annualisation))

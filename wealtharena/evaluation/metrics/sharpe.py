"""Sharpe ratio, its standard error, and the probability that it is above a benchmark."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.moments import kurtosis, skewness
from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant, observations


def sharpe_ratio(returns: ArrayLike, annualisation: int = 1, risk_free: float = 0.0) -> float:
    """Mean excess return over standard deviation (n - 1), times ``sqrt(annualisation)``.

    ``risk_free`` is the return of cash per session. NaN for a constant series, whatever its mean, and for fewer than
    two observations: an account that never moves has no Sharpe ratio, so it can not have a good one.
    """
    values = observations(returns)
    if is_constant(values):
        return math.nan
    excess = float(np.mean(values)) - risk_free
    return finite_or_nan(excess / float(np.std(values, ddof=1)) * math.sqrt(annualisation))


def sharpe_standard_error(returns: ArrayLike, annualisation: int = 1) -> float:
    """Standard error of ``sharpe_ratio``, on the same (annual) scale; NaN where that is NaN.

    Asymptotic, for independent returns of any shape: ``sqrt((1 - skew SR + (kurt - 1) / 4 SR**2) / (n - 1))`` with the
    Sharpe ratio per session. Mertens (2002), "Comments on variance of the IID estimator in Lo (2002)"; for Normal
    returns it is the formula of Lo (2002), "The statistics of Sharpe ratios".
    """
    values = observations(returns)
    variance = unit_variance(sharpe_ratio(values), skewness(values), kurtosis(values))
    if math.isnan(variance):
        return math.nan
    return finite_or_nan(math.sqrt(variance / (values.size - 1) * annualisation))


def probabilistic_sharpe(
    sharpe: float, benchmark: float, sample_size: int, skew: float = 0.0, kurt: float = 3.0
) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark``, both per session.

    ``Phi((sharpe - benchmark) / standard error)``, with the error as in ``sharpe_standard_error``; ``kurt`` is not the
    excess. Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier". NaN below two observations, for NaN
    or infinite inputs, and where skew and kurtosis leave no positive variance.
    """
    variance = unit_variance(sharpe, skew, kurt)
    if math.isnan(variance) or not math.isfinite(benchmark) or not 2 <= sample_size < math.inf:
        return math.nan
    return NormalDist().cdf((sharpe - benchmark) * math.sqrt((sample_size - 1) / variance))


def unit_variance(sharpe: float, skew: float, kurt: float) -> float:
    """Variance of the estimated Sharpe ratio times the sample size; NaN where it is not positive and finite."""
    variance = 1.0 - skew * sharpe + (kurt - 1.0) / 4.0 * sharpe * sharpe
    return variance if 0.0 < variance < math.inf else math.nan

"""Sharpe ratio of the best of many trials, judged against what the best of as many worthless ones would have shown."""

import math
from statistics import NormalDist

from wealtharena.evaluation.metrics.observations import finite_or_nan
from wealtharena.evaluation.metrics.sharpe import probabilistic_sharpe

_EULER_MASCHERONI = 0.5772156649015329


def expected_max_sharpe(num_trials: float, variance_of_trials: float) -> float:
    """Highest Sharpe ratio to expect of ``num_trials`` independent trials without any skill.

    ``sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e)))`` with g the Euler-Mascheroni constant and z the Normal quantile,
    never below 0; exactly 0 for one trial. Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", eq. 6.

    Args:
        num_trials: independent trials, at least 1; an effective number need not be whole.
        variance_of_trials: of the trials' Sharpe ratios, on whose scale (per session) the result is.

    Returns:
        NaN for fewer than one trial, a negative variance, and NaN or infinite inputs.
    """
    if not (math.isfinite(num_trials) and math.isfinite(variance_of_trials)):
        return math.nan
    if num_trials < 1.0 or variance_of_trials < 0.0:
        return math.nan
    if num_trials == 1.0:
        return 0.0
    quantile = NormalDist().inv_cdf
    # As z(1 - p) = -z(p): 1 - 1/N rounds to 1 for very many trials.
    above = -(1.0 - _EULER_MASCHERONI) * quantile(1.0 / num_trials)
    beyond = -_EULER_MASCHERONI * quantile(1.0 / (num_trials * math.e))
    return finite_or_nan(math.sqrt(variance_of_trials) * max(above + beyond, 0.0))


def deflated_sharpe(
    sharpe: float,
    num_trials: float,
    variance_of_trials: float,
    sample_size: int,
    skew: float = 0.0,
    kurt: float = 3.0,
) -> float:
    """Probability that the true Sharpe ratio exceeds that of the best of ``num_trials`` worthless trials.

    ``probabilistic_sharpe`` with ``expected_max_sharpe`` for the benchmark; everything per session. Bailey and Lopez de
    Prado (2014). NaN where one of the two is: below two observations, for fewer than one trial, for NaN inputs.
    """
    benchmark = expected_max_sharpe(num_trials, variance_of_trials)
    return probabilistic_sharpe(sharpe, benchmark, sample_size, skew, kurt)

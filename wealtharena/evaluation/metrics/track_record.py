"""How long a track record has to be before its Sharpe ratio can be believed."""

import math
from statistics import NormalDist

from wealtharena.evaluation.metrics.observations import finite_or_nan
from wealtharena.evaluation.metrics.sharpe import unit_variance


def min_track_record_length(
    sharpe: float, benchmark: float = 0.0, skew: float = 0.0, kurt: float = 3.0, confidence: float = 0.95
) -> float:
    """Sessions after which a Sharpe ratio is above ``benchmark`` with ``confidence``, both per session.

    ``1 + (1 - skew SR + (kurt - 1) / 4 SR**2) (z(confidence) / (SR - benchmark))**2``: the sample size at which
    ``probabilistic_sharpe`` equals ``confidence``. Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient
    frontier", eq. 13.

    NaN where no record is long enough (a Sharpe ratio not above the benchmark), for NaN or infinite inputs, where skew
    and kurtosis leave no positive variance, and for a ``confidence`` outside [0.5, 1).
    """
    variance = unit_variance(sharpe, skew, kurt)
    if math.isnan(variance) or not sharpe > benchmark or not 0.5 <= confidence < 1.0:
        return math.nan
    quantile = NormalDist().inv_cdf(confidence)
    return finite_or_nan(1.0 + variance * (quantile / (sharpe - benchmark)) ** 2)

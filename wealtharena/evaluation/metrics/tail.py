"""Value at risk and expected shortfall, as positive losses per session, and tail ratio."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.moments import kurtosis, skewness
from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant, observations

DEFAULT_LEVEL = 0.95

_NORMAL = NormalDist()


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


def gaussian_value_at_risk(returns: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """Value at risk of a Normal distribution with the series' mean and population deviation: ``-(m + z s)``.

    z is the Normal quantile at ``1 - level``. Minus the return for a constant series; NaN without observations.
    """
    return _loss_at(returns, _NORMAL.inv_cdf(1.0 - level))


def gaussian_conditional_value_at_risk(returns: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """Mean loss of that Normal distribution beyond ``gaussian_value_at_risk``, never below it: ``-m + s pdf(z) / p``.

    p is ``1 - level``. Minus the return for a constant series; NaN without observations.
    """
    tail = 1.0 - level
    return _loss_at(returns, -_NORMAL.pdf(_NORMAL.inv_cdf(tail)) / tail)


def modified_value_at_risk(returns: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """``gaussian_value_at_risk`` with z corrected for skewness S and excess kurtosis K (Cornish and Fisher 1937).

    ``z + (z**2 - 1) S / 6 + (z**3 - 3 z) K / 24 - (2 z**3 - 5 z) S**2 / 36``: Zangari (1996), Favre and Galeano (2002).
    An expansion for moderate S and K; beyond, it need not grow with ``level`` any more. NaN for a constant series and
    below two observations.
    """
    z = _NORMAL.inv_cdf(1.0 - level)
    skew, excess = skewness(returns), kurtosis(returns) - 3.0
    corrected = (
        z + (z**2 - 1.0) * skew / 6.0 + (z**3 - 3.0 * z) * excess / 24.0 - (2.0 * z**3 - 5.0 * z) * skew**2 / 36.0
    )
    return _loss_at(returns, corrected)


def tail_ratio(returns: ArrayLike, level: float = DEFAULT_LEVEL) -> float:
    """Gain at the upper over loss at the lower quantile, ``q(level) / -q(1 - level)``.

    At least 0 unless even the upper quantile is a loss. NaN for a constant series, below two observations, and where
    the lower quantile is no loss: an account that hardly trades has no tails to compare.
    """
    values = observations(returns)
    if is_constant(values):
        return math.nan
    gain, loss = (float(np.quantile(values, share)) for share in (level, 1.0 - level))
    return finite_or_nan(gain / -loss) if loss < 0.0 else math.nan


def _loss_at(returns: ArrayLike, deviations: float) -> float:
    """Minus the return that lies ``deviations`` population standard deviations above the mean."""
    values = observations(returns)
    if not values.size:
        return math.nan
    return finite_or_nan(-(float(np.mean(values)) + deviations * float(np.std(values))))

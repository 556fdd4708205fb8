"""What memory in returns does to a Sharpe ratio per year."""

import math

from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, is_constant, observations
from wealtharena.evaluation.metrics.sharpe import sharpe_ratio


def autocorrelation(returns: ArrayLike) -> float:
    """Correlation of each return with the next: lagged products about the mean over all squares, within (-1, 1).

    NaN for a constant series and below two observations.
    """
    values = observations(returns)
    if is_constant(values):
        return math.nan
    around = values - values.mean()
    return finite_or_nan(float(around[1:] @ around[:-1]) / float(around @ around))


def annualisation_factor(num_sessions: int, first_autocorrelation: float = 0.0) -> float:
    """Factor from a Sharpe ratio per session to one per ``num_sessions`` sessions, for AR(1) returns.

    ``sqrt(q) (1 + 2 rho / (1 - rho) (1 - (1 - rho**q) / (q (1 - rho))))**-0.5``, which is ``sqrt(q)`` for independent
    returns, less for persistent and more for reverting ones. Lo (2002), "The statistics of Sharpe ratios", eq. 22.
    NaN below one session, for an autocorrelation outside (-1, 1), and for NaN.
    """
    rho, q = first_autocorrelation, num_sessions
    if not -1.0 < rho < 1.0 or not 1 <= q < math.inf:
        return math.nan
    inflation = 1.0 + 2.0 * rho / (1.0 - rho) * (1.0 - (1.0 - rho**q) / (q * (1.0 - rho)))
    return finite_or_nan(math.sqrt(q / inflation)) if inflation > 0.0 else math.nan


def autocorrelation_adjusted_sharpe(returns: ArrayLike, annualisation: int) -> float:
    """Annual Sharpe ratio with ``annualisation_factor`` at the series' own autocorrelation; NaN where that is NaN."""
    factor = annualisation_factor(annualisation, autocorrelation(returns))
    return finite_or_nan(sharpe_ratio(returns) * factor)

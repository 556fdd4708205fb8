"""How sure one can be that one account's Sharpe ratio is above another's."""

import math
from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics import sharpe_ratio


@dataclass(frozen=True, slots=True)
class SharpeDifference:
    """Difference of two annual Sharpe ratios over the same sessions; all NaN where one of them is not defined.

    Attributes:
        difference: first less second.
        standard_error: of the difference; 0 for two identical series.
        correlation: of the two return series.
        sessions: paired observations.
    """

    difference: float
    standard_error: float
    correlation: float
    sessions: int


def sharpe_difference(first: FloatArray, second: FloatArray, annualisation: int) -> SharpeDifference:
    """Difference of the Sharpe ratios of paired returns, with its asymptotic standard error.

    ``Var = (2 - 2 rho + (S1**2 + S2**2 - 2 S1 S2 rho**2) / 2) / n`` with Sharpe ratios per session and their
    correlation rho: Jobson and Korkie (1981), corrected by Memmel (2003), "Performance hypothesis testing with the
    Sharpe ratio". It assumes independent Normal returns: with fat tails and clustered volatility it is too small.

    Args:
        first: (n,) returns; sessions in which either series is NaN are left out.
        second: (n,) returns of the same sessions.
        annualisation: sessions per year.
    """
    paired = ~(np.isnan(first) | np.isnan(second))
    one, two = first[paired], second[paired]
    sharpe_one, sharpe_two = sharpe_ratio(one), sharpe_ratio(two)
    if math.isnan(sharpe_one) or math.isnan(sharpe_two):
        return SharpeDifference(math.nan, math.nan, math.nan, int(one.size))
    correlation = float(np.corrcoef(one, two)[0, 1])
    squares = sharpe_one**2 + sharpe_two**2 - 2.0 * sharpe_one * sharpe_two * correlation**2
    # Rounding may leave a tiny negative variance for identical series.
    variance = max(2.0 - 2.0 * correlation + squares / 2.0, 0.0) / one.size
    return SharpeDifference(
        difference=(sharpe_one - sharpe_two) * math.sqrt(annualisation),
        standard_error=math.sqrt(variance * annualisation),
        correlation=correlation,
        sessions=int(one.size),
    )

"""Falls of an account from its peak."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics.growth import annual_return
from wealtharena.evaluation.metrics.observations import finite_or_nan, observations


def drawdowns(returns: ArrayLike) -> FloatArray:
    """Fraction by which the account lies below its peak so far, (n,), 0 at a peak; the start counts as a peak.

    Exceeds 1 where the account owes money; NaN once its worth is beyond all numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        wealth = np.cumprod(1.0 + observations(returns))
        peak = np.maximum(np.maximum.accumulate(wealth), 1.0) if wealth.size else wealth
        drawdown: FloatArray = 1.0 - wealth / peak
    return drawdown


def max_drawdown(returns: ArrayLike) -> float:
    """Largest fall from a peak, as a positive fraction of the peak; NaN without observations."""
    fall = drawdowns(returns)
    return finite_or_nan(float(fall.max())) if fall.size else math.nan


def max_drawdown_sessions(returns: ArrayLike) -> float:
    """Sessions of the longest stretch below a former peak, ended or not; 0 if none, NaN without observations."""
    fall = drawdowns(returns)
    if not fall.size or np.isnan(fall).any():
        return math.nan
    longest = current = 0
    for below in fall > 0.0:
        current = current + 1 if below else 0
        longest = max(longest, current)
    return float(longest)


def calmar_ratio(returns: ArrayLike, annualisation: int, excess: ArrayLike | None = None) -> float:
    """Annual return over maximum drawdown; NaN for an account that never fell. Young (1991).

    ``excess`` are returns above those of cash, (n,), from which the annual return is then taken.
    """
    fall = max_drawdown(returns)
    earned = annual_return(returns if excess is None else excess, annualisation)
    return finite_or_nan(earned / fall) if fall > 0.0 else math.nan

"""How deep and how long an account lay below its peak: pain and ulcer index."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.drawdown import drawdowns
from wealtharena.evaluation.metrics.observations import finite_or_nan


def pain_index(returns: ArrayLike) -> float:
    """Mean drawdown over all n sessions, positive fraction; 0 if it never fell, NaN without observations.

    Becker and Moore (2006).
    """
    fall = drawdowns(returns)
    return finite_or_nan(float(fall.mean())) if fall.size else math.nan


def ulcer_index(returns: ArrayLike) -> float:
    """Root mean square drawdown over all n sessions; 0 if it never fell, NaN without observations.

    Martin and McCann (1989), "The investor's guide to Fidelity funds". At least ``pain_index``.
    """
    fall = drawdowns(returns)
    return finite_or_nan(math.sqrt(float(np.mean(fall**2)))) if fall.size else math.nan

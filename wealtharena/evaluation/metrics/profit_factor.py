"""Money won over money lost."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics.observations import finite_or_nan, observations


def profit_factor(profits: ArrayLike) -> float:
    """Sum of the profits over the sum of the losses; never negative, NaN where nothing was lost.

    ``profits`` are amounts of money, one per session or trade, (n,): a loss of a large account weighs more than the
    same return of a small one, in contrast to ``omega_ratio``.
    """
    values = observations(profits)
    lost = float(np.maximum(-values, 0.0).sum())
    return finite_or_nan(float(np.maximum(values, 0.0).sum()) / lost) if lost > 0.0 else math.nan


def session_profits(returns: ArrayLike, excess: ArrayLike) -> FloatArray:
    """(n,) profit above cash of each session in units of the initial equity; NaN where a return is.

    Args:
        returns: (n,) of the account, from which its equity before each session is compounded; NaN counts as 0 there.
        excess: (n,) the part of them that is above cash.
    """
    values = np.asarray(returns, dtype=np.float64).ravel()
    with np.errstate(over="ignore", invalid="ignore"):
        equity = np.cumprod(1.0 + np.where(np.isnan(values), 0.0, values))
        before = np.append(1.0, equity[:-1])[: values.size]
        profits: FloatArray = before * np.asarray(excess, dtype=np.float64).ravel()
    return profits

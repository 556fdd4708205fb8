"""Gains over losses, session by session: Omega and Bernardo-Ledoit ratio."""

import math

import numpy as np
from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.observations import finite_or_nan, observations


def omega_ratio(returns: ArrayLike, threshold: float = 0.0) -> float:
    """Sum of what returns lie above ``threshold`` (per session) over the sum of what they lie below it; never negative.

    Shadwick and Keating (2002), "A universal performance measure". Falls as the threshold rises. NaN where no return is
    below the threshold, so for an account that never moved or never lost too.
    """
    beyond = observations(returns) - threshold
    losses = float(np.maximum(-beyond, 0.0).sum())
    return finite_or_nan(float(np.maximum(beyond, 0.0).sum()) / losses) if losses > 0.0 else math.nan


def bernardo_ledoit_ratio(returns: ArrayLike) -> float:
    """Sum of the gains over the sum of the losses: ``omega_ratio`` at 0. NaN without a loss.

    Bernardo and Ledoit (2000), "Gain, loss and asset pricing".
    """
    return omega_ratio(returns)

"""How far the joint flow of several agents moves the price at which their orders fill."""

import numpy as np

from wealtharena.core.panel import FloatArray

MAX_SHIFT = 0.01
"""Largest relative move of a fill price."""


def price_shift(flow: FloatArray, dollar_volume: FloatArray, volatility: FloatArray, strength: float) -> FloatArray:
    """Relative move of fill prices, ``strength * volatility * sqrt(|flow| / dollar_volume)`` in the flow's direction.

    The square-root law of market impact (Almgren et al. 2005; Toth et al. 2011), capped at ``MAX_SHIFT``.

    Args:
        flow: (A,) value bought less value sold, in currency.
        dollar_volume: (A,) mean traded value per session; NaN (no central market) has no impact.
        volatility: (A,) per session; NaN (not known yet) has no impact.
        strength: dimensionless, about 1 empirically; 0 turns impact off.
    """
    # Without volatility nothing moves; a volume near the smallest number must not make 0 x infinity of it.
    known = (dollar_volume > 0.0) & (volatility > 0.0)
    with np.errstate(over="ignore"):
        participation = np.divide(np.abs(flow), dollar_volume, out=np.zeros_like(flow), where=known)
    size = strength * np.where(known, volatility, 0.0) * np.sqrt(participation)
    return np.sign(flow) * np.minimum(size, MAX_SHIFT)

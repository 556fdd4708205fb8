"""Forward evidence that one account earns more than another: an e-process, which may be looked at every night.

``x_t = (h_t - c_t) / s_{t-1}`` with the volatility-matched returns h and c of challenger and champion and s the moving
standard deviation of their difference, as known the session before. ``E_t`` is the mean over stakes lambda of
``prod max(0, 1 + lambda min(x, 5))``. If the challenger is no better, E[x_t | past] <= 0, every factor has a mean of at
most 1 while x >= -1 / lambda, and E is a non-negative supermartingale: by Ville's inequality it ever reaches 1 / alpha
with a probability of at most alpha, however often it is looked at. Clipping gains only makes E smaller; losses are
never clipped, for that would hide the risk of a crash.

Source: Shafer and Vovk, "Game-Theoretic Foundations for Probability and Finance" (2019); Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting" (2024).
"""

import numpy as np
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.promotion.matching import known_volatility

STAKES = (0.05, 0.10, 0.15)
"""Shares of the wagered capital; the largest stays solvent down to a loss of 6.7 standard deviations."""
MOST = 5.0
"""Gain of a session, in standard deviations, above which it counts no further."""
# Matched returns have a standard deviation of 0.01: accounts that differ by less than this are the same account.
_SAME = 1e-9


def surprises(challenger: FloatArray, champion: FloatArray) -> FloatArray:
    """``x`` of each session: the challenger's advantage in standard deviations; those of the champion are ``-x``.

    Args:
        challenger: (..., T) volatility-matched returns, see ``matched``.
        champion: (..., T) of the same sessions.

    Returns:
        (..., T); NaN where a return is missing, where the standard deviation is not yet known, and where the accounts
        have been one and the same.
    """
    difference = np.asarray(challenger - champion, dtype=np.float64)
    scale = known_volatility(difference)
    scale[~(scale > _SAME)] = np.nan
    return np.asarray(difference / scale)


def log_e_process(surprises: FloatArray) -> FloatArray:
    """Natural logarithm of E after each session; E is 1 before the first, and NaN leaves it as it was.

    Args:
        surprises: (..., T), see ``surprises``; with the sign changed they give the reversed process.

    Returns:
        (..., T); ``-inf`` once every stake has been lost.
    """
    rows = np.ascontiguousarray(surprises, dtype=np.float64).reshape(-1, max(surprises.shape[-1], 1))
    return _log_e(rows, np.array(STAKES)).reshape(surprises.shape)


def loss_stops(surprises: FloatArray, limit: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether a session up to each one lost more than ``limit`` standard deviations: (..., T)."""
    return np.logical_or.accumulate(surprises < -limit, axis=-1)


@njit(cache=True)
def _log_e(surprises: FloatArray, stakes: FloatArray) -> FloatArray:
    result = np.empty(surprises.shape)
    capital = np.empty(stakes.size)
    for row in range(surprises.shape[0]):
        capital[:] = 0.0
        last = 0.0
        for t in range(surprises.shape[1]):
            if not np.isnan(surprises[row, t]):
                for j in range(stakes.size):
                    factor = 1.0 + stakes[j] * min(surprises[row, t], MOST)
                    capital[j] = capital[j] + np.log(factor) if factor > 0.0 else -np.inf
                last = _log_mean(capital)
            result[row, t] = last
    return result


@njit(cache=True)
def _log_mean(logarithms: FloatArray) -> float:
    largest = logarithms.max()
    if largest == -np.inf:
        return -np.inf
    return float(largest + np.log(np.exp(logarithms - largest).mean()))

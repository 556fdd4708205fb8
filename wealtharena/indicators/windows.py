"""Trailing windows over a finite series; value ``i`` depends on its own window only, bit for bit.

Sums are taken pairwise inside each window instead of running over the series: nothing is left over from a large value
that has gone out of the window, and cutting the series cannot change a digit.
All functions take and return (n,) float64; the first ``window - 1`` values are NaN.
"""

import numpy as np

from wealtharena.core.panel import FloatArray

# One basis point a day: below it a series stands still and its moves are rounding of the price.
VOLATILITY_FLOOR = 1e-4
VOLATILITY_WINDOW = 63


def moving_sum(values: FloatArray, window: int) -> FloatArray:
    """Sum of the last ``window`` values."""
    result = np.full(len(values), np.nan)
    if len(values) < window:
        return result
    # ``block[i]`` is the sum of ``width`` values from i on; the window is put together from blocks of 1, 2, 4 …
    size = len(values) - window + 1
    total, block, width, start = np.zeros(size), values, 1, 0
    while True:
        if window & width:
            total = total + block[start : start + size]
            start += width
        if 2 * width > window:
            break
        block = block[:-width] + block[width:]
        width *= 2
    result[window - 1 :] = total
    return result


def moving_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the last ``window`` values."""
    return moving_sum(values, window) / window


def moving_std(values: FloatArray, window: int) -> FloatArray:
    """Standard deviation (n − 1) of the last ``window`` values, never below 0."""
    mean = moving_mean(values, window)
    squares = moving_sum(values * values, window) - window * mean * mean
    return np.sqrt(np.maximum(squares, 0.0) / (window - 1))


def lagged(values: FloatArray, bars: int) -> FloatArray:
    """The value ``bars`` earlier; NaN in the first ``bars``."""
    result = np.full(len(values), np.nan)
    result[bars:] = values[:-bars]
    return result


def log_return(close: FloatArray, bars: int) -> FloatArray:
    """ln(close / close ``bars`` earlier); NaN in the first ``bars``."""
    log_close = np.log(close)
    return log_close - lagged(log_close, bars)


def volatility(close: FloatArray, window: int = VOLATILITY_WINDOW) -> FloatArray:
    """Standard deviation of the last ``window`` daily log returns, per day, at least ``VOLATILITY_FLOOR``.

    NaN in the first ``window`` bars.
    """
    result = np.full(len(close), np.nan)
    result[1:] = np.maximum(moving_std(log_return(close, 1)[1:], window), VOLATILITY_FLOOR)
    return result


def ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float = 0.0) -> FloatArray:
    """``numerator / denominator``; ``otherwise`` where the denominator is 0; NaN where either is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = numerator / denominator
    return np.where(denominator == 0.0, np.where(np.isnan(numerator), np.nan, otherwise), quotient)

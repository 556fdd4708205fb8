"""Trailing windows over a finite series; value ``i`` depends on its own window only, bit for bit.

Sums are taken pairwise inside each window instead of running over the series: nothing is left over from a large value
that has gone out of the window, and cutting the series cannot change a digit.
All functions take and return (n,) float64; the first ``window - 1`` values are NaN.
"""

import numpy as np
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.intermediates import shared

# One basis point a day: below it a series stands still and its moves are rounding of the price.
VOLATILITY_FLOOR = 1e-4
VOLATILITY_WINDOW = 63

# Values that are summed in one go: the sums of a stretch stay in the fastest cache.
_STRETCH = 1_024


@njit(cache=True)
def moving_sum(values: FloatArray, window: int) -> FloatArray:
    """Sum of the last ``window`` values."""
    count = len(values)
    result = np.empty(count)
    result[: window - 1] = np.nan
    one, other = np.empty(_STRETCH + window), np.empty(_STRETCH + window)
    for first in range(window - 1, count, _STRETCH):
        total = result[first : first + _STRETCH]
        total[:] = 0.0
        # ``block[i]`` is the sum of ``width`` values from i on; the window is put together from blocks of 1, 2, 4 …
        block = values[first - window + 1 : first + len(total)]
        width, start = 1, 0
        while True:
            if window & width:
                _add(total, block[start:], total)
                start += width
            if 2 * width > window:
                break
            doubled = one[: len(block) - width]
            _add(block, block[width:], doubled)
            block, one, other = doubled, other, one
            width *= 2
    return result


@njit(cache=True)
def moving_mean(values: FloatArray, window: int) -> FloatArray:
    """Mean of the last ``window`` values."""
    result = moving_sum(values, window)
    for place in range(len(result)):
        result[place] = result[place] / window
    return result


@njit(cache=True)
def moving_std(values: FloatArray, window: int) -> FloatArray:
    """Standard deviation (n − 1) of the last ``window`` values, never below 0."""
    return _std_around(moving_mean(values, window), values, window)


@njit(cache=True)
def moving_z_score(values: FloatArray, window: int, smallest_std: float) -> FloatArray:
    """(value − mean) / standard deviation of the last ``window`` values, which is at least ``smallest_std``."""
    mean = moving_mean(values, window)
    result = _std_around(mean, values, window)
    for place in range(len(result)):
        # Not ``max``: it need not keep a NaN.
        spread = smallest_std if result[place] < smallest_std else result[place]
        result[place] = (values[place] - mean[place]) / spread
    return result


def lagged(values: FloatArray, bars: int) -> FloatArray:
    """The value ``bars`` earlier; NaN in the first ``bars``."""
    result = np.full(len(values), np.nan)
    result[bars:] = values[:-bars]
    return result


@shared
def log_price(price: FloatArray) -> FloatArray:
    """Natural logarithm."""
    return np.log(price)


def log_return(close: FloatArray, bars: int) -> FloatArray:
    """ln(close / close ``bars`` earlier); NaN in the first ``bars``."""
    change: FloatArray = _change(log_price(close), bars)
    return change


@njit(cache=True)
def in_units_of(deviation: FloatArray, values: FloatArray, factor: float) -> FloatArray:
    """``values / (deviation × factor)``."""
    result = np.empty(len(values))
    for place in range(len(values)):
        result[place] = values[place] / (deviation[place] * factor)
    return result


@shared
def daily_returns(close: FloatArray) -> FloatArray:
    """(n − 1,) daily log returns: that of the second bar is the first."""
    return log_return(close, 1)[1:]


@shared
def return_deviation(close: FloatArray, window: int) -> FloatArray:
    """(n − 1,) standard deviation of the last ``window`` daily log returns, in the places of ``daily_returns``."""
    deviation: FloatArray = moving_std(daily_returns(close), window)
    return deviation


@shared
def volatility(close: FloatArray, window: int = VOLATILITY_WINDOW) -> FloatArray:
    """Standard deviation of the last ``window`` daily log returns, per day, at least ``VOLATILITY_FLOOR``.

    NaN in the first ``window`` bars.
    """
    result = np.full(len(close), np.nan)
    np.maximum(return_deviation(close, window), VOLATILITY_FLOOR, out=result[1:])
    return result


@njit(cache=True)
def ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float = 0.0) -> FloatArray:
    """``numerator / denominator``; ``otherwise`` where the denominator is 0; NaN where either is NaN."""
    result = np.empty(len(numerator))
    for place in range(len(numerator)):
        zero = denominator[place] == 0.0
        quotient = numerator[place] / (1.0 if zero else denominator[place])
        result[place] = otherwise if zero and not np.isnan(quotient) else quotient
    return result


@njit(cache=True)
def _std_around(mean: FloatArray, values: FloatArray, window: int) -> FloatArray:
    result = moving_sum(values * values, window)
    for place in range(len(result)):
        squares = result[place] - window * mean[place] * mean[place]
        result[place] = np.sqrt((0.0 if squares < 0.0 else squares) / (window - 1))
    return result


@njit(cache=True)
def _change(values: FloatArray, bars: int) -> FloatArray:
    result = np.empty(len(values))
    result[:bars] = np.nan
    change, now = result[bars:], values[bars:]
    for place in range(len(change)):
        change[place] = now[place] - values[place]
    return result


@njit(cache=True, inline="always")
def _add(left: FloatArray, right: FloatArray, result: FloatArray) -> None:
    for place in range(len(result)):
        result[place] = left[place] + right[place]

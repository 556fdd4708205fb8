"""Volatility: its level, its change, and the shape of returns."""

import math

import numpy as np
import talib
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.intermediates import shared
from wealtharena.indicators.windows import VOLATILITY_FLOOR, daily_returns, moving_mean, moving_sum, moving_z_score
from wealtharena.indicators.windows import volatility as daily_volatility

_TYPICAL_VOLATILITY = 0.01
_PARKINSON = 1.0 / (4.0 * math.log(2.0))


def volatility_21(close: FloatArray) -> FloatArray:
    """ln(σ21 / 1 % a day)."""
    return np.log(daily_volatility(close, 21) / _TYPICAL_VOLATILITY)


def volatility_ratio_21_63(close: FloatArray) -> FloatArray:
    """3 ln(σ21 / σ63): above 0 when volatility rises."""
    return 3.0 * np.log(daily_volatility(close, 21) / daily_volatility(close, 63))


def volatility_z_126(close: FloatArray) -> FloatArray:
    """(ln σ21 − its mean) / its standard deviation, both over 126 sessions."""
    log_volatility = np.log(daily_volatility(close, 21))[21:]
    result = np.full(len(close), np.nan)
    result[21:] = moving_z_score(log_volatility, 126, VOLATILITY_FLOOR)
    return result


@shared
def average_true_range(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """ATR over 14 sessions (Wilder 1978; TA-Lib)."""
    return talib.ATR(high, low, close, timeperiod=14)


def atr_ratio_14_126(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """3 ln((ATR14 / c) / its mean over 126 sessions) (Wilder 1978; TA-Lib ATR)."""
    share = np.maximum((average_true_range(high, low, close) / close)[14:], VOLATILITY_FLOOR)
    result = np.full(len(close), np.nan)
    result[14:] = 3.0 * np.log(share / moving_mean(share, 126))
    return result


def range_volatility_21(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """3 ln(Parkinson volatility / σ21) over 21 sessions: range without net movement above 0 (Parkinson 1980)."""
    log_range = np.log(high / low)
    parkinson = np.sqrt(_PARKINSON * np.maximum(moving_mean(log_range * log_range, 21), 0.0))
    excess: FloatArray = np.log(np.maximum(parkinson, VOLATILITY_FLOOR) / daily_volatility(close, 21))
    return 3.0 * excess


def skew_63(close: FloatArray) -> FloatArray:
    """Skewness of 63 daily log returns: mean cubed deviation over the cube of the standard deviation (population)."""
    returns = daily_returns(close)
    mean = moving_mean(returns, 63)
    second = moving_mean(returns * returns, 63)
    third = moving_mean(returns * returns * returns, 63)
    deviation = np.sqrt(np.maximum(second - mean * mean, 0.0))
    central = third - 3.0 * mean * second + 2.0 * mean * mean * mean
    result = np.full(len(close), np.nan)
    result[1:] = np.where(deviation <= VOLATILITY_FLOOR, 0.0, central / np.maximum(deviation, VOLATILITY_FLOOR) ** 3)
    result[:63] = np.nan
    return result


def downside_63(close: FloatArray) -> FloatArray:
    """4 (d² − u²) / (d² + u²) with d², u² the sums of squared falls and rises of 63 sessions."""
    falls, rises = _squared_falls_and_rises(daily_returns(close))
    result = np.full(len(close), np.nan)
    result[1:] = _balance(moving_sum(falls, 63), moving_sum(rises, 63), 63 * VOLATILITY_FLOOR**2)
    return result


@njit(cache=True)
def _squared_falls_and_rises(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    falls, rises = np.empty(len(returns)), np.empty(len(returns))
    for place in range(len(returns)):
        square = returns[place] * returns[place]
        falls[place] = square if returns[place] < 0.0 else 0.0
        rises[place] = square if returns[place] > 0.0 else 0.0
    return falls, rises


@njit(cache=True)
def _balance(falls: FloatArray, rises: FloatArray, smallest: float) -> FloatArray:
    result = np.empty(len(falls))
    for place in range(len(falls)):
        total = falls[place] + rises[place]
        result[place] = 4.0 * (falls[place] - rises[place]) / (smallest if total < smallest else total)
    return result

"""Trend: where the price stands against its own averages, and how steadily it moves."""

import math

import numpy as np
import talib
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.intermediates import shared
from wealtharena.indicators.volatility import average_true_range
from wealtharena.indicators.windows import (
    VOLATILITY_FLOOR,
    daily_returns,
    in_units_of,
    log_price,
    moving_mean,
    ratio,
    return_deviation,
    volatility,
)


def distance_from_average(close: FloatArray, window: int) -> FloatArray:
    """(ln c − mean of ln c over ``window``) / (σ63 √(window / 3)): about standard normal on a random walk.

    On a random walk the distance from an average of w log prices has variance σ² (w − 1)(2w − 1) / 6w ≈ σ² w / 3.
    """
    log_close = log_price(close)
    return in_units_of(volatility(close), log_close - moving_mean(log_close, window), math.sqrt(window / 3.0))


def distance_ma_20(close: FloatArray) -> FloatArray:
    """(ln c − mean of ln c over 20 sessions) / (σ63 √(20 / 3))."""
    return distance_from_average(close, 20)


def distance_ma_50(close: FloatArray) -> FloatArray:
    """(ln c − mean of ln c over 50 sessions) / (σ63 √(50 / 3))."""
    return distance_from_average(close, 50)


def distance_ma_200(close: FloatArray) -> FloatArray:
    """(ln c − mean of ln c over 200 sessions) / (σ63 √(200 / 3))."""
    return distance_from_average(close, 200)


def macd_line(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """(EMA12 − EMA26) / ATR14 (Appel; TA-Lib MACD and ATR)."""
    line, _ = _line_and_histogram(close)
    return ratio(line, average_true_range(high, low, close))


def macd_histogram(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """4 × (MACD(12, 26) − its EMA9) / ATR14 (TA-Lib MACD and ATR)."""
    _, histogram = _line_and_histogram(close)
    return 4.0 * ratio(histogram, average_true_range(high, low, close))


def adx_14(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """(ADX14 − 25) / 15: strength of the trend, either way (Wilder 1978; TA-Lib ADX)."""
    return (talib.ADX(high, low, close, timeperiod=14) - 25.0) / 15.0


def directional_14(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """(+DI14 − −DI14) / 20: direction of the trend (Wilder 1978; TA-Lib)."""
    up = talib.PLUS_DI(high, low, close, timeperiod=14)
    down = talib.MINUS_DI(high, low, close, timeperiod=14)
    return (up - down) / 20.0


def aroon_25(high: FloatArray, low: FloatArray) -> FloatArray:
    """Aroon oscillator over 25 sessions, −1 … 1 (Chande 1995; TA-Lib AROONOSC)."""
    return talib.AROONOSC(high, low, timeperiod=25) / 100.0


def drawdown_252(close: FloatArray) -> FloatArray:
    """ln(c / highest close of 252 sessions) / (σ63 √252): 0 at the high, else negative."""
    log_close = log_price(close)
    return in_units_of(volatility(close), log_close - talib.MAX(log_close, timeperiod=252), math.sqrt(252.0))


def autocorrelation_63(close: FloatArray) -> FloatArray:
    """√63 × correlation of 63 daily log returns with those of the day before: trend above 0, reversal below.

    About standard normal on a random walk.
    """
    returns = daily_returns(close)
    today, before = returns[1:], returns[:-1]
    products = moving_mean(today * before, 63)
    result = np.full(len(close), np.nan)
    result[2:] = _scaled_correlation(products, moving_mean(returns, 63), return_deviation(close, 63))
    return result


@shared
def _line_and_histogram(close: FloatArray) -> tuple[FloatArray, FloatArray]:
    line, _, histogram = talib.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    return line, histogram


@njit(cache=True)
def _scaled_correlation(products: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    result = np.empty(len(products))
    for place in range(len(products)):
        covariance = products[place] - mean[place + 1] * mean[place]
        spread = deviation[place + 1] * deviation[place]
        smallest = VOLATILITY_FLOOR**2
        result[place] = math.sqrt(63.0) * covariance / (smallest if spread < smallest else spread)
    return result

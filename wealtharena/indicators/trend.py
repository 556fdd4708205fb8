"""Trend: where the price stands against its own averages, and how steadily it moves."""

import math

import numpy as np
import talib

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.windows import VOLATILITY_FLOOR, log_return, moving_mean, moving_std, ratio, volatility


def distance_from_average(close: FloatArray, window: int) -> FloatArray:
    """(ln c − mean of ln c over ``window``) / (σ63 √(window / 3)): about standard normal on a random walk.

    On a random walk the distance from an average of w log prices has variance σ² (w − 1)(2w − 1) / 6w ≈ σ² w / 3.
    """
    log_close = np.log(close)
    return (log_close - moving_mean(log_close, window)) / (volatility(close) * math.sqrt(window / 3.0))


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
    line, _, _ = talib.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    return ratio(line, talib.ATR(high, low, close, timeperiod=14))


def macd_histogram(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """4 × (MACD(12, 26) − its EMA9) / ATR14 (TA-Lib MACD and ATR)."""
    _, _, histogram = talib.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    return 4.0 * ratio(histogram, talib.ATR(high, low, close, timeperiod=14))


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
    log_close = np.log(close)
    return (log_close - talib.MAX(log_close, timeperiod=252)) / (volatility(close) * math.sqrt(252.0))


def autocorrelation_63(close: FloatArray) -> FloatArray:
    """√63 × correlation of 63 daily log returns with those of the day before: trend above 0, reversal below.

    About standard normal on a random walk.
    """
    returns = log_return(close, 1)[1:]
    today, before = returns[1:], returns[:-1]
    covariance = moving_mean(today * before, 63) - moving_mean(today, 63) * moving_mean(before, 63)
    spread = moving_std(today, 63) * moving_std(before, 63)
    result = np.full(len(close), np.nan)
    result[2:] = math.sqrt(63.0) * covariance / np.maximum(spread, VOLATILITY_FLOOR**2)
    return result

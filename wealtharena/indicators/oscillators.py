"""Oscillators: how far a price has run within its recent range, the basis of mean reversion."""

import numpy as np
import talib
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.windows import VOLATILITY_FLOOR, log_price, moving_mean, moving_z_score, ratio


def rsi_14(close: FloatArray) -> FloatArray:
    """(RSI14 − 50) / 25 (Wilder 1978; TA-Lib RSI)."""
    return (_relative_strength_index(close, 14) - 50.0) / 25.0


def rsi_2(close: FloatArray) -> FloatArray:
    """(RSI2 − 50) / 50, −1 … 1: short-term reversal (Connors and Alvarez 2009; TA-Lib RSI)."""
    return (_relative_strength_index(close, 2) - 50.0) / 50.0


def stochastic_14(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Mean of 3 sessions of 2 (c − L14) / (H14 − L14) − 1, with H14 and L14 the extremes of 14 sessions (Lane)."""
    lowest, highest = talib.MIN(low, timeperiod=14), talib.MAX(high, timeperiod=14)
    position = np.full(len(close), np.nan)
    raw = ratio(2.0 * (close - lowest), highest - lowest, otherwise=1.0) - 1.0
    position[13:] = moving_mean(raw[13:], 3)
    return position


def cci_20(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """CCI20 / 100 (Lambert 1980; TA-Lib CCI)."""
    return talib.CCI(high, low, close, timeperiod=20) / 100.0


def bollinger_20(close: FloatArray) -> FloatArray:
    """(ln c − mean20) / (2 s20) with mean and standard deviation of ln c: ±1 at the bands (Bollinger 2001)."""
    log_close = log_price(close)
    return moving_z_score(log_close, 20, VOLATILITY_FLOOR) / 2.0


def close_location_5(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Mean of 5 sessions of (2c − h − l) / (h − l), −1 … 1: where in the day's range the close fell (Chaikin)."""
    return moving_mean(_close_location(high, low, close), 5)


@njit(cache=True)
def _close_location(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    result = np.zeros(len(close))
    for place in range(len(close)):
        reach = high[place] - low[place]
        location = (2.0 * close[place] - high[place] - low[place]) / (1.0 if reach == 0.0 else reach)
        bounded = min(max(location, -1.0), 1.0)
        result[place] = 0.0 if reach == 0.0 else bounded
    return result


def _relative_strength_index(close: FloatArray, period: int) -> FloatArray:
    index = talib.RSI(close, timeperiod=period)
    # TA-Lib answers 0, the most oversold, for a price that never moved; it is neither.
    lowest = index == 0.0
    if not lowest.any():
        return index
    moves = np.abs(np.diff(close, prepend=close[0]))
    return np.where(lowest & (talib.MAX(moves, timeperiod=period) == 0.0), 50.0, index)

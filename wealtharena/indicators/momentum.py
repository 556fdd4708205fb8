"""Momentum: past returns in units of their own volatility."""

import math

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.windows import (
    daily_returns,
    in_units_of,
    lagged,
    log_price,
    log_return,
    moving_sum,
    ratio,
    volatility,
)

MONTH_BARS = 21
YEAR_BARS = 252


def scaled_return(close: FloatArray, bars: int) -> FloatArray:
    """ln(c_t / c_{t−bars}) / (σ63 √bars): about standard normal on a random walk."""
    return in_units_of(volatility(close), log_return(close, bars), math.sqrt(bars))


def return_1(close: FloatArray) -> FloatArray:
    """ln(c_t / c_{t−1}) / σ63."""
    return scaled_return(close, 1)


def return_5(close: FloatArray) -> FloatArray:
    """ln(c_t / c_{t−5}) / (σ63 √5)."""
    return scaled_return(close, 5)


def return_21(close: FloatArray) -> FloatArray:
    """ln(c_t / c_{t−21}) / (σ63 √21)."""
    return scaled_return(close, 21)


def return_63(close: FloatArray) -> FloatArray:
    """ln(c_t / c_{t−63}) / (σ63 √63)."""
    return scaled_return(close, 63)


def return_126(close: FloatArray) -> FloatArray:
    """ln(c_t / c_{t−126}) / (σ63 √126)."""
    return scaled_return(close, 126)


def momentum_12_1(close: FloatArray) -> FloatArray:
    """ln(c_{t−21} / c_{t−252}) / (σ63 √231): a year's return without the last month (Jegadeesh and Titman 1993)."""
    skipped = YEAR_BARS - MONTH_BARS
    return in_units_of(volatility(close), lagged(log_return(close, skipped), MONTH_BARS), math.sqrt(skipped))


def overnight_gap(open_: FloatArray, close: FloatArray) -> FloatArray:
    """ln(open_t / c_{t−1}) / σ63."""
    return (log_price(open_) - lagged(log_price(close), 1)) / volatility(close)


def efficiency_21(close: FloatArray) -> FloatArray:
    """Log return of 21 sessions over the sum of the 21 absolute daily ones, −1 … 1 (Kaufman's efficiency ratio)."""
    path = np.full(len(close), np.nan)
    path[1:] = moving_sum(np.abs(daily_returns(close)), MONTH_BARS)
    return ratio(log_return(close, MONTH_BARS), path)

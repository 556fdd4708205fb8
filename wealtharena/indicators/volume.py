"""Volume, as traded value (close × volume): independent of splits and of dividend adjustment."""

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.windows import log_return, moving_mean, moving_std, moving_sum, ratio

# Standard deviation of log traded value below which the series stands still.
_SPREAD_FLOOR = 1e-2


def volume_z_63(traded_value: FloatArray) -> FloatArray:
    """(ln(1 + value) − its mean) / its standard deviation, both over 63 sessions."""
    log_value = np.log1p(traded_value)
    return (log_value - moving_mean(log_value, 63)) / np.maximum(moving_std(log_value, 63), _SPREAD_FLOOR)


def volume_trend_5_63(traded_value: FloatArray) -> FloatArray:
    """ln((1 + mean value of 5 sessions) / (1 + mean value of 63))."""
    return np.log1p(moving_mean(traded_value, 5)) - np.log1p(moving_mean(traded_value, 63))


def obv_21(close: FloatArray, traded_value: FloatArray) -> FloatArray:
    """2 × change of on-balance volume (Granville 1963) over 21 sessions / volume of 21 sessions, −2 … 2."""
    signed = np.sign(log_return(close, 1)) * traded_value
    result = np.full(len(close), np.nan)
    result[1:] = 2.0 * ratio(moving_sum(signed[1:], 21), moving_sum(traded_value[1:], 21))
    return result


def signed_volume_5(close: FloatArray, traded_value: FloatArray) -> FloatArray:
    """Change of on-balance volume over 5 sessions / volume of 5 sessions, −1 … 1."""
    signed = np.sign(log_return(close, 1)) * traded_value
    result = np.full(len(close), np.nan)
    result[1:] = ratio(moving_sum(signed[1:], 5), moving_sum(traded_value[1:], 5))
    return result

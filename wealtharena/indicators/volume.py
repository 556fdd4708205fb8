"""Volume, as traded value (close × volume): independent of splits and of dividend adjustment."""

import numpy as np
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.indicators.windows import daily_returns, moving_mean, moving_sum, moving_z_score, ratio

# Standard deviation of log traded value below which the series stands still.
_SPREAD_FLOOR = 1e-2


def volume_z_63(traded_value: FloatArray) -> FloatArray:
    """(ln(1 + value) − its mean) / its standard deviation, both over 63 sessions."""
    return moving_z_score(np.log1p(traded_value), 63, _SPREAD_FLOOR)


def volume_trend_5_63(traded_value: FloatArray) -> FloatArray:
    """ln((1 + mean value of 5 sessions) / (1 + mean value of 63))."""
    return np.log1p(moving_mean(traded_value, 5)) - np.log1p(moving_mean(traded_value, 63))


def obv_21(close: FloatArray, traded_value: FloatArray) -> FloatArray:
    """2 × change of on-balance volume (Granville 1963) over 21 sessions / volume of 21 sessions, −2 … 2."""
    result = np.full(len(close), np.nan)
    result[1:] = 2.0 * _signed_share(close, traded_value, 21)
    return result


def signed_volume_5(close: FloatArray, traded_value: FloatArray) -> FloatArray:
    """Change of on-balance volume over 5 sessions / volume of 5 sessions, −1 … 1."""
    result = np.full(len(close), np.nan)
    result[1:] = _signed_share(close, traded_value, 5)
    return result


def _signed_share(close: FloatArray, traded_value: FloatArray, window: int) -> FloatArray:
    value = traded_value[1:]
    return ratio(moving_sum(_signed(value, daily_returns(close)), window), moving_sum(value, window))


@njit(cache=True)
def _signed(values: FloatArray, direction: FloatArray) -> FloatArray:
    result = np.empty(len(values))
    for place in range(len(values)):
        rise, fall = direction[place] > 0.0, direction[place] < 0.0
        result[place] = values[place] if rise else -values[place] if fall else 0.0
    return result

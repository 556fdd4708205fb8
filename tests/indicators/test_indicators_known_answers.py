"""Indicators on inputs whose answer is known from the definition or from a slow, plain computation."""

import numpy as np
import pandas as pd
import pytest
import talib

from wealtharena.indicators import INDICATORS
from wealtharena.indicators.windows import moving_mean, moving_std, moving_sum, volatility

BARS = 400


def _close(seed: int = 0) -> np.ndarray:
    return 20.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, BARS)))


def _bar(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    close = _close(seed)
    rng = np.random.default_rng(seed + 100)
    return close * np.exp(rng.uniform(0, 0.01, BARS)), close * np.exp(-rng.uniform(0, 0.01, BARS)), close


@pytest.mark.parametrize("window", [1, 2, 3, 5, 21, 63, 64])
def test_moving_sum_adds_each_window(window: int) -> None:
    values = np.random.default_rng(0).normal(size=100)
    expected = [values[i + 1 - window : i + 1].sum() for i in range(window - 1, 100)]
    assert np.isnan(moving_sum(values, window)[: window - 1]).all()
    np.testing.assert_allclose(moving_sum(values, window)[window - 1 :], expected, atol=1e-12)


def test_moving_sum_forgets_a_large_value_without_trace() -> None:
    values = np.array([1e15, 0.1, 0.2, 0.3, 0.4])
    assert moving_sum(values, 2).tolist()[2:] == [0.1 + 0.2, 0.2 + 0.3, 0.3 + 0.4]


def test_moving_sum_of_a_short_series_is_nan() -> None:
    assert np.isnan(moving_sum(np.ones(4), 5)).all()


def test_moving_mean_and_std_of_a_small_series() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert moving_mean(values, 3)[-1] == pytest.approx(7 / 3)
    assert moving_std(values, 3)[-1] == pytest.approx(np.std([1, 2, 4], ddof=1))


def test_volatility_of_alternating_returns() -> None:
    close = np.exp(np.cumsum(np.tile([0.01, -0.01], 40)))
    assert volatility(close, 20)[-1] == pytest.approx(0.01 * np.sqrt(20 / 19))


def test_volatility_of_a_standing_price_is_the_floor() -> None:
    assert volatility(np.full(80, 3.0))[-1] == 1e-4


def test_scaled_returns_divide_by_volatility_and_root_of_time() -> None:
    close = _close()
    sigma = np.std(np.diff(np.log(close[-64:])), ddof=1)
    assert INDICATORS["return_5"].function(close)[-1] == pytest.approx(np.log(close[-1] / close[-6]) / (sigma * 5**0.5))
    assert INDICATORS["momentum_12_1"].function(close)[-1] == pytest.approx(
        np.log(close[-22] / close[-253]) / (sigma * 231**0.5)
    )


def test_overnight_gap_compares_open_with_the_close_before() -> None:
    close = _close()
    opened = close.copy()
    opened[-1] = close[-2] * 1.02
    sigma = volatility(close)[-1]
    assert INDICATORS["overnight_gap"].function(opened, close)[-1] == pytest.approx(np.log(1.02) / sigma)


def test_efficiency_is_one_on_a_straight_way_and_minus_one_down() -> None:
    up = np.exp(np.linspace(0, 1, 60))
    assert INDICATORS["efficiency_21"].function(up)[-1] == pytest.approx(1.0)
    assert INDICATORS["efficiency_21"].function(up[::-1])[-1] == pytest.approx(-1.0)


def test_distance_from_average_has_the_sign_and_size_of_its_formula() -> None:
    close = _close()
    expected = (np.log(close[-1]) - np.log(close[-20:]).mean()) / (volatility(close)[-1] * (20 / 3) ** 0.5)
    assert INDICATORS["distance_ma_20"].function(close)[-1] == pytest.approx(expected)


def test_drawdown_is_zero_at_the_high_and_negative_below() -> None:
    close = np.append(_close(), [1000.0, 900.0])
    drawdown = INDICATORS["drawdown_252"].function(close)
    assert drawdown[-2] == 0.0
    assert drawdown[-1] == pytest.approx(np.log(0.9) / (volatility(close)[-1] * 252**0.5))


def test_autocorrelation_matches_the_correlation_of_lagged_returns() -> None:
    close = _close()
    returns = np.diff(np.log(close))
    correlation = np.corrcoef(returns[-63:], returns[-64:-1])[0, 1]
    # Our covariance divides by n, the standard deviations by n - 1.
    assert INDICATORS["autocorrelation_63"].function(close)[-1] == pytest.approx(63**0.5 * correlation * 62 / 63)


def test_rsi_of_equal_gains_and_losses() -> None:
    # Wilder's averages after 14 moves of +1, -1 …: equal, hence 50.
    close = np.array([10.0 + (i % 2) for i in range(15)])
    assert INDICATORS["rsi_14"].function(close)[14] == pytest.approx(0.0)


def test_rsi_of_only_gains_is_at_its_top() -> None:
    close = np.arange(1.0, 40.0)
    assert INDICATORS["rsi_14"].function(close)[-1] == pytest.approx(2.0)
    assert INDICATORS["rsi_2"].function(close)[-1] == pytest.approx(1.0)


def test_rsi_of_a_standing_price_is_neutral() -> None:
    assert INDICATORS["rsi_14"].function(np.full(40, 5.0))[-1] == 0.0


def test_stochastic_agrees_with_talib() -> None:
    high, low, close = _bar()
    slow, _ = talib.STOCH(high, low, close, fastk_period=14, slowk_period=3, slowk_matype=0, slowd_period=3)
    ours = INDICATORS["stochastic_14"].function(high, low, close)
    np.testing.assert_allclose(ours[20:], slow[20:] / 50.0 - 1.0, atol=1e-9)


def test_macd_histogram_is_in_units_of_range() -> None:
    high, low, close = _bar()
    _, _, histogram = talib.MACD(close, 12, 26, 9)
    expected = 4.0 * histogram[-1] / talib.ATR(high, low, close, 14)[-1]
    assert INDICATORS["macd_histogram"].function(high, low, close)[-1] == pytest.approx(expected)


def test_bollinger_is_one_at_the_upper_band() -> None:
    close = _close()
    log_close = np.log(close[-20:])
    expected = (log_close[-1] - log_close.mean()) / (2 * log_close.std(ddof=1))
    assert INDICATORS["bollinger_20"].function(close)[-1] == pytest.approx(expected, rel=1e-6)


def test_directional_movement_points_up_in_a_rise() -> None:
    close = np.linspace(10, 20, 60)
    assert INDICATORS["directional_14"].function(close + 0.1, close - 0.1, close)[-1] > 1.0
    assert INDICATORS["aroon_25"].function(close + 0.1, close - 0.1)[-1] == pytest.approx(1.0)


def test_close_location_is_one_when_closing_at_the_high() -> None:
    close = np.arange(10.0, 20.0)
    assert INDICATORS["close_location_5"].function(close, close - 1.0, close)[-1] == pytest.approx(1.0)
    assert INDICATORS["close_location_5"].function(close, close, close)[-1] == 0.0


def test_volatility_indicators_follow_their_logarithms() -> None:
    close = _close()
    assert INDICATORS["volatility_21"].function(close)[-1] == pytest.approx(np.log(volatility(close, 21)[-1] / 0.01))
    expected = 3 * np.log(volatility(close, 21)[-1] / volatility(close, 63)[-1])
    assert INDICATORS["volatility_ratio_21_63"].function(close)[-1] == pytest.approx(expected)


def test_range_volatility_of_bars_without_range_is_very_low() -> None:
    close = _close()
    assert INDICATORS["range_volatility_21"].function(close, close, close)[-1] < -5.0


def test_skew_matches_the_population_skewness() -> None:
    close = _close()
    returns = np.diff(np.log(close[-64:]))
    centred = returns - returns.mean()
    expected = (centred**3).mean() / (centred**2).mean() ** 1.5
    assert INDICATORS["skew_63"].function(close)[-1] == pytest.approx(expected, rel=1e-6)


def test_downside_is_at_its_ends_when_prices_only_fall_or_rise() -> None:
    falling = np.exp(-0.01 * np.arange(80.0))
    assert INDICATORS["downside_63"].function(falling)[-1] == pytest.approx(4.0)
    assert INDICATORS["downside_63"].function(1.0 / falling)[-1] == pytest.approx(-4.0)


def test_volume_z_score_matches_pandas() -> None:
    value = np.exp(np.random.default_rng(3).normal(10, 0.5, 100))
    window = pd.Series(np.log1p(value[-63:]))
    expected = (window.iloc[-1] - window.mean()) / window.std()
    assert INDICATORS["volume_z_63"].function(value)[-1] == pytest.approx(expected, rel=1e-6)


def test_on_balance_volume_counts_volume_by_direction() -> None:
    close = np.tile([1.0, 2.0, 3.0], 10)
    value = np.ones(30)
    # 21 steps: 14 up, 7 down.
    assert INDICATORS["obv_21"].function(close, value)[-1] == pytest.approx(2 * (14 - 7) / 21)
    assert INDICATORS["signed_volume_5"].function(close, value)[-1] == pytest.approx((4 - 1) / 5)


def test_volume_trend_is_the_log_of_recent_over_usual_value() -> None:
    value = np.append(np.full(58, 1e6), np.full(5, 3e6))
    expected = np.log((1 + 3e6) / (1 + (58e6 + 15e6) / 63))
    assert INDICATORS["volume_trend_5_63"].function(value)[-1] == pytest.approx(expected)

"""The table of indicators. A new one is a function and a line here."""

from collections.abc import Callable

from wealtharena.core.panel import FloatArray
from wealtharena.indicators import carry, momentum, oscillators, trend, volatility, volume
from wealtharena.indicators.indicator import Indicator

_CLOSE = ("close",)
_HIGH_LOW = ("high", "low")
_BAR = ("high", "low", "close")
_VALUE = ("traded_value",)
_CLOSE_VALUE = ("close", "traded_value")
_GROUPS = {
    momentum: "momentum",
    trend: "trend",
    oscillators: "mean reversion",
    volatility: "volatility",
    volume: "volume",
    carry: "carry",
}
_GROUP_OF = {module.__name__: group for module, group in _GROUPS.items()}


def _indicator(function: Callable[..., FloatArray], inputs: tuple[str, ...], lookback_bars: int) -> Indicator:
    description = (function.__doc__ or "").strip().splitlines()[0]
    group = _GROUP_OF[function.__module__]
    return Indicator(function.__name__, function, inputs, lookback_bars, description, group)


INDICATORS: dict[str, Indicator] = {
    "return_1": _indicator(momentum.return_1, _CLOSE, 63),
    "return_5": _indicator(momentum.return_5, _CLOSE, 63),
    "return_21": _indicator(momentum.return_21, _CLOSE, 63),
    "return_63": _indicator(momentum.return_63, _CLOSE, 63),
    "return_126": _indicator(momentum.return_126, _CLOSE, 126),
    "momentum_12_1": _indicator(momentum.momentum_12_1, _CLOSE, 252),
    "overnight_gap": _indicator(momentum.overnight_gap, ("open", "close"), 63),
    "efficiency_21": _indicator(momentum.efficiency_21, _CLOSE, 21),
    "distance_ma_20": _indicator(trend.distance_ma_20, _CLOSE, 63),
    "distance_ma_50": _indicator(trend.distance_ma_50, _CLOSE, 63),
    "distance_ma_200": _indicator(trend.distance_ma_200, _CLOSE, 199),
    "macd_line": _indicator(trend.macd_line, _BAR, 33),
    "macd_histogram": _indicator(trend.macd_histogram, _BAR, 33),
    "adx_14": _indicator(trend.adx_14, _BAR, 27),
    "directional_14": _indicator(trend.directional_14, _BAR, 14),
    "aroon_25": _indicator(trend.aroon_25, _HIGH_LOW, 25),
    "drawdown_252": _indicator(trend.drawdown_252, _CLOSE, 251),
    "autocorrelation_63": _indicator(trend.autocorrelation_63, _CLOSE, 64),
    "rsi_14": _indicator(oscillators.rsi_14, _CLOSE, 14),
    "rsi_2": _indicator(oscillators.rsi_2, _CLOSE, 2),
    "stochastic_14": _indicator(oscillators.stochastic_14, _BAR, 15),
    "cci_20": _indicator(oscillators.cci_20, _BAR, 19),
    "bollinger_20": _indicator(oscillators.bollinger_20, _CLOSE, 19),
    "close_location_5": _indicator(oscillators.close_location_5, _BAR, 4),
    "volatility_21": _indicator(volatility.volatility_21, _CLOSE, 21),
    "volatility_ratio_21_63": _indicator(volatility.volatility_ratio_21_63, _CLOSE, 63),
    "volatility_z_126": _indicator(volatility.volatility_z_126, _CLOSE, 146),
    "atr_ratio_14_126": _indicator(volatility.atr_ratio_14_126, _BAR, 139),
    "range_volatility_21": _indicator(volatility.range_volatility_21, _BAR, 21),
    "skew_63": _indicator(volatility.skew_63, _CLOSE, 63),
    "downside_63": _indicator(volatility.downside_63, _CLOSE, 63),
    "volume_z_63": _indicator(volume.volume_z_63, _VALUE, 62),
    "volume_trend_5_63": _indicator(volume.volume_trend_5_63, _VALUE, 62),
    "signed_volume_5": _indicator(volume.signed_volume_5, _CLOSE_VALUE, 5),
    "obv_21": _indicator(volume.obv_21, _CLOSE_VALUE, 21),
    "carry": _indicator(carry.carry, ("carry", "close"), 63),
}

"""What rose goes on rising: each asset against its own past."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import change_over, forecast_volatility
from wealtharena.evaluation.baselines.sizing import within_limits
from wealtharena.execution import TradingRules

_POSITION_VOLATILITY = 0.40


def time_series_momentum(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long what rose over the last year, short what fell (out, if ``long_only``), each sized by its volatility.

    ``sign(12-month return) x 40 % / volatility``, averaged over the assets that have both, then cut to the limits of
    ``rules``. Moskowitz, Ooi and Pedersen (2012), "Time series momentum", eq. 5, with daily instead of monthly
    rebalancing and without a riskless rate. Row ``t`` uses closes up to ``t`` only. An asset without a year of history,
    unobserved, or without 21 returns gets 0. The sign is that of the price difference, dividends included: prices
    may be negative.

    Targets (T, A) known at the close of ``t``.
    """
    signal = np.sign(change_over(panel, panel.annualisation))
    volatility = forecast_volatility(panel)
    usable = panel.observed & np.isfinite(signal) & (volatility > 0.0)
    sizes = np.divide(signal * _POSITION_VOLATILITY, volatility, out=np.zeros(signal.shape), where=usable)
    return within_limits(sizes / np.maximum(usable.sum(axis=1, keepdims=True), 1), panel.observed, rules)

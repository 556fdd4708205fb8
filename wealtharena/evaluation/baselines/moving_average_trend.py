"""Trends by two moving averages."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import mean_close
from wealtharena.evaluation.baselines.sizing import equal_risk
from wealtharena.execution import TradingRules

_FAST, _SLOW = 50, 200


def moving_average_trend(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long where the mean close of 50 sessions lies above that of 200, short where below (out, if ``long_only``).

    The whole gross exposure, each position in proportion to 1 / volatility. Brock, Lakonishok and LeBaron (1992),
    "Simple technical trading rules". Means of prices, not of returns: they may be negative. An asset with fewer than
    200 sessions gets 0. Targets (T, A) known at the close of ``t``.
    """
    return equal_risk(np.sign(mean_close(panel, _FAST) - mean_close(panel, _SLOW)), panel, rules)

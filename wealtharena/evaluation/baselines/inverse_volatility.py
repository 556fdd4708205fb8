"""All assets, the calmer the more."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.sizing import equal_risk
from wealtharena.execution import TradingRules


def inverse_volatility(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Fully invested in proportion to 1 / volatility: risk parity for equal correlations.

    Maillard, Roncalli and Teiletche (2010), "The properties of equally weighted risk contribution portfolios". An asset
    without 21 returns gets 0. Targets (T, A) known at the close of ``t``.
    """
    return equal_risk(np.ones(panel.observed.shape), panel, rules)

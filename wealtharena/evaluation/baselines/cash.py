"""Nothing."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import TradingRules


def cash(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Nothing is held. Targets (T, A) of zero."""
    return np.zeros(panel.observed.shape)

"""All assets alike."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import TradingRules, target_weights


def equal_weight(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """All observed assets alike and fully invested, rebalanced every session: what a policy gets that always says 1.

    DeMiguel, Garlappi and Uppal (2009), "Optimal versus naive diversification". Targets (T, A) known at the close of
    ``t``.
    """
    return target_weights(np.ones(panel.observed.shape), panel.observed, rules)

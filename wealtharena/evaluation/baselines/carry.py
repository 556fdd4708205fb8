"""What a position earns by being held."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.sizing import equal_risk
from wealtharena.execution import TradingRules

FEATURE = "carry"


def carry(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long the pairs whose first currency earns more interest than the second, short the others (out, if long only).

    The whole gross exposure, each position in proportion to 1 / volatility. Koijen, Moskowitz, Pedersen and Vrugt
    (2018), "Carry". The differential is the sign of the panel's feature ``carry``, as published by then; where that is
    0 no rate is known and nothing is held, and a panel without the feature stays in cash. Targets (T, A) known at the
    close of ``t``.
    """
    if FEATURE not in panel.feature_names:
        return np.zeros(panel.observed.shape)
    differential = panel.features[:, :, panel.feature_names.index(FEATURE)].astype(np.float64)
    return equal_risk(np.sign(differential), panel, rules)

"""Long in a rising market, the less the wilder it is."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import change_over, forecast_volatility
from wealtharena.evaluation.baselines.sizing import within_limits
from wealtharena.execution import TradingRules

_SESSIONS = 28
_TARGET_VOLATILITY = 0.40


def volatility_targeted_trend(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long what rose over the last four weeks of a market that never closes, otherwise in cash; never short.

    ``40 % / volatility`` (1 at most) of an equal share of the gross exposure among all assets that can be judged. Liu
    and Tsyvinski (2021), "Risks and returns of cryptocurrency", find momentum of one to four weeks; Moreira and Muir
    (2017), "Volatility-managed portfolios". An asset with fewer than 28 sessions gets 0. Targets (T, A) known at the
    close of ``t``.
    """
    change, volatility = change_over(panel, _SESSIONS), forecast_volatility(panel)
    usable = panel.observed & np.isfinite(change) & (volatility > 0.0)
    scale = np.divide(_TARGET_VOLATILITY, volatility, out=np.zeros(change.shape), where=usable & (change > 0.0))
    shares = np.minimum(scale, 1.0) / np.maximum(usable.sum(axis=1, keepdims=True), 1)
    return within_limits(rules.max_gross * shares, panel.observed, rules)

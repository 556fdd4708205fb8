"""Rotation into the strongest sectors."""

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import return_over, sessions_of
from wealtharena.evaluation.baselines.sizing import thirds
from wealtharena.execution import TradingRules

_MONTHS = 6


def sector_momentum(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Equal shares of the third with the highest return of the last six months; never short.

    Moskowitz and Grinblatt (1999), "Do industries explain momentum?", for funds, each of which is a sector or region
    by itself; daily rebalancing. An asset without six months of history gets 0. Targets (T, A) known at the close of
    ``t``.
    """
    return thirds(return_over(panel, sessions_of(_MONTHS, panel)), panel, rules, short=False)

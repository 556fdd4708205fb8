"""Winners go on winning: each asset against the others of its class."""

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import return_over, sessions_of
from wealtharena.evaluation.baselines.sizing import thirds
from wealtharena.execution import TradingRules


def cross_sectional_momentum(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long the third with the highest return of the last twelve months but the last one, short the lowest third.

    Jegadeesh and Titman (1993), "Returns to buying winners and selling losers"; the last month is left out because it
    tends to reverse. Thirds instead of tenths, for classes of few assets, and daily rebalancing. If ``long_only``, the
    winners alone. An asset without a year of history gets 0. Targets (T, A) known at the close of ``t``.
    """
    return thirds(return_over(panel, panel.annualisation, sessions_of(1, panel)), panel, rules, short=True)

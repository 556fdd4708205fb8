"""What fell too far comes back."""

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import return_over, sessions_of
from wealtharena.evaluation.baselines.sizing import thirds
from wealtharena.execution import TradingRules


def short_term_reversal(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long the third with the lowest return of the last month, short the highest third (out, if ``long_only``).

    Jegadeesh (1990), "Evidence of predictable behavior of security returns"; daily rebalancing, so costs weigh. An
    asset without a month of history gets 0. Targets (T, A) known at the close of ``t``.
    """
    return thirds(-return_over(panel, sessions_of(1, panel)), panel, rules, short=True)

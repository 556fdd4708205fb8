"""The table of baselines. A new one is a file and a line here; a class names its own in ``MarketSpec.rule``."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.evaluation.baselines.carry import carry
from wealtharena.evaluation.baselines.cash import cash
from wealtharena.evaluation.baselines.cross_sectional_momentum import cross_sectional_momentum
from wealtharena.evaluation.baselines.equal_weight import equal_weight
from wealtharena.evaluation.baselines.inverse_volatility import inverse_volatility
from wealtharena.evaluation.baselines.moving_average_trend import moving_average_trend
from wealtharena.evaluation.baselines.rule import Baseline
from wealtharena.evaluation.baselines.sector_momentum import sector_momentum
from wealtharena.evaluation.baselines.short_term_reversal import short_term_reversal
from wealtharena.evaluation.baselines.time_series_momentum import time_series_momentum
from wealtharena.evaluation.baselines.volatility_targeted_trend import volatility_targeted_trend
from wealtharena.markets import MARKETS

BASELINES: dict[str, Baseline] = {
    "equal_weight": equal_weight,
    "cash": cash,
    "inverse_volatility": inverse_volatility,
    "time_series_momentum": time_series_momentum,
    "cross_sectional_momentum": cross_sectional_momentum,
    "volatility_targeted_trend": volatility_targeted_trend,
    "sector_momentum": sector_momentum,
    "carry": carry,
    "short_term_reversal": short_term_reversal,
    "moving_average_trend": moving_average_trend,
}

GENERAL = ("equal_weight", "cash", "inverse_volatility", "time_series_momentum")
"""Those that every agent is measured against, the meta-agent included."""


def baselines_of(asset_class: AssetClass | None) -> tuple[str, ...]:
    """Names of what the agent of a class has to beat: the general ones and the class's own rule.

    ``None`` is the meta-agent, which trades no class: the general ones.
    """
    return GENERAL if asset_class is None else (*GENERAL, MARKETS[asset_class].rule)

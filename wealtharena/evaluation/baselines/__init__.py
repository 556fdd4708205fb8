"""What an agent has to beat: simple rules that need no training, under the same limits and costs; one rule per file."""

from wealtharena.evaluation.baselines.carry import carry
from wealtharena.evaluation.baselines.cash import cash
from wealtharena.evaluation.baselines.catalogue import BASELINES, GENERAL, baselines_of
from wealtharena.evaluation.baselines.cross_sectional_momentum import cross_sectional_momentum
from wealtharena.evaluation.baselines.equal_weight import equal_weight
from wealtharena.evaluation.baselines.inverse_volatility import inverse_volatility
from wealtharena.evaluation.baselines.moving_average_trend import moving_average_trend
from wealtharena.evaluation.baselines.rule import Baseline
from wealtharena.evaluation.baselines.sector_momentum import sector_momentum
from wealtharena.evaluation.baselines.short_term_reversal import short_term_reversal
from wealtharena.evaluation.baselines.time_series_momentum import time_series_momentum
from wealtharena.evaluation.baselines.volatility_targeted_trend import volatility_targeted_trend

__all__ = [
    "BASELINES",
    "GENERAL",
    "Baseline",
    "baselines_of",
    "carry",
    "cash",
    "cross_sectional_momentum",
    "equal_weight",
    "inverse_volatility",
    "moving_average_trend",
    "sector_momentum",
    "short_term_reversal",
    "time_series_momentum",
    "volatility_targeted_trend",
]

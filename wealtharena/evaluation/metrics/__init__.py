"""Performance metrics: plain numpy, one idea per file, undefined is NaN."""

from wealtharena.evaluation.metrics.active import active_premium, information_ratio, tracking_error
from wealtharena.evaluation.metrics.activity import (
    annual_turnover,
    mean_gross,
    mean_net,
    time_in_market,
    total_turnover,
)
from wealtharena.evaluation.metrics.autocorrelation import (
    annualisation_factor,
    autocorrelation,
    autocorrelation_adjusted_sharpe,
)
from wealtharena.evaluation.metrics.deflated_sharpe import deflated_sharpe, expected_max_sharpe
from wealtharena.evaluation.metrics.downside import downside_deviation, downside_potential, sortino_ratio
from wealtharena.evaluation.metrics.drawdown import calmar_ratio, drawdowns, max_drawdown, max_drawdown_sessions
from wealtharena.evaluation.metrics.growth import annual_return, hit_rate, total_return
from wealtharena.evaluation.metrics.market_model import alpha, beta
from wealtharena.evaluation.metrics.moments import kurtosis, skewness, volatility
from wealtharena.evaluation.metrics.omega import bernardo_ledoit_ratio, omega_ratio
from wealtharena.evaluation.metrics.pain import pain_index, ulcer_index
from wealtharena.evaluation.metrics.profit_factor import profit_factor
from wealtharena.evaluation.metrics.relative import RelativeMetrics, compare_with
from wealtharena.evaluation.metrics.sharpe import probabilistic_sharpe, sharpe_ratio, sharpe_standard_error
from wealtharena.evaluation.metrics.summary import Metrics, summarise
from wealtharena.evaluation.metrics.tail import (
    conditional_value_at_risk,
    gaussian_conditional_value_at_risk,
    gaussian_value_at_risk,
    modified_value_at_risk,
    tail_ratio,
    value_at_risk,
)
from wealtharena.evaluation.metrics.track_record import min_track_record_length

__all__ = [
    "Metrics",
    "RelativeMetrics",
    "active_premium",
    "alpha",
    "annual_return",
    "annual_turnover",
    "annualisation_factor",
    "autocorrelation",
    "autocorrelation_adjusted_sharpe",
    "bernardo_ledoit_ratio",
    "beta",
    "calmar_ratio",
    "compare_with",
    "conditional_value_at_risk",
    "deflated_sharpe",
    "downside_deviation",
    "downside_potential",
    "drawdowns",
    "expected_max_sharpe",
    "gaussian_conditional_value_at_risk",
    "gaussian_value_at_risk",
    "hit_rate",
    "information_ratio",
    "kurtosis",
    "max_drawdown",
    "max_drawdown_sessions",
    "mean_gross",
    "mean_net",
    "min_track_record_length",
    "modified_value_at_risk",
    "omega_ratio",
    "pain_index",
    "probabilistic_sharpe",
    "profit_factor",
    "sharpe_ratio",
    "sharpe_standard_error",
    "skewness",
    "sortino_ratio",
    "summarise",
    "tail_ratio",
    "time_in_market",
    "total_return",
    "total_turnover",
    "tracking_error",
    "ulcer_index",
    "value_at_risk",
    "volatility",
]

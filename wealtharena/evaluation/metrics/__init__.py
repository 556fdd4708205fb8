"""Performance metrics: plain numpy, one idea per file, undefined is NaN."""

from wealtharena.evaluation.metrics.activity import annual_turnover, mean_gross, total_turnover
from wealtharena.evaluation.metrics.deflated_sharpe import deflated_sharpe, expected_max_sharpe
from wealtharena.evaluation.metrics.downside import downside_deviation, sortino_ratio
from wealtharena.evaluation.metrics.drawdown import calmar_ratio, drawdowns, max_drawdown, max_drawdown_sessions
from wealtharena.evaluation.metrics.growth import annual_return, hit_rate, total_return
from wealtharena.evaluation.metrics.moments import kurtosis, skewness, volatility
from wealtharena.evaluation.metrics.sharpe import probabilistic_sharpe, sharpe_ratio, sharpe_standard_error
from wealtharena.evaluation.metrics.summary import Metrics, summarise
from wealtharena.evaluation.metrics.tail import conditional_value_at_risk, value_at_risk
from wealtharena.evaluation.metrics.track_record import min_track_record_length

__all__ = [
    "Metrics",
    "annual_return",
    "annual_turnover",
    "calmar_ratio",
    "conditional_value_at_risk",
    "deflated_sharpe",
    "downside_deviation",
    "drawdowns",
    "expected_max_sharpe",
    "hit_rate",
    "kurtosis",
    "max_drawdown",
    "max_drawdown_sessions",
    "mean_gross",
    "min_track_record_length",
    "probabilistic_sharpe",
    "sharpe_ratio",
    "sharpe_standard_error",
    "skewness",
    "sortino_ratio",
    "summarise",
    "total_return",
    "total_turnover",
    "value_at_risk",
    "volatility",
]

"""Backtests, metrics, baselines and the comparison of agents."""

from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import BASELINES, baselines_of
from wealtharena.evaluation.comparison import SharpeDifference, sharpe_difference
from wealtharena.evaluation.metrics import Metrics, RelativeMetrics, compare_with, summarise
from wealtharena.evaluation.ranking import dominates, rank
from wealtharena.evaluation.strategies import combined_targets, strategy_panel
from wealtharena.evaluation.windows import Window, Windows, split_windows, window_dates

__all__ = [
    "BASELINES",
    "BacktestResult",
    "Metrics",
    "RelativeMetrics",
    "SharpeDifference",
    "Window",
    "Windows",
    "backtest_baselines",
    "backtest_policy",
    "backtest_weights",
    "baselines_of",
    "combined_targets",
    "compare_with",
    "dominates",
    "rank",
    "sharpe_difference",
    "split_windows",
    "strategy_panel",
    "summarise",
    "window_dates",
]

"""Backtests, metrics, baselines and the comparison of agents."""

from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import BASELINES, baselines_of
from wealtharena.evaluation.comparison import (
    SharpeDifference,
    SharpeInterval,
    sharpe_difference,
    sharpe_difference_interval,
)
from wealtharena.evaluation.metrics import Metrics, RelativeMetrics, compare_with, summarise
from wealtharena.evaluation.ranking import dominates, merit, rank
from wealtharena.evaluation.strategies import combined_targets, strategy_panel
from wealtharena.evaluation.windows import Window, Windows, split_windows, window_dates

__all__ = [
    "BASELINES",
    "BacktestResult",
    "Metrics",
    "RelativeMetrics",
    "SharpeDifference",
    "SharpeInterval",
    "Window",
    "Windows",
    "backtest_baselines",
    "backtest_policy",
    "backtest_weights",
    "baselines_of",
    "combined_targets",
    "compare_with",
    "dominates",
    "merit",
    "rank",
    "sharpe_difference",
    "sharpe_difference_interval",
    "split_windows",
    "strategy_panel",
    "summarise",
    "window_dates",
]

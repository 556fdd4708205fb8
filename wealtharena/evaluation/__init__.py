"""Backtests, metrics, baselines and the comparison of agents."""

from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.evaluation.comparison import SharpeDifference, sharpe_difference
from wealtharena.evaluation.metrics import Metrics, summarise
from wealtharena.evaluation.ranking import dominates, rank
from wealtharena.evaluation.strategies import combined_targets, strategy_panel
from wealtharena.evaluation.windows import Window, Windows, split_windows, window_dates

__all__ = [
    "BASELINES",
    "BacktestResult",
    "Metrics",
    "SharpeDifference",
    "Window",
    "Windows",
    "backtest_baselines",
    "backtest_policy",
    "backtest_weights",
    "combined_targets",
    "dominates",
    "rank",
    "sharpe_difference",
    "split_windows",
    "strategy_panel",
    "summarise",
    "window_dates",
]

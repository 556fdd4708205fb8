"""Backtests as rows of the warehouse's tables."""

from collections.abc import Mapping

import pandas as pd

from wealtharena.core.numbers import number_or_none
from wealtharena.evaluation.accounting import account_frame
from wealtharena.evaluation.backtest import BacktestResult


def equity_rows(results: Mapping[str, BacktestResult]) -> pd.DataFrame:
    """strategy, session_date, equity, return, turnover, cost, gross of every result."""
    return pd.concat([result.equity_frame() for result in results.values()], ignore_index=True)


def weight_rows(results: Mapping[str, BacktestResult]) -> pd.DataFrame:
    """strategy, session_date, symbol, weight of every result."""
    return pd.concat([result.weights_frame() for result in results.values()], ignore_index=True)


def metric_rows(results: Mapping[str, BacktestResult], kinds: Mapping[str, str]) -> pd.DataFrame:
    """strategy, kind, metric, value of every result, the risk monitor's figures included.

    Args:
        kinds: kind per strategy.
    """
    frames = [part for result in results.values() for part in (result.metrics_frame(), account_frame(result))]
    rows = pd.concat([frame for frame in frames if len(frame)], ignore_index=True)
    return rows.assign(kind=[kinds[strategy] for strategy in rows["strategy"]])


def figures(result: BacktestResult) -> dict[str, float | None]:
    """Metrics by name for JSON; None where undefined."""
    return {name: number_or_none(float(value)) for name, value in result.metrics.as_dict().items()}

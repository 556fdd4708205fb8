"""The risk monitor's figures and the trades of backtests, as rows."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.evaluation.accounting import TRADE_COLUMNS, account_figures, account_frame, trade_rows
from wealtharena.evaluation.backtest import BacktestResult, backtest_weights
from wealtharena.evaluation.frames import metric_rows
from wealtharena.execution import TradingRules

RULES = TradingRules.unlimited(max_gross=0.8, capital=1_000.0)


@pytest.fixture
def results() -> dict[str, BacktestResult]:
    """Three sessions: two assets bought and sold again, and nothing."""
    close = np.array([[8.0, 1.0], [8.0, 1.0], [10.0, 1.0], [10.0, 1.0]])
    bars = np.ones(close.shape, bool)
    panel = MarketPanel(
        dates=np.datetime64("2020-01-01") + np.arange(4),
        symbols=("A", "B"),
        feature_names=("f",),
        features=np.zeros((4, 2, 1), np.float32),
        open=close,
        close=close,
        tradable=bars,
        observed=bars,
        delisted=~bars,
        dollar_volume=np.full(close.shape, np.nan),
        volatility=np.full(close.shape, 0.01),
        costs=AssetCosts.flat(2, 0.001),
        annualisation=252,
    )
    bought = np.array([[0.5, 0.5], [np.nan, np.nan], [0.0, 0.0], [0.0, 0.0]])
    return {
        "champion": backtest_weights(bought, panel, (1, 4), RULES, "champion"),
        "cash": backtest_weights(np.zeros((4, 2)), panel, (1, 4), RULES, "cash"),
    }


def test_figures_fit_into_json_and_say_none_where_undefined(results: dict[str, BacktestResult]) -> None:
    figures = account_figures(results["champion"])
    assert figures["limit_max_gross_bound_share"] == pytest.approx(1 / 3)
    assert figures["commission_paid"] == pytest.approx(0.001 * (0.8 + 0.9))
    assert figures["value_at_risk_last"] is None
    json.dumps(figures, allow_nan=False)


def test_the_figures_stand_among_the_metrics(results: dict[str, BacktestResult]) -> None:
    rows = metric_rows(results, {"champion": "champion", "cash": "baseline"})
    paid = rows[rows["metric"] == "commission_paid"].set_index("strategy")["value"]
    assert paid.to_dict() == pytest.approx({"champion": 0.0017, "cash": 0.0})
    assert not rows.duplicated(["strategy", "metric"]).any()
    assert rows["value"].dtype == np.float64


def test_every_trade_has_a_row_in_the_order_of_time(results: dict[str, BacktestResult]) -> None:
    rows = trade_rows(results)
    assert tuple(rows.columns) == TRADE_COLUMNS
    assert rows["strategy"].tolist() == 4 * ["champion"]
    assert rows["sequence"].tolist() == [1, 2, 3, 4]
    assert rows["side"].tolist() == ["buy", "buy", "sell", "sell"]
    assert rows["session_date"].tolist() == 2 * [pd.Timestamp("2020-01-02")] + 2 * [pd.Timestamp("2020-01-04")]
    assert rows["units"].tolist() == pytest.approx([50.0, 400.0, -50.0, -400.0])
    assert rows["realised"].tolist() == pytest.approx([0.0, 0.0, 100.0, 0.0])


def test_without_trades_there_are_no_rows(results: dict[str, BacktestResult]) -> None:
    rows = trade_rows({"cash": results["cash"]})
    assert rows.empty
    assert tuple(rows.columns) == TRADE_COLUMNS


def test_a_result_made_by_hand_has_neither(results: dict[str, BacktestResult]) -> None:
    by_hand = replace(results["champion"], trading=None)
    assert account_figures(by_hand) == {}
    assert account_frame(by_hand).empty
    assert trade_rows({"champion": by_hand}).empty

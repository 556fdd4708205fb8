"""Backtests as rows of tables."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.backtest import BacktestResult, backtest_weights
from wealtharena.evaluation.frames import equity_rows, figures, metric_rows, weight_rows
from wealtharena.execution import TradingRules

PanelFactory = Callable[..., MarketPanel]


@pytest.fixture
def results(make_panel: PanelFactory, rules: TradingRules) -> dict[str, BacktestResult]:
    """Two sessions: all in one asset that rises by a quarter, and nothing."""
    panel = make_panel([[8.0, 1.0], [8.0, 1.0], [8.0, 1.0], [10.0, 1.0]])
    bought, nothing = np.tile([1.0, 0.0], (4, 1)), np.zeros((4, 2))
    return {
        "buy": backtest_weights(bought, panel, (2, 4), rules, "buy"),
        "cash": backtest_weights(nothing, panel, (2, 4), rules, "cash"),
    }


def test_equity_has_a_row_per_strategy_and_session(results: dict[str, BacktestResult]) -> None:
    rows = equity_rows(results)
    assert list(rows.columns) == ["strategy", "session_date", "equity", "return", "turnover", "cost", "gross"]
    assert rows["strategy"].tolist() == ["buy", "buy", "cash", "cash"]
    assert rows["session_date"].tolist() == 2 * [pd.Timestamp("2020-01-03"), pd.Timestamp("2020-01-04")]
    np.testing.assert_allclose(rows["equity"], [1.0, 1.25, 1.0, 1.0])
    np.testing.assert_allclose(rows["return"], [0.0, 0.25, 0.0, 0.0])
    np.testing.assert_allclose(rows["turnover"], [1.0, 0.0, 0.0, 0.0])


def test_weights_have_a_row_per_strategy_session_and_symbol(results: dict[str, BacktestResult]) -> None:
    rows = weight_rows(results)
    assert rows["symbol"].tolist() == 4 * ["A00", "A01"]
    np.testing.assert_allclose(rows["weight"], [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_metrics_carry_the_kind_of_their_strategy(results: dict[str, BacktestResult]) -> None:
    rows = metric_rows(results, {"buy": "candidate", "cash": "baseline"})
    assert list(rows.columns) == ["strategy", "metric", "value", "kind"]
    assert set(zip(rows["strategy"], rows["kind"], strict=True)) == {("buy", "candidate"), ("cash", "baseline")}
    total = rows[rows["metric"] == "total_return"].set_index("strategy")["value"]
    assert total.to_dict() == pytest.approx({"buy": 0.25, "cash": 0.0})
    assert not rows.duplicated(["strategy", "metric"]).any()


def test_a_strategy_without_a_kind_is_an_error(results: dict[str, BacktestResult]) -> None:
    with pytest.raises(KeyError, match="cash"):
        metric_rows(results, {"buy": "candidate"})


def test_figures_fit_into_json_and_say_none_where_undefined(results: dict[str, BacktestResult]) -> None:
    values = figures(results["cash"])
    assert values["sharpe"] is None
    assert values["total_return"] == 0.0
    assert values.keys() == results["cash"].metrics.as_dict().keys()
    json.dumps(values, allow_nan=False)

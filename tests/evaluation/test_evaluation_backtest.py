"""Backtests through the real kernel: known paths, timing, costs, and a null market on which nothing is earned."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import backtest_baselines, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import GENERAL
from wealtharena.execution import TradingRules

PanelFactory = Callable[..., MarketPanel]


class Constant:
    """Always the same score."""

    def __init__(self, score: float) -> None:
        self.score = score

    def act(self, observation: Float32Array) -> FloatArray:
        return np.full(observation.shape[:2], self.score)


class FollowsFeature:
    """The sign of the first feature."""

    def act(self, observation: Float32Array) -> FloatArray:
        return np.sign(observation[:, :, 0]).astype(np.float64)


def test_a_hand_computed_path(make_panel: PanelFactory, rules: TradingRules) -> None:
    """Half of the capital bought at 100 at the second open for 1 %, sold at 121 at the fourth."""
    panel = replace(make_panel(np.array([[100.0], [110.0], [121.0], [121.0]])), costs=AssetCosts.flat(1, 0.01))
    decided = np.array([[0.5], [np.nan], [0.0], [9.9]])
    result = backtest_weights(decided, panel, (1, 4), rules, "half")
    assert result.equity == pytest.approx([1.045, 1.1, 1.1 - 0.605 * 0.01])
    assert result.equity_open == pytest.approx([1.0, 1.045, 1.1])
    assert result.returns == pytest.approx([0.045, 1.1 / 1.045 - 1.0, -0.00605 / 1.1])
    assert result.turnover == pytest.approx([0.5, 0.0, 0.55])
    assert result.cost == pytest.approx([0.005, 0.0, 0.0055])
    assert result.weights[:, 0] == pytest.approx([0.55 / 1.045, 0.605 / 1.1, 0.0])
    assert result.target_weights[[0, 2], 0].tolist() == [0.5, 0.0]
    assert result.metrics.total_return == pytest.approx(result.equity[-1] - 1.0)
    assert result.metrics.turnover == pytest.approx(1.05)
    assert [str(day) for day in result.dates] == ["2020-01-02", "2020-01-03", "2020-01-04"]


def test_a_policy_of_ones_is_the_equal_weight_baseline(random_walk: MarketPanel, rules: TradingRules) -> None:
    ones = backtest_policy(Constant(1.0), random_walk, (300, 600), rules, "ones")
    baseline = backtest_baselines(random_walk, (300, 600), rules)["equal_weight"]
    assert np.allclose(ones.equity, baseline.equity, rtol=1e-12)
    assert ones.metrics.turnover == pytest.approx(baseline.metrics.turnover)


def test_every_baseline_runs_over_the_same_sessions(random_walk: MarketPanel, rules: TradingRules) -> None:
    results = backtest_baselines(random_walk, (300, 600), rules)
    assert list(results) == list(GENERAL)
    assert all(np.array_equal(result.dates, random_walk.dates[300:600]) for result in results.values())
    assert results["cash"].equity.tolist() == [1.0] * 300


def test_cash_earns_its_interest_and_no_sharpe_ratio(random_walk: MarketPanel, rules: TradingRules) -> None:
    panel = replace(random_walk, cash_rate=np.linspace(0.01, 0.05, 600))
    result = backtest_baselines(panel, (300, 600), rules)["cash"]
    assert result.returns == pytest.approx(panel.cash_rate[299:599] / 365.0)
    assert result.excess_returns == pytest.approx(np.zeros(300), abs=1e-15)
    assert result.metrics.total_return == pytest.approx(np.prod(1.0 + panel.cash_rate[299:599] / 365.0) - 1.0)
    assert np.isnan([result.metrics.sharpe, result.metrics.sortino, result.metrics.calmar]).all()
    assert np.isnan(result.metrics.hit_rate)


def test_idle_cash_adds_nothing_to_the_sharpe_ratio(random_walk: MarketPanel, rules: TradingRules) -> None:
    """A tenth in the market beside nine tenths in cash at 20 % a year: the Sharpe ratio of the market less cash."""
    decided = np.full(random_walk.close.shape, 0.1 / 3)
    plain = backtest_weights(decided, random_walk, (1, 600), rules, "no interest")
    rich = backtest_weights(decided, replace(random_walk, cash_rate=np.full(600, 0.2)), (1, 600), rules, "interest")
    lost = 0.1 * 0.2 / plain.metrics.volatility * 252 / 365
    assert rich.metrics.total_return > plain.metrics.total_return + 0.3
    assert rich.metrics.sharpe == pytest.approx(plain.metrics.sharpe - lost, abs=0.02)


def test_what_is_decided_on_a_close_is_not_filled_on_it(random_walk: MarketPanel, rules: TradingRules) -> None:
    """Knowing today's move earns nothing on a martingale if fills wait for the next open; filled before, a fortune."""
    returns = np.diff(np.log(random_walk.close), axis=0, prepend=np.nan)
    decided = np.sign(np.nan_to_num(returns)) / 3
    lagged = backtest_weights(decided, random_walk, (1, 600), rules, "honest")
    assert abs(lagged.metrics.sharpe) < 3.0 * lagged.metrics.sharpe_standard_error
    same_bar = np.vstack([decided[1:], decided[-1:]])
    cheating = backtest_weights(same_bar, random_walk, (1, 600), rules, "cheating")
    assert cheating.metrics.sharpe > 10.0


def test_a_policy_on_a_null_market_has_no_sharpe_ratio_beyond_noise(
    make_panel: PanelFactory, rules: TradingRules
) -> None:
    """The feature is the last return of a martingale; 40 years of it."""
    shocks = np.random.default_rng(11).normal(0.0, 0.01, size=(10_080, 1))
    close = 100.0 * np.exp(np.cumsum(shocks - 0.01**2 / 2, axis=0))
    panel = make_panel(close, features=shocks[:, :, None].astype(np.float32))
    result = backtest_policy(FollowsFeature(), panel, (1, 10_080), rules, "momentum")
    assert abs(result.metrics.sharpe) < 3.0 / np.sqrt(40)


def test_costs_turn_a_random_trader_into_a_certain_loser(make_panel: PanelFactory, rules: TradingRules) -> None:
    """Random +-1 on a martingale: Sharpe -c sqrt(252 / (s^2 + c^2)), evaluation.md section 3, M0."""
    generator = np.random.default_rng(13)
    shocks = generator.normal(0.0, 0.01, size=(20_000, 1))
    signs = generator.choice([-1.0, 1.0], size=(20_000, 1, 1)).astype(np.float32)
    panel = make_panel(100.0 * np.exp(np.cumsum(shocks - 0.01**2 / 2, axis=0)), features=signs)
    costly = replace(panel, costs=AssetCosts.flat(1, 0.001))
    result = backtest_policy(FollowsFeature(), costly, (1, 20_000), rules, "random")
    expected = -0.001 * np.sqrt(252) / np.sqrt(0.01**2 + 0.001**2)
    assert result.metrics.sharpe == pytest.approx(expected, abs=3.0 * np.sqrt(252 / 20_000))


def test_scores_that_are_not_finite_count_as_zero_and_are_reported(
    random_walk: MarketPanel, rules: TradingRules
) -> None:
    result = backtest_policy(Constant(np.nan), random_walk, (300, 350), rules, "broken")
    assert not result.finite
    assert result.equity.tolist() == [1.0] * 50
    assert backtest_policy(Constant(0.5), random_walk, (300, 350), rules, "sound").finite


def test_rows_outside_the_window_are_not_read(random_walk: MarketPanel, rules: TradingRules) -> None:
    decided = np.full(random_walk.close.shape, np.inf)
    decided[299:399] = 0.2
    assert np.isfinite(backtest_weights(decided, random_walk, (300, 400), rules, "inside").equity).all()


@pytest.mark.parametrize("window", [(0, 10), (10, 10), (20, 10), (590, 601)])
def test_a_window_outside_the_panel_is_refused(
    random_walk: MarketPanel, rules: TradingRules, window: tuple[int, int]
) -> None:
    with pytest.raises(DataWindowError, match="a window must satisfy"):
        backtest_baselines(random_walk, window, rules)


def test_weights_of_another_panel_are_refused(random_walk: MarketPanel, rules: TradingRules) -> None:
    with pytest.raises(DataWindowError, match=r"must have the panel's shape \(600, 3\), got \(600, 2\)"):
        backtest_weights(np.zeros((600, 2)), random_walk, (1, 10), rules, "odd")


def test_the_same_backtest_twice_is_equal_to_the_bit(random_walk: MarketPanel, rules: TradingRules) -> None:
    first, second = (backtest_baselines(random_walk, (300, 600), rules) for _ in range(2))
    for name, result in first.items():
        assert result.equity.tobytes() == second[name].equity.tobytes()
        assert result.weights.tobytes() == second[name].weights.tobytes()


def test_frames_are_long_and_complete(random_walk: MarketPanel, rules: TradingRules) -> None:
    result = backtest_baselines(random_walk, (300, 310), rules)["equal_weight"]
    equity, weights, metrics = result.equity_frame(), result.weights_frame(), result.metrics_frame()
    assert list(equity.columns) == ["strategy", "session_date", "equity", "return", "turnover", "cost", "gross"]
    assert len(equity) == 10
    assert equity["equity"].tolist() == result.equity.tolist()
    assert equity["session_date"].dtype == "datetime64[us]"
    assert len(weights) == 30
    assert weights.loc[4, ["session_date", "symbol", "weight"]].tolist() == [
        equity["session_date"][1],
        "A01",
        result.weights[1, 1],
    ]
    assert dict(zip(metrics["metric"], metrics["value"], strict=True))["sharpe"] == result.metrics.sharpe

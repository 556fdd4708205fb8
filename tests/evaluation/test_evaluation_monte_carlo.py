"""Resampled returns, stress and jitter: what each gives on accounts whose answer is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import AssetCosts, Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.baselines import equal_weight
from wealtharena.evaluation.metrics import conditional_value_at_risk, max_drawdown, sharpe_ratio, total_return
from wealtharena.evaluation.monte_carlo import FrozenPolicy, FrozenRule, FrozenTargets, robustness
from wealtharena.evaluation.monte_carlo.blocks import draw_rows, mean_block_length
from wealtharena.evaluation.monte_carlo.cost_stress import break_even_cost, cost_stress, slippage_stress
from wealtharena.evaluation.monte_carlo.figures import path_figures, returns_of
from wealtharena.evaluation.monte_carlo.jitter import (
    disturbed_limits,
    feature_noise,
    lag_loss,
    lagged_stress,
    limit_noise,
    start_shifts,
)
from wealtharena.evaluation.monte_carlo.return_bootstrap import bootstrap_returns
from wealtharena.evaluation.monte_carlo.simulation import simulation_rows
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.settings import AnalysisSettings

PanelFactory = Callable[..., MarketPanel]
WINDOW = (300, 420)


@dataclass(frozen=True)
class Follower:
    """Holds what its first feature says."""

    slope: float = 1.0

    def act(self, observation: Float32Array) -> FloatArray:
        return np.tanh(self.slope * observation[:, :, 0].astype(np.float64))


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def market(make_panel: PanelFactory) -> MarketPanel:
    """Three assets whose feature knows a little of the next day, dear to trade."""
    shocks = generator(5).normal(0.0003, 0.01, (450, 3))
    known = np.vstack([shocks[1:], np.zeros((1, 3))])
    features = (known / 0.01 * 0.2 + generator(6).normal(0.0, 1.0, shocks.shape)).astype(np.float32)
    costs = replace(AssetCosts.flat(3, 0.0005, borrow=0.01), half_spread=np.full(3, 0.0002))
    return make_panel(100.0 * np.exp(np.cumsum(shocks, axis=0)), features=features[:, :, None], costs=costs)


def trader(strategy: FrozenTargets, window: Window, rules: TradingRules):  # type: ignore[no-untyped-def]
    return lambda panel: strategy.trade(panel, window, rules)


def one_trade(make_panel: PanelFactory, closes: list[float]) -> tuple[MarketPanel, FrozenTargets]:
    """The first of two assets bought with everything before the second session, for 1 % of its value, and held."""
    close = np.column_stack([closes, np.full(len(closes), 50.0)])
    targets = np.full(close.shape, np.nan)
    targets[0] = [1.0, 0.0]
    return make_panel(close, costs=AssetCosts.flat(2, 0.01)), FrozenTargets(targets)


def test_blocks_of_one_session_are_independent_draws_of_every_row() -> None:
    rows = draw_rows(10, 400, 50, 1.0, generator())
    assert rows.shape == (50, 400)
    assert np.bincount(rows.ravel(), minlength=10) == pytest.approx(np.full(10, 2000), rel=0.1)
    assert np.mean(np.diff(rows, axis=1) % 10 == 1) == pytest.approx(0.1, abs=0.02)


def test_blocks_go_on_from_row_to_row_and_from_the_last_to_the_first() -> None:
    rows = draw_rows(7, 20, 3, 1e12, generator())
    assert (np.diff(rows, axis=1) % 7 == 1).all()


def test_blocks_have_the_mean_length_that_was_asked_for() -> None:
    rows = draw_rows(1000, 5000, 20, 8.0, generator())
    seams = (np.diff(rows, axis=1) % 1000 != 1).mean()
    assert 1.0 / seams == pytest.approx(8.0, rel=0.05)


def test_the_block_length_is_the_published_one() -> None:
    # arch's own test: AR(1) with 0.3, written over its shocks.
    values = np.random.RandomState(0).standard_normal(10_100)
    for place in range(1, len(values)):
        values[place] += 0.3 * values[place - 1]
    assert mean_block_length(values[100:]) == pytest.approx(13.635665, rel=1e-4)


@pytest.mark.parametrize("values", [np.zeros(50), np.full(50, 0.01), np.zeros(1), np.arange(7.0)])
def test_a_constant_or_short_series_is_drawn_session_by_session(values: FloatArray) -> None:
    assert mean_block_length(values) == 1.0


@settings(max_examples=40)
@given(st.lists(st.floats(-0.3, 0.4), min_size=4, max_size=30))
def test_figures_of_many_accounts_are_those_of_each(values: list[float]) -> None:
    returns = np.array([values, values[::-1]])
    cash = np.full(returns.shape[1], 1e-4)
    figures = path_figures(returns, cash, 252)
    for row in range(2):
        assert figures["total_return"][row] == pytest.approx(total_return(returns[row]), abs=1e-12)
        assert figures["max_drawdown"][row] == pytest.approx(max_drawdown(returns[row]), abs=1e-12)
        assert figures["conditional_value_at_risk"][row] == pytest.approx(
            conditional_value_at_risk(returns[row]), abs=1e-12
        )
        if np.ptp(returns) > 1e-6:
            assert figures["sharpe"][row] == pytest.approx(sharpe_ratio(returns[row] - cash, 252), rel=1e-9)


def test_an_account_that_never_moves_beside_cash_has_no_sharpe_ratio() -> None:
    figures = path_figures(np.full((1, 20), 1e-4), np.full(20, 1e-4), 252)
    assert math.isnan(figures["sharpe"][0])
    assert figures["excess_return"][0] == 0.0


def test_returns_end_with_the_account() -> None:
    assert returns_of(np.array([[1.1, 0.0, 0.0]]))[0] == pytest.approx([0.1, -1.0, 0.0])


def test_the_fan_of_constant_returns_is_the_account() -> None:
    returns = np.full(30, 0.01)
    simulated = bootstrap_returns(returns, np.zeros(30), 252, 20, 5.0, generator())
    fan = simulated.fan
    assert fan is not None
    assert fan == pytest.approx(np.tile(1.01 ** np.arange(1, 31), (5, 1)))
    assert simulated.loss_probability == 0.0


def test_the_middle_of_the_fan_grows_at_the_mean_log_return() -> None:
    returns = generator(1).normal(0.001, 0.01, 250)
    fan = bootstrap_returns(returns, np.zeros(250), 252, 4000, 3.0, generator()).fan
    assert fan is not None
    error = np.log1p(returns).std() * math.sqrt(250) / math.sqrt(4000) * 1.25
    assert np.log(fan[2, -1]) == pytest.approx(np.log1p(returns).sum(), abs=5.0 * error)
    assert (np.diff(fan, axis=0) >= 0.0).all()


def test_as_many_accounts_lose_as_the_normal_law_says() -> None:
    returns = generator(2).normal(0.0, 0.01, 400)
    returns += 0.0005 - np.log1p(returns).mean()
    simulated = bootstrap_returns(returns, np.zeros(400), 252, 4000, 1.0, generator())
    distance = np.log1p(returns).sum() / (np.log1p(returns).std() * 20.0)
    expected = 0.5 * math.erfc(distance / math.sqrt(2.0))
    assert simulated.loss_probability == pytest.approx(expected, abs=0.03)


def test_an_unchanged_cost_is_the_backtest_to_the_bit(market: MarketPanel, rules: TradingRules) -> None:
    strategy = FrozenPolicy(Follower())
    base = strategy.trade(market, WINDOW, rules)
    same, double = cost_stress(lambda panel: strategy.trade(panel, WINDOW, rules), market, base, (1.0, 2.0))
    assert (same.result.equity == base.equity).all()
    assert (same.difference, same.standard_error) == (0.0, 0.0)
    assert double.difference < -3.0 * double.standard_error < 0.0


def test_nothing_that_costs_nothing_gets_dearer(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = 100.0 * np.exp(np.cumsum(generator(3).normal(0.0, 0.01, (60, 2)), axis=0))
    strategy, free, window = FrozenRule(equal_weight), make_panel(close), (1, 60)
    base = strategy.trade(free, window, rules)
    for item in cost_stress(lambda panel: strategy.trade(panel, window, rules), free, base, (0.5, 3.0)):
        assert (item.result.equity == base.equity).all()


def test_the_break_even_cost_of_one_trade_is_its_gain(make_panel: PanelFactory, rules: TradingRules) -> None:
    # Bought at 100 for a fee c, then 10 % up: mean return (-c + 0.1 / (1 - c)) / 2, zero at c (1 - c) = 0.1.
    panel, strategy = one_trade(make_panel, [100.0, 100.0, 110.0])
    trade = trader(strategy, (1, 3), rules)
    stresses = cost_stress(trade, panel, trade(panel), (0.5, 1.0, 2.0))
    found = break_even_cost(trade, panel, stresses)
    assert found.multiple == pytest.approx((1.0 - math.sqrt(0.6)) / 2.0 / 0.01, rel=2e-3)
    assert found.reason == ""


@pytest.mark.parametrize(
    ("closes", "reason"),
    [([100.0, 100.0, 90.0], "even free of cost"), ([100.0, 100.0, 180.0], "at 32 times the cost")],
)
def test_without_a_break_even_the_reason_is_told(
    make_panel: PanelFactory, rules: TradingRules, closes: list[float], reason: str
) -> None:
    panel, strategy = one_trade(make_panel, closes)
    trade = trader(strategy, (1, 3), rules)
    found = break_even_cost(trade, panel, cost_stress(trade, panel, trade(panel), (1.0,)))
    assert found.multiple is None
    assert reason in found.reason


def test_slippage_makes_the_fill_worse_by_its_basis_points(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel, strategy = one_trade(make_panel, [100.0, 100.0, 100.0])
    trade = trader(strategy, (1, 3), rules)
    (slipped,) = slippage_stress(trade, panel, trade(panel), (50.0,))
    assert slipped.result.equity.tolist() == pytest.approx([1.0 - 0.01 - 0.005] * 2)


def test_a_result_that_rests_on_the_next_session_is_lost_by_a_delay(
    make_panel: PanelFactory, rules: TradingRules
) -> None:
    returns = generator(4).normal(0.0, 0.01, (200, 1))
    panel = make_panel(100.0 * np.cumprod(1.0 + returns, axis=0))
    foresight = FrozenTargets(np.vstack([np.sign(returns[1:]), [[0.0]]]))
    base = foresight.trade(panel, (1, 200), rules)
    lost = lag_loss(lagged_stress(foresight, panel, (1, 200), rules, base))
    assert lost == pytest.approx(1.0, abs=0.25)


def test_a_position_that_is_held_loses_little_by_a_delay(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(100.0 * 1.001 ** np.arange(101.0)[:, None])
    held = FrozenTargets(np.ones((101, 1)))
    base = held.trade(panel, (1, 101), rules)
    assert lag_loss(lagged_stress(held, panel, (1, 101), rules, base)) == pytest.approx(0.01, abs=1e-3)


def test_there_is_nothing_to_lose_where_nothing_was_earned(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(100.0 * 0.999 ** np.arange(50.0)[:, None])
    held = FrozenTargets(np.ones((50, 1)))
    base = held.trade(panel, (1, 50), rules)
    assert lag_loss(lagged_stress(held, panel, (1, 50), rules, base)) is None


def test_a_lagged_policy_trades_what_it_thought_a_session_before(market: MarketPanel, rules: TradingRules) -> None:
    strategy = FrozenPolicy(Follower())
    lagged = strategy.lagged().trade(market, WINDOW, rules)
    base = strategy.trade(market, WINDOW, rules)
    assert (lagged.target_weights[0] == 0.0).all()
    assert lagged.target_weights[1:] == pytest.approx(base.target_weights[:-1], abs=1e-12)


def test_no_noise_is_the_backtest(market: MarketPanel, rules: TradingRules) -> None:
    strategy = FrozenPolicy(Follower())
    base = strategy.trade(market, WINDOW, rules)
    still = feature_noise(strategy, market, WINDOW, rules, 0.0, 3, generator())
    assert still.figures["total_return"] == pytest.approx([base.equity[-1] - 1.0] * 3, rel=1e-12)
    limits = limit_noise(strategy, market, WINDOW, rules, 0.0, 2, generator())
    assert limits.figures["sharpe"] == pytest.approx([base.metrics.sharpe] * 2, rel=1e-12)
    starts = start_shifts(strategy, market, WINDOW, rules, 0)
    assert starts.figures["sharpe"] == pytest.approx([base.metrics.sharpe], rel=1e-12)


def test_more_noise_costs_more_of_the_edge(market: MarketPanel, rules: TradingRules) -> None:
    strategy = FrozenPolicy(Follower(3.0))
    little, much = (
        feature_noise(strategy, market, WINDOW, rules, share, 40, generator()).figures["total_return"]
        for share in (0.05, 3.0)
    )
    assert little.std() < much.std()
    assert little.mean() > much.mean()


def test_noise_leaves_assets_alone_that_nobody_observes(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = 100.0 * np.exp(np.cumsum(generator(7).normal(0.0, 0.01, (60, 2)), axis=0))
    observed = np.ones(close.shape, dtype=np.bool_)
    observed[:, 1] = False
    seen: list[Float32Array] = []

    class Watcher:
        def act(self, observation: Float32Array) -> FloatArray:
            seen.append(observation.copy())
            return np.zeros(observation.shape[:2])

    features = np.where(observed, 1.0 + close / 100.0, 0.0).astype(np.float32)[:, :, None]
    panel = make_panel(close, observed=observed, features=features)
    feature_noise(FrozenPolicy(Watcher()), panel, (30, 40), rules, 1.0, 4, generator())
    shown = np.array(seen[:10])
    assert (shown[:, :, 1, 0] == 0.0).all()
    assert np.ptp(shown[:, :, 0, 0], axis=1).min() > 0.0


def test_limits_are_disturbed_one_by_one() -> None:
    rules = TradingRules.unlimited(max_weight=0.5, max_turnover=None, drawdown_stop=0.98)
    disturbed = disturbed_limits(rules, np.full(9, 1.1))
    assert (disturbed.max_weight, disturbed.max_gross, disturbed.drawdown_stop) == pytest.approx((0.55, 1.1, 1.0))
    assert disturbed.max_turnover is None


def test_late_starts_are_judged_on_the_sessions_they_share(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(100.0 * 1.01 ** np.arange(31.0)[:, None])
    found = start_shifts(FrozenTargets(np.ones((31, 1))), panel, (1, 31), rules, 5)
    assert found.figures["total_return"] == pytest.approx([1.01**25 - 1.0] * 6)


def small(**changes: object) -> AnalysisSettings:
    values = {"return_paths": 50, "noise_paths": 4, "limit_paths": 2, "start_shifts": 2, "feature_noise": (0.05,)}
    return AnalysisSettings.model_validate({**values, "cost_multiples": (1.0, 2.0), **changes})


def test_equal_seeds_give_equal_analyses_to_the_bit(market: MarketPanel, rules: TradingRules) -> None:
    strategy = FrozenPolicy(Follower())
    first, again, other = (
        robustness(strategy, market, WINDOW, rules, small(), seed).rows() for seed in ((1, 2), (1, 2), (1, 3))
    )
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert not first["value"].equals(other["value"])


def test_leaving_a_method_out_changes_no_other(market: MarketPanel, rules: TradingRules) -> None:
    strategy = FrozenPolicy(Follower())
    everything = robustness(strategy, market, WINDOW, rules, small(), (1,)).rows()
    less = robustness(strategy, market, WINDOW, rules, small(feature_noise=()), (1,)).rows()
    kept = everything[everything["method"] != "feature_noise"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, less, check_exact=True)


def test_rows_are_unique_by_method_scenario_metric_session_and_quantile(
    market: MarketPanel, rules: TradingRules
) -> None:
    rows = robustness(FrozenPolicy(Follower()), market, WINDOW, rules, small(), (1,)).rows()
    key = ["method", "scenario", "metric", "session", "quantile"]
    assert not rows.duplicated(key).any()
    assert {"return_bootstrap", "cost", "slippage", "lag", "limit_noise", "start_shift"} <= set(rows["method"])


def test_targets_that_were_decided_once_see_no_features(market: MarketPanel, rules: TradingRules) -> None:
    targets = FrozenTargets(equal_weight(market, rules))
    rows = robustness(targets, market, WINDOW, rules, small(), (1,)).rows()
    assert "feature_noise" not in set(rows["method"])
    assert "market_bootstrap" not in set(rows["method"])


def test_an_undefined_figure_has_no_quantiles(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(np.full((40, 2), 100.0))
    result: BacktestResult = FrozenTargets(np.zeros((40, 2))).trade(panel, (1, 40), rules)
    simulated = bootstrap_returns(result.returns, result.cash_returns, 252, 5, 1.0, generator())
    rows = simulation_rows([simulated])
    assert rows.loc[rows["metric"] == "sharpe", "value"].isna().all()
    assert (rows.loc[rows["metric"] == "equity", "value"] == 1.0).all()

"""Contributions: their parts add up to the whole, and are right where the answer is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, FloatArray, MarketPanel
from wealtharena.evaluation.attribution import Attribution, attribute, factor_returns
from wealtharena.evaluation.attribution.asset_returns import asset_returns
from wealtharena.evaluation.backtest import backtest_weights
from wealtharena.evaluation.baselines import equal_weight
from wealtharena.evaluation.newey_west import long_run_standard_error, regress
from wealtharena.execution import TradingRules

PanelFactory = Callable[..., MarketPanel]
EXACT = 1e-9


def attributed(weights: FloatArray, panel: MarketPanel, rules: TradingRules, **groups: str) -> Attribution:
    result = backtest_weights(weights, panel, (1, len(panel.dates)), rules, "account")
    return attribute(result, groups or None)


def random_market(make_panel: PanelFactory, seed: int, volatility: float) -> tuple[MarketPanel, FloatArray]:
    """Everything that an account can meet: gaps, dividends, splits, a delisting, carry, rates, all costs."""
    generator = np.random.default_rng(seed)
    sessions, assets = 60, 4
    close = 50.0 * np.exp(np.cumsum(generator.normal(0.0, volatility, (sessions, assets)), axis=0))
    close[generator.random(close.shape) < 0.05] = np.nan
    close[0] = 50.0
    delisted = np.zeros(close.shape, dtype=np.bool_)
    close[40:, 3], delisted[40, 3] = np.nan, True
    opening = close * np.exp(generator.normal(0.0, volatility / 2.0, close.shape))
    has_bar = np.isfinite(close)
    columns = [generator.uniform(0.0, 0.002, assets) for _ in range(9)]
    costs = replace(AssetCosts(*columns), min_commission=np.full(assets, 20.0), impact=np.ones(assets))
    costs = replace(costs, max_participation=np.full(assets, 0.02), borrow=np.full(assets, 0.05))
    panel = make_panel(
        close,
        open=opening,
        tradable=has_bar & (generator.random(close.shape) < 0.9),
        observed=has_bar,
        delisted=delisted,
        dollar_volume=np.full(close.shape, 2e7),
        dividend=np.where(generator.random(close.shape) < 0.05, 0.4, 0.0),
        split=np.where(generator.random(close.shape) < 0.03, 2.0, 1.0),
        carry=generator.normal(0.0, 0.05, close.shape),
        cash_rate=np.full(sessions, 0.04),
        costs=costs,
    )
    weights = generator.uniform(-1.5, 1.5, close.shape)
    weights[generator.random(close.shape) < 0.2] = np.nan
    return panel, weights


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), volatility=st.sampled_from([0.005, 0.03, 0.3]))
def test_the_parts_of_every_dimension_add_up(seed: int, volatility: float, make_panel: PanelFactory) -> None:
    panel, weights = random_market(make_panel, seed, volatility)
    rules = TradingRules.unlimited(max_weight=2.0, max_gross=3.0, delisting_haircut=0.3, debit_rate=0.02)
    found = attributed(weights, panel, rules, A00="left", A01="left", A02="right", A03="right")
    assert set(found.dimensions) == {"asset", "class", "source", "factor", "timing"}
    for parts in found.dimensions.values():
        assert sum(parts.values()) == pytest.approx(found.total_return, abs=EXACT)


def test_one_trade_earns_its_move_less_its_cost(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel([[100.0, 50.0], [100.0, 50.0], [110.0, 60.0]], costs=AssetCosts.flat(2, 0.01))
    weights = np.array([[1.0, 0.0], [np.nan, np.nan], [np.nan, np.nan]])
    found = attributed(weights, panel, rules)
    assert found.total_return == pytest.approx(0.09)
    assert found.dimensions["asset"] == pytest.approx({"A00": 0.09, "A01": 0.0, "cash": 0.0})
    source = found.dimensions["source"]
    assert (source["prices"], source["commission"]) == pytest.approx((0.10, -0.01))
    assert "class" not in found.dimensions


def test_what_is_paid_is_told_apart(make_panel: PanelFactory, rules: TradingRules) -> None:
    # Short one asset at 100 for two nights; it pays 1 a unit, and lending it costs 36.5 % a year.
    panel = make_panel(
        np.full((3, 1), 100.0),
        dividend=np.array([[0.0], [0.0], [1.0]]),
        costs=AssetCosts.flat(1, 0.0, borrow=0.365),
        cash_rate=np.full(3, 0.0),
    )
    source = attributed(np.array([[-1.0], [np.nan], [np.nan]]), panel, rules).dimensions["source"]
    assert source["dividends"] == pytest.approx(-0.01)
    assert source["borrow and holding"] == pytest.approx(-0.001)
    assert source["prices"] == pytest.approx(0.0, abs=EXACT)


def test_a_delisting_costs_its_haircut(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = np.array([[10.0, 10.0], [10.0, 10.0], [np.nan, 10.0]])
    delisted = np.array([[False, False], [False, False], [True, False]])
    panel = make_panel(close, delisted=delisted, tradable=np.isfinite(close))
    found = attributed(np.array([[0.5, 0.0], [np.nan, np.nan], [np.nan, np.nan]]), panel, rules)
    assert found.dimensions["source"]["delisting"] == pytest.approx(-0.15)
    assert found.dimensions["asset"]["A00"] == pytest.approx(-0.15)


def test_cash_earns_its_interest(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(np.full((11, 2), 100.0), cash_rate=np.full(11, 0.0365))
    found = attributed(np.zeros((11, 2)), panel, rules)
    assert found.total_return == pytest.approx(1.0001**10 - 1.0)
    for dimension in ("asset", "source", "factor", "timing"):
        name = {"source": "interest", "timing": "interest"}.get(dimension, "cash")
        assert found.dimensions[dimension][name] == pytest.approx(found.total_return)


def test_the_whole_market_is_all_market(make_panel: PanelFactory, rules: TradingRules) -> None:
    shocks = np.random.default_rng(1).normal(0.0005, 0.01, (300, 3))
    panel = make_panel(100.0 * np.exp(np.cumsum(shocks, axis=0)))
    found = attributed(equal_weight(panel, rules), panel, rules)
    assert found.factors.exposures["market"].beta == pytest.approx(1.0, abs=1e-6)
    assert found.factors.alpha == pytest.approx(0.0, abs=1e-6)
    assert found.dimensions["factor"]["market"] == pytest.approx(found.total_return, rel=1e-5)
    assert found.dimensions["timing"]["exposure"] == pytest.approx(found.total_return, rel=1e-2)


def test_a_constant_position_has_no_timing(make_panel: PanelFactory, rules: TradingRules) -> None:
    shocks = np.random.default_rng(2).normal(0.001, 0.01, (200, 2))
    panel = make_panel(100.0 * np.exp(np.cumsum(shocks, axis=0)))
    held = np.zeros(shocks.shape)
    held[:, 0] = 1.0
    timing = attributed(held, panel, rules).dimensions["timing"]
    assert timing["timing"] == pytest.approx(0.0, abs=1e-12)
    assert timing["selection"] != pytest.approx(0.0, abs=1e-3)


def test_luck_of_the_moment_is_timing(make_panel: PanelFactory, rules: TradingRules) -> None:
    returns = np.random.default_rng(3).normal(0.0, 0.01, (300, 1))
    panel = make_panel(100.0 * np.cumprod(1.0 + returns, axis=0))
    foresight = np.vstack([np.sign(returns[1:]), [[0.0]]])
    found = attributed(foresight, panel, rules)
    assert found.dimensions["timing"]["timing"] > 0.9 * found.total_return > 1.0


def test_factors_know_no_future(make_panel: PanelFactory) -> None:
    shocks = np.random.default_rng(4).normal(0.0, 0.01, (400, 5))
    close = 100.0 * np.exp(np.cumsum(shocks, axis=0))
    volatility = np.abs(np.random.default_rng(5).normal(0.01, 0.003, close.shape))
    carry = np.random.default_rng(6).normal(0.0, 0.02, close.shape)
    whole = factor_returns(make_panel(close, volatility=volatility, carry=carry))
    assert set(whole) == {"market", "momentum", "volatility", "carry"}
    for cut in (260, 331):
        part = factor_returns(make_panel(close[:cut], volatility=volatility[:cut], carry=carry[:cut]))
        for name, values in part.items():
            assert (values == whole[name][:cut]).all()


def test_momentum_is_long_what_rose_and_short_what_fell(make_panel: PanelFactory) -> None:
    drift = np.array([0.002, 0.0, -0.002])
    panel = make_panel(100.0 * np.exp(np.arange(400.0)[:, None] * drift))
    momentum = factor_returns(panel)["momentum"]
    assert (momentum[:253] == 0.0).all()
    assert momentum[300] == pytest.approx(np.expm1(0.002) - np.expm1(-0.002))


def test_asset_returns_have_dividends_and_carry(make_panel: PanelFactory) -> None:
    panel = make_panel(
        [[100.0], [99.0], [99.0]],
        dividend=np.array([[0.0], [1.0], [0.0]]),
        split=np.ones((3, 1)),
        carry=np.array([[0.0], [0.365], [0.0]]),
    )
    assert asset_returns(panel)[:, 0] == pytest.approx([0.0, 0.0, 0.001])


def test_standard_errors_of_independent_values_are_the_usual_ones() -> None:
    values = np.random.default_rng(7).normal(0.0, 1.0, 5000)
    assert long_run_standard_error(values) == pytest.approx(1.0 / np.sqrt(5000), rel=0.1)


def test_standard_errors_allow_for_memory() -> None:
    values = np.random.default_rng(8).normal(0.0, 1.0, 20_000)
    values = values[1:] + 0.9 * values[:-1]
    # The long-run variance of this moving average is 1.9 squared.
    assert long_run_standard_error(values) == pytest.approx(1.9 / np.sqrt(len(values)), rel=0.08)


def test_the_regression_is_that_of_another_library() -> None:
    api = pytest.importorskip("statsmodels.api")
    generator = np.random.default_rng(9)
    inputs = np.column_stack([np.ones(150), generator.normal(size=(150, 2))])
    values = inputs @ [0.1, 0.5, -0.2] + np.cumsum(generator.normal(0.0, 0.1, 150))
    own = regress(values, inputs)
    theirs = api.OLS(values, inputs).fit(cov_type="HAC", cov_kwds={"maxlags": own.lags, "use_correction": True})
    assert own.lags == 4
    assert own.coefficients == pytest.approx(theirs.params)
    assert own.standard_errors == pytest.approx(theirs.bse)


def test_too_few_sessions_have_no_standard_error() -> None:
    assert np.isnan(long_run_standard_error(np.array([1.0])))
    assert np.isnan(long_run_standard_error(np.array([])))


def test_a_result_that_was_made_by_hand_has_nothing_to_attribute(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(np.full((5, 1), 100.0))
    result = backtest_weights(np.zeros((5, 1)), panel, (1, 5), rules, "account")
    with pytest.raises(DataWindowError, match="made by hand"):
        attribute(replace(result, trading=None))

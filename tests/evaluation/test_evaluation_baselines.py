"""Baselines: known answers, limits, and nothing from the future."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.baselines import BASELINES, cash, equal_weight, time_series_momentum
from wealtharena.execution import TradingRules

PanelFactory = Callable[..., MarketPanel]
ALL = pytest.mark.parametrize("name", BASELINES)


def test_equal_weight_is_an_equal_share_of_what_is_observed(make_panel: PanelFactory, rules: TradingRules) -> None:
    observed = np.array([[True, True, True, True], [True, False, True, False]])
    weights = equal_weight(make_panel(np.ones((2, 4)), observed=observed), rules)
    assert weights.tolist() == [[0.25] * 4, [0.5, 0.0, 0.5, 0.0]]


def test_equal_weight_keeps_cash_where_the_largest_weight_is_reached(
    make_panel: PanelFactory, rules: TradingRules
) -> None:
    weights = equal_weight(make_panel(np.ones((1, 2))), replace(rules, max_weight=0.35))
    assert weights.tolist() == [[0.35, 0.35]]


def test_cash_holds_nothing(random_walk: MarketPanel, rules: TradingRules) -> None:
    assert not cash(random_walk, rules).any()


def test_momentum_needs_a_year_then_follows_the_sign(make_panel: PanelFactory, rules: TradingRules) -> None:
    wobble = 0.01 * np.where(np.arange(400) % 2, 1.0, -1.0)
    drift = 0.001 * np.arange(400)
    close = 100.0 * np.exp(np.column_stack([drift + wobble, wobble - drift]))
    weights = time_series_momentum(make_panel(close), rules)
    assert not weights[:252].any()
    assert (weights[252:, 0] > 0).all()
    assert (weights[252:, 1] < 0).all()


def test_momentum_stays_out_of_falling_assets_if_long_only(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = np.linspace(200.0, 100.0, 400)[:, None] * (1.0 + 0.01 * (np.arange(400) % 2))[:, None]
    assert not time_series_momentum(make_panel(close), replace(rules, long_only=True)).any()


@pytest.mark.parametrize("sessions_per_year", [252, 365])
def test_momentum_sizes_each_asset_to_forty_percent_volatility_a_year(
    make_panel: PanelFactory, rules: TradingRules, sessions_per_year: int
) -> None:
    """40 % / volatility / number of assets, where no limit binds."""
    shocks = np.random.default_rng(5).normal(0.001, [0.05, 0.10], size=(3_000, 2))
    panel = make_panel(100.0 * np.cumprod(1.0 + shocks, axis=0), annualisation=sessions_per_year)
    sizes = np.abs(time_series_momentum(panel, rules)[1_000:])
    expected = 0.40 / (np.array([0.05, 0.10]) * np.sqrt(sessions_per_year)) / 2
    assert sizes.mean(axis=0) == pytest.approx(expected, rel=0.05)


def test_momentum_of_a_price_that_turned_negative_is_short(make_panel: PanelFactory, rules: TradingRules) -> None:
    """Oil, April 2020: the sign of a price change exists where a ratio of prices means nothing."""
    close = np.where(np.arange(300) % 2, 50.0, 49.0)[:, None]
    close[-1] = -37.63
    weights = time_series_momentum(make_panel(close), rules)
    assert weights[-1, 0] < 0
    assert np.isfinite(weights).all()


def test_momentum_of_a_price_that_never_moves_is_nothing(make_panel: PanelFactory, rules: TradingRules) -> None:
    assert not time_series_momentum(make_panel(np.full((400, 1), 100.0)), rules).any()


def test_the_year_of_a_market_that_never_closes_has_365_sessions(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = (np.linspace(100.0, 200.0, 400) + np.arange(400) % 2)[:, None]
    weights = time_series_momentum(make_panel(close, annualisation=365), rules)
    assert not weights[:365].any()
    assert weights[365:].all()


def test_momentum_is_that_of_total_returns(make_panel: PanelFactory, rules: TradingRules) -> None:
    """A split by two and a fall by what is paid out are no losses."""
    worth = 100.0 * np.exp(0.001 * np.arange(400) + 0.01 * np.where(np.arange(400) % 2, 1.0, -1.0))[:, None]
    split, kept = np.ones((400, 1)), np.ones((400, 1))
    split[300], kept[320] = 2.0, 0.5
    close = worth * np.cumprod(kept, axis=0) / np.cumprod(split, axis=0)
    dividend = np.zeros((400, 1))
    dividend[320] = 0.5 * close[319]
    paying = make_panel(close, split=split, dividend=dividend)
    whole = make_panel(worth)
    assert np.allclose(time_series_momentum(paying, rules), time_series_momentum(whole, rules), rtol=1e-9)
    assert not np.allclose(time_series_momentum(make_panel(close), rules), time_series_momentum(whole, rules))


@ALL
def test_no_baseline_sees_the_future(
    make_panel: PanelFactory, name: str, random_walk: MarketPanel, rules: TradingRules
) -> None:
    """Cut at every row: with missing bars, a back-fill shows only where the cut lies in a gap."""
    close = random_walk.close[:330].copy()
    close[np.random.default_rng(12).random(close.shape) < 0.2] = np.nan
    generator = np.random.default_rng(4)
    events = {
        "split": np.where(generator.random(close.shape) < 0.02, 2.0, 1.0),
        "dividend": np.where(generator.random(close.shape) < 0.02, 1.0, 0.0),
    }
    panel = make_panel(close, observed=np.ones(close.shape, dtype=bool), **events)
    whole = BASELINES[name](panel, rules)
    for cut in range(1, 331):
        assert np.array_equal(BASELINES[name](panel.rows(0, cut), rules), whole[:cut])


@ALL
def test_scrambling_the_future_changes_no_past_weight(name: str, random_walk: MarketPanel, rules: TradingRules) -> None:
    close = random_walk.close.copy()
    close[400:] = np.random.default_rng(9).permutation(close[400:]) * 3.0
    scrambled = replace(random_walk, close=close)
    whole = BASELINES[name](random_walk, rules)
    assert np.array_equal(BASELINES[name](scrambled, rules)[:400], whole[:400])


@ALL
@given(seed=st.integers(0, 50), gaps=st.floats(0.0, 0.6), max_weight=st.floats(0.05, 1.0), long_only=st.booleans())
def test_limits_hold_and_gaps_do_no_harm(
    make_panel: PanelFactory,
    rules: TradingRules,
    name: str,
    seed: int,
    gaps: float,
    max_weight: float,
    long_only: bool,
) -> None:
    generator = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0, 0.02, size=(330, 3)), axis=0))
    close[generator.random(close.shape) < gaps] = np.nan
    panel = make_panel(close)
    limits = replace(rules, max_weight=max_weight, long_only=long_only)
    weights = BASELINES[name](panel, limits)
    assert np.isfinite(weights).all()
    assert not weights[~panel.observed].any()
    assert np.abs(weights).max() <= max_weight + 1e-12
    assert np.abs(weights).sum(axis=1).max() <= 1.0 + 1e-9
    assert not long_only or weights.min() >= 0.0

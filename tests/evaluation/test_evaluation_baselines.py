"""Baselines on hand-made panels: known answers. What all of them promise is tested with the contracts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.baselines import (
    GENERAL,
    baselines_of,
    carry,
    cash,
    cross_sectional_momentum,
    equal_weight,
    inverse_volatility,
    moving_average_trend,
    sector_momentum,
    short_term_reversal,
    time_series_momentum,
    volatility_targeted_trend,
)
from wealtharena.execution import TradingRules

PanelFactory = Callable[..., MarketPanel]
ZIGZAG = np.where(np.arange(400) % 2, 1.0, -1.0)


def trending(*drifts: float, wobble: float = 0.01) -> np.ndarray:
    """(400, len(drifts)) prices with a constant drift per session of their logarithm, all of the same volatility."""
    return 100.0 * np.exp(np.arange(400)[:, None] * np.array(drifts) + wobble * ZIGZAG[:, None])


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


def test_calm_assets_get_more_in_proportion(make_panel: PanelFactory, rules: TradingRules) -> None:
    """Twice the volatility, half the weight; nothing before 21 returns are known."""
    close = 100.0 * np.exp(np.column_stack([0.01 * ZIGZAG, 0.02 * ZIGZAG]))
    weights = inverse_volatility(make_panel(close), rules)
    assert not weights[:21].any()
    assert weights[21:] == pytest.approx(np.tile([2 / 3, 1 / 3], (379, 1)), rel=1e-3)


def test_winners_of_a_year_are_bought_and_losers_sold(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(trending(0.002, -0.002, 0.001, 0.0, -0.001, 0.0005))
    weights = cross_sectional_momentum(panel, rules)
    assert not weights[:252].any()
    expected = [0.25, -0.25, 0.25, 0.0, -0.25, 0.0]
    assert np.array_equal(weights[252:], np.tile(expected, (148, 1)))
    alone = cross_sectional_momentum(panel, replace(rules, long_only=True))
    assert np.array_equal(alone[252:], np.tile([0.5, 0.0, 0.5, 0.0, 0.0, 0.0], (148, 1)))


def test_the_last_month_does_not_count_for_the_winners_of_a_year(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = trending(0.001, 0.0, -0.001)
    close[-21:] = close[-22] * np.array([0.2, 1.0, 5.0])
    weights = cross_sectional_momentum(make_panel(close), rules)
    assert np.array_equal(weights[-1], weights[-22])
    assert weights[-1].tolist() == [0.5, 0.0, -0.5]


def test_the_strongest_sectors_of_half_a_year_are_held_and_none_is_sold(
    make_panel: PanelFactory, rules: TradingRules
) -> None:
    close = trending(0.001, 0.0, -0.001)
    close[250:] = close[250] * np.exp(0.01 * np.arange(150)[:, None] * np.array([-1.0, 0.0, 1.0]))
    weights = sector_momentum(make_panel(close), rules)
    assert not weights[:126].any()
    assert weights[200].tolist() == [1.0, 0.0, 0.0]
    assert weights[-1].tolist() == [0.0, 0.0, 1.0]


def test_losers_of_a_month_are_bought(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(trending(0.002, 0.0, -0.002))
    weights = short_term_reversal(panel, rules)
    assert not weights[:21].any()
    assert np.array_equal(weights[21:], np.tile([-0.5, 0.0, 0.5], (379, 1)))
    assert weights.max() == short_term_reversal(panel, replace(rules, long_only=True)).max() / 2


def test_equals_are_treated_alike(make_panel: PanelFactory, rules: TradingRules) -> None:
    """Ties for the third place among the best: both are held, whatever they are called."""
    weights = sector_momentum(make_panel(trending(0.001, 0.002, 0.001, 0.0, -0.001, -0.002)), rules)
    assert weights[-1] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0, 0.0, 0.0])


def test_a_single_asset_has_nothing_to_be_compared_with(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(trending(0.001))
    assert not cross_sectional_momentum(panel, rules).any()
    assert not short_term_reversal(panel, rules).any()


def test_a_fast_mean_above_a_slow_one_is_a_rising_trend(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(trending(0.001, -0.001))
    weights = moving_average_trend(panel, rules)
    assert not weights[:199].any()
    assert np.array_equal(np.sign(weights[199:]), np.tile([1.0, -1.0], (201, 1)))
    assert weights[-1] == pytest.approx([0.5, -0.5], abs=0.01)
    assert np.array_equal(moving_average_trend(panel, replace(rules, long_only=True))[199:, 1], np.zeros(201))


def test_a_trend_turns_where_the_means_cross(make_panel: PanelFactory, rules: TradingRules) -> None:
    close = np.concatenate([np.linspace(100.0, 200.0, 250), np.linspace(200.0, 100.0, 150)])[:, None]
    signs = np.sign(moving_average_trend(make_panel(close), rules)[:, 0])
    slow = np.convolve(close[:, 0], np.ones(200) / 200, "valid")
    fast = np.convolve(close[:, 0], np.ones(50) / 50, "valid")[150:]
    assert np.array_equal(signs[199:], np.sign(fast - slow))


def test_a_wild_rise_is_held_in_part_and_a_fall_not_at_all(make_panel: PanelFactory, rules: TradingRules) -> None:
    """Shocks of 5 % a day are 95 % a year: 40 / 95 of an equal share."""
    generator = np.random.default_rng(11)
    shocks = 0.05 * generator.choice([-1.0, 1.0], size=(400, 1)) + np.array([[0.02, -0.02]])
    panel = make_panel(100.0 * np.cumprod(1.0 + shocks, axis=0), annualisation=365)
    weights = volatility_targeted_trend(panel, rules)
    assert not weights[:28].any()
    assert weights[300:, 0].mean() == pytest.approx(0.5 * 0.40 / (0.05 * np.sqrt(365)), rel=0.05)
    assert not weights[300:, 1].any()


def test_a_calm_rise_takes_no_more_than_an_equal_share(make_panel: PanelFactory, rules: TradingRules) -> None:
    weights = volatility_targeted_trend(make_panel(trending(0.002, 0.001, -0.001, wobble=0.001)), rules)
    assert weights[-1] == pytest.approx([1 / 3, 1 / 3, 0.0])


def with_carry(panel: MarketPanel, values: list[float]) -> MarketPanel:
    features = np.stack([panel.features[:, :, 0], np.tile(np.float32(values), (len(panel.dates), 1))], axis=2)
    return replace(panel, feature_names=("trend", "carry"), features=features)


def test_the_higher_rate_is_held_against_the_lower(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = with_carry(make_panel(trending(0.001, 0.0, -0.001, 0.0)), [-0.3, 0.4, 2.0, 0.0])
    weights = carry(panel, rules)
    assert np.sign(weights[-1]).tolist() == [-1.0, 1.0, 1.0, 0.0]
    assert np.abs(weights[-1]).sum() == pytest.approx(1.0)
    assert np.sign(carry(panel, replace(rules, long_only=True))[-1]).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_carry_without_rates_is_cash(make_panel: PanelFactory, rules: TradingRules) -> None:
    panel = make_panel(trending(0.001, -0.001))
    assert not carry(panel, rules).any()
    assert not carry(with_carry(panel, [0.0, 0.0]), rules).any()


def test_every_class_has_the_general_rules_and_one_of_its_own() -> None:
    own = {asset_class: baselines_of(asset_class)[len(GENERAL) :] for asset_class in AssetClass}
    assert own == {
        AssetClass.STOCKS: ("cross_sectional_momentum",),
        AssetClass.CRYPTO: ("volatility_targeted_trend",),
        AssetClass.ETFS: ("sector_momentum",),
        AssetClass.CURRENCIES: ("carry",),
        AssetClass.REITS: ("short_term_reversal",),
        AssetClass.COMMODITIES: ("moving_average_trend",),
    }
    assert baselines_of(None) == GENERAL

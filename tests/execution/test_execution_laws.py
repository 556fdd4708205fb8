"""Laws of bookkeeping that hold whatever an account does, and single sessions on hand-made markets."""

import random
from dataclasses import replace

import numpy as np
import pytest
from execution_markets import Path, costs, panel, random_market, random_reward, random_rules, random_walk, rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import Limit, market_arrays
from wealtharena.execution.kernel import CHANGES, SCORES, WEIGHTS

NAN = float("nan")
SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from((SCORES, WEIGHTS, CHANGES))


def gains_of(path: Path, market: MarketPanel) -> FloatArray:
    """(T,) what prices earned on what was held, over night and by day; a delisting pays the last close."""
    arrays, sessions = market_arrays(market), len(path.equity)
    at_open, at_close = np.nan_to_num(arrays.open_mark), np.nan_to_num(arrays.close_mark)
    split = np.ones(at_open.shape) if market.split is None else market.split
    gains, held = np.zeros(sessions), np.zeros(at_open.shape[1])
    for t in range(1, sessions + 1):
        stays = ~market.delisted[t]
        after = held * split[t] * stays
        over_night = after @ at_open[t] - (held * stays) @ at_close[t - 1]
        after = after * (path.equity_open[t - 1] > 0.0) + path.orders[t - 1]
        gains[t - 1] = over_night + after @ (at_close[t] - at_open[t])
        held = path.quantity[t - 1]
    return gains


@settings(max_examples=60)
@given(seed=SEEDS, mode=MODES)
def test_an_account_changes_by_what_it_gains_and_pays_and_by_nothing_else(seed: int, mode: int) -> None:
    rng = np.random.default_rng(seed)
    market = random_market(rng, 40, int(rng.integers(1, 12)))
    path = trade(market, rng.normal(0.0, 0.6, (39, len(market.symbols))), random_rules(rng, risk=True), mode=mode)

    earned = gains_of(path, market) + path.dividends + path.interest
    paid = path.commission + path.spread + path.impact + path.carrying + path.delisting
    change = np.diff(path.equity, prepend=1.0)
    np.testing.assert_allclose(change, earned - paid, rtol=0, atol=1e-9)

    value = (path.quantity * np.nan_to_num(market_arrays(market).close_mark)[1:]).sum(axis=1)
    np.testing.assert_allclose(path.equity, path.cash + value, rtol=0, atol=1e-9)


@settings(max_examples=30)
@given(seed=SEEDS)
def test_trading_at_constant_prices_without_cost_conserves_wealth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = np.tile(rng.uniform(1.0, 900.0, 5), (40, 1))

    path = trade(panel(prices), rng.uniform(-1.0, 1.0, (39, 5)), rules(max_gross=3.0))

    assert path.turnover.sum() > 1.0
    np.testing.assert_allclose(path.equity, 1.0, rtol=0, atol=1e-12)


def test_conservation_is_exact_where_prices_are_powers_of_two() -> None:
    wanted = [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0], [-0.25, 0.75], [0.0, 0.0]]
    path = trade(panel(np.full((6, 2), 4.0)), wanted, rules())
    assert (path.equity == 1.0).all()


@settings(max_examples=30)
@given(seed=SEEDS)
def test_what_is_sold_altogether_leaves_nothing_behind(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market = random_walk(rng, 9, 7)
    wanted = rng.uniform(-1.0, 1.0, (8, 7))
    wanted[3::4] = 0.0
    path = trade(market, wanted, rules(max_gross=3.0))
    assert not path.quantity[3::4].any()
    assert path.quantity[:3].all()


@settings(max_examples=30)
@given(seed=SEEDS, mode=MODES)
def test_splits_neither_make_nor_cost_anything(seed: int, mode: int) -> None:
    """Two panels of one market: as traded with its splits, some on days without a bar, and adjusted for them."""
    rng = np.random.default_rng(seed)
    whole = replace(random_market(rng, 50, 6, volatility=0.04), split=None, dividend=None)
    split = np.where(rng.random((50, 6)) < 0.1, rng.choice([0.1, 0.5, 2.0, 7.0], (50, 6)), 1.0)
    units = np.cumprod(split, axis=0)
    whole = replace(whole, costs=replace(whole.costs, commission_per_unit=np.zeros(6)))
    as_traded = replace(whole, open=whole.open / units, close=whole.close / units, split=split)
    account_rules, wanted = random_rules(rng, risk=False), rng.normal(0.0, 0.6, (49, 6))

    adjusted = trade(whole, wanted, account_rules, mode=mode)
    traded = trade(as_traded, wanted, account_rules, mode=mode)

    np.testing.assert_allclose(traded.equity, adjusted.equity, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(traded.cost, adjusted.cost, rtol=1e-9, atol=1e-9)


@settings(max_examples=30)
@given(seed=SEEDS)
def test_dividends_are_worth_what_the_adjusted_price_says(seed: int) -> None:
    """Reinvested at the open, they make the total return: the adjusted panel holds more units from each ex-date on."""
    rng = np.random.default_rng(seed)
    market, shape = random_walk(rng, 50, 6), (50, 6)
    dividend = np.where(rng.random(shape) < 0.1, rng.uniform(0.0, 0.5, shape), 0.0)
    split = np.where(rng.random(shape) < 0.1, rng.choice([0.1, 0.5, 2.0, 3.0], shape), 1.0)
    market = replace(market, open=market.open / split.cumprod(axis=0), close=market.close / split.cumprod(axis=0))
    units = np.cumprod(split * (1.0 + dividend / market.open), axis=0)
    adjusted = replace(market, open=market.open * units, close=market.close * units)
    wanted = rng.uniform(-1.0, 1.0, (49, 6))

    traded = trade(replace(market, dividend=dividend, split=split), wanted, rules(max_gross=2.0))
    total = trade(adjusted, wanted, rules(max_gross=2.0))

    np.testing.assert_allclose(traded.equity, total.equity, rtol=1e-9)
    assert np.abs(traded.dividends).sum() > 0.0


def test_a_dividend_or_a_split_on_a_day_without_a_bar_changes_no_wealth() -> None:
    market = panel([[10.0], [10.0], [NAN], [4.5]])
    at_event = np.array([[False], [False], [True], [False]])
    events = {"split": np.where(at_event, 2.0, 1.0), "dividend": np.where(at_event, 0.5, 0.0)}
    path = trade(replace(market, **events), [[1.0], [NAN], [NAN]], rules())
    assert path.equity == pytest.approx([1.0, 1.0, 1.0])
    assert path.dividends.tolist() == pytest.approx([0.0, 0.1, 0.0])


def test_a_short_position_pays_the_dividend() -> None:
    market = replace(panel([[10.0], [10.0], [9.0]]), dividend=np.array([[0.0], [0.0], [1.0]]))
    path = trade(market, [[-0.5], [NAN]], rules())
    assert path.dividends[1] == pytest.approx(-0.05)
    assert path.equity[1] == pytest.approx(1.0)


def test_an_asset_that_is_not_tradable_keeps_its_position_and_is_reported() -> None:
    tradable = np.array([[True], [True], [False], [True]])
    path = trade(panel(np.full((4, 1), 10.0), tradable=tradable), [[0.5], [0.0], [0.0]], rules())
    assert path.weights[:, 0].tolist() == [0.5, 0.5, 0.0]
    assert [Limit.UNFILLED in Limit(int(limits)) for limits in path.limits] == [False, True, False]


@settings(max_examples=30)
@given(seed=SEEDS, mode=MODES)
def test_nothing_fills_without_a_bar_or_while_halted(seed: int, mode: int) -> None:
    rng = np.random.default_rng(seed)
    market = random_market(rng, 40, 8)
    path = trade(market, rng.uniform(-1.0, 1.0, (39, 8)), random_rules(rng, risk=False), mode=mode)
    closed = ~market.tradable | np.isnan(market.open)
    assert not path.orders[closed[1:]].any()


def test_an_asset_without_a_bar_is_marked_at_its_last_close_until_it_can_be_sold() -> None:
    market = panel([[10.0], [10.0], [NAN], [6.0]], [[10.0], [12.0], [NAN], [7.0]])
    path = trade(market, [[1.0], [0.0], [0.0]], rules())
    assert path.equity == pytest.approx([1.2, 1.2, 0.6])


def test_no_order_lets_a_position_drift() -> None:
    market = panel([[10.0, 10.0]] * 3, [[10.0, 10.0], [10.0, 10.0], [30.0, 10.0]])
    path = trade(market, [[0.5, 0.5], [NAN, NAN]], rules())
    np.testing.assert_allclose(path.weights[1], [0.75, 0.25])
    assert path.turnover.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("weight", [0.5, -0.5])
def test_a_delisting_costs_the_haircut_long_or_short(weight: float) -> None:
    market = panel([[10.0], [10.0], [NAN], [NAN]])
    delisted = np.array([[False], [False], [True], [False]])
    path = trade(replace(market, delisted=delisted), [[weight]] * 3, rules(delisting_haircut=0.3))
    assert path.equity.tolist() == pytest.approx([1.0, 0.85, 0.85])
    assert path.delisting.tolist() == pytest.approx([0.0, 0.15, 0.0])
    assert not path.weights[1:].any()
    assert not path.turnover[1:].any()


def test_a_negative_close_is_a_loss_and_a_negative_open_does_not_fill() -> None:
    market = panel([[20.0], [20.0], [-5.0], [10.0]], [[20.0], [15.0], [-10.0], [10.0]])
    path = trade(market, [[0.5], [0.0], [0.0]], rules())
    units = 0.5 / 20.0
    assert path.equity == pytest.approx([1.0 - 5 * units, 1.0 - 30 * units, 1.0 - 10 * units])
    assert path.turnover[1] == 0.0
    assert path.weights[2, 0] == 0.0


def test_a_bankrupt_account_holds_nothing_and_stays_where_it_fell() -> None:
    market = panel([[10.0]] * 5, [[10.0], [10.0], [25.0], [1.0], [1.0]])
    market = replace(market, cash_rate=np.full(5, 0.05))
    path = trade(market, [[-1.0]] * 4, rules(debit_rate=0.1, drawdown_stop=0.3, reentry_sessions=1))
    assert path.equity[1] == pytest.approx(-0.5, abs=0.001)
    assert path.equity[1] == path.equity[2] == path.equity[3]
    assert path.gross.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert not path.turnover[2:].any()
    assert (path.peak >= 1.0).all()


def test_a_gap_at_the_open_bankrupts_before_any_order() -> None:
    market = panel([[10.0], [10.0], [21.0]], [[10.0], [10.0], [5.0]])
    path = trade(market, [[-1.0], [0.0]], rules())
    assert path.equity[1] == pytest.approx(-0.1)
    assert path.turnover[1] == 0.0


@settings(max_examples=20)
@given(seed=SEEDS, mode=MODES)
def test_no_account_shows_anything_but_numbers(seed: int, mode: int) -> None:
    """Leverage of 3 with wild moves: most of these accounts are bankrupt in the end."""
    rng = np.random.default_rng(seed)
    market, wanted = random_market(rng, 60, 5, volatility=0.3), rng.normal(0.0, 2.0, (59, 5))
    account_rules = replace(random_rules(rng, risk=True), max_gross=3.0, max_weight=3.0, concentration=30.0)
    path = trade(market, wanted, account_rules, mode=mode, reward=random_reward(rng))
    for name, column in vars(path).items():
        assert np.isfinite(column).all(), name


@settings(max_examples=30)
@given(seed=SEEDS, mode=MODES)
def test_the_order_of_the_assets_does_not_matter(seed: int, mode: int) -> None:
    rng = np.random.default_rng(seed)
    market, order = random_market(rng, 40, 11, volatility=0.03), rng.permutation(11)
    wanted, account_rules = rng.normal(0.0, 0.6, (39, 11)), random_rules(rng, risk=False)

    path = trade(market, wanted, account_rules, mode=mode)
    shuffled = trade(market.select(tuple(market.symbols[k] for k in order)), wanted[:, order], account_rules, mode=mode)

    np.testing.assert_allclose(shuffled.equity, path.equity, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(shuffled.weights, path.weights[:, order], rtol=1e-9, atol=1e-12)
    assert (shuffled.limits == path.limits).all()


@settings(max_examples=30)
@given(seed=SEEDS, mode=MODES, extra=st.integers(1, 12))
def test_assets_that_cannot_be_traded_change_nothing(seed: int, mode: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    market, wanted = random_market(rng, 40, 5, volatility=0.03), rng.normal(0.0, 0.6, (39, 5))
    account_rules = random_rules(rng, risk=False)
    nothing = np.full((40, extra), NAN)
    parts = {
        name: np.hstack([getattr(market, name), nothing])
        for name in ("open", "close", "dollar_volume", "volatility", "dividend", "split", "carry")
        if getattr(market, name) is not None
    }
    parts |= {
        name: np.hstack([getattr(market, name), np.zeros((40, extra), bool)])
        for name in ("tradable", "observed", "delisted")
    }
    wide = replace(
        market,
        symbols=(*market.symbols, *(f"X{k:02d}" for k in range(extra))),
        features=np.concatenate([market.features, np.zeros((40, extra, 2), np.float32)], axis=1),
        costs=type(market.costs).joined([market.costs, costs(extra, min_commission=5.0)]),
        **parts,
    )

    path = trade(market, wanted, account_rules, mode=mode)
    padded = trade(
        wide, np.hstack([wanted, rng.normal(size=(39, extra)) * (mode != WEIGHTS)]), account_rules, mode=mode
    )

    np.testing.assert_allclose(padded.equity, path.equity, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(padded.observations[:, :5], path.observations, rtol=1e-6, atol=1e-6)
    assert not padded.quantity[:, 5:].any()


def test_the_global_random_state_is_left_alone() -> None:
    before, numbers = random.getstate(), np.random.get_state()[1].tolist()
    rng = np.random.default_rng(0)
    trade(random_market(rng, 30, 4), rng.normal(size=(29, 4)), random_rules(rng, risk=True), mode=SCORES)
    assert random.getstate() == before
    assert np.random.get_state()[1].tolist() == numbers

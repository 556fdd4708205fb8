"""Laws that hold whatever an account does, and the rules of single sessions on hand-made markets."""

from dataclasses import replace

import numpy as np
import pytest
from execution_markets import panel, rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.execution import Limit

NAN = float("nan")


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_trading_at_constant_prices_without_cost_conserves_wealth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = np.tile(rng.uniform(1.0, 900.0, 5), (40, 1))

    path = trade(panel(prices, prices), rng.uniform(-1.0, 1.0, (39, 5)), rules(max_gross=3.0))

    assert path.turnover.sum() > 1.0
    np.testing.assert_allclose(path.equity, 1.0, rtol=0, atol=1e-12)


def test_conservation_is_exact_where_prices_are_powers_of_two() -> None:
    prices = np.full((6, 2), 4.0)
    path = trade(panel(prices, prices), [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0], [-0.25, 0.75], [0.0, 0.0]], rules())
    assert (path.equity == 1.0).all()


def test_a_round_trip_at_one_price_returns_exactly_the_cost() -> None:
    prices = np.full((3, 1), 8.0)
    free = trade(panel(prices, prices), [[1.0], [0.0]], rules())
    dear = trade(panel(prices, prices, cost=0.01), [[1.0], [0.0]], rules())
    assert free.equity[-1] == 1.0
    assert dear.equity[-1] == pytest.approx(1.0 - 2 * 0.01, abs=1e-15)


def test_cost_is_linear_in_basis_points_and_in_the_multiplier() -> None:
    prices = [[10.0, 20.0], [11.0, 19.0]]
    loss = {}
    for bps in (0.0, 5.0, 10.0, 40.0):
        path = trade(panel(prices, prices, cost=bps / 1e4), [[0.6, -0.4]], rules())
        loss[bps] = path.cost[0]
        assert path.equity[0] == pytest.approx(1.0 - bps / 1e4, abs=1e-15)
    assert loss[40.0] == pytest.approx(8 * loss[5.0]) == pytest.approx(4 * loss[10.0]) == pytest.approx(0.004)
    doubled = trade(panel(prices, prices, cost=0.0005), [[0.6, -0.4]], rules(), cost_multiplier=2.0)
    assert doubled.cost[0] == loss[10.0]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), today=st.integers(1, 18))
def test_what_comes_after_today_does_not_change_the_account_up_to_today(seed: int, today: int) -> None:
    rng = np.random.default_rng(seed)
    closes = 50 * np.exp(np.cumsum(rng.normal(0, 0.05, (20, 3)), axis=0))
    market = panel(closes * rng.uniform(0.97, 1.03, (20, 3)), closes, cost=0.001)
    later = (19 - today, 3)
    scrambled = {name: getattr(market, name).copy() for name in ("open", "close", "tradable", "observed", "delisted")}
    for name in ("open", "close"):
        scrambled[name][today + 1 :] = np.where(rng.random(later) < 0.3, np.nan, rng.uniform(-9, 900, later))
    for name in ("tradable", "observed", "delisted"):
        scrambled[name][today + 1 :] = rng.random(later) < 0.5
    decisions = rng.uniform(-1, 1, (19, 3))

    before = trade(market, decisions, rules(max_gross=1.5), as_weights=False)
    after = trade(replace(market, **scrambled), decisions, rules(max_gross=1.5), as_weights=False)

    for name, column in vars(before).items():
        assert column[:today].tobytes() == getattr(after, name)[:today].tobytes(), name


def test_a_decision_after_the_close_fills_at_the_next_open() -> None:
    market = panel([[10.0], [20.0], [40.0]], [[10.0], [30.0], [50.0]])
    path = trade(market, [[1.0], [1.0]], rules())
    assert path.equity_open.tolist() == [1.0, 2.0]
    assert path.equity.tolist() == [1.5, 2.5]


def test_an_asset_that_is_not_tradable_keeps_its_position_and_is_reported() -> None:
    prices = np.full((4, 1), 10.0)
    halted = np.array([[True], [True], [False], [True]])
    path = trade(panel(prices, prices, tradable=halted), [[0.5], [0.0], [0.0]], rules())
    assert path.weights[:, 0].tolist() == [0.5, 0.5, 0.0]
    assert [Limit.UNFILLED in Limit(int(limits)) for limits in path.limits] == [False, True, False]


def test_an_asset_without_a_bar_is_marked_at_its_last_close_until_it_can_be_sold() -> None:
    market = panel([[10.0], [10.0], [NAN], [6.0]], [[10.0], [12.0], [NAN], [7.0]])
    path = trade(market, [[1.0], [0.0], [0.0]], rules())
    assert path.equity == pytest.approx([1.2, 1.2, 0.6])


def test_new_positions_leave_room_for_those_that_cannot_be_sold() -> None:
    prices = np.full((3, 2), 10.0)
    tradable = np.array([[True, True], [True, True], [False, True]])
    path = trade(panel(prices, prices, tradable=tradable), [[0.6, 0.0], [0.0, 1.0]], rules())
    np.testing.assert_allclose(path.weights[1], [0.6, 0.4])
    assert Limit.LOCKED in Limit(int(path.limits[1]))


def test_no_order_lets_a_position_drift() -> None:
    market = panel([[10.0, 10.0]] * 3, [[10.0, 10.0], [10.0, 10.0], [30.0, 10.0]])
    path = trade(market, [[0.5, 0.5], [NAN, NAN]], rules())
    np.testing.assert_allclose(path.weights[1], [0.75, 0.25])
    assert path.turnover.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("weight", "equity"), [(0.5, 0.85), (-0.5, 0.85)])
def test_a_delisting_costs_the_haircut_long_or_short(weight: float, equity: float) -> None:
    market = panel([[10.0], [10.0], [NAN], [NAN]], [[10.0], [10.0], [NAN], [NAN]])
    delisted = np.array([[False], [False], [True], [False]])
    path = trade(replace(market, delisted=delisted), [[weight], [weight], [weight]], rules(delisting_haircut=0.3))
    assert path.equity.tolist() == pytest.approx([1.0, equity, equity])
    assert path.weights[1:].tolist() == [[0.0], [0.0]]
    assert path.turnover[1:].tolist() == [0.0, 0.0]


def test_a_negative_close_is_a_loss_and_a_negative_open_does_not_fill() -> None:
    market = panel([[20.0], [20.0], [-5.0], [10.0]], [[20.0], [15.0], [-10.0], [10.0]])
    path = trade(market, [[0.5], [0.0], [0.0]], rules())
    units = 0.5 / 20.0
    assert path.equity == pytest.approx([1.0 - 5 * units, 1.0 - 30 * units, 1.0 - 10 * units])
    assert path.turnover[1] == 0.0
    assert path.weights[2, 0] == 0.0


def test_a_bankrupt_account_holds_nothing_and_stays_where_it_fell() -> None:
    market = panel([[10.0]] * 4, [[10.0], [10.0], [25.0], [1.0]])
    path = trade(market, [[-1.0], [-1.0], [-1.0]], rules())
    assert path.equity.tolist() == [1.0, -0.5, -0.5]
    assert path.gross.tolist() == [1.0, 0.0, 0.0]
    assert path.turnover.tolist()[2] == 0.0


def test_a_gap_at_the_open_bankrupts_before_any_order() -> None:
    market = panel([[10.0], [10.0], [21.0]], [[10.0], [10.0], [5.0]])
    path = trade(market, [[-1.0], [0.0]], rules())
    assert path.equity[1] == pytest.approx(-0.1)
    assert path.turnover[1] == 0.0


def test_borrow_is_paid_per_session_on_the_value_of_shorts_only() -> None:
    prices = np.full((3, 2), 10.0)
    path = trade(panel(prices, prices), [[0.5, -0.5], [0.5, -0.5]], rules(borrow_per_session=0.01))
    assert path.equity[0] == pytest.approx(1.0 - 0.5 * 0.01)
    assert path.cost[0] == pytest.approx(0.005)


def test_given_weights_are_cut_to_the_limits_and_the_cuts_are_reported() -> None:
    prices = np.full((2, 3), 10.0)
    account_rules = rules(long_only=True, max_weight=0.6, max_gross=1.0)
    path = trade(panel(prices, prices), [[0.9, 0.6, -0.3]], account_rules)
    np.testing.assert_allclose(path.targets[0], [0.5, 0.5, 0.0])
    assert Limit(int(path.limits[0])) == Limit.LONG_ONLY | Limit.MAX_WEIGHT | Limit.MAX_GROSS

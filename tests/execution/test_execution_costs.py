"""What trading and holding costs, kind by kind, against figures worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from execution_markets import costs, panel, random_market, random_walk, rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import MarketPanel
from wealtharena.execution import Limit

BPS = 1e-4
BIG = rules(capital=3e6, max_gross=2.0)
SEEDS = st.integers(0, 2**32 - 1)


def priced(num_sessions: int = 3, price: float = 10.0, num_assets: int = 1, **changes: object) -> MarketPanel:
    """One price for all and ever."""
    return panel(np.full((num_sessions, num_assets), price), **changes)


def order_of(value: float, market: MarketPanel, **changes: object) -> dict[str, float]:
    """Cost by kind, in basis points of its value, of one order of ``value`` currency."""
    path = trade(market, [[1.0] + [0.0] * (len(market.symbols) - 1)], rules(capital=value, **changes))
    assert path.turnover[0] == pytest.approx(1.0)
    return {name: float(getattr(path, name)[0]) / BPS for name in ("commission", "spread", "impact")}


def test_a_round_trip_costs_nothing_where_trading_is_free() -> None:
    path = trade(priced(price=8.0), [[1.0], [0.0]], rules())
    assert path.equity[-1] == 1.0


def test_a_round_trip_at_one_price_returns_exactly_the_cost() -> None:
    path = trade(priced(price=8.0, cost=0.01), [[1.0], [0.0]], rules())
    assert path.equity[-1] == pytest.approx(1.0 - 2 * 0.01, abs=1e-15)


@pytest.mark.parametrize(
    ("units", "price", "expected"),
    [(1000.0, 50.0, 1.0), (1000.0, 5.0, 10.0), (10.0, 50.0, 20.0)],
    ids=["half a cent on 50 dollars", "on 5 dollars", "the least commission binds"],
)
def test_commission_per_share_and_the_least_of_an_order(units: float, price: float, expected: float) -> None:
    market = priced(price=price, costs=costs(1, commission_per_unit=0.005, min_commission=1.0))
    assert order_of(units * price, market)["commission"] == pytest.approx(expected)


def test_six_dollars_on_a_thousand_are_sixty_basis_points() -> None:
    market = priced(costs=costs(1, commission=8 * BPS, min_commission=6.0))
    assert order_of(1_000.0, market)["commission"] == pytest.approx(60.0)
    assert order_of(100_000.0, market)["commission"] == pytest.approx(8.0)


def test_the_least_commission_is_due_per_order_and_only_for_orders() -> None:
    market = priced(num_assets=3, costs=costs(3, min_commission=5.0))
    path = trade(market, [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]], rules(capital=1e4))
    assert path.commission[0] == pytest.approx(2 * 5.0 / 1e4)
    assert path.commission[1] == pytest.approx(2 * 5.0 / 1e4)  # back to the weights, after the cost of the first
    assert not trade(market, [[0.0, np.nan, 0.0]], rules()).commission.any()


@pytest.mark.parametrize(
    ("value", "volume", "volatility", "expected"),
    [(1e6, 200e6, 0.015, 10.6), (10e3, 2e6, 0.03, 21.2)],
    ids=["a large stock", "a small one"],
)
def test_impact_by_the_square_root_law(value: float, volume: float, volatility: float, expected: float) -> None:
    market = priced(
        dollar_volume=np.full((3, 1), volume), volatility=np.full((3, 1), volatility), costs=costs(1, impact=1.0)
    )
    assert order_of(value, market)["impact"] == pytest.approx(expected, abs=0.05)
    assert order_of(4 * value, market)["impact"] == pytest.approx(2 * expected, abs=0.1)


@settings(max_examples=30)
@given(size=st.floats(1e-4, 0.4), factor=st.floats(1.1, 2.5))
def test_impact_grows_with_size_to_the_power_of_one_and_a_half(size: float, factor: float) -> None:
    market = priced(costs=costs(1, impact=0.7))
    small, large = (trade(market, [[weight]], rules()).impact[0] for weight in (size, size * factor))
    assert large == pytest.approx(small * factor**1.5, rel=1e-9)


def test_there_is_no_impact_without_volume() -> None:
    market = priced(dollar_volume=np.full((3, 1), np.nan), costs=costs(1, impact=1.0, max_participation=0.01))
    path = trade(market, [[1.0]], rules())
    assert path.impact[0] == 0.0
    assert path.turnover[0] == 1.0


def test_the_half_spread_is_wider_by_a_share_of_the_volatility() -> None:
    market = priced(volatility=np.full((3, 1), 0.02), costs=costs(1, half_spread=5 * BPS, spread_volatility=0.1))
    assert order_of(1e6, market)["spread"] == pytest.approx(5.0 + 0.1 * 200.0)


@settings(max_examples=30)
@given(seed=SEEDS, bps=st.floats(0.0, 50.0), factor=st.floats(0.0, 5.0))
def test_cost_is_linear_in_basis_points_and_in_the_multiplier(seed: int, bps: float, factor: float) -> None:
    market = random_walk(np.random.default_rng(seed), 2, 4)
    wanted = np.random.default_rng(seed).uniform(-1.0, 1.0, (1, 4))

    def cost(commission: float, half_spread: float, multiplier: float = 1.0) -> float:
        own = costs(4, commission=commission * BPS, half_spread=half_spread * BPS)
        path = trade(replace(market, costs=own), wanted, rules(), cost_multiplier=multiplier)
        assert path.cost[0] == pytest.approx(path.commission[0] + path.spread[0])
        return float(path.cost[0])

    unit = cost(1.0, 0.0)
    assert cost(bps, 0.0) == pytest.approx(bps * unit, rel=1e-12)
    assert cost(0.0, bps) == pytest.approx(bps * unit, rel=1e-12)
    assert cost(bps, 3.0, factor) == pytest.approx((bps + 3.0) * factor * unit, rel=1e-12)


@settings(max_examples=30)
@given(seed=SEEDS)
def test_no_cost_of_trading_is_ever_negative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market = random_market(rng, 40, 8)
    path = trade(market, rng.uniform(-1.0, 1.0, (39, 8)), rules(max_gross=2.0, delisting_haircut=0.5))
    for name in ("commission", "spread", "impact", "delisting", "turnover"):
        assert (getattr(path, name) >= 0.0).all(), name


@settings(max_examples=30)
@given(seed=SEEDS, share=st.floats(0.0005, 0.05))
def test_no_order_takes_more_than_its_share_of_the_volume(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    market = random_market(rng, 30, 6)
    volume = np.where(market.dollar_volume == 0.0, np.nan, market.dollar_volume)
    own = replace(market.costs, max_participation=np.full(6, share))
    path = trade(replace(market, costs=own, dollar_volume=volume), rng.uniform(-1.0, 1.0, (29, 6)), BIG)

    value = np.abs(path.orders) * np.nan_to_num(market.open[1:], nan=1.0) * BIG.capital
    most = share * np.nan_to_num(volume[:-1], nan=np.inf)
    assert (value <= most * (1 + 1e-12)).all()
    cut = [Limit.PARTICIPATION in Limit(int(flags)) for flags in path.limits]
    assert (value > most * (1 - 1e-12)).any(axis=1).tolist() == cut


def test_what_did_not_trade_has_no_room_for_an_order() -> None:
    market = priced(dollar_volume=np.zeros((3, 1)), costs=costs(1, max_participation=0.01, min_commission=5.0))
    path = trade(market, [[1.0], [1.0]], rules())
    assert not path.quantity.any()
    assert not path.commission.any()
    assert (path.limits == Limit.PARTICIPATION).all()


def test_a_large_order_is_filled_over_several_sessions() -> None:
    market = priced(num_sessions=6, dollar_volume=np.full((6, 1), 1e6), costs=costs(1, max_participation=0.01))
    path = trade(market, [[1.0]] * 5, rules(capital=25e3))
    np.testing.assert_allclose(path.weights[:, 0], [0.4, 0.8, 1.0, 1.0, 1.0])
    assert [Limit.PARTICIPATION in Limit(int(flags)) for flags in path.limits] == [True, True, False, False, False]


def test_borrow_is_paid_on_shorts_by_the_days_between_sessions() -> None:
    days = np.array(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], "datetime64[D]")  # a weekend
    market = priced(num_sessions=4, num_assets=2, dates=days, costs=costs(2, borrow=0.073))
    path = trade(market, [[0.5, -0.5]] * 3, rules())
    assert path.carrying[:2].tolist() == pytest.approx([0.0, 0.5 * 0.073 * 3 / 365])
    assert path.carrying[2] == pytest.approx(0.5 * 0.073 / 365, rel=1e-3)
    assert path.cost[1] == pytest.approx(path.carrying[1] / path.equity_open[1])


def test_holding_is_paid_on_longs_and_shorts() -> None:
    path = trade(priced(num_assets=2, costs=costs(2, holding=0.0365)), [[0.5, -0.5]] * 2, rules())
    assert path.carrying.tolist() == pytest.approx([0.0, 1.0 * 0.0365 / 365])


def test_carry_is_earned_by_longs_and_paid_by_shorts_as_known_the_session_before() -> None:
    carry = np.array([[9.0, 9.0], [0.0365, 0.0365], [9.0, 9.0]])
    path = trade(priced(num_assets=2, carry=carry), [[0.6, -0.2]] * 2, rules())
    assert path.carrying.tolist() == pytest.approx([0.0, -0.4 * 0.0365 / 365])


def test_cash_earns_its_rate_and_borrowed_cash_pays_a_margin() -> None:
    market = priced(num_sessions=3, cash_rate=np.array([0.0365, 0.073, 9.0]))
    saver = trade(market, [[0.0], [0.0]], rules())
    assert saver.interest.tolist() == pytest.approx([1e-4, 2e-4 * (1 + 1e-4)])
    debtor = trade(market, [[1.5], [1.5]], rules(max_weight=2.0, max_gross=2.0, debit_rate=0.0365))
    assert debtor.interest[1] == pytest.approx(-0.5 * (2e-4 + 1e-4), rel=1e-3)


def test_days_of_interest_can_be_given() -> None:
    """Spot currencies settle on Wednesdays for the weekend."""
    market = priced(num_sessions=4, cash_rate=np.full(4, 0.0365), accrual_days=np.array([1.0, 1.0, 3.0, 0.0]))
    assert trade(market, [[0.0]] * 3, rules()).interest.tolist() == pytest.approx([1e-4, 3e-4, 0.0], rel=1e-3)


def test_a_long_position_pays_no_borrow_even_at_a_price_below_zero() -> None:
    market = panel([[20.0], [20.0], [-5.0]], [[20.0], [-10.0], [-5.0]], costs=costs(1, borrow=10.0))
    long, short = (trade(market, [[weight], [np.nan]], rules()).carrying[1] for weight in (0.1, -0.1))
    assert long == 0.0
    assert short == pytest.approx(0.1 / 20.0 * 10.0 * 10.0 / 365)

"""Paper accounts: recorded orders through the kernel are what a continuous backtest of the same targets is."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core import MarketPanel
from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, FloatArray
from wealtharena.evaluation.backtest import backtest_weights
from wealtharena.execution import TradingRules
from wealtharena.serving.paper import (
    Orders,
    PaperSessions,
    as_ordered,
    figures,
    new_sessions,
    next_orders,
    replay,
    unknown_symbols,
)

FREE = TradingRules.unlimited()
MONDAY = np.datetime64("2026-01-05")


def market(opens: list[list[float]], closes: list[list[float]], one_way: float = 0.0, **changes: Any) -> MarketPanel:
    """Assets AAA, BBB … on consecutive days from Monday."""
    opening, closing = np.array(opens), np.array(closes)
    bars = np.ones(opening.shape, bool)
    num_assets = opening.shape[1]
    panel = MarketPanel(
        dates=MONDAY + np.arange(len(opening)),
        symbols=tuple("ABCDE"[k] * 3 for k in range(num_assets)),
        feature_names=("f",),
        features=np.zeros((*opening.shape, 1), np.float32),
        open=opening,
        close=closing,
        tradable=bars,
        observed=bars,
        delisted=~bars,
        dollar_volume=np.full(opening.shape, 1e9),
        volatility=np.full(opening.shape, 0.01),
        costs=AssetCosts.flat(num_assets, one_way),
        annualisation=252,
    )
    return replace(panel, **changes)


def random_market(seed: int, sessions: int = 30, assets: int = 3) -> MarketPanel:
    random = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.03, (sessions, assets)), axis=0))
    opens = closes * np.exp(random.normal(0.0, 0.01, closes.shape))
    return market(opens.tolist(), closes.tolist(), one_way=0.001)


def day(row: int) -> date:
    return (MONDAY + row).astype(object)  # type: ignore[no-any-return]


# Buys at 10 on Tuesday; closes there at 11, on Wednesday at 12.1.
RISING = market([[10.0], [10.0], [11.0], [12.1]], [[10.0], [11.0], [12.1], [12.1]])


def test_the_session_after_the_first_orders_is_the_first() -> None:
    path = replay([Orders(day(0), {"AAA": 1.0})], RISING, FREE, "x")
    assert path is not None
    assert path.dates.tolist() == [day(1), day(2), day(3)]
    np.testing.assert_allclose(path.returns, [0.1, 0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(path.equity, [1.1, 1.21, 1.21], atol=1e-12)


def test_without_orders_or_a_session_after_them_there_is_no_account_yet() -> None:
    assert replay([], RISING, FREE, "x") is None
    assert replay([Orders(day(3), {"AAA": 1.0})], RISING, FREE, "x") is None
    added, contradicted = new_sessions(PaperSessions.none(), None)
    assert (len(added.dates), contradicted) == (0, 0)


def test_sessions_without_orders_drift_and_cost_nothing() -> None:
    flat = [[10.0, 10.0], [10.0, 10.0], [20.0, 10.0], [20.0, 10.0]]
    path = replay([Orders(day(0), {"AAA": 0.5, "BBB": 0.5})], market(flat, flat, one_way=0.01), FREE, "x")
    assert path is not None
    assert path.turnover[1:].tolist() == [0.0, 0.0]
    assert path.weights[1, 0] == pytest.approx(2.0 * path.weights[1, 1], abs=1e-12)


def test_orders_of_a_day_without_a_session_fill_at_the_next_open() -> None:
    dates = np.array(["2026-01-08", "2026-01-09", "2026-01-12"], dtype="datetime64[D]")
    weekend = market([[10.0], [10.0], [11.0]], [[10.0], [10.0], [12.1]], dates=dates)
    path = replay([Orders(date(2026, 1, 11), {"AAA": 1.0})], weekend, FREE, "x")
    assert path is not None
    assert path.dates.tolist() == [date(2026, 1, 12)]
    np.testing.assert_allclose(path.returns, [0.1], atol=1e-12)


def test_orders_from_before_the_market_are_refused() -> None:
    with pytest.raises(DataWindowError, match=r"x: the market must begin by its first orders of 2026-01-02"):
        replay([Orders(date(2026, 1, 2), {"AAA": 1.0})], RISING, FREE, "x")


def test_what_left_the_market_is_named_and_counts_as_cash() -> None:
    orders = [Orders(day(0), {"AAA": 0.5, "GONE": 0.5, "SOLD": 0.0})]
    assert unknown_symbols(orders, RISING) == ("GONE",)
    path = replay(orders, RISING, FREE, "x")
    assert path is not None
    np.testing.assert_allclose(path.returns[0], 0.05, atol=1e-12)


def test_an_account_that_follows_another_one_is_not_limited_again() -> None:
    rules = replace(TradingRules.unlimited(max_weight=0.1, max_turnover=0.05), long_only=True, capital=5e5)
    path = replay([Orders(day(0), {"AAA": 1.0})], RISING, as_ordered(rules), "x")
    assert path is not None
    np.testing.assert_allclose(path.target_weights[0], [1.0])
    assert as_ordered(rules).capital == 5e5


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    turnover=st.sampled_from([None, 0.3]),
    stop=st.sampled_from([None, 0.05]),
    skipped=st.sets(st.integers(6, 28), max_size=8),
)
def test_nights_one_by_one_are_a_continuous_backtest(
    seed: int, turnover: float | None, stop: float | None, skipped: set[int]
) -> None:
    """What each night decides, with what it holds then, replayed later, is a backtest of the unlimited wishes."""
    panel = random_market(seed)
    wishes: FloatArray = np.random.default_rng(seed + 1).normal(0.0, 0.6, panel.close.shape)
    wishes[sorted(skipped)] = np.nan
    rules = TradingRules.unlimited(max_weight=0.5, max_turnover=turnover, drawdown_stop=stop, reentry_sessions=3)
    orders: list[Orders] = []
    recorded = PaperSessions.none()
    for row in range(5, len(panel.dates)):
        known = panel.rows(0, row + 1)
        path = replay(orders, known, rules, "x")
        added, contradicted = new_sessions(recorded, path)
        assert contradicted == 0
        recorded = recorded.followed_by(added)
        if row not in skipped:
            orders.append(Orders(day(row), next_orders(wishes[row], known, rules, path)))
    expected = backtest_weights(wishes, panel, (6, len(panel.dates)), rules, "x")
    for name in ("dates", "equity", "returns", "turnover", "cost", "gross"):
        wanted, found = getattr(expected, name), getattr(recorded, name)
        if name == "dates":
            assert found.tolist() == wanted.tolist()
        else:
            np.testing.assert_allclose(found, wanted, rtol=0.0, atol=1e-12)


def test_recorded_sessions_stand_when_the_data_are_revised() -> None:
    orders = [Orders(day(0), {"AAA": 1.0})]
    recorded, _ = new_sessions(PaperSessions.none(), replay(orders, RISING.rows(0, 3), FREE, "x"))
    revised = market([[10.0], [10.0], [11.0], [12.0]], [[10.0], [11.0], [12.0], [18.0]])
    added, contradicted = new_sessions(recorded, replay(orders, revised, FREE, "x"))
    assert contradicted == 1
    assert added.dates.tolist() == [day(3)]
    np.testing.assert_allclose(added.returns, [0.5])
    np.testing.assert_allclose(added.equity, [1.21 * 1.5])


def test_a_session_that_only_one_of_them_has_is_a_contradiction_too() -> None:
    orders = [Orders(day(0), {"AAA": 1.0})]
    path = replay(orders, RISING, FREE, "x")
    recorded, _ = new_sessions(PaperSessions.none(), path)
    hole = recorded.part(np.array([True, False, True]))
    added, contradicted = new_sessions(hole, path)
    assert (len(added.dates), contradicted) == (0, 1)


def test_figures_are_of_excess_returns_and_undefined_for_too_few() -> None:
    path = replay([Orders(day(0), {"AAA": 1.0})], RISING, FREE, "x")
    assert path is not None
    did = figures(PaperSessions.of(path), 252)
    assert (did.sessions, did.max_drawdown) == (3, 0.0)
    assert did.total_return == pytest.approx(0.21)
    assert np.isnan(did.sharpe)
    assert np.isnan(figures(PaperSessions.none(), 252).sharpe)
    month = replay([Orders(day(5), {"AAA": 1.0})], random_market(1), FREE, "x")
    assert month is not None
    excess = month.returns - month.cash_returns
    scored = figures(PaperSessions.of(month), 252)
    assert scored.sharpe == pytest.approx(np.mean(excess) / np.std(excess, ddof=1) * np.sqrt(252))
    assert scored.sharpe_standard_error > 0.0

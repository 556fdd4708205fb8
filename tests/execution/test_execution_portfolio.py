"""Portfolios and trade ledgers: laws on random markets with every event, known answers on hand-made ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import SimulationPath, run_weights
from wealtharena.execution import Portfolio, TradingRules, portfolio_of, trade_ledger

NAN = float("nan")
CAPITAL = 10_000.0
RULES = TradingRules.unlimited(capital=CAPITAL, max_gross=3.0, max_weight=3.0)


def market(opens: object, closes: object | None = None, **changes: object) -> MarketPanel:
    """A panel from (T, A) prices; NaN is no bar; no costs unless given."""
    open_ = np.asarray(opens, float)
    close = open_ if closes is None else np.asarray(closes, float)
    shape = open_.shape
    has_bar = ~np.isnan(open_)
    values: dict[str, object] = {
        "dates": np.datetime64("2024-01-01") + np.arange(shape[0]),
        "symbols": tuple(f"S{k}" for k in range(shape[1])),
        "feature_names": ("f",),
        "features": np.zeros((*shape, 1), np.float32),
        "open": open_,
        "close": close,
        "tradable": has_bar,
        "observed": has_bar,
        "delisted": np.zeros(shape, bool),
        "dollar_volume": np.full(shape, 1e6),
        "volatility": np.full(shape, 0.02),
        "costs": AssetCosts.flat(shape[1], 0.0),
        "annualisation": 252,
    }
    return MarketPanel(**(values | changes))  # type: ignore[arg-type]


def eventful_market(seed: int) -> MarketPanel:
    """Gaps, delistings, splits, dividends, carry, interest, and costs of every kind."""
    rng = np.random.default_rng(seed)
    shape = (60, 5)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.04, shape), axis=0))
    split = np.where(rng.random(shape) < 0.03, rng.choice([0.5, 2.0, 3.0], shape), 1.0)
    close /= np.cumprod(split, axis=0)
    open_ = close * np.exp(rng.normal(0.0, 0.02, shape))
    gap = rng.random(shape) < 0.05
    open_[gap] = close[gap] = NAN
    delisted = np.zeros(shape, bool)
    delisted[40, 0] = delisted[25, 3] = True
    for row, asset in ((40, 0), (25, 3)):
        open_[row:, asset] = close[row:, asset] = NAN
    costs = AssetCosts.flat(5, 0.001, borrow=0.05)
    return market(
        open_,
        close,
        split=np.where(np.isnan(open_), 1.0, split),
        dividend=np.where(rng.random(shape) < 0.05, 0.4, 0.0),
        delisted=delisted,
        carry=rng.normal(0.0, 0.05, shape),
        cash_rate=np.full(60, 0.04),
        costs=replace(
            costs,
            commission_per_unit=np.full(5, 0.01),
            min_commission=np.full(5, 1.0),
            half_spread=np.full(5, 0.0005),
            impact=np.ones(5),
            holding=np.full(5, 0.01),
        ),
    )


def traded(panel: MarketPanel, weights: object, rules: TradingRules = RULES, **how: float) -> SimulationPath:
    wanted = np.asarray(weights, float)
    return run_weights(wanted, panel, 1, len(wanted), rules, **how)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), multiplier=st.sampled_from([0.0, 1.0, 2.5]))
def test_the_parts_of_the_profit_add_up_to_the_equity(seed: int, multiplier: float) -> None:
    panel, rng = eventful_market(seed), np.random.default_rng(seed)
    weights = np.where(rng.random((59, 5)) < 0.3, NAN, rng.uniform(-1.0, 1.0, (59, 5)))
    rules = replace(RULES, delisting_haircut=0.3, max_gross=2.0)
    path = traded(panel, weights, rules, cost_multiplier=multiplier)

    book = portfolio_of(path, panel)

    np.testing.assert_allclose(book.profit, path.equity - 1.0, rtol=0, atol=1e-9)
    alive = path.equity > 0.0
    np.testing.assert_allclose((book.market_value / path.equity[:, None])[alive], path.weights[alive], atol=1e-9)
    np.testing.assert_allclose(book.gross, path.gross, atol=1e-9)
    np.testing.assert_allclose(book.dividends.sum(axis=1), path.summary["dividends"], atol=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), multiplier=st.sampled_from([0.0, 1.0, 2.5]))
def test_the_ledger_says_the_same_as_the_portfolio(seed: int, multiplier: float) -> None:
    panel, rng = eventful_market(seed), np.random.default_rng(seed)
    path = traded(panel, rng.uniform(-1.0, 1.0, (59, 5)), replace(RULES, max_gross=1.5), cost_multiplier=multiplier)
    book, ledger = portfolio_of(path, panel), trade_ledger(path, panel, RULES)
    last = ledger.groupby("symbol")["position"].last()
    for k, symbol in enumerate(path.symbols):
        own = ledger[ledger["symbol"] == symbol]
        assert own["units"].sum() == pytest.approx(CAPITAL * book.units[-1, k], abs=1e-6)
        assert last[symbol] == pytest.approx(CAPITAL * book.units[-1, k], abs=1e-6)
    assert ledger["realised"].sum() == pytest.approx(CAPITAL * book.realised.sum(), abs=1e-6)
    costs = ledger[["commission", "spread", "impact"]].to_numpy().sum()
    assert costs == pytest.approx(CAPITAL * book.trading_cost.sum(), rel=1e-9)
    assert ledger["session_date"].is_monotonic_increasing


def test_a_long_position_is_built_up_reduced_and_closed() -> None:
    panel = market([[10.0], [10.0], [20.0], [30.0], [40.0]], [[10.0], [10.0], [20.0], [30.0], [40.0]])
    # 0.05 units at 10; 0.05 more at 20; a half sold at 30; the rest at 40.
    path = traded(panel, [[0.5], [2.0 / 1.5], [1.5 / 2.5], [0.0]])
    book = portfolio_of(path, panel)
    np.testing.assert_allclose(book.units[:, 0], [0.05, 0.1, 0.05, 0.0])
    np.testing.assert_allclose(book.average_cost[:, 0], [10.0, 15.0, 15.0, NAN])
    np.testing.assert_allclose(book.realised[:, 0], [0.0, 0.0, 0.75, 1.25])
    np.testing.assert_allclose(book.unrealised[:, 0], [0.0, 0.5, 0.75, 0.0])
    np.testing.assert_allclose(book.cash, [0.5, -0.5, 1.0, 3.0])
    assert path.equity[-1] == pytest.approx(3.0)


def test_a_short_position_gains_where_the_price_falls() -> None:
    panel = market([[10.0], [10.0], [8.0], [8.0]])
    book = portfolio_of(traded(panel, [[-0.5], [NAN], [0.0]]), panel)
    np.testing.assert_allclose(book.units[:, 0], [-0.05, -0.05, 0.0])
    np.testing.assert_allclose(book.unrealised[:, 0], [0.0, 0.1, 0.0])
    np.testing.assert_allclose(book.realised[:, 0], [0.0, 0.0, 0.1])
    np.testing.assert_allclose(book.short, [0.5, 0.4 / 1.1, 0.0])
    np.testing.assert_allclose(book.net, -book.short)


def test_a_position_that_turns_round_is_closed_and_opened_anew() -> None:
    panel = market([[10.0], [10.0], [12.0], [9.0]])
    # 0.1 units bought at 10; at 12 the account of 1.2 goes short by a half: -0.05 units.
    path = traded(panel, [[1.0], [-0.5], [NAN]])
    book, ledger = portfolio_of(path, panel), trade_ledger(path, panel, RULES)
    np.testing.assert_allclose(book.units[:, 0], [0.1, -0.05, -0.05])
    np.testing.assert_allclose(book.average_cost[:, 0], [10.0, 12.0, 12.0])
    np.testing.assert_allclose(book.realised[:, 0], [0.0, 0.2, 0.0])
    np.testing.assert_allclose(book.unrealised[:, 0], [0.0, 0.0, 0.15])
    assert ledger["side"].tolist() == ["buy", "sell"]
    assert ledger["units"].tolist() == pytest.approx([1_000.0, -1_500.0])
    assert ledger["value"].tolist() == pytest.approx([10_000.0, 18_000.0])
    assert ledger["position"].tolist() == pytest.approx([1_000.0, -500.0])
    assert ledger["realised"].tolist() == pytest.approx([0.0, 2_000.0])


def test_a_split_changes_units_and_their_cost_and_a_dividend_neither() -> None:
    split = np.array([[1.0], [1.0], [4.0], [1.0]])
    dividend = np.array([[0.0], [0.0], [0.5], [0.0]])
    panel = market([[20.0], [20.0], [5.0], [6.0]], split=split, dividend=dividend)
    path = traded(panel, [[1.0], [NAN], [0.0]])
    book, ledger = portfolio_of(path, panel), trade_ledger(path, panel, RULES)
    np.testing.assert_allclose(book.units[:, 0], [0.05, 0.2, 0.0])
    np.testing.assert_allclose(book.average_cost[:, 0], [20.0, 5.0, NAN])
    np.testing.assert_allclose(book.dividends[:, 0], [0.0, 0.1, 0.0])
    np.testing.assert_allclose(book.realised[:, 0], [0.0, 0.0, 0.2])
    assert ledger["side"].tolist() == ["buy", "split", "sell"]
    assert ledger["units"].tolist() == pytest.approx([500.0, 1_500.0, -2_000.0])
    assert ledger["value"].tolist() == pytest.approx([10_000.0, 0.0, 12_000.0])


@pytest.mark.parametrize(("weight", "profit"), [(0.5, -0.05), (-0.5, -0.25)])
def test_a_delisting_settles_at_the_last_close_less_the_haircut(weight: float, profit: float) -> None:
    delisted = np.array([[False], [False], [False], [True]])
    panel = market([[10.0], [10.0], [10.0], [NAN]], [[10.0], [10.0], [12.0], [NAN]], delisted=delisted)
    rules = replace(RULES, delisting_haircut=0.25)
    path = traded(panel, [[weight], [NAN], [NAN]], rules)
    book, ledger = portfolio_of(path, panel), trade_ledger(path, panel, rules)
    assert book.realised[-1, 0] == pytest.approx(profit)
    assert book.units[-1, 0] == 0.0
    assert ledger["side"].tolist()[1:] == ["delisted"]
    assert ledger["price"].iloc[-1] == 12.0
    assert ledger["commission"].iloc[-1] == 0.0


@pytest.mark.parametrize(
    ("opens", "closes"),
    [([10.0, 10.0, 25.0, 30.0], [10.0, 10.0, 30.0, 30.0]), ([10.0, 10.0, 10.0, 30.0], [10.0, 10.0, 30.0, 30.0])],
)
def test_a_ruined_account_has_lost_its_positions(opens: list[float], closes: list[float]) -> None:
    panel = market(np.array(opens)[:, None], np.array(closes)[:, None])
    path = traded(panel, [[-1.0], [-1.0], [0.0]])
    book, ledger = portfolio_of(path, panel), trade_ledger(path, panel, RULES)
    assert path.equity[-1] < 0.0
    np.testing.assert_allclose(book.profit, path.equity - 1.0, atol=1e-12)
    assert book.units[-1, 0] == 0.0
    assert book.gross[-1] == 0.0
    assert ledger["side"].tolist()[-1] == "ruined"


def test_the_costs_of_each_trade_are_those_that_the_account_pays() -> None:
    costs = replace(
        AssetCosts.flat(2, 0.001), min_commission=np.array([0.0, 9.0]), half_spread=np.array([0.002, 0.0]),
        impact=np.array([0.0, 1.0]),
    )  # fmt: skip
    panel = market([[10.0, 10.0]] * 2, costs=costs)
    path = traded(panel, [[0.5, -0.4]], cost_multiplier=2.0)
    ledger = trade_ledger(path, panel, RULES)
    assert ledger["commission"].tolist() == pytest.approx([2 * 5.0, 2 * 9.0])
    assert ledger["spread"].tolist() == pytest.approx([2 * 10.0, 0.0])
    # Volatility 2 %, 4,000 of 1,000,000 traded a day.
    assert ledger["impact"].tolist() == pytest.approx([0.0, 2 * 4_000 * 0.02 * (4_000 / 1e6) ** 0.5])


def test_interest_and_borrow_are_no_profit_of_an_asset() -> None:
    panel = market([[10.0]] * 3, cash_rate=np.full(3, 0.0365), costs=AssetCosts.flat(1, 0.0, borrow=0.073))
    book: Portfolio = portfolio_of(traded(panel, [[-0.5], [NAN]]), panel)
    np.testing.assert_allclose(book.interest, [1e-4, 1.50015e-4], rtol=1e-6)
    np.testing.assert_allclose(book.carrying, [0.0, 0.5 * 2e-4], rtol=1e-3)
    assert not book.realised.any()


def test_an_account_without_trades_has_an_empty_ledger() -> None:
    panel = market([[10.0]] * 3)
    path = traded(panel, [[0.0], [0.0]])
    assert trade_ledger(path, panel, RULES).empty
    assert not portfolio_of(path, panel).profit.any()


def test_another_panel_is_refused() -> None:
    panel = market([[10.0]] * 4)
    path = traded(panel, [[1.0], [0.0], [1.0]])
    with pytest.raises(DataWindowError, match="the panel that the path was traded on"):
        portfolio_of(path, panel.rows(0, 3))

"""Agents' books as assets, and the combined book."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wealtharena.agents.specs import STRATEGY_FEATURES
from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation import (
    BacktestResult,
    backtest_weights,
    combined_targets,
    strategy_panel,
    summarise,
)
from wealtharena.execution import TradingRules
from wealtharena.markets.joined import join_panels

PanelFactory = Callable[..., MarketPanel]
FRIDAY = np.datetime64("2020-01-03")


def book(
    name: str, dates: np.ndarray, returns: np.ndarray, symbols: tuple[str, ...] = ("X",), target: float = 1.0
) -> BacktestResult:
    """A result with given returns; the equity moves between open and close only."""
    sessions = len(dates)
    equity = np.cumprod(1.0 + returns)
    turnover, gross = np.full(sessions, 0.1), np.ones(sessions)
    weights = np.full((sessions, len(symbols)), target)
    return BacktestResult(
        name=name,
        symbols=symbols,
        dates=dates,
        equity_open=np.concatenate([[1.0], equity[:-1]]),
        equity=equity,
        returns=returns,
        cash_returns=np.zeros(sessions),
        turnover=turnover,
        cost=np.zeros(sessions),
        gross=gross,
        weights=weights,
        target_weights=weights,
        metrics=summarise(returns, turnover, gross, 252),
        annualisation=252,
    )


def weekdays(count: int, start: str = "2020-01-01") -> np.ndarray:
    return np.busday_offset(np.datetime64(start), np.arange(count), roll="forward").astype("datetime64[D]")


def every_day(count: int, start: str = "2020-01-01") -> np.ndarray:
    return np.datetime64(start, "D") + np.arange(count)


@pytest.fixture
def books() -> dict[str, BacktestResult]:
    generator = np.random.default_rng(4)
    return {
        "stocks": book("stocks", weekdays(150), generator.normal(0.001, 0.01, 150)),
        "crypto": book("crypto", every_day(200), generator.normal(0.001, 0.03, 200)),
    }


def test_agents_stand_in_name_order_on_the_union_of_their_sessions(books: dict[str, BacktestResult]) -> None:
    panel = strategy_panel(books, rebalance_bps=10.0)
    assert panel.symbols == ("crypto", "stocks")
    assert np.array_equal(panel.dates, np.union1d(books["stocks"].dates, books["crypto"].dates))
    assert panel.costs.commission.tolist() == [0.001, 0.001]
    assert panel.annualisation == 365
    assert strategy_panel({"stocks": books["stocks"]}, 10.0).annualisation == 252


def test_a_closed_day_has_no_bar_and_no_fill_but_the_agent_stays_observed(books: dict[str, BacktestResult]) -> None:
    panel = strategy_panel(books, 0.0)
    friday = int(np.flatnonzero(panel.dates == FRIDAY)[0])
    saturday = friday + 1
    assert np.isnan(panel.open[saturday, 1])
    assert np.isnan(panel.close[saturday, 1])
    assert not panel.tradable[saturday, 1]
    assert panel.observed[saturday, 1]
    assert np.array_equal(panel.features[saturday, 1], panel.features[friday, 1])


def test_an_agent_is_not_observed_before_its_first_session() -> None:
    late = book("late", weekdays(30, "2020-02-03"), np.full(30, 0.001))
    panel = strategy_panel({"early": book("early", weekdays(60), np.full(60, 0.001)), "late": late}, 0.0)
    before = panel.dates < np.datetime64("2020-02-03")
    assert not panel.observed[before, 1].any()
    assert not panel.features[before, 1].any()
    assert panel.observed[~before, 1].all()


def test_features_have_the_documented_values() -> None:
    generator = np.random.default_rng(8)
    returns = generator.normal(0.0, 0.01, 100)
    result = book("one", weekdays(100), returns)
    panel = strategy_panel({"one": result}, 0.0)
    shown = dict(zip(STRATEGY_FEATURES, panel.features[99, 0].tolist(), strict=True))
    logs = np.log1p(returns)
    volatility = np.std(logs[-63:], ddof=1)
    expected = {
        "return_5": logs[-5:].sum() / volatility / np.sqrt(5),
        "return_21": logs[-21:].sum() / volatility / np.sqrt(21),
        "return_63": logs[-63:].sum() / volatility / np.sqrt(63),
        "volatility_ratio": np.log(np.std(logs[-21:], ddof=1) / volatility),
        "drawdown": result.equity[-1] / max(result.equity.max(), 1.0) - 1.0,
        "turnover_21": 0.1,
        "gross": 1.0,
    }
    assert shown == pytest.approx(expected, rel=1e-4)
    assert panel.volatility[99, 0] == pytest.approx(volatility)


def test_features_are_neutral_until_their_lookback_is_filled(books: dict[str, BacktestResult]) -> None:
    panel = strategy_panel({"stocks": books["stocks"]}, 0.0)
    columns = {name: panel.features[:, 0, index] for index, name in enumerate(STRATEGY_FEATURES)}
    assert not columns["return_5"][:20].any()
    assert columns["return_5"][20:].all()
    assert not columns["return_63"][:62].any()
    assert columns["return_63"][62:].all()
    assert not columns["volatility_ratio"][:62].any()
    assert not columns["turnover_21"][:20].any()


@pytest.mark.parametrize(
    "returns", [np.zeros(80), np.full(80, 0.001), np.r_[np.zeros(40), -1.5, np.zeros(39)]], ids=["cash", "even", "ruin"]
)
def test_features_of_odd_accounts_are_finite(returns: np.ndarray) -> None:
    panel = strategy_panel({"odd": book("odd", weekdays(80), returns)}, 0.0)
    assert np.isfinite(panel.features).all()
    assert np.abs(panel.features).max() <= 5.0


@pytest.mark.parametrize("cut", [1, 2, 30, 64, 120])
def test_a_strategy_panel_shows_nothing_of_the_future(books: dict[str, BacktestResult], cut: int) -> None:
    """Truncating every book at a day leaves the rows up to that day as they were."""
    whole = strategy_panel(books, 10.0)
    day = whole.dates[cut - 1]
    truncated = strategy_panel({name: until(result, day) for name, result in books.items()}, 10.0)
    assert np.array_equal(truncated.features, whole.features[:cut])
    assert np.array_equal(truncated.volatility, whole.volatility[:cut], equal_nan=True)
    assert np.array_equal(truncated.observed, whole.observed[:cut])


def until(result: BacktestResult, day: np.datetime64) -> BacktestResult:
    kept = result.dates <= day
    names = ("dates", "equity_open", "equity", "returns", "cash_returns", "turnover", "cost", "gross")
    names += ("weights", "target_weights")
    return replace(result, **{name: getattr(result, name)[kept] for name in names})


def test_capital_that_no_agent_has_earns_the_cash_rate_of_their_market(
    books: dict[str, BacktestResult], make_panel: PanelFactory
) -> None:
    panel = strategy_panel(books, 0.0)
    market = make_panel(np.ones((400, 1)), start="2019-12-30", cash_rate=np.linspace(0.0, 0.04, 400))
    earning = strategy_panel(books, 0.0, market)
    assert panel.cash_rate is None
    assert earning.cash_rate.tolist() == market.cash_rate[np.isin(market.dates, panel.dates)].tolist()


def test_no_agents_no_panel() -> None:
    with pytest.raises(DataWindowError, match="at least one agent"):
        strategy_panel({}, 0.0)


def test_holding_a_strategy_earns_its_returns(rules: TradingRules, books: dict[str, BacktestResult]) -> None:
    panel = strategy_panel({"stocks": books["stocks"]}, 0.0)
    held = backtest_weights(np.ones((150, 1)), panel, (1, 150), rules, "all in")
    assert held.returns == pytest.approx(books["stocks"].returns[1:])


def test_a_strategy_is_not_sold_over_a_weekend(rules: TradingRules, books: dict[str, BacktestResult]) -> None:
    panel = strategy_panel(books, 10.0)
    held = backtest_weights(np.tile([0.0, 1.0], (len(panel.dates), 1)), panel, (1, 150), rules, "stocks only")
    assert held.turnover[0] == pytest.approx(1.0)
    assert held.turnover[1:].max() < 0.01


def test_combined_targets_are_shares_times_last_decided_targets(make_panel: PanelFactory) -> None:
    """Wednesday to Tuesday: stocks pause over the weekend, their Friday targets stand."""
    days = every_day(7)
    stocks = book("stocks", weekdays(5), np.zeros(5), ("S1", "S2"))
    stocks = replace(stocks, target_weights=np.arange(1.0, 6.0)[:, None] * [0.1, -0.1])
    crypto = book("crypto", days, np.zeros(7), ("B",), target=0.5)
    shares = np.column_stack([np.full(7, 0.4), np.linspace(0.0, 0.6, 7)])
    panel = make_panel(np.ones((7, 3)), symbols=("B", "S1", "S2"))
    combined = combined_targets(shares, days, {"stocks": stocks, "crypto": crypto}, panel)
    decided = np.array([0.1, 0.2, 0.3, 0.3, 0.3, 0.4, 0.5])
    asked = np.column_stack([np.full(7, 0.2), decided * shares[:, 1], -decided * shares[:, 1]])
    assert combined[:-1] == pytest.approx(asked[1:])
    assert not combined[-1].any()


def test_before_an_agent_starts_and_before_the_first_share_nothing_is_asked(make_panel: PanelFactory) -> None:
    days = every_day(6)
    late = book("late", days[3:], np.zeros(3))
    panel = make_panel(np.ones((6, 2)), symbols=("OTHER", "X"))
    combined = combined_targets(np.ones((5, 1)), days[1:], {"late": late}, panel)
    assert combined[:, 1].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    assert not combined[:, 0].any()


def test_an_order_not_given_leaves_the_last_target_standing(make_panel: PanelFactory) -> None:
    days = every_day(4)
    result = replace(book("a", days, np.zeros(4)), target_weights=np.array([[np.nan], [0.3], [np.nan], [0.1]]))
    combined = combined_targets(np.ones((4, 1)), days, {"a": result}, make_panel(np.ones((4, 1)), symbols=("X",)))
    assert combined[:, 0].tolist() == [0.3, 0.3, 0.1, 0.0]


def test_symbols_that_two_agents_share_stay_apart(make_panel: PanelFactory) -> None:
    days = every_day(3)
    market = make_panel(np.ones((3, 1)), symbols=("X",))
    joined = join_panels({"etfs": market, "reits": market})
    results = {
        "etfs": book("etfs", days, np.zeros(3), target=0.2),
        "reits": book("reits", days, np.zeros(3), target=0.8),
    }
    combined = combined_targets(np.full((3, 2), 0.5), days, results, joined)
    assert combined[0].tolist() == [0.1, 0.4]


def test_the_combined_book_of_one_agent_is_its_own_book(make_panel: PanelFactory, rules: TradingRules) -> None:
    """The whole chain: own backtest, full allocation, combined targets, joined market; the same path to the digit."""
    generator = np.random.default_rng(6)
    market = make_panel(100.0 * np.exp(np.cumsum(generator.normal(0, 0.01, size=(120, 2)), axis=0)))
    decided = generator.uniform(-0.5, 0.5, size=(120, 2))
    own = backtest_weights(decided, market, (20, 120), rules, "stocks")
    joined = join_panels({"stocks": market})
    combined = combined_targets(np.ones((100, 1)), own.dates, {"stocks": own}, joined)
    again = backtest_weights(combined, joined, (20, 120), rules, "combined")
    assert again.equity == pytest.approx(own.equity, rel=1e-12)


def test_an_allocation_of_the_wrong_shape_or_an_unknown_symbol_is_refused(make_panel: PanelFactory) -> None:
    days = every_day(3)
    results = {"a": book("a", days, np.zeros(3), ("X", "Y"))}
    with pytest.raises(DataWindowError, match=r"allocation must be \(3, 1\), got \(3, 2\)"):
        combined_targets(np.ones((3, 2)), days, results, make_panel(np.ones((3, 1)), symbols=("X",)))
    with pytest.raises(DataWindowError, match="lacks symbols of a: Y"):
        combined_targets(np.ones((3, 1)), days, results, make_panel(np.ones((3, 1)), symbols=("X",)))

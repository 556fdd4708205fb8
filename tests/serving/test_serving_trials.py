"""Served models on trial: the figures of evaluation's own backtests, and the book that an allocation amounts to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from serving_models import RULES, baseline_card, make_panel, policy_card, write_linear_network

from wealtharena.core.errors import DataWindowError, ModelIntegrityError
from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_policy, backtest_weights
from wealtharena.evaluation.strategies import strategy_panel
from wealtharena.execution import Limit
from wealtharena.markets.joined import join_panels
from wealtharena.serving.model import ServedModel, load_model
from wealtharena.serving.trials import (
    backtest_book,
    backtest_model,
    combined_book,
    constant_targets,
    first_row,
    holdings_after,
    limited_book,
    next_targets,
)

WINDOW = (5, 40)
UNLIMITED = replace(RULES, max_weight=1.0)


@pytest.fixture
def panel() -> MarketPanel:
    return make_panel(sessions=41, symbols=("AAA", "BBB", "DDD"))


@pytest.fixture
def stateful(tmp_path: Path, make_bundle: Callable[..., Path], training_output: Path) -> ServedModel:
    """A policy that also looks at its position, gross exposure and drawdown."""
    write_linear_network(training_output / "policy.onnx", [0.7, -0.4, 0.2, -0.8, 0.1, 0.5, 2.0])
    return load_model(make_bundle(tmp_path / "stateful"))


def assert_same_account(one: BacktestResult, other: BacktestResult) -> None:
    np.testing.assert_array_equal(one.dates, other.dates)
    for name in ("equity", "returns", "turnover", "cost", "gross", "weights", "target_weights"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12, err_msg=name)


@pytest.mark.parametrize("baseline", ["equal_weight", "cash", "time_series_momentum"])
def test_a_served_baseline_trades_as_the_baseline(
    baseline: str, panel: MarketPanel, tmp_path: Path, make_bundle: Callable[..., Path]
) -> None:
    model = load_model(make_bundle(tmp_path / "b", baseline_card(baseline)))
    result = backtest_model(model, panel, WINDOW, RULES, "champion")
    assert_same_account(result, backtest_baselines(panel, WINDOW, RULES)[baseline])
    assert result.name == "champion"


def test_a_served_policy_trades_as_the_policy_whatever_order_the_features_stand_in(
    stateful: ServedModel, panel: MarketPanel
) -> None:
    assert stateful.policy is not None
    expected = backtest_policy(stateful.policy, panel, WINDOW, RULES, "own")
    assert expected.turnover.sum() > 0.0
    turned = replace(panel, feature_names=panel.feature_names[::-1], features=panel.features[:, :, ::-1].copy())
    for market in (panel, turned):
        assert_same_account(backtest_model(stateful, market, WINDOW, RULES, "candidate"), expected)


def test_a_market_without_a_feature_of_the_policy_is_refused(stateful: ServedModel, panel: MarketPanel) -> None:
    poorer = replace(panel, feature_names=panel.feature_names[:2], features=panel.features[:, :, :2].copy())
    with pytest.raises(ModelIntegrityError, match="rsi"):
        backtest_model(stateful, poorer, WINDOW, RULES, "candidate")


def test_the_combined_book_is_each_agents_targets_times_its_share() -> None:
    book = combined_book([0.25, 0.5], {"stocks": {"BHP.AX": 0.4, "CBA.AX": -0.2}, "crypto": {"BTC-USD": 0.8}})
    assert book == {
        ("crypto", "BTC-USD"): 0.2,
        ("stocks", "BHP.AX"): 0.2,
        ("stocks", "CBA.AX"): -0.1,
    }


def test_shares_and_agents_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        combined_book([1.0], {"stocks": {}, "crypto": {}})


def test_a_book_of_one_agent_with_all_the_capital_is_that_agents_own_account(
    stateful: ServedModel, panel: MarketPanel
) -> None:
    own = backtest_model(stateful, panel, (1, 41), RULES, "stocks")
    held_out = date(2026, 1, 21)
    strategies = strategy_panel({"stocks": own}, rebalance_bps=0.0)
    window = (first_row(strategies, held_out), len(strategies.dates))
    shares = backtest_weights(constant_targets(strategies, np.ones(1)), strategies, window, UNLIMITED, "all")
    book = backtest_book(shares, {"stocks": own}, join_panels({"stocks": panel}), held_out, RULES, "book")
    # The same orders from the same day on, for an account that was in cash until then.
    orders = np.vstack([own.target_weights, np.zeros((1, 3))])
    expected = backtest_weights(orders, panel, (20, 41), RULES, "expected")
    assert book.dates[0] == np.datetime64(held_out)
    assert book.cost.sum() > 0.0
    assert_same_account(book, expected)


def test_a_book_from_the_first_session_on_has_the_agents_own_curve(stateful: ServedModel, panel: MarketPanel) -> None:
    own = backtest_model(stateful, panel, (2, 41), RULES, "stocks")
    strategies = strategy_panel({"stocks": own}, rebalance_bps=0.0)
    # The allocation is decided a session before the book begins: that session is bought at once, in full.
    shares = backtest_weights(np.ones((39, 1)), strategies, (1, 39), UNLIMITED, "all")
    start = date(2026, 1, 4)
    book = backtest_book(shares, {"stocks": own}, join_panels({"stocks": panel}), start, RULES, "book")
    np.testing.assert_allclose(book.target_weights, own.target_weights[1:], atol=1e-12)
    np.testing.assert_allclose(book.returns[5:], own.returns[6:], atol=1e-4)


def test_constant_targets_stand_on_every_session(panel: MarketPanel) -> None:
    targets = constant_targets(panel, np.array([0.2, 0.3, 0.5]))
    assert targets.shape == (41, 3)
    assert (targets == [0.2, 0.3, 0.5]).all()


def test_the_account_after_a_backtest_holds_its_last_weights_below_its_peak(panel: MarketPanel) -> None:
    path = replace(backtest_weights(np.full((41, 3), 0.3), panel, WINDOW, RULES, "x"), trading=None)
    falling = replace(path, equity=np.array([1.0, 1.6, 1.2]))
    assert np.array_equal(holdings_after(falling).weights, path.weights[-1])
    assert holdings_after(falling).drawdown == pytest.approx(-0.25)
    assert holdings_after(replace(path, equity=np.array([0.9, 0.8]))).drawdown == pytest.approx(-0.2)
    assert holdings_after(replace(path, equity=np.array([1.1, 1.2]))).drawdown == 0.0
    assert holdings_after(replace(path, equity=np.array([1.0, -0.5]))).drawdown == -1.0


def test_the_next_targets_are_what_the_backtest_would_order_next(stateful: ServedModel, panel: MarketPanel) -> None:
    whole = backtest_model(stateful, panel, (5, 41), RULES, "whole")
    known = panel.rows(0, 40)
    targets = next_targets(stateful, known, backtest_model(stateful, known, (5, 40), RULES, "known"))
    assert list(targets) == ["AAA", "BBB", "DDD"]
    np.testing.assert_allclose(list(targets.values()), whole.target_weights[-1], atol=1e-6)


@pytest.fixture
def gradual(tmp_path: Path, make_bundle: Callable[..., Path], training_output: Path) -> ServedModel:
    """A policy that sees three sessions, and says by how much to change each position."""
    sessions = [0.7, -0.4, 0.2, -0.3, 0.5, -0.6, 0.1, 0.9, -0.2]
    write_linear_network(training_output / "policy.onnx", [*sessions, -0.8, 0.1, 0.5, 2.0])
    return load_model(make_bundle(tmp_path / "gradual", policy_card(window=3, actions="changes")))


def test_a_policy_of_changes_over_several_sessions_is_served_as_its_card_says(
    gradual: ServedModel, panel: MarketPanel
) -> None:
    assert gradual.policy is not None
    whole = backtest_model(gradual, panel, (5, 41), RULES, "whole")
    own = backtest_policy(gradual.policy, panel, (5, 41), RULES, "own", observation_window=3, actions="changes")
    assert_same_account(whole, own)
    for row in (6, 20, 40):
        known = panel.rows(0, row)
        targets = next_targets(gradual, known, backtest_model(gradual, known, (5, row), RULES, "known"))
        np.testing.assert_allclose(list(targets.values()), whole.target_weights[row - 5], atol=1e-6)


def test_a_market_with_fewer_sessions_than_the_policy_sees_is_refused(gradual: ServedModel, panel: MarketPanel) -> None:
    with pytest.raises(DataWindowError, match="rows must satisfy 3 <= first"):
        backtest_model(gradual, panel, (2, 41), RULES, "early")


@pytest.mark.parametrize("kind", ["policy", "equal_weight"])
def test_that_holds_under_every_limit_and_in_the_middle_of_a_stop(
    kind: str, stateful: ServedModel, panel: MarketPanel, tmp_path: Path, make_bundle: Callable[..., Path]
) -> None:
    model = stateful if kind == "policy" else load_model(make_bundle(tmp_path / "b", baseline_card(kind)))
    rules = replace(
        RULES, max_net=0.8, max_turnover=0.3, max_volatility=0.1, max_var=0.01, drawdown_stop=0.01, reentry_sessions=3
    )
    whole = backtest_model(model, panel, (5, 41), rules, "whole")
    assert whole.trading is not None
    bound = np.bitwise_or.reduce(whole.trading.path.limits)
    assert Limit.DRAWDOWN_STOP | Limit.MAX_TURNOVER | Limit.MAX_VOLATILITY in Limit(int(bound))
    for row in range(6, 41):
        known = panel.rows(0, row)
        targets = next_targets(model, known, backtest_model(model, known, (5, row), rules, "known"))
        np.testing.assert_allclose(list(targets.values()), whole.target_weights[row - 5], atol=1e-6)


def test_the_next_book_keeps_to_the_limits_of_the_combined_account(panel: MarketPanel) -> None:
    rules = replace(RULES, max_turnover=0.4, drawdown_stop=0.9)
    market = replace(panel, symbols=("AAA", "crypto:BBB", "stocks:BBB"))
    weights = np.tile([0.3, 0.1, 0.2], (41, 1))
    path = backtest_weights(weights[:40], market.rows(0, 40), (39, 40), rules, "book")
    wanted = {("stocks", "AAA"): 0.5, ("crypto", "BBB"): 0.3, ("stocks", "BBB"): 0.0}
    book = limited_book(wanted, path)
    assert list(book) == list(wanted)
    held = dict(zip(wanted, path.weights[-1], strict=True))
    moved = sum(abs(book[key] - held[key]) for key in wanted)
    assert moved == pytest.approx(0.4)
    weights[39] = list(wanted.values())
    going_on = backtest_weights(weights, market, (39, 41), rules, "book")
    np.testing.assert_allclose(list(book.values()), going_on.target_weights[-1], atol=1e-9)


def test_the_first_row_is_on_or_after_the_date(panel: MarketPanel) -> None:
    gap = panel.rows(0, 41)
    gap = replace(gap, dates=np.where(np.arange(41) < 10, gap.dates, gap.dates + 5))
    assert first_row(gap, date(2026, 1, 1)) == 0
    assert first_row(gap, date(2025, 1, 1)) == 0
    assert first_row(gap, date(2026, 1, 12)) == 10
    assert first_row(gap, date(2026, 1, 16)) == 10


def test_a_date_beyond_the_panel_is_refused(panel: MarketPanel) -> None:
    with pytest.raises(DataWindowError, match=r"no session on or after 2026-03-01; .* 2026-01-01 \.\. 2026-02-10"):
        first_row(panel, date(2026, 3, 1))

"""All ways into the kernel give the same: session by session, whole paths, orders and fills apart, mapped files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from execution_markets import random_market, random_reward, random_rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import RewardWeights, TradingRules, load_market, market_arrays, save_market
from wealtharena.execution.accounts import REPORT, empty_report, open_accounts
from wealtharena.execution.kernel import (
    CHANGES,
    SCORES,
    WEIGHTS,
    decide_targets,
    fill_orders,
    kernel_rules,
    padded_decisions,
    place_orders,
    step_accounts,
    take_actions,
    take_levels,
    trade_weights,
    workspace,
    write_observations,
)

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from((SCORES, WEIGHTS, CHANGES))
REWARD = RewardWeights().vector()


def drawn(seed: int, mode: int, assets: int = 7) -> tuple[MarketPanel, TradingRules, FloatArray]:
    rng = np.random.default_rng(seed)
    market, account_rules = random_market(rng, 50, assets, volatility=0.04), random_rules(rng, risk=True)
    decisions = rng.normal(0.0, 0.6, (3, 49, assets))
    if mode == WEIGHTS:
        decisions[rng.random(decisions.shape) < 0.1] = np.nan
    return market, account_rules, decisions


@settings(max_examples=25)
@given(seed=SEEDS)
def test_whole_paths_are_those_of_single_sessions(seed: int) -> None:
    market, account_rules, decisions = drawn(seed, WEIGHTS)
    arrays = market_arrays(market)
    limits, (count, sessions, assets) = kernel_rules(account_rules, arrays), decisions.shape
    accounts = open_accounts(np.tile(np.arange(assets), (count, 1)))
    (equity, gross), summary = np.zeros((2, count, sessions)), np.zeros((count, sessions), REPORT)
    weights, targets, orders = (np.zeros((count, sessions, assets)) for _ in range(3))
    arguments: tuple[Any, ...] = (
        *arrays.kernel_arguments()[1:], *accounts, *empty_report(count, assets), limits, REWARD,
        *workspace(limits, arrays, assets), decisions, equity, summary, gross, weights, targets, orders,
    )  # fmt: skip
    trade_weights(*arguments)
    for i in range(count):
        path = trade(market, decisions[i], account_rules)
        for name, column in (("equity", equity), ("gross", gross), ("weights", weights), ("orders", orders)):
            np.testing.assert_allclose(column[i], getattr(path, name), rtol=1e-13, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(targets[i], path.targets, rtol=1e-13, atol=1e-13)
        for name in REPORT.names or ():
            np.testing.assert_allclose(summary[i][name], getattr(path, name), rtol=1e-12, atol=1e-13, err_msg=name)


@settings(max_examples=25)
@given(seed=SEEDS, mode=MODES)
def test_orders_and_fills_apart_are_a_session(seed: int, mode: int) -> None:
    """Without a shift of prices; what is decided beforehand is what is then asked for."""
    market, account_rules, decisions = drawn(seed, mode)
    decisions = np.nan_to_num(decisions)
    arrays, path = market_arrays(market), trade(market, decisions[0], account_rules, mode=mode)
    assets = len(market.symbols)
    limits = kernel_rules(account_rules, arrays)
    accounts, report = open_accounts(np.arange(assets)[None, :]), empty_report(1, assets)
    memory, no_shift = workspace(limits, arrays, assets), padded_decisions(np.zeros(assets))
    _, *facts = arrays.kernel_arguments()
    for t, row in enumerate(decisions[0]):
        wanted = padded_decisions(row[None, :])
        if t < 3:
            before = accounts.state.copy()
            decide_targets(
                arrays.prices, arrays.returns, arrays.num_observed, accounts.state, accounts.assets, accounts.weights,
                report.summary, report.targets, limits, *memory, wanted, mode,
            )  # fmt: skip
            accounts.state[:] = before
            np.testing.assert_allclose(report.targets[0, :assets], path.targets[t], rtol=1e-13, atol=1e-13)
        arguments: tuple[Any, ...] = (
            *facts, *accounts, report.summary, report.targets, report.orders, limits, *memory, wanted, mode,
        )  # fmt: skip
        place_orders(*arguments)
        fill_orders(
            arrays.prices, arrays.rates, accounts.state, accounts.quantity, accounts.weights, report.summary,
            report.terms, report.orders, limits, REWARD, no_shift,
        )  # fmt: skip
        np.testing.assert_allclose(accounts.state["equity"][0], path.equity[t], rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(accounts.weights[0, :assets], path.weights[t], rtol=1e-13, atol=1e-13)
        assert report.summary["limits"][0] == path.limits[t]


@settings(max_examples=25)
@given(seed=SEEDS, mode=MODES)
def test_an_account_with_some_assets_is_one_on_a_panel_of_them(seed: int, mode: int) -> None:
    market, account_rules, decisions = drawn(seed, mode, assets=11)
    own = np.array([1, 3, 4, 8, 10])
    alone = market.select(tuple(market.symbols[k] for k in own))
    part = trade(market, decisions[0][:, own], account_rules, mode=mode, assets=own)
    whole = trade(alone, decisions[0][:, own], account_rules, mode=mode)
    for name, column in vars(whole).items():
        np.testing.assert_allclose(getattr(part, name), column, rtol=1e-12, atol=1e-13, err_msg=name)


@settings(max_examples=15)
@given(seed=SEEDS, mode=MODES)
def test_accounts_side_by_side_do_not_touch_one_another(seed: int, mode: int) -> None:
    """Each has its own assets, its own row, its own factor on costs, and some are skipped."""
    market, account_rules, decisions = drawn(seed, mode, assets=9)
    decisions = np.nan_to_num(decisions[:, :20, :4])
    arrays, reward = market_arrays(market), random_reward(np.random.default_rng(seed)).vector()
    own = np.array([[0, 2, 5, 8], [1, 2, 3, 4], [0, 2, 5, 8]])
    limits, rows, factors = kernel_rules(account_rules, arrays), np.array([0, 25, 11]), np.array([1.0, 2.0, 0.5])

    def run(which: list[int], skipped: list[bool]) -> tuple[Any, Any]:
        accounts, report = open_accounts(own[which]), empty_report(len(which), 4)
        accounts.state["row"], accounts.state["cost_multiplier"] = rows[which], factors[which]
        observations = np.zeros((len(which), 4, 6), np.float32)
        flags = np.zeros((2, len(which)), np.bool_)
        for t in range(20):
            arguments: tuple[Any, ...] = (
                *arrays.kernel_arguments(), *accounts, *report, limits, reward, *workspace(limits, arrays, 4),
                padded_decisions(decisions[which, t]), mode, np.array(skipped), np.zeros(len(which)), flags[0],
                flags[1], observations,
            )  # fmt: skip
            step_accounts(*arguments)
        return accounts, observations

    together, seen = run([0, 1, 2], [False, False, False])
    for i in range(3):
        alone, alone_seen = run([i], [False])
        for name in ("state", "quantity", "weights"):
            assert getattr(alone, name)[0].tobytes() == getattr(together, name)[i].tobytes(), name
        assert alone_seen[0].tobytes() == seen[i].tobytes()
    partly, _ = run([0, 1, 2], [False, True, False])
    assert partly.state["row"].tolist() == [20, 25, 31]
    assert partly.state[[0, 2]].tobytes() == together.state[[0, 2]].tobytes()


@pytest.mark.parametrize("window", [1, 3])
def test_a_mapped_market_gives_the_same_bits(tmp_path: Path, window: int) -> None:
    market, account_rules, decisions = drawn(4, SCORES)
    arrays = market_arrays(market, window)
    save_market(arrays, tmp_path / "market")
    mapped = load_market(tmp_path / "market")
    own, other = (
        trade(source, decisions[0][window - 1 :], account_rules, mode=SCORES, window=window)
        for source in (arrays, mapped)
    )
    assert other.up_to(49) == own.up_to(49)
    assert (mapped.symbols, mapped.annualisation, mapped.window) == (market.symbols, 252, window)
    assert not mapped.prices.flags.writeable


@pytest.mark.parametrize("window", [1, 5])
def test_observations_are_the_same_after_a_session_and_when_asked_for(window: int) -> None:
    market, account_rules, decisions = drawn(2, SCORES)
    path = trade(market, decisions[0][: 49 - window + 1], account_rules, mode=SCORES, window=window)
    arrays = market_arrays(market, window)
    accounts = open_accounts(np.arange(7)[None, :], row=49)
    for name in ("equity", "peak", "gross"):
        accounts.state[name] = getattr(path, name)[-1]
    accounts.weights[0, :7] = path.weights[-1]
    observations = np.zeros((1, *path.observations.shape[1:]), np.float32)
    write_observations(
        arrays.observation, arrays.prices, arrays.num_observed, accounts.state, accounts.assets, accounts.weights,
        kernel_rules(account_rules, arrays), np.ones(1, np.bool_), observations,
    )  # fmt: skip
    assert observations[0].tobytes() == path.observations[-1].tobytes()


def test_a_window_shows_the_features_of_its_sessions_oldest_first() -> None:
    market, account_rules, decisions = drawn(2, SCORES)
    path = trade(market, decisions[0][:45], account_rules, mode=SCORES, window=5)
    for session in range(45):
        rows = slice(session + 1, session + 6)
        shown = np.where(market.observed[rows, :, None], market.features[rows], 0.0)
        np.testing.assert_array_equal(path.observations[session][:, :10].reshape(7, 5, 2), shown.transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 1.0], [0.5, 0.0]], -1),
        ([[0.0, 1.0], [np.nan, 0.0]], 1),
        ([[0.0, np.inf], [0.0, np.nan]], 0),
        ([[0.0, -np.inf], [0.0, 0.0]], 0),
    ],
)
def test_actions_become_decisions_and_one_that_is_not_finite_is_found(values: list[list[float]], expected: int) -> None:
    actions, decisions = np.array(values, np.float32), padded_decisions(np.zeros((2, 2)))
    assert take_actions(actions, decisions) == expected
    np.testing.assert_array_equal(decisions, padded_decisions(actions))


@pytest.mark.parametrize(("places", "expected"), [([[0, 2]], -1), ([[0, 3]], 0), ([[-1, 0]], 0)])
def test_levels_become_decisions_and_a_place_outside_is_found(places: list[list[int]], expected: int) -> None:
    decisions = padded_decisions(np.zeros((1, 2)))
    assert take_levels(np.array(places), np.array([-1.0, 0.0, 0.5]), decisions) == expected
    if expected < 0:
        np.testing.assert_array_equal(decisions[0, :3], [-1.0, 0.5, 0.0])

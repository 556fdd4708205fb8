"""How sure one can be of a difference of Sharpe ratios."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.evaluation import sharpe_difference, sharpe_difference_interval

YEAR = 252


def test_the_standard_error_of_a_sharpe_difference_is_that_of_many_worlds() -> None:
    """Memmel's formula against the spread over 2,000 simulated pairs with correlation 0.8."""
    generator = np.random.default_rng(2)
    common = generator.normal(size=(2_000, 500))
    own = generator.normal(size=(2, 2_000, 500))
    pairs = 0.05 + np.sqrt(0.8) * common + np.sqrt(0.2) * own
    found = [sharpe_difference(one, two, 252) for one, two in zip(*pairs, strict=True)]
    errors = np.array([item.standard_error for item in found])
    spread = np.std([item.difference for item in found])
    assert errors.mean() == pytest.approx(spread, rel=0.05)
    assert np.mean([item.correlation for item in found]) == pytest.approx(0.8, abs=0.01)
    covered = np.mean([abs(item.difference) < 1.96 * item.standard_error for item in found])
    assert covered == pytest.approx(0.95, abs=0.015)


def test_a_hand_computed_difference() -> None:
    one, two = np.array([0.01, -0.01, 0.02, 0.00]), np.array([-0.01, 0.00, 0.02, 0.01])
    sharpe = 0.005 / np.std(one, ddof=1)
    rho = 0.4
    expected = math.sqrt((2 - 2 * rho + (2 * sharpe**2 - 2 * sharpe**2 * rho**2) / 2) / 4 * 252)
    found = sharpe_difference(one, two, 252)
    assert found.difference == pytest.approx(0.0, abs=1e-12)
    assert found.correlation == pytest.approx(rho)
    assert found.standard_error == pytest.approx(expected)


def test_identical_series_differ_by_nothing_for_certain() -> None:
    returns = np.random.default_rng(1).normal(size=100)
    found = sharpe_difference(returns, returns.copy(), 252)
    assert (found.difference, found.standard_error) == (0.0, pytest.approx(0.0, abs=1e-6))


def test_against_cash_there_is_no_difference_to_speak_of() -> None:
    found = sharpe_difference(np.array([0.01, 0.02, math.nan]), np.zeros(3), 252)
    assert math.isnan(found.difference)
    assert math.isnan(found.standard_error)
    assert found.sessions == 2


def persistent_pair(generator: np.random.Generator, sessions: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns with fat tails and a memory of .5, correlated at .5, of the same true Sharpe ratio."""
    shocks = generator.standard_t(5, size=(3, sessions + 50))
    pair = shocks[:2] + shocks[2]
    for t in range(1, pair.shape[1]):
        pair[:, t] += 0.5 * pair[:, t - 1]
    return pair[0, 50:] + 0.1, pair[1, 50:] + 0.1


def test_an_interval_holds_the_truth_as_often_as_it_claims_where_returns_remember() -> None:
    """80 years without a difference, nominal 5 % outside. Memmel's error, for independent returns, is too small."""
    generator = np.random.default_rng(12)
    outside, naive = 0, 0
    for seed in range(80):
        pair = persistent_pair(generator, YEAR)
        found = sharpe_difference_interval(*pair, YEAR, seed, replicates=100)
        plain = sharpe_difference(*pair, YEAR)
        outside += not found.low <= 0.0 <= found.high
        naive += abs(plain.difference) > 1.96 * plain.standard_error
    assert outside / 80 < 0.14
    assert naive / 80 > 0.2


def test_a_large_difference_lies_outside_what_chance_explains() -> None:
    generator = np.random.default_rng(3)
    common, own = generator.normal(size=1_000), generator.normal(size=(2, 1_000))
    good, bad = 0.15 + common + 0.3 * own[0], -0.05 + common + 0.3 * own[1]
    found = sharpe_difference_interval(good, bad, YEAR, seed=0)
    assert 0.0 < found.low < found.difference < found.high
    assert found.difference == pytest.approx(sharpe_difference(good, bad, YEAR).difference, rel=0.01)
    assert found.standard_error == pytest.approx(sharpe_difference(good, bad, YEAR).standard_error, rel=0.15)


def test_the_interval_turns_with_the_order_and_repeats_with_the_seed() -> None:
    one, two = persistent_pair(np.random.default_rng(5), 300)
    there, back = sharpe_difference_interval(one, two, YEAR, 7), sharpe_difference_interval(two, one, YEAR, 7)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert there == sharpe_difference_interval(one, two, YEAR, 7)
    assert there != sharpe_difference_interval(one, two, YEAR, 8)


def test_more_confidence_asks_for_a_wider_interval() -> None:
    pair = persistent_pair(np.random.default_rng(6), 300)
    wide, narrow = (sharpe_difference_interval(*pair, YEAR, 1, level) for level in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high


@settings(max_examples=20)
@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_leverage_of_either_account_changes_no_interval(one: float, two: float) -> None:
    first, second = persistent_pair(np.random.default_rng(8), 120)
    plain = sharpe_difference_interval(first, second, YEAR, 1, replicates=100)
    levered = sharpe_difference_interval(first * one, second * two, YEAR, 1, replicates=100)
    assert (levered.low, levered.high) == pytest.approx((plain.low, plain.high), rel=1e-6)


def test_missing_sessions_of_either_account_do_not_count() -> None:
    first, second = persistent_pair(np.random.default_rng(9), 120)
    plain = sharpe_difference_interval(first, second, YEAR, 1, replicates=100)
    first, second = np.insert(first, 30, math.nan), np.insert(second, 30, 0.5)
    assert sharpe_difference_interval(first, second, YEAR, 1, replicates=100) == plain


def test_identical_accounts_have_an_interval_of_nothing_and_cash_has_none() -> None:
    returns = np.random.default_rng(1).normal(size=100)
    same = sharpe_difference_interval(returns, returns.copy(), YEAR, 0)
    assert (same.difference, same.low, same.high, same.standard_error) == (0.0, 0.0, 0.0, 0.0)
    unknown = sharpe_difference_interval(returns, np.zeros(100), YEAR, 0)
    assert np.isnan([unknown.difference, unknown.low, unknown.high]).all()
    assert math.isnan(sharpe_difference_interval(np.zeros(0), np.zeros(0), YEAR, 0).low)


@pytest.mark.parametrize("sessions", [2, 9, 10, 12])
def test_a_few_sessions_say_nothing_and_are_no_error(sessions: int) -> None:
    first, second = persistent_pair(np.random.default_rng(2), sessions)
    found = sharpe_difference_interval(first, second, YEAR, 0, replicates=50)
    assert found.sessions == sessions
    assert np.isnan(found.low) == (sessions < 10)
    assert not np.isinf([found.low, found.high]).any()

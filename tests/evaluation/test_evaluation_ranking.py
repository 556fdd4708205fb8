"""Ranking and comparison of agents."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.evaluation import Metrics, dominates, rank, sharpe_difference, summarise

BASE = summarise([0.01, -0.01, 0.02], np.zeros(3), np.zeros(3), 252)
FIGURE = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, 1.0, -0.44]), st.just(math.nan))


def figures(sharpe: float, total_return: float, drawdown: float) -> Metrics:
    return replace(BASE, sharpe=sharpe, total_return=total_return, max_drawdown=drawdown)


@given(st.lists(st.tuples(FIGURE, FIGURE, FIGURE), min_size=2, max_size=6))
def test_nobody_ranks_above_an_agent_that_dominates_it(rows: list[tuple[float, float, float]]) -> None:
    agents = {f"agent{index}": figures(*row) for index, row in enumerate(rows)}
    order = rank(agents)
    assert sorted(order) == sorted(agents)
    for place, name in enumerate(order):
        assert not any(dominates(agents[later], agents[name]) for later in order[place + 1 :])


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_does_not_depend_on_the_order_of_asking(names: list[str]) -> None:
    agents = {"a": figures(1, 1, 0.1), "b": figures(1, 1, 0.1), "c": figures(2, 0, 0.5), "d": figures(math.nan, 0, 0)}
    assert rank({name: agents[name] for name in names}) == ["c", "a", "b", "d"]


def test_ties_are_settled_by_return_then_by_drawdown() -> None:
    agents = {"a": figures(1, 0.1, 0.2), "b": figures(1, 0.1, 0.1), "c": figures(1, 0.2, 0.3)}
    assert rank(agents) == ["c", "b", "a"]


def test_the_earlier_system_s_mistake_is_not_repeated() -> None:
    """An agent with -44 % and a negative Sharpe ratio stood first, the one with the best Sharpe ratio last."""
    agents = {"loser": figures(-0.8, -0.44, 0.6), "best": figures(1.6, 0.2, 0.1), "middling": figures(0.4, 0.3, 0.2)}
    assert rank(agents) == ["best", "middling", "loser"]


def test_dominance_needs_one_strict_advantage_and_known_figures() -> None:
    assert dominates(figures(1, 1, 0.1), figures(1, 1, 0.2))
    assert not dominates(figures(1, 1, 0.1), figures(1, 1, 0.1))
    assert not dominates(figures(2, 0, 0.1), figures(1, 1, 0.2))
    assert not dominates(figures(1, 1, 0.1), figures(math.nan, 0, 0.2))


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

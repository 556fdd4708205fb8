"""Ranking of agents."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.evaluation import Metrics, dominates, merit, rank, summarise
from wealtharena.evaluation.ranking import RankedFigures

BASE = summarise([0.01, -0.01, 0.02], np.zeros(3), np.zeros(3), 252)
FIGURE = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, -0.0, 1.0, -0.44, 5e-324, -5e-324]), st.just(math.nan))


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


def test_who_lost_money_never_stands_above_one_who_kept_it() -> None:
    """Wild swings: the mean return, and with it the Sharpe ratio, is positive, and yet half of the money is gone."""
    agents = {"wild": figures(0.9, -0.5, 0.8), "calm": figures(0.3, 0.05, 0.1), "sad": figures(-0.2, -0.1, 0.1)}
    assert rank(agents) == ["calm", "wild", "sad"]
    assert [merit(agents[name]) for name in ("calm", "wild", "sad")] == [0.3, 0.0, -0.2]


def test_unknown_figures_rank_last_however_they_are_told() -> None:
    known, unknown = RankedFigures.of(-1.0, -0.2, 0.3), RankedFigures.of(None, 0.0, 0.0)
    assert rank({"idle": unknown, "loser": known, "broken": RankedFigures.of(1.0, None, None)})[0] == "loser"
    assert math.isnan(merit(RankedFigures.of(1.0, None, 0.1)))


def test_dominance_needs_one_strict_advantage_and_known_figures() -> None:
    assert dominates(figures(1, 1, 0.1), figures(1, 1, 0.2))
    assert not dominates(figures(1, 1, 0.1), figures(1, 1, 0.1))
    assert not dominates(figures(2, 0, 0.1), figures(1, 1, 0.2))
    assert not dominates(figures(1, 1, 0.1), figures(math.nan, 0, 0.2))

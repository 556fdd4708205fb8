"""Deterministic checks of a candidate."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promotion_samples import RETURNS, RISK, RULES, card, cash, lane

from wealtharena.evaluation import dominates
from wealtharena.promotion import LaneInputs, ScoreCard
from wealtharena.promotion.guards import guard, sound
from wealtharena.promotion.reasons import failures
from wealtharena.promotion.similarity import position_similarity

CHAMPION = card(0.9, 0.09, 0.12, name="stocks v1", bundle_hash="old")


def candidate(own: ScoreCard | None = None, double: ScoreCard | None = None, **changes: object) -> LaneInputs:
    own = own or card(1.2, 0.12, 0.11)
    return replace(lane(card=own, card_double_cost=double or own), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("faulty", "failed", "words"),
    [
        (candidate(card(3.0, finite=False)), "finite", "stocks yields NaN or infinite values"),
        (candidate(card(3.0, turnover=0.01)), "trades", "does not trade (turnover 0.010, at least 0.05 is asked)"),
        (candidate(card(3.0, drawdown=0.45)), "drawdown_within_limit", "falls 45.0% from its peak, the limit is 40.0%"),
        (candidate(card(3.0, limits_breached=("a gross of 1.2",))), "limits_kept", "breaks a limit: a gross of 1.2"),
        (candidate(double=card(-0.1, -0.02)), "profit_at_double_cost", "turns into -2.0% at twice the cost"),
        (
            replace(candidate(), card=None, refused="policy.onnx was changed"),
            "intact",
            "is refused: policy.onnx was changed",
        ),
        (candidate(card(0.5, 0.05, 0.2)), "not_dominated", "with Sharpe 0.50 is dominated by the champion with 0.90"),
        (candidate(card(1.0, -0.01, 0.1)), "not_dominated", "is dominated by the champion with 0.90"),
        (candidate(card(returns=RETURNS - 0.01)), "not_clearly_worse", "is clearly worse than the champion"),
        (replace(candidate(), card=None), "scored", "was not scored tonight"),
    ],
)
def test_each_fault_is_found_and_told(faulty: LaneInputs, failed: str, words: str) -> None:
    checks = guard(faulty, CHAMPION, RULES, RISK)
    assert failed in [check.name for check in checks if not check.passed]
    assert words in failures(faulty, checks)


def test_against_cash_a_loser_is_clearly_worse_and_a_twin_is_not() -> None:
    flat = cash().card
    worse = candidate(card(-2.4, -0.1))
    assert "not_clearly_worse" in [check.name for check in guard(worse, flat, RULES, RISK) if not check.passed]
    twin = replace(CHAMPION, bundle_hash="new")
    assert sound(guard(candidate(twin), CHAMPION, RULES, RISK))


def test_a_sound_candidate_passes_every_check() -> None:
    assert sound(guard(candidate(), CHAMPION, RULES, RISK))


def test_a_broken_candidate_is_told_only_that() -> None:
    broken = candidate(card(math.nan, math.nan, math.nan, math.nan, finite=False, returns=np.full(252, np.nan)))
    assert failures(broken, guard(broken, CHAMPION, RULES, RISK)) == "stocks yields NaN or infinite values"


def test_a_refresh_claims_no_improvement_but_holds_similar_positions() -> None:
    weaker = candidate(card(0.5, 0.05, 0.2))
    assert sound(guard(weaker, CHAMPION, RULES, RISK, refresh=True))
    opposite = replace(weaker, similarity=-0.4)
    checks = guard(opposite, CHAMPION, RULES, RISK, refresh=True)
    assert [check.name for check in checks if not check.passed] == ["similar_positions"]
    assert "correlate -0.40 with those of the champion, not 0" in failures(opposite, checks)


def test_cash_need_not_trade() -> None:
    assert sound(guard(cash(), None, RULES, RISK))


def test_positions_are_compared_over_the_last_sessions() -> None:
    weights = np.random.default_rng(1).random((60, 3))
    changed = weights.copy()
    changed[:30] = 0.0
    assert position_similarity(weights, changed) == pytest.approx(1.0)
    assert position_similarity(weights, 1.0 - weights) == pytest.approx(-1.0)
    assert math.isnan(position_similarity(weights, np.full((60, 3), 0.3)))
    assert math.isnan(position_similarity(weights, weights[:, :2]))


CARDS = st.builds(
    card,
    sharpe=st.one_of(st.floats(-3, 3), st.just(math.nan), st.just(0.9)),
    total_return=st.one_of(st.floats(-0.9, 2.0), st.just(0.09)),
    drawdown=st.one_of(st.floats(0.0, 0.9), st.just(0.12)),
    turnover=st.floats(0.0, 20.0),
    finite=st.booleans(),
)


@given(CARDS, st.one_of(st.none(), CARDS))
def test_nobody_passes_who_is_unsound_or_dominated(own: ScoreCard, opponent: ScoreCard | None) -> None:
    if sound(guard(candidate(own), opponent, RULES, RISK)):
        assert own.finite
        assert own.metrics.turnover >= RULES.min_turnover
        assert own.metrics.max_drawdown <= RISK.max_drawdown
        if opponent is not None and opponent.finite:
            assert not dominates(opponent.metrics, own.metrics)
            assert own.metrics.total_return >= 0.0 or opponent.metrics.total_return < 0.0

"""The gate: soundness, contest, vacancy, and the laws that every decision obeys."""

import json
import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.core.errors import PromotionError
from wealtharena.evaluation import dominates, summarise
from wealtharena.promotion import DecisionOutcome, Kind, ScoreCard, decide
from wealtharena.settings import PromotionSettings, RiskSettings

RISK = RiskSettings(max_drawdown=0.40)
RULES = PromotionSettings(min_turnover=0.05, min_sharpe_gain=0.0, max_drawdown_slack=0.02)
RETURNS = np.random.default_rng(0).normal(0.0005, 0.01, size=252)
BASE = summarise(RETURNS, np.full(252, 0.1), np.ones(252), 252)
WINDOW = (date(2025, 1, 2), date(2025, 12, 31))


def card(
    sharpe: float = 1.0,
    total_return: float = 0.10,
    drawdown: float = 0.10,
    turnover: float = 10.0,
    name: str = "stocks v2",
    kind: Kind = Kind.POLICY,
    **changes: object,
) -> ScoreCard:
    metrics = replace(BASE, sharpe=sharpe, total_return=total_return, max_drawdown=drawdown, turnover=turnover)
    values = {"returns": RETURNS, "finite": True, **changes}
    return ScoreCard(name=name, kind=kind, window=WINDOW, annualisation=252, metrics=metrics, **values)  # type: ignore[arg-type]


def baseline(name: str, sharpe: float, total_return: float, drawdown: float, turnover: float = 1.0) -> ScoreCard:
    return card(sharpe, total_return, drawdown, turnover, name=name, kind=Kind.BASELINE)


CASH = baseline("cash", math.nan, 0.0, 0.0, 0.0)
EQUAL = baseline("equal_weight", 0.8, 0.08, 0.15)
MOMENTUM = baseline("time_series_momentum", 0.5, 0.06, 0.12)
BASELINES = {"cash": CASH, "equal_weight": EQUAL, "time_series_momentum": MOMENTUM}
CHAMPION = card(0.9, 0.09, 0.12, name="stocks v1", bundle_hash="old")


def outcome(candidate: ScoreCard, champion: ScoreCard | None = CHAMPION, rules: PromotionSettings = RULES) -> str:
    return decide(candidate, champion, BASELINES, rules, RISK).outcome


def test_a_better_candidate_is_promoted_with_its_figures_in_the_reason() -> None:
    decision = decide(card(1.2, 0.12, 0.11), CHAMPION, BASELINES, RULES, RISK)
    assert decision.outcome is DecisionOutcome.PROMOTED
    assert (decision.winner, decision.winner_kind, decision.champion_label) == ("stocks v2", Kind.POLICY, "stocks v2")
    assert decision.reason == (
        "Promoted: stocks v2 has Sharpe 1.20, drawdown 11.0%; the champion stocks v1 0.90, 12.0%."
    )
    assert all(check.passed for check in decision.checks)


@pytest.mark.parametrize(
    ("candidate", "failed", "words"),
    [
        (card(3.0, finite=False), "finite", "yields NaN or infinite values"),
        (card(3.0, turnover=0.01), "trades", "does not trade (turnover 0.010, at least 0.05 is asked)"),
        (card(3.0, drawdown=0.45), "drawdown_within_limit", "falls 45.0% from its peak, the limit is 40.0%"),
        (card(3.0, limits_breached=("a gross target of 1.2",)), "limits_kept", "breaks a limit: a gross target of 1.2"),
        (card(0.89), "sharpe_above_champion", "Sharpe 0.89 of stocks v2 is not above the 0.90"),
        (card(3.0, drawdown=0.15), "drawdown_near_champion", "falls 15.0% from its peak, against the champion"),
        (card(math.nan), "sharpe_above_champion", "Sharpe nan"),
    ],
)
def test_each_fault_rejects_and_is_named(candidate: ScoreCard, failed: str, words: str) -> None:
    decision = decide(candidate, CHAMPION, BASELINES, RULES, RISK)
    assert decision.outcome is DecisionOutcome.REJECTED
    assert (decision.winner, decision.winner_kind) == ("stocks v1", Kind.POLICY)
    assert failed in [check.name for check in decision.checks if not check.passed]
    assert words in decision.reason


def test_a_non_finite_candidate_is_told_only_that() -> None:
    returns = np.full(252, np.nan)
    broken = replace(card(math.nan, math.nan, math.nan, math.nan, finite=False), returns=returns)
    assert (
        decide(broken, CHAMPION, BASELINES, RULES, RISK).reason == "Rejected: stocks v2 yields NaN or infinite values."
    )


def test_an_equal_candidate_is_no_reason_to_switch() -> None:
    twin = card(0.9, 0.09, 0.12, bundle_hash="new")
    assert outcome(twin) == "rejected"


def test_a_dominated_candidate_hears_in_what() -> None:
    reason = decide(card(0.7, 0.05, 0.13), CHAMPION, BASELINES, RULES, RISK).reason
    assert "nowhere worse (return 9.0% against 5.0%, drawdown 12.0% against 13.0%)" in reason


def test_the_gain_that_the_settings_ask_for_is_asked() -> None:
    demanding = PromotionSettings(min_sharpe_gain=0.25)
    assert outcome(card(1.10), rules=demanding) == "rejected"
    assert outcome(card(1.20), rules=demanding) == "promoted"


def test_the_same_checkpoint_is_kept() -> None:
    decision = decide(card(bundle_hash="old"), CHAMPION, BASELINES, RULES, RISK)
    assert (decision.outcome, decision.winner) == (DecisionOutcome.KEPT, "stocks v1")
    assert decision.reason == "Kept: stocks v2 is the same checkpoint as the champion stocks v1."


def test_cards_without_a_bundle_are_never_the_same_checkpoint() -> None:
    assert outcome(card(2.0), replace(CHAMPION, bundle_hash="")) == "promoted"


def test_without_champion_the_best_baseline_takes_the_place_of_a_weaker_agent() -> None:
    decision = decide(card(0.7), None, BASELINES, RULES, RISK)
    assert decision.outcome is DecisionOutcome.BASELINE_CHAMPION
    assert (decision.champion_label, decision.winner_kind) == ("baseline:equal_weight", Kind.BASELINE)
    assert decision.reason.startswith(
        "There was no usable champion and the baseline equal_weight takes the place: Sharpe 0.70"
    )


def test_without_champion_a_tie_goes_to_the_baseline_and_return_settles_equal_sharpe_ratios() -> None:
    assert outcome(card(0.8, 0.08, 0.15), None) == "baseline_champion"
    assert outcome(card(0.8, 0.07, 0.05), None) == "baseline_champion"
    assert outcome(card(0.8, 0.09, 0.25), None) == "promoted"


def test_without_champion_a_better_agent_is_promoted_whatever_its_drawdown_within_the_limit() -> None:
    decision = decide(card(0.9, drawdown=0.30), None, BASELINES, RULES, RISK)
    assert decision.outcome is DecisionOutcome.PROMOTED
    assert decision.reason.startswith("Promoted as first champion: stocks v2")


def test_without_champion_an_unsound_agent_loses_to_the_best_baseline_however_good_it_looks() -> None:
    for unsound in (card(9.0, finite=False), card(9.0, turnover=0.0), card(9.0, drawdown=0.5)):
        assert outcome(unsound, None) == "baseline_champion"


def test_a_baseline_champion_has_to_be_beaten() -> None:
    assert outcome(card(0.75), EQUAL) == "rejected"
    decision = decide(card(1.0), EQUAL, BASELINES, RULES, RISK)
    assert (decision.outcome, decision.opponent) == (DecisionOutcome.PROMOTED, EQUAL)
    assert decide(card(0.75), EQUAL, BASELINES, RULES, RISK).champion_label == "baseline:equal_weight"


def test_a_champion_whose_own_curve_is_broken_counts_as_none() -> None:
    broken = replace(CHAMPION, finite=False)
    assert outcome(card(1.0), broken) == "promoted"
    assert outcome(card(0.1), broken) == "baseline_champion"


@pytest.mark.parametrize("sharpe", [0.01, 0.3])
def test_cash_is_never_chosen_over_a_positive_sharpe_ratio(sharpe: float) -> None:
    weak = {"cash": CASH, "equal_weight": baseline("equal_weight", sharpe, 0.01, 0.3)}
    assert decide(card(-1.0), None, weak, RULES, RISK).champion_label == "baseline:equal_weight"
    only_cash = {"cash": CASH}
    assert decide(card(sharpe, 0.01, 0.3), None, only_cash, RULES, RISK).outcome is DecisionOutcome.PROMOTED
    assert decide(card(sharpe, 0.01, 0.3), CASH, only_cash, RULES, RISK).outcome is DecisionOutcome.PROMOTED


def test_where_everything_loses_cash_wins() -> None:
    falling = {"cash": CASH, "equal_weight": baseline("equal_weight", -0.4, -0.1, 0.2)}
    decision = decide(card(-0.2, -0.05, 0.1), None, falling, RULES, RISK)
    assert decision.champion_label == "baseline:cash"


def test_a_baseline_that_breaks_the_drawdown_limit_is_not_chosen() -> None:
    crashed = {"cash": CASH, "equal_weight": baseline("equal_weight", 0.8, 0.3, 0.55)}
    assert decide(card(-0.1), None, crashed, RULES, RISK).champion_label == "baseline:cash"


def test_with_nobody_to_compare_soundness_decides() -> None:
    assert decide(card(-0.5), None, {}, RULES, RISK).outcome is DecisionOutcome.PROMOTED
    refused = decide(card(-0.5, turnover=0.0), None, {}, RULES, RISK)
    assert (refused.outcome, refused.winner, refused.winner_kind) == (DecisionOutcome.REJECTED, "", None)


def test_cards_of_different_windows_are_refused() -> None:
    other = replace(CHAMPION, window=(date(2024, 1, 2), date(2024, 12, 31)))
    with pytest.raises(PromotionError, match=r"same window: stocks v2 \(2025-01-02 .* and stocks v1 \(2024-01-02"):
        decide(card(), other, BASELINES, RULES, RISK)
    shorter = replace(EQUAL, returns=RETURNS[:100])
    with pytest.raises(PromotionError, match="100 sessions"):
        decide(card(), CHAMPION, {"equal_weight": shorter}, RULES, RISK)


def test_evidence_is_reported_but_is_no_gate() -> None:
    better = replace(card(1.2, 0.12, 0.11), returns=RETURNS + 0.0002)
    decision = decide(better, CHAMPION, BASELINES, RULES, RISK)
    assert decision.evidence is not None
    assert decision.evidence.opponent == "stocks v1"
    assert decision.evidence.sharpe.difference > 0
    assert "reported, not a gate yet" in decision.evidence.sentence()
    assert decide(better, CASH_FLAT, {"cash": CASH_FLAT}, RULES, RISK).evidence.sentence() == ""  # type: ignore[union-attr]


CASH_FLAT = replace(CASH, returns=np.zeros(252))


def test_a_decision_is_json_with_null_for_nan() -> None:
    for candidate, champion in [(card(1.2), CHAMPION), (card(math.nan, finite=False), None), (card(0.1), CASH)]:
        text = json.dumps(decide(candidate, champion, BASELINES, RULES, RISK).as_record(), allow_nan=False)
        record = json.loads(text)
        assert record["reason"]
        assert record["candidate"]["metrics"]["max_drawdown"] == pytest.approx(0.10)
        assert {"name", "passed", "value", "threshold"} == set(record["checks"][0])


SHARPE = st.one_of(st.floats(-3, 3), st.just(math.nan), st.just(0.9))
CARDS = st.builds(
    card,
    sharpe=SHARPE,
    total_return=st.one_of(st.floats(-0.9, 2.0), st.just(0.09)),
    drawdown=st.one_of(st.floats(0.0, 0.9), st.just(0.12)),
    turnover=st.floats(0.0, 20.0),
    finite=st.booleans(),
)
OPPONENTS = st.one_of(
    st.none(), CARDS.map(lambda found: replace(found, name="champion")), st.just(EQUAL), st.just(CASH)
)
RULE_SETS = st.builds(PromotionSettings, min_sharpe_gain=st.floats(0.0, 1.0), max_drawdown_slack=st.floats(0.0, 0.5))


@given(CARDS, OPPONENTS, RULE_SETS)
def test_nobody_is_promoted_over_one_that_dominates_it(
    candidate: ScoreCard, champion: ScoreCard | None, rules: PromotionSettings
) -> None:
    decision = decide(candidate, champion, BASELINES, rules, RISK)
    if decision.outcome is DecisionOutcome.PROMOTED:
        assert candidate.finite
        assert candidate.metrics.turnover >= rules.min_turnover
        assert candidate.metrics.max_drawdown <= RISK.max_drawdown
        assert not math.isnan(candidate.metrics.sharpe)
        if decision.opponent is not None and decision.opponent.finite:
            assert not dominates(decision.opponent.metrics, candidate.metrics)
            assert candidate.metrics.sharpe >= decision.opponent.merit


@given(CARDS, OPPONENTS, RULE_SETS, st.floats(0, 2), st.floats(0, 1), st.floats(0, 1))
def test_a_better_candidate_is_never_refused_where_a_worse_one_was_promoted(
    candidate: ScoreCard, champion: ScoreCard | None, rules: PromotionSettings, more: float, gain: float, less: float
) -> None:
    better_metrics = replace(
        candidate.metrics,
        sharpe=candidate.metrics.sharpe + more,
        total_return=candidate.metrics.total_return + gain,
        max_drawdown=candidate.metrics.max_drawdown * (1.0 - less),
    )
    better = replace(candidate, metrics=better_metrics)
    if decide(candidate, champion, BASELINES, rules, RISK).outcome is DecisionOutcome.PROMOTED:
        assert decide(better, champion, BASELINES, rules, RISK).outcome is DecisionOutcome.PROMOTED


@given(CARDS, OPPONENTS, RULE_SETS)
def test_every_decision_is_reproducible_reasoned_and_leaves_a_sound_champion(
    candidate: ScoreCard, champion: ScoreCard | None, rules: PromotionSettings
) -> None:
    decision = decide(candidate, champion, BASELINES, rules, RISK)
    shuffled = dict(reversed(BASELINES.items()))
    assert decide(candidate, champion, shuffled, rules, RISK).as_record() == decision.as_record()
    assert decision.reason.endswith(".")
    if decision.outcome is DecisionOutcome.REJECTED:
        assert champion is not None
        assert decision.winner == champion.name
        assert any(not check.passed for check in decision.checks)
    if decision.outcome is DecisionOutcome.BASELINE_CHAMPION:
        assert champion is None or not champion.finite
        assert decision.champion_label.startswith("baseline:")


def test_a_compound_loss_never_beats_cash_whatever_its_mean() -> None:
    loser = card(sharpe=0.04, total_return=-0.003, drawdown=0.17)
    vacancy = decide(loser, None, {"cash": CASH}, RULES, RISK)
    assert (vacancy.outcome, vacancy.winner) == (DecisionOutcome.BASELINE_CHAMPION, "cash")
    assert "from an account that lost 0.3%" in vacancy.reason
    cash_champion = replace(CASH, name="etfs v1 (cash)")
    assert decide(loser, cash_champion, {"cash": CASH}, RULES, RISK).outcome is DecisionOutcome.REJECTED

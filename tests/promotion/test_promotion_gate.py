"""The gate: takeover with both keys, refresh by guards, first champion by history, rollback, policies."""

import json
import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promotion_samples import OWN, RISK, RULES, card, cash, champion, inputs, lane

from wealtharena.core.errors import PromotionError
from wealtharena.promotion import (
    Decision,
    DecisionOutcome,
    GateInputs,
    Kind,
    LaneInputs,
    Look,
    Record,
    Serving,
    State,
    TrialCount,
    decide,
    declined,
)
from wealtharena.promotion.matching import WARM_UP
from wealtharena.settings import PromotionSettings

EQUAL = "baseline:equal_weight"
BASELINE = lane(EQUAL, card=card(0.8, 0.08, 0.15, name="equal_weight", kind=Kind.BASELINE))
WEAK, STRONG = lane(OWN), lane(OWN, history=0.3, paper=0.6)
LSTM = "stocks-lstm@1"


def asked(*lanes: LaneInputs, rules: PromotionSettings = RULES, **changes: object) -> Decision:
    return decide(inputs(*lanes, **changes), rules, RISK)


def test_a_lane_with_both_keys_takes_over_provisionally() -> None:
    decision = asked(BASELINE, STRONG, champion=champion())
    assert decision.outcome is DecisionOutcome.PROMOTED
    assert decision.serving == Serving(
        OWN, "stocks", Kind.POLICY, "7", State.PROVISIONAL, date(2025, 4, 10), EQUAL, None
    )
    assert decision.reason.startswith("Promoted: stocks takes over from stocks v1 with evidence E = ")
    assert decision.look is not None and decision.look.alpha == pytest.approx(0.05 / 12)
    standing = decision.standings[1]
    assert (standing.second_key, standing.sessions, standing.state) == (True, 100, State.SHADOW)
    assert standing.p_value <= decision.look.alpha
    assert not decision.needs_approval


@pytest.mark.parametrize(
    ("challenger", "words"),
    [
        (lane(OWN, history=0.3, paper=0.0), "has evidence E = "),
        (lane(OWN, history=0.0, paper=0.6), ", history p = "),
        (lane(OWN, history=None, paper=0.6), "has evidence E = "),
        (lane(OWN, history=0.3, paper=None), "no challenger has traded beside it on paper yet"),
    ],
)
def test_one_key_is_not_enough(challenger: LaneInputs, words: str) -> None:
    decision = asked(BASELINE, challenger, champion=champion())
    assert (decision.outcome, decision.serving.lane_id) == (DecisionOutcome.KEPT, EQUAL)
    assert words in decision.reason


def test_history_is_looked_at_only_when_forward_evidence_suffices() -> None:
    assert asked(BASELINE, lane(OWN, history=0.3), champion=champion()).look is None
    assert asked(BASELINE, STRONG, champion=champion()).look is not None


def test_a_lane_that_fell_beyond_the_drawdown_limit_on_paper_is_out() -> None:
    fallen = STRONG.paper.returns.copy()
    fallen[:40] -= 0.02
    risen = fallen + np.where(np.arange(100) >= 40, 0.05, 0.0)
    crashed = replace(STRONG, paper=replace(STRONG.paper, returns=risen))
    decision = asked(BASELINE, crashed, champion=champion())
    assert (decision.outcome, decision.standings[1].state) == (DecisionOutcome.KEPT, State.DROPPED)
    assert decision.standings[1].drawdown > RISK.max_drawdown


def test_a_month_that_was_spent_on_other_inputs_opens_nothing() -> None:
    spent = (Look(date(2025, 4, 1), "other", 0.05 / 12),)
    refused = asked(BASELINE, STRONG, champion=champion(), looks=spent)
    assert refused.outcome is DecisionOutcome.KEPT
    assert "look at histories was spent on other inputs" in refused.reason
    earlier = (Look(date(2025, 3, 1), "other", 0.05 / 12),)
    assert asked(BASELINE, STRONG, champion=champion(), looks=earlier).outcome is DecisionOutcome.PROMOTED


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"card": card(3.0, finite=False)}, "yields NaN"),
        ({"card": card(3.0, turnover=0.0)}, "does not trade"),
        ({"card": card(3.0, limits_breached=("a gross target of 1.2",))}, "breaks a limit"),
        ({"card": None, "refused": "policy.onnx was changed"}, "refused: policy.onnx was changed"),
        ({"card_double_cost": card(-0.3, -0.05)}, "at twice the cost"),
        ({"card": card(0.5, 0.05, 0.2)}, "is dominated by the champion"),
    ],
)
def test_a_faulty_challenger_leaves_the_champion_whatever_its_keys(fault: dict[str, object], words: str) -> None:
    decision = asked(BASELINE, replace(STRONG, **fault), champion=champion())  # type: ignore[arg-type]
    assert (decision.outcome, decision.serving.lane_id) == (DecisionOutcome.REJECTED, EQUAL)
    assert words in decision.reason
    assert "the champion stocks v1 stays" in decision.reason


def test_of_two_with_both_keys_the_one_with_more_forward_evidence_takes_over() -> None:
    better = lane(LSTM, history=0.3, paper=1.0)
    assert asked(BASELINE, STRONG, better, champion=champion()).serving.lane_id == LSTM


def test_a_baseline_may_take_over_too() -> None:
    decision = asked(BASELINE, lane("baseline:inverse", history=0.3, paper=0.8), champion=champion())
    assert (decision.outcome, decision.serving.kind) == (DecisionOutcome.BASELINE_CHAMPION, Kind.BASELINE)


def test_evidence_counts_from_the_champions_first_day() -> None:
    late = champion(since=date(2025, 3, 20))
    assert asked(BASELINE, STRONG, champion=late).standings[1].sessions == 21


def test_a_new_checkpoint_of_the_champions_lane_needs_guards_only() -> None:
    decision = asked(BASELINE, WEAK, champion=champion(OWN, State.CONFIRMED, before=EQUAL))
    assert (decision.outcome, decision.serving.version) == (DecisionOutcome.REFRESHED, "7")
    assert (decision.serving.state, decision.serving.before) == (State.CONFIRMED, EQUAL)
    broken = replace(WEAK, card=card(3.0, finite=False))
    assert asked(BASELINE, broken, champion=champion(OWN)).outcome is DecisionOutcome.REJECTED


def test_the_same_checkpoint_is_kept() -> None:
    twin = replace(WEAK, card=card(bundle_hash="old"))
    decision = asked(BASELINE, twin, champion=champion(OWN))
    assert decision.outcome is DecisionOutcome.KEPT
    assert decision.reason == "Kept: tonight's policy is the same checkpoint as the champion stocks v1."


def test_without_a_policy_tonight_the_champion_stays() -> None:
    idle = replace(WEAK, card=None)
    assert asked(BASELINE, idle, champion=champion(OWN)).outcome is DecisionOutcome.KEPT


def test_forward_evidence_confirms_a_champion() -> None:
    served = champion(OWN, State.PROVISIONAL, before=EQUAL)
    assert asked(BASELINE, STRONG, champion=served).serving.state is State.CONFIRMED
    assert asked(BASELINE, WEAK, champion=served).serving.state is State.PROVISIONAL


def test_a_champion_that_loses_against_the_one_before_gives_its_place_back() -> None:
    losing = lane(OWN, paper=-1.0)
    decision = asked(BASELINE, losing, champion=champion(OWN, State.PROVISIONAL, before=EQUAL))
    assert (decision.outcome, decision.serving.lane_id) == (DecisionOutcome.ROLLED_BACK, EQUAL)
    assert "is worse than the baseline equal_weight with evidence E = " in decision.reason
    assert decision.serving.since == date(2025, 4, 10)


def test_without_the_lane_before_a_failed_champion_is_replaced_as_if_the_place_were_empty() -> None:
    losing = lane(OWN, paper=-1.0)
    gone = lane("baseline:gone")
    served = champion(OWN, State.PROVISIONAL, before="baseline:gone")
    assert asked(BASELINE, gone, losing, champion=served).outcome is DecisionOutcome.ROLLED_BACK
    assert asked(BASELINE, losing, champion=served).outcome is not DecisionOutcome.ROLLED_BACK


def test_the_first_champion_is_the_baseline_with_the_best_history_and_unproven() -> None:
    other = lane("baseline:inverse", history=0.2)
    decision = asked(BASELINE, other, cash(), WEAK)
    assert (decision.outcome, decision.serving.lane_id) == (DecisionOutcome.BASELINE_CHAMPION, "baseline:inverse")
    assert (decision.serving.state, decision.serving.before) == (State.UNPROVEN, "baseline:cash")
    assert "takes the place, unproven: the history of stocks has p = " in decision.reason


def test_a_policy_is_first_champion_only_if_its_history_is_proved_better() -> None:
    decision = asked(BASELINE, STRONG)
    assert (decision.outcome, decision.serving.state) == (DecisionOutcome.PROMOTED, State.UNPROVEN)
    assert decision.serving.before == EQUAL
    assert "is better than that of the baseline equal_weight with p = 0.0" in decision.reason
    unsound = replace(STRONG, card=card(9.0, turnover=0.0))
    assert asked(BASELINE, unsound).outcome is DecisionOutcome.BASELINE_CHAMPION


@pytest.mark.parametrize(("sessions", "counted"), [(WARM_UP + 200, 200), (WARM_UP - 1, 0), (0, 0)])
def test_of_a_history_that_is_too_short_the_sessions_are_told(sessions: int, counted: int) -> None:
    known = WEAK.history
    short = replace(WEAK, history=Record(known.dates[:sessions], known.returns[:sessions]))
    decision = asked(BASELINE, short)
    assert decision.outcome is DecisionOutcome.BASELINE_CHAMPION
    assert f"stocks has too short a history in common ({counted} sessions, at least 252 are asked)" in decision.reason


def test_without_history_the_held_out_window_chooses_among_baselines() -> None:
    lanes = [replace(BASELINE, history=lane("x", None).history), cash(), lane(OWN, history=None)]
    assert asked(*lanes).serving.lane_id == EQUAL
    falling = replace(lanes[0], card=card(-0.4, -0.1, 0.2, kind=Kind.BASELINE))
    assert asked(falling, *lanes[1:]).serving.lane_id == "baseline:cash"
    lucky = replace(lanes[0], card=card(0.04, -0.003, 0.17, kind=Kind.BASELINE))
    assert asked(lucky, *lanes[1:]).serving.lane_id == "baseline:cash", "a loss counts at most as cash"


def test_with_nobody_to_compare_guards_decide() -> None:
    assert asked(WEAK).outcome is DecisionOutcome.PROMOTED
    refused = asked(replace(WEAK, card=card(turnover=0.0)))
    assert (refused.outcome, refused.serving) == (DecisionOutcome.REJECTED, Serving())


def test_a_champion_whose_own_curve_is_broken_counts_as_none() -> None:
    broken = champion(OWN, card=card(finite=False))
    assert asked(BASELINE, WEAK, champion=broken).outcome is DecisionOutcome.BASELINE_CHAMPION


def test_guarded_needs_no_proof_but_soundness() -> None:
    rules = PromotionSettings(policy="guarded")
    decision = asked(BASELINE, WEAK, champion=champion(), rules=rules)
    assert (decision.outcome, decision.serving.lane_id) == (DecisionOutcome.PROMOTED, OWN)
    assert asked(BASELINE, WEAK, rules=rules).outcome is DecisionOutcome.PROMOTED
    dominated = replace(WEAK, card=card(0.5, 0.05, 0.2))
    assert asked(BASELINE, dominated, champion=champion(), rules=rules).outcome is DecisionOutcome.REJECTED


def test_manual_asks_a_person_before_anything_changes_but_a_rollback() -> None:
    rules = PromotionSettings(policy="manual")
    assert asked(BASELINE, STRONG, champion=champion(), rules=rules).needs_approval
    assert asked(BASELINE, WEAK, champion=champion(OWN), rules=rules).needs_approval
    assert not asked(BASELINE, WEAK, champion=champion(), rules=rules).needs_approval
    assert not asked(BASELINE, WEAK, rules=rules).needs_approval
    failed = champion(OWN, State.PROVISIONAL, before=EQUAL)
    assert not asked(BASELINE, lane(OWN, paper=-1.0), champion=failed, rules=rules).needs_approval


def test_what_a_person_does_not_approve_leaves_the_champion_and_says_so() -> None:
    served = champion()
    proposed = asked(BASELINE, STRONG, champion=served, rules=PromotionSettings(policy="manual"))
    decision = declined(proposed, served, "Kim", "not before the holidays")
    assert (decision.outcome, decision.serving.lane_id) == (DecisionOutcome.REJECTED, EQUAL)
    assert decision.reason.startswith(
        "Not approved by Kim (not before the holidays); the champion stocks v1 stays. Proposed was: Promoted: stocks"
    )
    assert decision.standings == proposed.standings


def test_the_number_of_trials_is_reported_and_decides_nothing() -> None:
    few, many = (
        asked(BASELINE, STRONG, champion=champion(), trials=TrialCount(count, 0.001)) for count in (2, 100_000)
    )
    assert few.deflation is not None and many.deflation is not None
    assert few.deflation.probability > many.deflation.probability
    assert few.outcome is many.outcome


def test_cards_of_different_windows_and_lanes_of_one_name_are_refused() -> None:
    other = champion(card=replace(card(), window=(date(2024, 1, 2), date(2024, 12, 31))))
    with pytest.raises(PromotionError, match="same window"):
        asked(BASELINE, WEAK, champion=other)
    with pytest.raises(PromotionError, match="identities of their own"):
        asked(BASELINE, WEAK, WEAK)


def test_a_decision_is_json_with_null_for_nan() -> None:
    nights = [
        inputs(BASELINE, STRONG, champion=champion()),
        inputs(BASELINE, replace(WEAK, card=card(math.nan, finite=False))),
        inputs(WEAK),
    ]
    for night in nights:
        record = json.loads(json.dumps(decide(night, RULES, RISK).as_record(), allow_nan=False))
        assert record["reason"]
        assert {"provisional_evidence", "max_drawdown"} <= set(record["thresholds"])


LANES = st.sampled_from(
    [WEAK, STRONG, replace(WEAK, card=None), replace(STRONG, card=card(finite=False)), lane(OWN, None, None)]
)
CHAMPIONS = st.sampled_from([None, champion(), champion(OWN, State.PROVISIONAL, before=EQUAL)])
POLICIES = st.sampled_from(["two_key", "guarded", "manual"])


@given(LANES, CHAMPIONS, POLICIES, st.booleans())
def test_every_decision_is_repeatable_reasoned_and_leaves_a_champion(
    own: LaneInputs, served: object, policy: str, swap: bool
) -> None:
    rules = PromotionSettings(policy=policy)  # type: ignore[arg-type]
    night = GateInputs(**{**_fields(inputs(BASELINE, cash(), own)), "champion": served})  # type: ignore[arg-type]
    decision = decide(night, rules, RISK)
    shuffled = replace(night, lanes=night.lanes[::-1]) if swap else night
    again = decide(shuffled, rules, RISK)
    assert (again.outcome, again.serving, again.reason) == (decision.outcome, decision.serving, decision.reason)
    assert decision.reason.endswith(".")
    assert decision.serving.lane_id in {lane.lane_id for lane in night.lanes}
    if decision.outcome in (DecisionOutcome.REJECTED, DecisionOutcome.KEPT):
        assert served is not None
        assert not decision.changes
    if decision.outcome in (DecisionOutcome.PROMOTED, DecisionOutcome.REFRESHED):
        assert all(check.passed for check in decision.checks)


def _fields(night: GateInputs) -> dict[str, object]:
    return {name: getattr(night, name) for name in night.__dataclass_fields__}


def test_a_lane_that_equals_the_champion_gathers_no_evidence() -> None:
    twin = replace(WEAK, history=BASELINE.history, paper=BASELINE.paper)
    decision = asked(BASELINE, twin, champion=champion())
    assert decision.outcome is DecisionOutcome.KEPT
    assert decision.standings[1].log_e == 0.0
    assert not np.isnan(decision.standings[1].drawdown)

"""An empty place: the first champion, or the next one where the old cannot be used."""

import math

from wealtharena.agents.lanes import baseline_lane
from wealtharena.promotion import reasons
from wealtharena.promotion.decision import Check, Decision, DecisionOutcome, Serving
from wealtharena.promotion.guards import guard, sound
from wealtharena.promotion.histories import FirstKey, first_key, history_sharpe, inputs_hash, sessions_in_common
from wealtharena.promotion.inputs import GateInputs, LaneInputs
from wealtharena.promotion.score_card import Kind
from wealtharena.promotion.spending import Look, look
from wealtharena.promotion.states import State
from wealtharena.settings import PromotionSettings, RiskSettings


def fill(inputs: GateInputs, rules: PromotionSettings, risk: RiskSettings) -> Decision:
    """Who takes an empty place: the best baseline by history, unless a sound policy has proved a better history."""
    baseline = _best_baseline(inputs, rules, risk)
    own = inputs.lane(inputs.own_lane)
    if rules.policy == "guarded" or baseline is None:
        return _first_by_guards(inputs, own, baseline, rules, risk)
    history = first_key(inputs.lanes, baseline, rules, inputs.seed)
    glance = look(inputs.as_of, inputs_hash(inputs.lanes, baseline, rules), inputs.looks, rules.error_per_year)
    checks = {
        lane.lane_id: guard(lane, baseline.card, rules, risk) for lane in inputs.lanes if lane.kind is Kind.POLICY
    }
    proved = [
        lane
        for lane in inputs.lanes
        if lane.lane_id in checks
        and sound(checks[lane.lane_id])
        and history.p_values.get(lane.lane_id, 1.0) <= glance.alpha
    ]
    spent = glance if history.p_values else None
    if proved:
        lane = max(proved, key=lambda one: (history.statistics[one.lane_id], one.lane_id))
        p_value = history.p_values[lane.lane_id]
        return Decision(
            DecisionOutcome.PROMOTED,
            first_service(inputs, lane, baseline.lane_id),
            reasons.first_policy(lane, baseline, p_value, glance.alpha),
            checks[lane.lane_id],
            look=spent,
        )
    told = checks.get(inputs.own_lane, ())
    return Decision(
        DecisionOutcome.BASELINE_CHAMPION,
        first_service(inputs, baseline, _cash(inputs, baseline)),
        reasons.first_baseline(baseline, _why_not(own, told, baseline, history, glance, rules)),
        told,
        look=spent,
    )


def _first_by_guards(
    inputs: GateInputs,
    own: LaneInputs | None,
    baseline: LaneInputs | None,
    rules: PromotionSettings,
    risk: RiskSettings,
) -> Decision:
    """Guards alone decide: by the policy ``guarded``, or because there is no baseline to compare with."""
    checks = guard(own, baseline.card if baseline else None, rules, risk) if own else ()
    if own is not None and sound(checks):
        before = baseline.lane_id if baseline else ""
        reason = reasons.guarded(own, baseline.title) if baseline else reasons.first_policy(own, None, math.nan, 0.0)
        return Decision(DecisionOutcome.PROMOTED, first_service(inputs, own, before), reason, checks)
    why = reasons.failures(own, checks, baseline.title if baseline else "nobody") if own else "no policy was trained"
    if baseline is not None:
        serving = first_service(inputs, baseline, _cash(inputs, baseline))
        return Decision(DecisionOutcome.BASELINE_CHAMPION, serving, reasons.first_baseline(baseline, why), checks)
    return Decision(DecisionOutcome.REJECTED, Serving(), f"Rejected: {why}; there is no champion.", checks)


def _why_not(
    own: LaneInputs | None,
    checks: tuple[Check, ...],
    baseline: LaneInputs,
    history: FirstKey,
    glance: Look,
    rules: PromotionSettings,
) -> str:
    if own is None:
        return "no policy was trained"
    if not sound(checks):
        return reasons.failures(own, checks, baseline.title)
    if own.lane_id in history.p_values:
        return reasons.unproved(own, history.p_values[own.lane_id], glance.alpha)
    return reasons.short_history(own, sessions_in_common(own, baseline), rules.min_history)


def _best_baseline(inputs: GateInputs, rules: PromotionSettings, risk: RiskSettings) -> LaneInputs | None:
    """The best sound baseline: by its history, without one by the held-out window; ties go to the first name."""
    usable = [
        lane
        for lane in sorted(inputs.lanes, key=lambda one: one.name)
        if lane.kind is Kind.BASELINE and sound(guard(lane, None, rules, risk))
    ]
    with_history = [lane for lane in usable if lane.history.dates.size >= rules.min_history]
    if with_history:
        return max(with_history, key=history_sharpe)
    return max(usable, key=_held_out_order, default=None)


def _held_out_order(lane: LaneInputs) -> tuple[float, float, float]:
    card = lane.card
    if card is None:
        return -math.inf, 0.0, 0.0
    return card.merit, card.metrics.total_return, -card.metrics.max_drawdown


def first_service(inputs: GateInputs, lane: LaneInputs, before: str) -> Serving:
    """A lane that begins to serve without forward evidence, to be held against ``before``."""
    return Serving(lane.lane_id, lane.name, lane.kind, lane.version, State.UNPROVEN, inputs.as_of, before, inputs.as_of)


def _cash(inputs: GateInputs, baseline: LaneInputs) -> str:
    """What a baseline has to prove itself against; nothing for cash itself."""
    cash = baseline_lane(inputs.agent, "cash").lane_id
    return cash if baseline.lane_id != cash and inputs.lane(cash) is not None else ""

"""Tonight's new checkpoint: it follows the one of its own lane when it passes the guards."""

from dataclasses import replace

from wealtharena.promotion import reasons
from wealtharena.promotion.decision import Check, Decision, DecisionOutcome, Serving, Standing
from wealtharena.promotion.guards import guard, sound
from wealtharena.promotion.inputs import Champion, GateInputs
from wealtharena.promotion.score_card import Kind, ScoreCard
from wealtharena.promotion.vacancy import first_service
from wealtharena.settings import PromotionSettings, RiskSettings


def refresh(
    inputs: GateInputs,
    champion: Champion,
    rules: PromotionSettings,
    risk: RiskSettings,
    rows: tuple[Standing, ...],
) -> Decision:
    """Tonight's policy of the champion's own lane; where there is none, of the agent's own, which only has to tell."""
    lane = inputs.lane(champion.lane_id)
    own = lane if lane is not None and lane.kind is Kind.POLICY else None
    stays = staying(champion)
    if own is None or (own.card is None and not own.refused):
        return _kept(inputs, champion, stays, rules, risk, rows)
    if own.card is not None and _same_bundle(own.card, champion.card):
        return Decision(DecisionOutcome.KEPT, stays, reasons.same_checkpoint(champion))
    checks = guard(own, champion.card, rules, risk, refresh=True)
    if not sound(checks):
        return Decision(
            DecisionOutcome.REJECTED,
            stays,
            reasons.refused(own, checks, champion),
            checks,
        )
    return Decision(
        DecisionOutcome.REFRESHED,
        replace(stays, name=own.name, kind=own.kind, version=own.version),
        reasons.refreshed(own, champion),
        checks,
    )


def _kept(
    inputs: GateInputs,
    champion: Champion,
    stays: Serving,
    rules: PromotionSettings,
    risk: RiskSettings,
    rows: tuple[Standing, ...],
) -> Decision:
    """No new checkpoint of the champion's lane: a faulty policy of the agent's own lane is told of all the same."""
    candidate = inputs.lane(inputs.own_lane)
    checks: tuple[Check, ...] = ()
    if candidate is not None and candidate.lane_id != champion.lane_id and (candidate.card or candidate.refused):
        checks = guard(candidate, champion.card, rules, risk)
        if not sound(checks):
            reason = reasons.refused(candidate, checks, champion)
            return Decision(DecisionOutcome.REJECTED, stays, reason, checks)
    return Decision(DecisionOutcome.KEPT, stays, reasons.kept(champion, rows, rules), checks)


def guarded(inputs: GateInputs, champion: Champion, rules: PromotionSettings, risk: RiskSettings) -> Decision:
    """The policy ``guarded``: the agent's own newest policy serves once it passes the guards, whoever served before."""
    lane = inputs.lane(inputs.own_lane)
    stays = staying(champion)
    if lane is None or (lane.card is None and not lane.refused):
        return Decision(DecisionOutcome.KEPT, stays, reasons.kept(champion, (), rules, "no policy was trained tonight"))
    if lane.card is not None and _same_bundle(lane.card, champion.card):
        return Decision(DecisionOutcome.KEPT, stays, reasons.same_checkpoint(champion))
    refresh = champion.lane_id == lane.lane_id
    checks = guard(lane, champion.card, rules, risk, refresh=refresh)
    if not sound(checks):
        return Decision(DecisionOutcome.REJECTED, stays, reasons.refused(lane, checks, champion), checks)
    return Decision(
        DecisionOutcome.REFRESHED if refresh else DecisionOutcome.PROMOTED,
        replace(stays, name=lane.name, kind=lane.kind, version=lane.version)
        if refresh
        else first_service(inputs, lane, champion.lane_id),
        reasons.refreshed(lane, champion) if refresh else reasons.guarded(lane, champion.name),
        checks,
    )


def staying(champion: Champion) -> Serving:
    """The champion as it was before."""
    kind = champion.card.kind if champion.card else None
    return Serving(
        champion.lane_id,
        champion.name,
        kind,
        "",
        champion.state,
        champion.since,
        champion.before,
        champion.challenged,
    )


def _same_bundle(card: ScoreCard, champion: ScoreCard | None) -> bool:
    return champion is not None and bool(champion.bundle_hash) and champion.bundle_hash == card.bundle_hash

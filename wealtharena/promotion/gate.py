"""The promotion gate: a pure function from a night's inputs to a decision."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from wealtharena.core.errors import PromotionError
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics import deflated_sharpe, min_track_record_length
from wealtharena.promotion import reasons
from wealtharena.promotion.challenge import second_key
from wealtharena.promotion.decision import Decision, DecisionOutcome, Deflation, Serving, Standing
from wealtharena.promotion.forward import Forward
from wealtharena.promotion.guards import guard, sound
from wealtharena.promotion.histories import FirstKey, first_key, inputs_hash
from wealtharena.promotion.inputs import Champion, GateInputs, LaneInputs
from wealtharena.promotion.refresh import guarded, refresh
from wealtharena.promotion.score_card import Kind, ScoreCard
from wealtharena.promotion.spending import look
from wealtharena.promotion.standings import challengers, champion_forward, standing_of, standings
from wealtharena.promotion.states import State, confirmation_threshold, service, shadow_state
from wealtharena.promotion.takeover import takeover
from wealtharena.promotion.vacancy import fill
from wealtharena.settings import PromotionSettings, RiskSettings


def decide(inputs: GateInputs, rules: PromotionSettings, risk: RiskSettings) -> Decision:
    """Who is champion after the night.

    In this order: a champion that fails in service gives way to the lane before it; a challenger with both keys and
    every guard takes over; a new checkpoint of the champion's own lane that passes the guards replaces the old one.
    Without usable champion the best baseline by history takes the place, unless the history of a sound policy is
    proved better. With the policy ``guarded`` the agent's own newest policy serves as soon as it passes the guards.

    Args:
        inputs: see ``GateInputs``.
        rules: thresholds.
        risk: holds the drawdown limit.

    Raises:
        PromotionError: cards were not scored on the same window, or two lanes share an identity.
    """
    _require_consistent(inputs)
    decision = _decided(inputs, rules, risk)
    return replace(
        decision,
        thresholds=_thresholds(inputs, rules, risk),
        deflation=_deflation(inputs, decision),
        needs_approval=rules.policy == "manual" and _asks(inputs, decision),
    )


def _decided(inputs: GateInputs, rules: PromotionSettings, risk: RiskSettings) -> Decision:
    champion = inputs.champion
    if champion is None or champion.card is None or not champion.card.finite:
        return fill(inputs, rules, risk)
    if rules.policy == "guarded":
        return guarded(inputs, champion, rules, risk)
    return _contest(inputs, champion, rules, risk)


def _contest(inputs: GateInputs, champion: Champion, rules: PromotionSettings, risk: RiskSettings) -> Decision:
    served = champion_forward(inputs, champion, rules)
    champion, failed = _served(inputs, champion, served, rules, risk)
    found = challengers(inputs, champion, rules)
    glance = look(inputs.as_of, _history_hash(inputs, champion, rules), inputs.looks, rules.error_per_year)
    history = _LazyHistory(inputs, champion, rules)
    winner = None if failed else _takeover(found, history, glance.alpha, inputs, champion, rules, risk)
    tested = history.outcome
    rows = standings(inputs, champion, served, found, tested.p_values if tested else {}, rules, risk)
    if failed:
        before = inputs.lane(champion.before)
        decision = fill(inputs, rules, risk) if before is None else _rollback(inputs, champion, before, rows[0], risk)
    elif winner is not None:
        decision = _won(inputs, champion, winner, standing_of(rows, winner.lane_id), glance.alpha, rules, risk)
    else:
        decision = refresh(inputs, champion, rules, risk, rows)
    if tested and not glance.alpha:
        decision = replace(decision, reason=f"{decision.reason} {reasons.SPENT}")
    return replace(decision, standings=rows, look=glance if tested else decision.look)


def _served(
    inputs: GateInputs, champion: Champion, served: Forward | None, rules: PromotionSettings, risk: RiskSettings
) -> tuple[Champion, bool]:
    """The champion with its state of tonight, and whether it has to give its place back."""
    if served is None:
        return champion, False
    lanes = max(len(inputs.lanes) - 1, 1)
    replayed = service(served.evidence, served.index_after(champion.since), lanes, rules, risk.max_drawdown)
    if replayed.rolled_back >= 0:
        return champion, True
    return replace(champion, state=replayed.state(champion.state)), False


def _takeover(
    found: Mapping[str, Forward],
    history: "_LazyHistory",
    alpha: float,
    inputs: GateInputs,
    champion: Champion,
    rules: PromotionSettings,
    risk: RiskSettings,
) -> LaneInputs | None:
    """The challenger with both keys and every guard; forward evidence settles among several."""
    names = [lane_id for lane_id, one in found.items() if one.evidence.log_e.size]
    log_e = np.array([found[name].evidence.log_e[-1] for name in names])
    opened = np.array([bool(second_key(found[name].evidence, rules)[-1]) for name in names], dtype=np.bool_)
    for held in np.flatnonzero(opened):
        lane = inputs.lane(names[held])
        in_play = shadow_state(found[names[held]].evidence, rules, risk.max_drawdown) is State.SHADOW
        opened[held] = in_play and lane is not None and sound(guard(lane, champion.card, rules, risk))
    index = takeover(log_e, opened, lambda: history.p_values(names), alpha)
    return None if index is None else inputs.lane(names[index])


class _LazyHistory:
    """The first key, turned at most once and only if asked for."""

    def __init__(self, inputs: GateInputs, champion: Champion, rules: PromotionSettings) -> None:
        self._inputs, self._champion, self._rules = inputs, champion, rules
        self.outcome: FirstKey | None = None

    def p_values(self, names: list[str]) -> FloatArray:
        """(k,) of the named lanes; 1 for one without enough history."""
        if self.outcome is None:
            own = self._inputs.lane(self._champion.lane_id)
            self.outcome = first_key(self._inputs.lanes, own, self._rules, self._inputs.seed)
        return np.array([self.outcome.p_values.get(name, 1.0) for name in names])


def _won(
    inputs: GateInputs,
    champion: Champion,
    lane: LaneInputs,
    standing: Standing,
    alpha: float,
    rules: PromotionSettings,
    risk: RiskSettings,
) -> Decision:
    return Decision(
        outcome=_promotion(lane),
        serving=Serving(
            lane.lane_id,
            lane.name,
            lane.kind,
            lane.version,
            State.PROVISIONAL,
            inputs.as_of,
            champion.lane_id,
            champion.since,
        ),
        reason=reasons.took_over(lane, champion, standing, alpha),
        checks=guard(lane, champion.card, rules, risk),
    )


def _rollback(inputs: GateInputs, champion: Champion, lane: LaneInputs, own: Standing, risk: RiskSettings) -> Decision:
    return Decision(
        outcome=DecisionOutcome.ROLLED_BACK,
        serving=Serving(lane.lane_id, lane.name, lane.kind, lane.version, State.UNPROVEN, inputs.as_of),
        reason=reasons.rolled_back(champion, lane, own.log_e_reversed, own.drawdown, risk.max_drawdown),
    )


def _promotion(lane: LaneInputs) -> DecisionOutcome:
    return DecisionOutcome.PROMOTED if lane.kind is Kind.POLICY else DecisionOutcome.BASELINE_CHAMPION


def _history_hash(inputs: GateInputs, champion: Champion, rules: PromotionSettings) -> str:
    return inputs_hash(inputs.lanes, inputs.lane(champion.lane_id), rules)


def _asks(inputs: GateInputs, decision: Decision) -> bool:
    """A rollback is safe without a person, and an empty place must be filled."""
    return inputs.champion is not None and decision.changes and decision.outcome is not DecisionOutcome.ROLLED_BACK


def _thresholds(inputs: GateInputs, rules: PromotionSettings, risk: RiskSettings) -> tuple[tuple[str, float], ...]:
    return (
        ("provisional_evidence", rules.provisional_evidence),
        ("confirmed_evidence", confirmation_threshold(max(len(inputs.lanes) - 1, 1), rules)),
        ("rollback_evidence", rules.rollback_evidence),
        ("min_sessions", float(rules.min_sessions)),
        ("max_sessions", float(rules.max_sessions)),
        ("loss_stop", rules.loss_stop),
        ("alpha_per_month", rules.error_per_year / 12.0),
        ("max_drawdown", risk.max_drawdown),
    )


def _deflation(inputs: GateInputs, decision: Decision) -> Deflation | None:
    lane = inputs.lane(decision.serving.lane_id)
    served = inputs.champion.card if inputs.champion else None
    card = served if lane is None or lane.card is None else lane.card
    if card is None or card.kind is Kind.BASELINE:
        return None
    metrics, sessions = card.metrics, card.returns.size
    sharpe = metrics.sharpe / math.sqrt(card.annualisation)
    trials = inputs.trials
    return Deflation(
        trials.number,
        deflated_sharpe(sharpe, max(trials.number, 1), trials.variance, sessions, metrics.skewness, metrics.kurtosis),
        min_track_record_length(sharpe, 0.0, metrics.skewness, metrics.kurtosis),
    )


def _require_consistent(inputs: GateInputs) -> None:
    names = [lane.lane_id for lane in inputs.lanes]
    if len(set(names)) < len(names):
        raise PromotionError(f"{inputs.agent}: the lanes of a night must have identities of their own, got {names}")
    cards = [lane.card for lane in inputs.lanes if lane.card is not None]
    if inputs.champion is not None and inputs.champion.card is not None:
        cards.append(inputs.champion.card)
    for card in cards[1:]:
        if card.window != cards[0].window or card.returns.size != cards[0].returns.size:
            raise PromotionError(f"score cards must be of the same window: {_span(cards[0])} and {_span(card)} differ")


def _span(card: ScoreCard) -> str:
    return f"{card.name} ({card.window[0]} .. {card.window[1]}, {card.returns.size} sessions)"

"""Decisions in plain words: sentences with the figures that decided."""

import math
from collections.abc import Sequence

from wealtharena.promotion.decision import Check, Standing
from wealtharena.promotion.inputs import Champion, LaneInputs
from wealtharena.promotion.score_card import ScoreCard
from wealtharena.settings import PromotionSettings

SPENT = "This month's look at histories was spent on other inputs; the next month brings another."
"""Added where a look was not granted."""


def refreshed(lane: LaneInputs, champion: Champion) -> str:
    """A new checkpoint of the champion's lane."""
    return (
        f"Refreshed: the newest policy of {lane.name} passes every guard and follows {champion.name}"
        f"{_beside(lane.card, champion.card)}."
    )


def same_checkpoint(champion: Champion) -> str:
    """Tonight's policy is the one in service."""
    return f"Kept: tonight's policy is the same checkpoint as the champion {champion.name}."


def refused(lane: LaneInputs, checks: Sequence[Check], champion: Champion | None) -> str:
    """Tonight's candidate fails a guard."""
    stays = f"the champion {champion.name} stays" if champion else "there is no champion"
    return f"Rejected: {failures(lane, checks)}; {stays}."


def barred(lane: LaneInputs, checks: Sequence[Check]) -> str:
    """A challenger that only a guard keeps out; added where the outcome is about another lane."""
    return f"{lane.title} has the evidence on paper to take over, and is kept out: {failures(lane, checks)}."


def kept(champion: Champion, standings: Sequence[Standing], rules: PromotionSettings, note: str = "") -> str:
    """Nobody holds both keys: how far the best challenger got."""
    said = f"Kept: {champion.name} stays as {champion.state} champion"
    shadows = [one for one in standings if one.lane_id != champion.lane_id and one.sessions > 0]
    if note:
        return f"{said}; {note}."
    if not shadows:
        return f"{said}: no challenger has traded beside it on paper yet."
    best = max(shadows, key=lambda one: (one.log_e, one.lane_id))
    history = "" if math.isnan(best.p_value) else f", history p = {best.p_value:.4f}"
    return (
        f"{said}: the best of {len(shadows)} challengers, {best.name}, has evidence {_e(best.log_e)} of "
        f"{rules.provisional_evidence:g} after {best.sessions} of at least {rules.min_sessions} sessions{history}."
    )


def took_over(lane: LaneInputs, champion: Champion, standing: Standing, alpha: float) -> str:
    """A lane holds both keys."""
    return (
        f"Promoted: {lane.title} takes over from {champion.name} with evidence {_e(standing.log_e)} after "
        f"{standing.sessions} sessions on paper and a history with p = {standing.p_value:.4f} (at most {alpha:.4f}); "
        f"provisional until confirmed."
    )


def rolled_back(champion: Champion, lane: LaneInputs, log_e_reversed: float, drawdown: float, limit: float) -> str:
    """The champion failed in service."""
    why = (
        f"fell {drawdown:.1%} from its peak, the limit is {limit:.1%}"
        if drawdown > limit
        else f"is worse than {lane.title} with evidence {_e(log_e_reversed)}"
    )
    return f"Rolled back: {champion.name} {why}; {lane.title} returns."


def first_baseline(baseline: LaneInputs, others: str) -> str:
    """There was no champion and the best baseline takes the place."""
    return f"There was no usable champion and {baseline.title} takes the place, unproven: {others}."


def first_policy(lane: LaneInputs, baseline: LaneInputs | None, p_value: float, alpha: float) -> str:
    """There was no champion and a policy proves better than the best baseline by its history."""
    if baseline is None:
        return f"Promoted as first champion, unproven: {lane.name} is sound and there is no baseline to beat."
    return (
        f"Promoted as first champion, unproven: the history of {lane.name} is better than that of {baseline.title} "
        f"with p = {p_value:.4f} (at most {alpha:.4f})."
    )


def guarded(lane: LaneInputs, opponent: str) -> str:
    """The policy ``guarded`` puts a sound own policy into service."""
    return f"Promoted: the newest policy of {lane.name} passes every guard and {opponent} does not dominate it."


def short_history(lane: LaneInputs, sessions: int, asked: int) -> str:
    """Why the history of a sound policy says nothing yet."""
    return f"{lane.name} has too short a history in common ({sessions} sessions, at least {asked} are asked)"


def unproved(lane: LaneInputs, p_value: float, alpha: float) -> str:
    """Why the history of a sound policy does not make it first champion."""
    return f"the history of {lane.name} has p = {p_value:.4f}, at most {alpha:.4f} is asked"


def failures(lane: LaneInputs, checks: Sequence[Check], opponent: str = "the champion") -> str:
    """Every failed check in words; where values are not finite the other checks mean nothing."""
    failed = [check for check in checks if not check.passed]
    if lane.card is not None and not lane.card.finite:
        failed = [check for check in failed if check.name == "finite"]
    return "; ".join(_failure(check, lane, opponent) for check in failed)


def _failure(check: Check, lane: LaneInputs, opponent: str) -> str:
    name, value, threshold = lane.name, check.value, check.threshold
    broken = ", ".join(lane.card.limits_breached) if lane.card else ""
    words = {
        "intact": f"{name} is refused: {lane.refused}",
        "scored": f"{name} was not scored tonight",
        "finite": f"{name} yields NaN or infinite values",
        "trades": f"{name} does not trade (turnover {value:.3f}, at least {threshold:g} is asked)",
        "drawdown_within_limit": f"{name} falls {value:.1%} from its peak, the limit is {threshold:.1%}",
        "limits_kept": f"{name} breaks a limit: {broken}",
        "profit_at_double_cost": f"the profit of {name} turns into {value:.1%} at twice the cost",
        "not_clearly_worse": f"{name} is clearly worse than {opponent} (p = {value:.4f}, below {threshold:g})",
        "similar_positions": f"positions of {name} correlate {value:.2f} with those of {opponent}, not {threshold:g}",
        "not_dominated": f"{name} with Sharpe {value:.2f} is dominated by {opponent} with {threshold:.2f}",
    }
    return words[check.name]


def _beside(card: ScoreCard | None, opponent: ScoreCard | None) -> str:
    if card is None or opponent is None:
        return ""
    return f" (Sharpe {card.metrics.sharpe:.2f} after {opponent.merit:.2f} on the held-out window)"


def _e(log_e: float) -> str:
    return f"E = {math.exp(min(log_e, 50.0)):.2f}"

"""Decisions in plain words: one sentence with the figures that decided."""

from collections.abc import Sequence

from wealtharena.evaluation.ranking import dominates
from wealtharena.promotion.decision import Check
from wealtharena.promotion.score_card import Kind, ScoreCard


def kept_reason(candidate: ScoreCard, champion: ScoreCard) -> str:
    """Why nothing changes when the candidate is the champion."""
    return f"Kept: {candidate.name} is the same checkpoint as the champion {champion.name}."


def champion_reason(candidate: ScoreCard, champion: ScoreCard, checks: Sequence[Check]) -> str:
    """Why the champion was or was not replaced."""
    failures = _failures(candidate, champion, checks)
    return f"Rejected: {failures}." if failures else f"Promoted: {_comparison(candidate, champion)}."


def vacancy_reason(candidate: ScoreCard, baseline: ScoreCard | None, checks: Sequence[Check]) -> str:
    """Who took the place where there was no usable champion, and why."""
    failures = _failures(candidate, baseline, checks)
    if baseline is None:
        return f"Rejected: {failures}." if failures else f"Promoted: {candidate.name} is sound and stands alone."
    if failures:
        return f"There was no usable champion and {_title(baseline)} takes the place: {failures}."
    return f"Promoted as first champion: {_comparison(candidate, baseline)}."


def _comparison(candidate: ScoreCard, opponent: ScoreCard) -> str:
    return (
        f"{candidate.name} has Sharpe {candidate.metrics.sharpe:.2f}, drawdown {candidate.metrics.max_drawdown:.1%}; "
        f"{_title(opponent)} {opponent.merit:.2f}, {opponent.metrics.max_drawdown:.1%}"
    )


def _failures(candidate: ScoreCard, opponent: ScoreCard | None, checks: Sequence[Check]) -> str:
    """Every failed check in words; where values are not finite the other checks mean nothing."""
    failed = [check for check in checks if not check.passed]
    if not candidate.finite:
        failed = [check for check in failed if check.name == "finite"]
    return "; ".join(_failure(check, candidate, opponent) for check in failed)


def _failure(check: Check, candidate: ScoreCard, opponent: ScoreCard | None) -> str:
    name, value, threshold = candidate.name, check.value, check.threshold
    match check.name:
        case "finite":
            return f"{name} yields NaN or infinite values"
        case "trades":
            return f"{name} does not trade (turnover {value:.3f}, at least {threshold:g} is asked)"
        case "drawdown_within_limit":
            return f"{name} falls {value:.1%} from its peak, the limit is {threshold:.1%}"
        case "limits_kept":
            return f"{name} breaks a limit: {', '.join(candidate.limits_breached)}"
        case "drawdown_near_champion":
            return f"{name} falls {value:.1%} from its peak, against {_title(opponent)} at most {threshold:.1%} may be"
        case _:
            asked = f"Sharpe {value:.2f} of {name} is not above the {threshold:.2f} that {_title(opponent)} asks for"
            return asked + _loss(candidate) + _dominance(candidate, opponent)


def _loss(candidate: ScoreCard) -> str:
    """Without it a positive Sharpe ratio that counts for nothing would be a riddle."""
    loses = candidate.metrics.total_return < 0.0 < candidate.metrics.sharpe
    return f" from an account that lost {-candidate.metrics.total_return:.1%}" if loses else ""


def _dominance(candidate: ScoreCard, opponent: ScoreCard | None) -> str:
    if opponent is None or not dominates(opponent.metrics, candidate.metrics):
        return ""
    return (
        f", which is nowhere worse (return {opponent.metrics.total_return:.1%} against "
        f"{candidate.metrics.total_return:.1%}, drawdown {opponent.metrics.max_drawdown:.1%} against "
        f"{candidate.metrics.max_drawdown:.1%})"
    )


def _title(card: ScoreCard | None) -> str:
    if card is None:
        return "nobody"
    return f"the baseline {card.name}" if card.kind is Kind.BASELINE else f"the champion {card.name}"

"""The promotion gate: a pure function from score cards to a decision."""

from collections.abc import Mapping

from wealtharena.core.errors import PromotionError
from wealtharena.evaluation.comparison import sharpe_difference
from wealtharena.promotion.decision import Check, Decision, DecisionOutcome, Evidence
from wealtharena.promotion.reasons import champion_reason, kept_reason, vacancy_reason
from wealtharena.promotion.score_card import ScoreCard
from wealtharena.settings import PromotionSettings, RiskSettings


def decide(
    candidate: ScoreCard,
    champion: ScoreCard | None,
    baselines: Mapping[str, ScoreCard],
    rules: PromotionSettings,
    risk: RiskSettings,
) -> Decision:
    """Whether ``candidate`` takes the champion's place.

    The candidate must be sound: finite, trading, within the limits. Against a champion, policy or baseline, it must
    have a higher Sharpe ratio by more than ``min_sharpe_gain``, and a drawdown at most ``max_drawdown_slack`` deeper
    (not asked against a champion that did not trade: cash has no drawdown). A champion whose own curve is not finite
    counts as none. Without champion the better of candidate and best baseline takes the place, by Sharpe ratio, then
    return, then drawdown; a tie goes to the baseline. An account that never moved has a merit of 0 here, so that cash
    is never chosen over a positive Sharpe ratio.

    Args:
        candidate: the challenger's card.
        champion: card of the champion on the same window; None if there is none.
        baselines: cards of the baselines on the same window, by name.
        rules: thresholds of the comparison.
        risk: holds the drawdown limit.

    Raises:
        PromotionError: the cards were not scored on the same window.
    """
    _require_one_window([candidate, *([champion] if champion else []), *baselines.values()])
    if champion is not None and champion.bundle_hash and champion.bundle_hash == candidate.bundle_hash:
        return _kept(candidate, champion)
    soundness = _soundness_checks(candidate, rules, risk)
    if champion is not None and champion.finite:
        return _against_champion(candidate, champion, soundness, rules)
    return _without_champion(candidate, _best_baseline(baselines, risk), soundness)


def _kept(candidate: ScoreCard, champion: ScoreCard) -> Decision:
    return Decision(
        outcome=DecisionOutcome.KEPT,
        winner=champion.name,
        winner_kind=champion.kind,
        reason=kept_reason(candidate, champion),
        checks=(),
        candidate=candidate,
        opponent=champion,
    )


def _against_champion(
    candidate: ScoreCard, champion: ScoreCard, soundness: list[Check], rules: PromotionSettings
) -> Decision:
    checks = [*soundness, _sharpe_check(candidate, champion, rules), *_drawdown_check(candidate, champion, rules)]
    promoted = all(check.passed for check in checks)
    winner = candidate if promoted else champion
    return Decision(
        outcome=DecisionOutcome.PROMOTED if promoted else DecisionOutcome.REJECTED,
        winner=winner.name,
        winner_kind=winner.kind,
        reason=champion_reason(candidate, champion, checks),
        checks=tuple(checks),
        candidate=candidate,
        opponent=champion,
        evidence=_evidence(candidate, champion),
    )


def _without_champion(candidate: ScoreCard, baseline: ScoreCard | None, soundness: list[Check]) -> Decision:
    checks = [*soundness, *([_order_check(candidate, baseline)] if baseline else [])]
    promoted = all(check.passed for check in checks)
    winner = candidate if promoted else baseline
    fallback = DecisionOutcome.BASELINE_CHAMPION if baseline else DecisionOutcome.REJECTED
    return Decision(
        outcome=DecisionOutcome.PROMOTED if promoted else fallback,
        winner=winner.name if winner else "",
        winner_kind=winner.kind if winner else None,
        reason=vacancy_reason(candidate, baseline, checks),
        checks=tuple(checks),
        candidate=candidate,
        opponent=baseline,
        evidence=_evidence(candidate, baseline) if baseline else None,
    )


def _soundness_checks(candidate: ScoreCard, rules: PromotionSettings, risk: RiskSettings) -> list[Check]:
    """What a candidate must fulfil whoever its opponent is. A NaN figure passes no comparison."""
    metrics = candidate.metrics
    return [
        Check("finite", candidate.finite, float(candidate.finite), 1.0),
        Check("trades", metrics.turnover >= rules.min_turnover, metrics.turnover, rules.min_turnover),
        Check(
            "drawdown_within_limit", metrics.max_drawdown <= risk.max_drawdown, metrics.max_drawdown, risk.max_drawdown
        ),
        Check("limits_kept", not candidate.limits_breached, float(len(candidate.limits_breached)), 0.0),
    ]


def _sharpe_check(candidate: ScoreCard, champion: ScoreCard, rules: PromotionSettings) -> Check:
    """Strictly better: equal is no reason to switch. Hence no promoted candidate is dominated by the champion."""
    threshold = champion.merit + rules.min_sharpe_gain
    return Check("sharpe_above_champion", candidate.merit > threshold, candidate.metrics.sharpe, threshold)


def _drawdown_check(candidate: ScoreCard, champion: ScoreCard, rules: PromotionSettings) -> list[Check]:
    if not champion.metrics.turnover >= rules.min_turnover:
        return []
    value, threshold = candidate.metrics.max_drawdown, champion.metrics.max_drawdown + rules.max_drawdown_slack
    return [Check("drawdown_near_champion", value <= threshold, value, threshold)]


def _order_check(candidate: ScoreCard, baseline: ScoreCard) -> Check:
    return Check(
        "better_than_best_baseline", _order(candidate) > _order(baseline), candidate.metrics.sharpe, baseline.merit
    )


def _best_baseline(baselines: Mapping[str, ScoreCard], risk: RiskSettings) -> ScoreCard | None:
    """The best sound baseline; ties go to the first name. Baselines obey the same limits as agents."""
    usable = [
        card
        for _, card in sorted(baselines.items())
        if card.finite and not card.limits_breached and card.metrics.max_drawdown <= risk.max_drawdown
    ]
    return max(usable, key=_order, default=None)


def _order(card: ScoreCard) -> tuple[float, float, float]:
    return card.merit, card.metrics.total_return, -card.metrics.max_drawdown


def _evidence(candidate: ScoreCard, opponent: ScoreCard) -> Evidence:
    return Evidence(opponent.name, sharpe_difference(candidate.returns, opponent.returns, candidate.annualisation))


def _require_one_window(cards: list[ScoreCard]) -> None:
    first = cards[0]
    for card in cards[1:]:
        if card.window != first.window or card.returns.size != first.returns.size:
            raise PromotionError(f"score cards must be of the same window: {_span(first)} and {_span(card)} differ")


def _span(card: ScoreCard) -> str:
    return f"{card.name} ({card.window[0]} .. {card.window[1]}, {card.returns.size} sessions)"

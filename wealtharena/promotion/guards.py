"""What a candidate must fulfil whatever its record: deterministic checks of its account on the held-out window."""

import math
from collections.abc import Iterable
from statistics import NormalDist

from wealtharena.evaluation.comparison import sharpe_difference
from wealtharena.evaluation.ranking import dominates
from wealtharena.promotion.decision import Check, Standing
from wealtharena.promotion.inputs import GateInputs, LaneInputs
from wealtharena.promotion.score_card import Kind, ScoreCard
from wealtharena.settings import PromotionSettings, RiskSettings


def guard(
    lane: LaneInputs, champion: ScoreCard | None, rules: PromotionSettings, risk: RiskSettings, *, refresh: bool = False
) -> tuple[Check, ...]:
    """Every check of a lane's newest policy, or of a baseline.

    A NaN figure passes no comparison. A baseline need not trade: cash is a fair answer.

    Args:
        lane: with its card on the held-out window.
        champion: card of the champion on the same window; None if there is none.
        rules: thresholds.
        risk: holds the drawdown limit.
        refresh: whether the champion's own lane brings a new checkpoint. It claims no improvement: it must not be
            clearly worse, and hold similar positions. Anyone else must not be dominated by the champion either.
    """
    checks = [Check("intact", not lane.refused, float(not lane.refused), 1.0)]
    card = lane.card
    if card is None:
        return tuple(checks) if lane.refused else (*checks, Check("scored", False, 0.0, 1.0))
    checks += _sound(card, rules, risk)
    if lane.card_double_cost is not None:
        checks.append(_same_sign(card, lane.card_double_cost))
    if champion is not None and champion.finite:
        checks.append(_not_clearly_worse(card, champion, rules))
        checks += [_similar(lane.similarity, rules)] if refresh else [_not_dominated(card, champion)]
    return tuple(checks)


def barred(
    inputs: GateInputs, standings: Iterable[Standing], rules: PromotionSettings, risk: RiskSettings
) -> dict[str, tuple[Check, ...]]:
    """Checks by lane_id of the challengers with the forward evidence for a takeover that do not pass the guards."""
    champion = inputs.champion
    if champion is None:
        return {}
    ready = [inputs.lane(one.lane_id) for one in standings if one.second_key and one.lane_id != champion.lane_id]
    checked = {lane.lane_id: guard(lane, champion.card, rules, risk) for lane in ready if lane is not None}
    return {lane_id: checks for lane_id, checks in checked.items() if not sound(checks)}


def sound(checks: tuple[Check, ...]) -> bool:
    """Whether every check was passed."""
    return all(check.passed for check in checks)


def _sound(card: ScoreCard, rules: PromotionSettings, risk: RiskSettings) -> list[Check]:
    metrics = card.metrics
    checks = [
        Check("finite", card.finite, float(card.finite), 1.0),
        Check(
            "drawdown_within_limit", metrics.max_drawdown <= risk.max_drawdown, metrics.max_drawdown, risk.max_drawdown
        ),
        Check("limits_kept", not card.limits_breached, float(len(card.limits_breached)), 0.0),
    ]
    if card.kind is Kind.POLICY:
        checks.append(Check("trades", metrics.turnover >= rules.min_turnover, metrics.turnover, rules.min_turnover))
    return checks


def _same_sign(card: ScoreCard, double_cost: ScoreCard) -> Check:
    """A profit that twice the cost turns into a loss rests on the estimate of the cost."""
    flips = card.metrics.total_return > 0.0 >= double_cost.metrics.total_return
    return Check("profit_at_double_cost", not flips, double_cost.metrics.total_return, 0.0)


def _not_clearly_worse(card: ScoreCard, champion: ScoreCard, rules: PromotionSettings) -> Check:
    """One-sided p-value of the paired test that the candidate's Sharpe ratio is below the champion's.

    An account that never moved has a Sharpe ratio of 0, which is known without error.
    """
    found = sharpe_difference(card.returns, champion.returns, card.annualisation)
    if found.standard_error > 0.0:
        score = found.difference / found.standard_error
    else:
        score = (card.merit - champion.merit) * math.sqrt(card.returns.size / card.annualisation)
    p_value = NormalDist().cdf(score)
    return Check("not_clearly_worse", p_value >= rules.worse_level, p_value, rules.worse_level)


def _similar(similarity: float, rules: PromotionSettings) -> Check:
    """NaN where there is nothing to compare, as for two accounts that hold nothing: no reason to refuse."""
    passed = math.isnan(similarity) or similarity >= rules.min_similarity
    return Check("similar_positions", passed, similarity, rules.min_similarity)


def _not_dominated(card: ScoreCard, champion: ScoreCard) -> Check:
    """Nor may an account that lost money replace one that did not: it counts at most as cash."""
    loses = card.metrics.total_return < 0.0 <= champion.metrics.total_return
    passed = not loses and not dominates(champion.metrics, card.metrics)
    return Check("not_dominated", passed, card.metrics.sharpe, champion.merit)

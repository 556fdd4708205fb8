"""Where every lane stands tonight, and the evidence for it."""

import math
from collections.abc import Mapping

from wealtharena.promotion.challenge import reversed_log_e, second_key
from wealtharena.promotion.decision import Standing
from wealtharena.promotion.forward import Forward, forward
from wealtharena.promotion.inputs import Champion, GateInputs, LaneInputs
from wealtharena.promotion.states import shadow_state
from wealtharena.settings import PromotionSettings, RiskSettings


def champion_forward(inputs: GateInputs, champion: Champion, rules: PromotionSettings) -> Forward | None:
    """Evidence of the champion against the lane before it, from the challenge that it won; None without such a lane."""
    own, before = inputs.lane(champion.lane_id), inputs.lane(champion.before)
    if own is None or before is None or own is before:
        return None
    return forward(own, before, champion.challenged, rules)


def challengers(inputs: GateInputs, champion: Champion, rules: PromotionSettings) -> dict[str, Forward]:
    """Evidence of every other lane against the champion since it entered service, by lane_id."""
    own = inputs.lane(champion.lane_id)
    if own is None:
        return {}
    return {
        lane.lane_id: forward(lane, own, champion.since, rules)
        for lane in inputs.lanes
        if lane.lane_id != champion.lane_id
    }


def standings(
    inputs: GateInputs,
    champion: Champion,
    served: Forward | None,
    found: Mapping[str, Forward],
    p_values: Mapping[str, float],
    rules: PromotionSettings,
    risk: RiskSettings,
) -> tuple[Standing, ...]:
    """The champion against the lane before it, then every challenger against the champion."""
    rows = [_champion_standing(champion, served)]
    for lane in inputs.lanes:
        if lane.lane_id in found:
            p_value = p_values.get(lane.lane_id, math.nan)
            rows.append(_challenger_standing(lane, champion, found[lane.lane_id], p_value, rules, risk))
    return tuple(rows)


def standing_of(rows: tuple[Standing, ...], lane_id: str) -> Standing:
    """The row of a lane."""
    return next(row for row in rows if row.lane_id == lane_id)


def _champion_standing(champion: Champion, served: Forward | None) -> Standing:
    if served is None or not served.dates.size:
        return Standing(
            champion.lane_id, champion.name, champion.before, champion.state, 0, 0.0, 0.0, 0.0, math.nan, False
        )
    evidence = served.evidence
    back = reversed_log_e(evidence, served.index_after(champion.since))
    return Standing(
        lane_id=champion.lane_id,
        name=champion.name,
        against=champion.before,
        state=champion.state,
        sessions=int(evidence.sessions[-1]),
        log_e=float(evidence.log_e[-1]),
        log_e_reversed=float(back[-1]) if back.size else 0.0,
        drawdown=float(evidence.drawdown.max()),
        p_value=math.nan,
        second_key=False,
    )


def _challenger_standing(
    lane: LaneInputs,
    champion: Champion,
    found: Forward,
    p_value: float,
    rules: PromotionSettings,
    risk: RiskSettings,
) -> Standing:
    evidence, any_session = found.evidence, bool(found.dates.size)
    return Standing(
        lane_id=lane.lane_id,
        name=lane.name,
        against=champion.lane_id,
        state=shadow_state(evidence, rules, risk.max_drawdown),
        sessions=int(evidence.sessions[-1]) if any_session else 0,
        log_e=float(evidence.log_e[-1]) if any_session else 0.0,
        log_e_reversed=float(reversed_log_e(evidence, 0)[-1]) if any_session else 0.0,
        drawdown=float(evidence.drawdown.max()) if any_session else 0.0,
        p_value=p_value,
        second_key=bool(second_key(evidence, rules)[-1]) if any_session else False,
    )

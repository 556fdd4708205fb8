"""The first key on real histories: lanes against the champion on the sessions that they share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from wealtharena.core.hashing import hash_json
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.promotion.inputs import LaneInputs
from wealtharena.promotion.matching import WARM_UP, matched
from wealtharena.promotion.spa import superiority
from wealtharena.settings import PromotionSettings


@dataclass(frozen=True, slots=True)
class FirstKey:
    """Outcome for every lane.

    Attributes:
        p_values: by lane_id, adjusted for all that were tested; only of lanes with enough history.
        statistics: by lane_id.
    """

    p_values: dict[str, float]
    statistics: dict[str, float]


def first_key(
    lanes: Sequence[LaneInputs], champion: LaneInputs | None, rules: PromotionSettings, seed: int
) -> FirstKey:
    """Tests all lanes with enough history against the champion's; without one nobody passes."""
    tested = _comparable(lanes, champion, rules)
    if champion is None or not tested:
        return FirstKey({}, {})
    dates = _shared([*tested, champion])
    scaled = matched(np.stack([lane.history.on(dates) for lane in [champion, *tested]]))[:, WARM_UP:]
    found = superiority(scaled[1:] - scaled[0], rules.error_per_year / 12.0, seed)
    names = [lane.lane_id for lane in tested]
    return FirstKey(
        dict(zip(names, found.p_values.tolist(), strict=True)),
        dict(zip(names, found.statistics.tolist(), strict=True)),
    )


def inputs_hash(lanes: Sequence[LaneInputs], champion: LaneInputs | None, rules: PromotionSettings) -> str:
    """Identity of what ``first_key`` looks at."""
    compared = [*_comparable(lanes, champion, rules), *([champion] if champion else [])]
    return hash_json([[lane.lane_id, _digest(lane)] for lane in compared])[:16]


def sessions_in_common(lane: LaneInputs, other: LaneInputs) -> int:
    """Sessions on which two histories can be compared, none where they share too few to match their risk."""
    return max(0, int(_shared([lane, other]).size) - WARM_UP)


def _digest(lane: LaneInputs) -> list[str | float]:
    dates, returns = lane.history.dates, lane.history.returns
    return [str(dates[0]), str(dates[-1]), float(dates.size), float(returns.sum())] if dates.size else []


def _comparable(lanes: Sequence[LaneInputs], champion: LaneInputs | None, rules: PromotionSettings) -> list[LaneInputs]:
    """Lanes that share enough sessions with the champion; those with less must not shorten the others' test."""
    if champion is None:
        return []
    return [
        lane
        for lane in lanes
        if lane.lane_id != champion.lane_id and sessions_in_common(lane, champion) >= rules.min_history
    ]


def _shared(lanes: Sequence[LaneInputs]) -> DateArray:
    shared: DateArray = reduce(np.intersect1d, [_known(lane) for lane in lanes])
    return shared


def _known(lane: LaneInputs) -> DateArray:
    return lane.history.dates[~np.isnan(lane.history.returns)]


def history_sharpe(lane: LaneInputs) -> float:
    """Mean over standard deviation of the history's excess returns; 0 for cash, at most 0 where money was lost."""
    returns: FloatArray = lane.history.returns[~np.isnan(lane.history.returns)]
    spread = float(returns.std()) if returns.size else 0.0
    if spread < 1e-12:
        return 0.0
    ratio = float(returns.mean()) / spread
    return min(ratio, 0.0) if float(np.log1p(returns).sum()) < 0.0 else ratio

"""The second key on real paper accounts: which sessions count for whom."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.promotion.challenge import Challenge, challenge
from wealtharena.promotion.inputs import LaneInputs
from wealtharena.settings import PromotionSettings

_KNOWN_BEFORE = 126


@dataclass(frozen=True, slots=True)
class Forward:
    """Evidence of a lane against another.

    Attributes:
        dates: (T,) sessions in which both accounts traded, after ``since``.
        evidence: (T,) after each of them.
    """

    dates: DateArray
    evidence: Challenge

    def index_after(self, day: date | None) -> int:
        """Position of the first session after ``day``; 0 for None."""
        return 0 if day is None else int(np.searchsorted(self.dates, np.datetime64(day, "D"), side="right"))


def forward(lane: LaneInputs, champion: LaneInputs, since: date | None, rules: PromotionSettings) -> Forward:
    """Pairs two paper accounts after ``since``; None counts from the first session of the younger.

    The last sessions of their histories tell how volatile they are.
    """
    dates = np.intersect1d(lane.paper.dates, champion.paper.dates)
    if since is not None:
        dates = dates[dates > np.datetime64(since, "D")]
    before = np.intersect1d(lane.history.dates, champion.history.dates)
    before = before[before < dates[0]][-_KNOWN_BEFORE:] if dates.size else before[:0]

    def joined(one: LaneInputs) -> FloatArray:
        return np.concatenate([one.history.on(before), one.paper.on(dates)])

    return Forward(dates, challenge(joined(lane), joined(champion), before.size, rules))

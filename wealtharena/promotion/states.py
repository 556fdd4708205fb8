"""What a lane has shown so far, as a pure replay of its forward evidence: no state is kept that could go astray."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from wealtharena.promotion.challenge import Challenge, reversed_log_e
from wealtharena.settings import PromotionSettings


class State(StrEnum):
    """Where a lane stands."""

    SHADOW = "shadow"
    """Trades on paper beside the champion and gathers evidence."""
    DROPPED = "dropped"
    """Had its chance against this champion: too many sessions, the loss stop or the drawdown limit."""
    UNPROVEN = "unproven"
    """Serves as first champion: the best by history, without forward evidence."""
    PROVISIONAL = "provisional"
    """Serves since a takeover with both keys; not yet confirmed."""
    CONFIRMED = "confirmed"
    """Serves, and forward evidence alone has proved it better than the champion before."""
    ROLLED_BACK = "rolled_back"
    """Served, and gave the place back to the champion before."""


@dataclass(frozen=True, slots=True)
class Service:
    """What became of a lane after its takeover; sessions count from the start of the challenge, -1 for never.

    Attributes:
        confirmed: first session on which it was confirmed.
        rolled_back: first session on which it had to give the place back.
    """

    confirmed: int
    rolled_back: int

    def state(self, served_as: State) -> State:
        """Where it stands at the end: ``served_as`` until confirmed or rolled back."""
        if self.rolled_back >= 0:
            return State.ROLLED_BACK
        return State.CONFIRMED if self.confirmed >= 0 else served_as


def confirmation_threshold(lanes: int, rules: PromotionSettings) -> float:
    """Value of the e-process that confirms one of ``lanes`` challengers."""
    return max(rules.confirmed_evidence, rules.confirmed_evidence_per_lane * lanes)


def service(evidence: Challenge, since: int, lanes: int, rules: PromotionSettings, max_drawdown: float) -> Service:
    """Replays the sessions after a takeover.

    Args:
        evidence: (T,) of the lane against the champion before, from the start of its challenge.
        since: first session after the takeover.
        lanes: challengers among which it won.
        rules: thresholds.
        max_drawdown: share of its highest equity that the lane's account may lose.
    """
    proved = evidence.log_e[since:] >= np.log(confirmation_threshold(lanes, rules))
    failed = reversed_log_e(evidence, since) >= np.log(rules.rollback_evidence)
    failed |= evidence.drawdown[since:] > max_drawdown
    rolled_back = _first(failed, since)
    confirmed = _first(proved, since)
    return Service(confirmed if rolled_back < 0 or 0 <= confirmed < rolled_back else -1, rolled_back)


def shadow_state(evidence: Challenge, rules: PromotionSettings, max_drawdown: float) -> State:
    """Where a challenger stands after the last session of ``evidence``, which may be empty."""
    if not evidence.log_e.size:
        return State.SHADOW
    spent = evidence.sessions[-1] > rules.max_sessions or evidence.stopped[-1]
    return State.DROPPED if spent or np.max(evidence.drawdown) > max_drawdown else State.SHADOW


def _first(events: NDArray[np.bool_], offset: int) -> int:
    return int(np.argmax(events)) + offset if events.any() else -1

"""What the promotion gate says, with every figure that it looked at."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from wealtharena.core.numbers import number_or_none
from wealtharena.promotion.score_card import Kind
from wealtharena.promotion.spending import Look
from wealtharena.promotion.states import State


class DecisionOutcome(StrEnum):
    """How a night ended for an agent."""

    PROMOTED = "promoted"
    """A policy of another lane becomes champion, or the first champion is a policy."""
    REFRESHED = "refreshed"
    """A new checkpoint of the champion's own lane serves."""
    BASELINE_CHAMPION = "baseline_champion"
    """A baseline becomes champion."""
    REJECTED = "rejected"
    """Tonight's candidate failed a guard: the champion stays, or, where nothing is usable, there is none."""
    KEPT = "kept"
    """The champion stays; its challengers go on."""
    ROLLED_BACK = "rolled_back"
    """The champion failed in service: the lane before it returns."""


CHANGES = frozenset(DecisionOutcome) - {DecisionOutcome.REJECTED, DecisionOutcome.KEPT}
"""Outcomes after which another version serves."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question put to a candidate.

    Attributes:
        name: what was asked.
        passed: the answer.
        value: the candidate's figure.
        threshold: what it was held against.
    """

    name: str
    passed: bool
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a lane stands against the champion.

    Attributes:
        lane_id: identity.
        name: for people.
        against: lane_id that it is compared with; ``""`` for none.
        state: see ``State``.
        sessions: in which both paper accounts traded.
        log_e: natural logarithm of the e-process.
        log_e_reversed: of the process with the accounts exchanged; for the champion counted from its takeover.
        drawdown: largest of its paper account.
        p_value: of its history; NaN if it was not looked at.
        second_key: whether forward evidence suffices for a takeover.
    """

    lane_id: str
    name: str
    against: str
    state: State
    sessions: int
    log_e: float
    log_e_reversed: float
    drawdown: float
    p_value: float
    second_key: bool


@dataclass(frozen=True, slots=True)
class Serving:
    """Who serves after the decision: what the next night has to know.

    Attributes:
        lane_id: its lane; ``""`` if nobody serves.
        name: for people.
        kind: policy or baseline; None if nobody serves.
        version: registry number of a policy that takes the place; ``""`` for a baseline and for a champion that stays.
        state: see ``State``; None if nobody serves.
        since: last session before it entered service; None if unknown.
        before: lane that it has to prove itself against.
        challenged: session before the challenge began that it won; None: all evidence counts.
    """

    lane_id: str = ""
    name: str = ""
    kind: Kind | None = None
    version: str = ""
    state: State | None = None
    since: date | None = None
    before: str = ""
    challenged: date | None = None


@dataclass(frozen=True, slots=True)
class Deflation:
    """The winner's Sharpe ratio on the held-out window in the light of all trials: reported, no gate.

    Attributes:
        trials: candidates ever scored.
        probability: Deflated Sharpe ratio: that the true one is above the best of as many worthless trials.
        min_sessions: minimum track record length above 0 at 95 %.
    """

    trials: int
    probability: float
    min_sessions: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Outcome of one night for one agent.

    Attributes:
        outcome: see ``DecisionOutcome``.
        serving: who serves afterwards.
        reason: plain words with figures.
        checks: guards of the candidate that the outcome is about.
        standings: every lane against the champion, the champion first.
        look: the look at histories; None if none was needed.
        thresholds: that applied, by name.
        deflation: of the winner; None for a baseline.
        needs_approval: whether a person has to agree before anything changes.
    """

    outcome: DecisionOutcome
    serving: Serving
    reason: str
    checks: tuple[Check, ...] = ()
    standings: tuple[Standing, ...] = ()
    look: Look | None = None
    thresholds: tuple[tuple[str, float], ...] = ()
    deflation: Deflation | None = None
    needs_approval: bool = False

    @property
    def changes(self) -> bool:
        """Whether the champion's version changes."""
        return self.outcome in CHANGES

    def as_record(self) -> dict[str, Any]:
        """The whole decision as JSON-safe values."""
        return {
            "outcome": str(self.outcome),
            "reason": self.reason,
            "needs_approval": self.needs_approval,
            "serving": _serving_record(self.serving),
            "checks": [_record(check, ("name", "passed", "value", "threshold")) for check in self.checks],
            "lanes": [_record(lane, tuple(Standing.__dataclass_fields__)) for lane in self.standings],
            "look": _look_record(self.look),
            "thresholds": dict(self.thresholds),
            "deflated": _record(self.deflation, tuple(Deflation.__dataclass_fields__)) if self.deflation else None,
        }


def _record(item: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(getattr(item, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return str(value)
    return number_or_none(value) if isinstance(value, float) else value


def _serving_record(serving: Serving) -> dict[str, Any]:
    return {
        "lane_id": serving.lane_id,
        "name": serving.name,
        "kind": str(serving.kind) if serving.kind else None,
        "version": serving.version,
        "state": str(serving.state) if serving.state else None,
        "since": serving.since.isoformat() if serving.since else None,
        "before": serving.before,
        "challenged": serving.challenged.isoformat() if serving.challenged else None,
    }


def _look_record(look: Look | None) -> dict[str, Any] | None:
    return None if look is None else {"month": look.month.isoformat(), "inputs": look.inputs, "alpha": look.alpha}

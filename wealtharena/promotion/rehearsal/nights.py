"""One decision a night, from what is known on that night: the champion of one is what the next one begins with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.errors import PromotionError
from wealtharena.core.panel import DateArray
from wealtharena.promotion.decision import Decision, DecisionOutcome, Serving
from wealtharena.promotion.gate import decide
from wealtharena.promotion.inputs import Champion, GateInputs, LaneInputs, Record
from wealtharena.promotion.score_card import Kind
from wealtharena.promotion.states import State
from wealtharena.settings import PromotionSettings, RiskSettings


@dataclass(frozen=True, slots=True)
class Course:
    """What came of the nights before T sessions; nights count from 0, None for never.

    Attributes:
        served: (T,) lane_id of who serves in each session; ``""`` for nobody.
        nights: (N,) sessions that had been traded before each decision.
        decisions: (N,) one per night.
    """

    served: tuple[str, ...]
    nights: tuple[int, ...]
    decisions: tuple[Decision, ...]

    @property
    def promoted(self) -> int | None:
        """First night after which a policy is champion."""
        return self._first(lambda _, now: now.serving.kind is Kind.POLICY)

    @property
    def confirmed(self) -> int | None:
        """First night on which a policy is champion by forward evidence alone."""
        return self._first(lambda _, now: now.serving.kind is Kind.POLICY and now.serving.state is State.CONFIRMED)

    @property
    def rolled_back(self) -> int | None:
        """First night on which a policy had to give the place back."""
        return self._first(lambda before, now: before is Kind.POLICY and now.outcome is DecisionOutcome.ROLLED_BACK)

    def _first(self, happened: Callable[[Kind | None, Decision], bool]) -> int | None:
        """First night of which ``happened(kind of the champion before, decision)`` is true."""
        before = [None, *(decision.serving.kind for decision in self.decisions[:-1])]
        events = zip(self.nights, before, self.decisions, strict=True)
        return next((night for night, kind, decision in events if happened(kind, decision)), None)


def rehearse(complete: GateInputs, rules: PromotionSettings, risk: RiskSettings, *, every: int = 1) -> Course:
    """Puts the gate's question before each session that was traded on paper, and lets each answer serve.

    A night sees the paper accounts up to its session and the histories of complete calendar years. Score cards are
    those of one training before the first night. Where a person would be asked the answer is yes.

    Args:
        complete: the first night's inputs (``as_of``, champion, looks), but with the records of the whole time.
        rules, risk: thresholds.
        every: nights from one decision to the next; in between the champion stays.

    Raises:
        PromotionError: no lane trades on paper after the first night; or see ``decide``.
    """
    sessions = _paper_sessions(complete)
    nights = tuple(range(0, sessions.size, every))
    champion, looks = complete.champion, complete.looks
    decisions: list[Decision] = []
    for night in nights:
        as_of = complete.as_of if night == 0 else sessions[night - 1].astype(object)
        inputs = replace(
            complete,
            as_of=as_of,
            lanes=tuple(_known(lane, as_of) for lane in complete.lanes),
            champion=champion,
            looks=looks,
        )
        decision = decide(inputs, rules, risk)
        champion = _next_champion(inputs, decision.serving)
        looks += () if decision.look is None else (decision.look,)
        decisions.append(decision)
    served = tuple(decisions[session // every].serving.lane_id for session in range(sessions.size))
    return Course(served, nights, tuple(decisions))


def _paper_sessions(complete: GateInputs) -> DateArray:
    every_day: DateArray = reduce(np.union1d, [lane.paper.dates for lane in complete.lanes], Record.none().dates)
    sessions: DateArray = every_day[every_day > np.datetime64(complete.as_of, "D")]
    if not sessions.size:
        raise PromotionError(f"{complete.agent}: a lane must trade on paper after {complete.as_of}, none does")
    return sessions


def _known(lane: LaneInputs, as_of: date) -> LaneInputs:
    """What a night knows of a lane; a year of history counts once it is complete."""
    this_year = np.datetime64(as_of.replace(month=1, day=1), "D")
    return replace(
        lane,
        history=_part(lane.history, lane.history.dates < this_year),
        paper=_part(lane.paper, lane.paper.dates <= np.datetime64(as_of, "D")),
    )


def _part(record: Record, rows: NDArray[np.bool_]) -> Record:
    return Record(record.dates[rows], record.returns[rows])


def _next_champion(inputs: GateInputs, serving: Serving) -> Champion | None:
    lane = inputs.lane(serving.lane_id)
    if lane is None or serving.state is None:
        return None
    return Champion(
        lane_id=serving.lane_id,
        name=serving.name,
        card=lane.card,
        state=serving.state,
        since=serving.since,
        before=serving.before,
        challenged=serving.challenged,
    )

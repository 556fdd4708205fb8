"""Everything that the gate knows of an agent on one night."""

import math
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from wealtharena.core.numbers import number_or_none
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.promotion.score_card import Kind, ScoreCard
from wealtharena.promotion.spending import Look
from wealtharena.promotion.states import State


@dataclass(frozen=True, slots=True)
class Record:
    """Excess returns of an account, net of costs.

    Attributes:
        dates: (n,) sessions, rising.
        returns: (n,) simple returns above cash; NaN where there is none.
    """

    dates: DateArray
    returns: FloatArray

    @classmethod
    def none(cls) -> "Record":
        """No session at all."""
        return cls(np.array([], dtype="datetime64[D]"), np.array([]))

    def on(self, dates: DateArray) -> FloatArray:
        """Returns of sessions that are all among ``dates`` of the record."""
        return self.returns[np.searchsorted(self.dates, dates)]


@dataclass(frozen=True, slots=True)
class LaneInputs:
    """One recipe, or one baseline.

    Attributes:
        lane_id: identity.
        name: for people: ``stocks-lstm``, ``equal_weight``.
        kind: policy or baseline.
        history: out-of-sample returns of the walk-forward.
        paper: returns of the paper account.
        card: newest policy on the held-out window; None if there is none tonight.
        card_double_cost: the same at twice the cost.
        version: registry number of the newest policy; ``""`` for a baseline or if there is none tonight.
        refused: why the newest policy cannot be loaded; ``""`` if it can.
        similarity: correlation of its positions with those of the champion; NaN if unknown.
    """

    lane_id: str
    name: str
    kind: Kind
    history: Record = field(default_factory=Record.none)
    paper: Record = field(default_factory=Record.none)
    card: ScoreCard | None = None
    card_double_cost: ScoreCard | None = None
    version: str = ""
    refused: str = ""
    similarity: float = math.nan

    @property
    def title(self) -> str:
        """Name for sentences."""
        return f"the baseline {self.name}" if self.kind is Kind.BASELINE else self.name


@dataclass(frozen=True, slots=True)
class Champion:
    """Who serves.

    Attributes:
        lane_id: its lane; one that is no longer among the lanes of the night cannot be compared on paper.
        name: for people: ``stocks v3``.
        card: the version in service on the held-out window; None if it cannot be loaded.
        state: unproven, provisional or confirmed.
        since: last session before it entered service; None if unknown: all evidence counts.
        before: lane that it has to prove itself against: the champion before, for a first champion the best baseline.
        challenged: session before the challenge began that brought it into service; None: all evidence counts.
    """

    lane_id: str
    name: str
    card: ScoreCard | None
    state: State
    since: date | None = None
    before: str = ""
    challenged: date | None = None


@dataclass(frozen=True, slots=True)
class TrialCount:
    """What the ledger tells, and a deflated Sharpe ratio asks of it: reported with the decision.

    Attributes:
        number: distinct trials ever scored for the agent.
        variance: of their Sharpe ratios per session, with n - 1; NaN with fewer than two that are defined.
    """

    number: int = 0
    variance: float = math.nan


@dataclass(frozen=True, slots=True)
class GateInputs:
    """Inputs of one decision.

    Attributes:
        agent: name.
        own_lane: lane_id of the agent's own recipe.
        as_of: last session that counts.
        lanes: all lanes, baselines included.
        champion: who serves; None if nobody does.
        looks: earlier looks at histories.
        trials: of the ledger.
        seed: of the bootstrap.
    """

    agent: str
    own_lane: str
    as_of: date
    lanes: tuple[LaneInputs, ...]
    champion: Champion | None = None
    looks: tuple[Look, ...] = ()
    trials: TrialCount = TrialCount()
    seed: int = 0

    def as_record(self) -> dict[str, Any]:
        """What the decision was made of, as JSON-safe values; the returns themselves are in the warehouse."""
        served = self.champion
        return {
            "as_of": self.as_of.isoformat(),
            "own_lane": self.own_lane,
            "champion": None
            if served is None
            else {
                "lane_id": served.lane_id,
                "name": served.name,
                "state": str(served.state),
                "card": served.card.as_record() if served.card else None,
            },
            "lanes": [_lane_record(lane) for lane in self.lanes],
            "trials": {"number": self.trials.number, "variance": number_or_none(self.trials.variance)},
            "seed": self.seed,
        }

    def lane(self, lane_id: str) -> LaneInputs | None:
        """The lane of that identity."""
        return next((lane for lane in self.lanes if lane.lane_id == lane_id), None)


def _lane_record(lane: LaneInputs) -> dict[str, Any]:
    return {
        "lane_id": lane.lane_id,
        "version": lane.version,
        "refused": lane.refused,
        "card": lane.card.as_record() if lane.card else None,
        "sharpe_double_cost": number_or_none(lane.card_double_cost.metrics.sharpe) if lane.card_double_cost else None,
        "similarity": number_or_none(lane.similarity),
        "history": _span(lane.history),
        "paper": _span(lane.paper),
    }


def _span(record: Record) -> dict[str, Any]:
    size = int(record.dates.size)
    return {"sessions": size, "first": str(record.dates[0]), "last": str(record.dates[-1])} if size else {"sessions": 0}

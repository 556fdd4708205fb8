"""The ledger of trials: every policy, seed, tuning trial and rule that was ever scored on history is a row of it.

The best of many trials looks good by chance; how many there were, and how far they spread, is what a deflated Sharpe
ratio discounts.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

import pandas as pd
import pyarrow as pa

from tasks.night import Night
from warehouse import Warehouse
from wealtharena.agents.lanes import Lane
from wealtharena.promotion.inputs import TrialCount
from wealtharena.promotion.score_card import ScoreCard
from wealtharena.training.selection import SeedOutcome

TABLE = "out_promotion__trials"


class TrialKind(StrEnum):
    """What was scored."""

    CANDIDATE = "candidate"
    SEED = "seed"
    TUNING = "tuning"
    BASELINE = "baseline"


class Span(StrEnum):
    """Which sessions it was scored on."""

    HELD_OUT = "held_out"
    VALIDATION = "validation"


@dataclass(frozen=True)
class Trial:
    """One score of one policy or rule.

    Attributes:
        lane: whose recipe or rule it is.
        kind: what was scored.
        night: id of the night, or of whatever else it was scored in.
        as_of: last session known then.
        seed: of the training; 0 for a rule.
        bundle_hash: of the training's bundle, one for all its seeds; of its weights, where a year of a walk-forward
            was trained and no bundle kept; ``""`` for a rule.
        scored_on: which sessions.
        first_date, last_date: of those sessions.
        sessions: their number.
        sharpe: ratio of the excess returns per session, not annual; NaN where undefined.
        skewness, kurtosis: of the returns; NaN where unknown.
    """

    lane: Lane
    kind: TrialKind
    night: str
    as_of: date
    seed: int
    bundle_hash: str
    scored_on: Span
    first_date: date
    last_date: date
    sessions: int
    sharpe: float
    skewness: float = math.nan
    kurtosis: float = math.nan


def append_trials(warehouse: Warehouse, trials: Sequence[Trial]) -> None:
    """Adds trials to the ledger; those that it has already are not added again, and none is ever removed."""
    now = datetime.now(UTC)
    rows = [
        {name: value for name, value in asdict(trial).items() if name != "lane"}
        | {"agent": trial.lane.agent, "lane": trial.lane.name, "lane_id": trial.lane.lane_id}
        | {"kind": str(trial.kind), "scored_on": str(trial.scored_on), "known_at": now}
        for trial in trials
    ]
    if rows:
        warehouse.write(TABLE, pa.Table.from_pylist(rows))


def trials_of(warehouse: Warehouse, agent: str) -> TrialCount:
    """Number of trials about an agent so far, and the variance of their Sharpe ratios per session."""
    trials = distinct_trials(warehouse, [agent])
    return TrialCount(len(trials), float(trials["sharpe"].var(ddof=1)))


def distinct_trials(warehouse: Warehouse, agents: Sequence[str], until: date | None = None) -> pd.DataFrame:
    """Rows of the ledger about some agents, one per trial; ``until``: only what was scored up to that session.

    A policy counts once, however often and in whichever nights it was scored: it is known by lane, bundle and seed. A
    fixed rule is one trial. Of several scores of a policy that on held-out sessions counts, of several rules' nights
    the newest.
    """
    rows = warehouse.read_or_empty(TABLE, where={"agent": list(agents)})
    if until is not None:
        rows = rows[rows["as_of"] <= pd.Timestamp(until)]
    rows = rows.assign(held_out=rows["scored_on"] == Span.HELD_OUT).sort_values(["held_out", "as_of"], kind="stable")
    return rows.drop_duplicates(["agent", "lane_id", "bundle_hash", "seed"], keep="last")


def held_out_trial(night: Night, lane: Lane, kind: TrialKind, card: ScoreCard, seed: int) -> Trial:
    """The trial of a score card."""
    return Trial(
        lane=lane,
        kind=kind,
        night=night.night_id,
        as_of=night.as_of,
        seed=seed,
        bundle_hash=card.bundle_hash,
        scored_on=Span.HELD_OUT,
        first_date=card.window[0],
        last_date=card.window[1],
        sessions=len(card.returns),
        sharpe=card.metrics.sharpe / math.sqrt(card.annualisation),
        skewness=card.metrics.skewness,
        kurtosis=card.metrics.kurtosis,
    )


def seed_trials(
    night: Night,
    lane: Lane,
    outcomes: Sequence[SeedOutcome],
    bundle_hash: str,
    window: tuple[date, date],
    sessions: int,
    annualisation: int,
) -> list[Trial]:
    """The trials of a training: one for each seed that ended well, scored on ``window``, its validation."""
    return [
        Trial(
            lane=lane,
            kind=TrialKind.SEED,
            night=night.night_id,
            as_of=night.as_of,
            seed=outcome.seed,
            bundle_hash=bundle_hash,
            scored_on=Span.VALIDATION,
            first_date=window[0],
            last_date=window[1],
            sessions=sessions,
            sharpe=(math.nan if outcome.validation_sharpe is None else outcome.validation_sharpe)
            / math.sqrt(annualisation),
        )
        for outcome in outcomes
        if not outcome.failure
    ]

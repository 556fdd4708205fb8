"""What the promotion gate asks the warehouse and the registry: histories, paper accounts, earlier looks, who serves."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from tasks.ledger import trials_of
from tasks.night import Night
from tasks.paper_accounts import CHAMPION_LANE, paper_sessions
from tasks.tracking import champion_version
from tasks.training import TrainingReceipt
from tasks.trials import CHAMPION, Trials, candidate_receipts, strategy_of
from tasks.walk_forward import RETURNS
from wealtharena.agents.lanes import Lane, baseline_lane, policy_lanes
from wealtharena.agents.specs import META_AGENT
from wealtharena.core.errors import ModelIntegrityError, RegistryError
from wealtharena.promotion import Champion, GateInputs, Kind, LaneInputs, Look, Record, State
from wealtharena.promotion.similarity import position_similarity
from wealtharena.serving.bundle import verify_bundle
from wealtharena.tracking import ModelRegistry, ModelVersionInfo, Tracker

DECISIONS = "out_promotion__decisions"
SINCE, BEFORE, CHALLENGED = "serving_since", "serving_before", "serving_challenged"
"""Tags of a version in service: what the gate has to know of it the next night."""


def gate_inputs(night: Night, agent: str, trials: Trials) -> GateInputs:
    """Everything that the gate knows of an agent tonight; nothing of a session after the night's."""
    champion = _champion(night, agent, trials)
    histories = _meta_histories(night, trials) if agent == META_AGENT else _histories(night, agent)
    paper = _paper(night, agent)
    lanes = _lanes(night, agent, trials, histories, paper)
    known = {lane.lane_id for lane in lanes}
    if champion is not None and champion.lane_id not in known:
        lanes.append(_retired(champion, histories, paper))
    return GateInputs(
        agent=agent,
        own_lane=policy_lanes(night.settings, agent)[0].lane_id,
        as_of=night.as_of,
        lanes=tuple(lanes),
        champion=champion,
        looks=_looks(night, agent),
        trials=trials_of(night.warehouse, agent),
        seed=night.settings.seed,
    )


def _lanes(
    night: Night, agent: str, trials: Trials, histories: Mapping[str, Record], paper: Mapping[str, Record]
) -> list[LaneInputs]:
    trained = candidate_receipts(night)
    rules = [baseline_lane(agent, name) for name in trials.baselines]
    return [
        _lane(night, lane, trials, histories, paper, trained.get(lane.name))
        for lane in [*policy_lanes(night.settings, agent), *rules]
    ]


def _lane(
    night: Night,
    lane: Lane,
    trials: Trials,
    histories: Mapping[str, Record],
    paper: Mapping[str, Record],
    trained: TrainingReceipt | None,
) -> LaneInputs:
    trial = trials.lanes.get(lane.lane_id)
    own, served = trials.results.get(strategy_of(lane)), trials.results.get(CHAMPION)
    refused = trials.refused.get(lane.lane_id, "")
    if trained is not None and not refused:
        refused = _why_it_cannot_serve(night, trained)
    similarity = position_similarity(own.weights, served.weights) if own is not None and served is not None else np.nan
    return LaneInputs(
        lane_id=lane.lane_id,
        name=lane.name,
        kind=Kind.BASELINE if lane.is_baseline else Kind.POLICY,
        history=histories.get(lane.lane_id, Record.none()),
        paper=paper.get(lane.lane_id, Record.none()),
        card=trial.card if trial else None,
        card_double_cost=trial.card_double_cost if trial else None,
        version="" if lane.is_baseline or trained is None else trained.version,
        refused=refused,
        similarity=similarity,
    )


def _why_it_cannot_serve(night: Night, trained: TrainingReceipt) -> str:
    """What is wrong with the registry's copy, which would serve in place of the checkpoint that was scored."""
    try:
        folder = ModelRegistry(Tracker(night.settings)).download(trained.agent, trained.version)
        verify_bundle(folder, trained.checkpoint.bundle_hash)
    except (ModelIntegrityError, RegistryError) as error:
        return str(error)
    return ""


def _retired(champion: Champion, histories: Mapping[str, Record], paper: Mapping[str, Record]) -> LaneInputs:
    """A champion whose recipe is no longer trained: its record goes on in the account that follows the signals."""
    return LaneInputs(
        lane_id=champion.lane_id,
        name=champion.name,
        kind=champion.card.kind if champion.card else Kind.POLICY,
        history=histories.get(champion.lane_id, Record.none()),
        paper=paper.get(CHAMPION_LANE, Record.none()),
    )


def _champion(night: Night, agent: str, trials: Trials) -> Champion | None:
    info = champion_version(night, agent)
    if info is None or trials.champion is None:
        return None
    return Champion(
        lane_id=info.tags.get("lane_id") or policy_lanes(night.settings, agent)[0].lane_id,
        name=trials.champion.name,
        card=trials.champion,
        state=State(info.state) if info.state else State.UNPROVEN,
        since=_day(info, SINCE),
        before=info.tags.get(BEFORE, ""),
        challenged=_day(info, CHALLENGED),
    )


def _day(info: ModelVersionInfo, tag: str) -> date | None:
    text = info.tags.get(tag, "")
    return date.fromisoformat(text) if text else None


def _histories(night: Night, agent: str) -> dict[str, Record]:
    rows = night.warehouse.read_or_empty(RETURNS, where={"agent": agent})
    rows = rows[rows["session_date"] <= pd.Timestamp(night.as_of)].sort_values("session_date", kind="stable")
    return {
        str(lane_id): Record(
            own["session_date"].to_numpy("datetime64[D]"),
            (own["return"] - own["cash_return"]).to_numpy(np.float64),
        )
        for lane_id, own in rows.groupby("lane_id")
    }


def _meta_histories(night: Night, trials: Trials) -> dict[str, Record]:
    """The meta-agent has no walk-forward: its history is the held-out window, on which nothing was trained."""
    names = {lane.lane_id: strategy_of(lane) for lane in policy_lanes(night.settings, META_AGENT)}
    names |= {baseline_lane(META_AGENT, name).lane_id: name for name in trials.baselines}
    found = {lane_id: trials.results[name] for lane_id, name in names.items() if name in trials.results}
    return {
        lane_id: Record(result.dates.astype("datetime64[D]"), result.excess_returns)
        for lane_id, result in found.items()
    }


def _paper(night: Night, agent: str) -> dict[str, Record]:
    last = np.datetime64(night.as_of, "D")
    records = {}
    for lane_id, sessions in paper_sessions(night.warehouse, agent).items():
        known = sessions.dates <= last
        records[lane_id] = Record(sessions.dates[known].astype("datetime64[D]"), sessions.excess_returns[known])
    return records


def _looks(night: Night, agent: str) -> tuple[Look, ...]:
    """Every look that a decision of another night took."""
    rows = night.warehouse.read_or_empty(DECISIONS, where={"agent": agent})
    found: list[dict[str, Any] | None] = [
        json.loads(text).get("look") for text in rows[rows["night"] != night.night_id]["numbers"]
    ]
    return tuple(Look(date.fromisoformat(one["month"]), one["inputs"], one["alpha"]) for one in found if one)

"""Puts the gate's question for every agent, records the answer, and moves the registry's aliases."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tasks.approval import ask
from tasks.backtest import STAGE as BACKTEST
from tasks.backtest import BacktestReceipt
from tasks.baselines import register_baseline
from tasks.evidence import BEFORE, CHALLENGED, DECISIONS, SINCE, gate_inputs
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.trials import candidate_receipts, run_trials
from warehouse import Warehouse
from wealtharena.agents.specs import resolve_agent
from wealtharena.core.errors import PipelineError
from wealtharena.core.hashing import hash_json
from wealtharena.promotion import (
    CHANGES,
    Decision,
    DecisionOutcome,
    GateInputs,
    Kind,
    Serving,
    decide,
    declined,
    reasons,
)
from wealtharena.promotion.guards import barred
from wealtharena.settings import Settings, settings_hash
from wealtharena.tracking import ModelRegistry, Tracker
from wealtharena.tracking.trail import champions_of

STAGE = "promote"
EVIDENCE = "out_promotion__evidence"
# The logarithm of an e-process that has lost every stake.
_NOTHING_LEFT = -1e6


@dataclass(frozen=True)
class DecisionReceipt:
    """What was decided about an agent.

    Attributes:
        agent: name.
        decision_id: names the decision in the registry and in the warehouse.
        outcome: see ``DecisionOutcome``.
        reason: plain words with figures.
        candidate_version: registry number of tonight's policy of the agent's own lane; ``""`` if there is none.
        champion_version: registry number of the champion after the decision; ``""`` if there is none.
        record: the whole decision: inputs' figures, every check, every lane, thresholds.
        decided_by: ``gate``, or the person who was asked.
    """

    agent: str
    decision_id: str
    outcome: str
    reason: str
    candidate_version: str
    champion_version: str
    record: dict[str, Any]
    decided_by: str = "gate"


def agents_to_decide(night: Night) -> list[str]:
    """Agents with a lane that was trained and scored, the meta-agent last."""
    trained, scored = candidate_receipts(night), finished(night, BACKTEST, BacktestReceipt)
    return [
        agent
        for agent in night.chosen
        if agent in scored and any(lane in trained for lane in night.settings.lanes_of(agent))
    ]


@stage_task("decide-agent", "decide {agent}")
def decide_agent(night: Night, agent: str) -> DecisionReceipt:
    """Decides about one agent once a night; a repeat finds the decision and only sees to its consequences.

    Where a person has to agree, the decision is made when there is an answer, or no time left for one.
    """
    trained = candidate_receipts(night)
    inputs = {
        "night": night.night_id,
        "candidates": {
            lane: trained[lane].checkpoint.bundle_hash for lane in night.settings.lanes_of(agent) if lane in trained
        },
    }
    receipt = once(night, STAGE, agent, inputs, lambda: _decide(night, agent), DecisionReceipt)
    _record_with_evidence(night, receipt)
    _carry_out(night, receipt)
    tell(ProgressEvent(STAGE, agent, 1, 1, receipt.outcome))
    return receipt


def _record_with_evidence(night: Night, receipt: DecisionReceipt) -> None:
    _record(night.warehouse, night.night_id, receipt)
    rows = [
        _evidence_row(night, receipt.agent, lane, receipt.record["look"]) for lane in receipt.record.get("lanes", ())
    ]
    if rows:
        night.warehouse.write(EVIDENCE, pa.Table.from_pylist(rows))


def _carry_out(night: Night, receipt: DecisionReceipt) -> None:
    """Moves the registry's aliases; a run that is killed in between catches up when it is repeated.

    Tags come first and the alias last: whoever finds a champion finds what is known of it.
    """
    registry = ModelRegistry(Tracker(night.settings))
    serving = receipt.record["serving"]
    before = registry.alias(receipt.agent, "champion")
    if receipt.candidate_version:
        if before is None or before.version != receipt.candidate_version:
            registry.set_challenger(receipt.agent, receipt.candidate_version)
        noted = {"decision": receipt.outcome, "decision_id": receipt.decision_id, "reason": receipt.reason}
        registry.note(receipt.agent, receipt.candidate_version, noted)
    for lane_id, reason in receipt.record.get("kept_out", {}).items():
        _note_kept_out(registry, receipt, lane_id, reason)
    if receipt.outcome in CHANGES:
        registry.note(
            receipt.agent, receipt.champion_version, _service_tags(serving) | {"decision_id": receipt.decision_id}
        )
        registry.promote(
            receipt.agent,
            receipt.champion_version,
            receipt.decision_id,
            by=receipt.decided_by,
            reason=receipt.reason,
            state=serving["state"],
        )
    elif before is not None and before.version == receipt.champion_version:
        registry.mark(
            receipt.agent, serving["state"], receipt.decision_id, by=receipt.decided_by, reason=receipt.reason
        )


def _note_kept_out(registry: ModelRegistry, receipt: DecisionReceipt, lane_id: str, reason: str) -> None:
    (version,) = (lane["version"] for lane in receipt.record["inputs"]["lanes"] if lane["lane_id"] == lane_id)
    if version:
        noted = {"decision": "rejected", "decision_id": receipt.decision_id, "reason": reason}
        registry.note(receipt.agent, version, noted)


def roll_back(settings: Settings, name: str, reason: str, by: str = "person") -> dict[str, str]:
    """Restores an agent's previous champion and records the decision.

    Raises:
        SettingsError: there is no such agent.
        RegistryError: there is no champion before the present one.
    """
    agent = resolve_agent(name).name
    registry = ModelRegistry(Tracker(settings))
    before = registry.alias(agent, "champion")
    left = before.version if before is not None else ""
    text = f"Rolled back from version {left}: {reason}"
    moment = datetime.now(UTC)
    decision_id = hash_json(["rollback", agent, left, moment.isoformat()])[:16]
    now = registry.rollback(agent, by=by, reason=reason, decision_id=decision_id)
    _record(
        Warehouse(settings.home / "warehouse"),
        night=f"{moment.date().isoformat()}-{settings_hash(settings)[:8]}",
        receipt=DecisionReceipt(
            agent=agent,
            decision_id=decision_id,
            outcome="rolled_back",
            reason=text,
            candidate_version=left,
            champion_version=now.version,
            record={"from": left, "to": now.version},
            decided_by=by,
        ),
    )
    return {"agent": agent, "version": now.version, "reason": text}


def _decide(night: Night, agent: str) -> DecisionReceipt:
    trials = run_trials(night, agent)
    if not trials.lanes and not trials.refused:
        raise PipelineError(f"{agent}: no candidate of night {night.night_id} was scored")
    inputs = gate_inputs(night, agent, trials)
    decision = decide(inputs, night.settings.promotion, night.settings.risk_of(agent))
    decided_by = "gate"
    if decision.needs_approval:
        decision, decided_by = _answered(night, inputs, decision)
    if decision.outcome is DecisionOutcome.ROLLED_BACK and decision.serving.kind is Kind.POLICY:
        decision = replace(decision, serving=_as_it_served(night, agent, decision.serving))
    kept_out = _kept_out(night, inputs, decision)
    trained = candidate_receipts(night)
    own = trained.get(agent)
    salt = night.run_id if night.force else ""
    bundles = sorted(receipt.checkpoint.bundle_hash for receipt in trained.values())
    return DecisionReceipt(
        agent=agent,
        decision_id=hash_json([night.night_id, agent, bundles, salt])[:16],
        outcome=str(decision.outcome),
        reason=" ".join([decision.reason, *kept_out.values()]),
        candidate_version=own.version if own else "",
        champion_version=_version_of(night, agent, decision, trials.champion_version),
        record={**decision.as_record(), "kept_out": kept_out, "inputs": inputs.as_record()},
        decided_by=decided_by,
    )


def _kept_out(night: Night, inputs: GateInputs, decision: Decision) -> dict[str, str]:
    """By lane_id why a challenger with evidence for a takeover is not let in, where the decision is about others."""
    if decision.changes and decision.outcome is not DecisionOutcome.REFRESHED:
        return {}
    told = {inputs.own_lane} if decision.outcome is DecisionOutcome.REJECTED else set()
    found = barred(inputs, decision.standings, night.settings.promotion, night.settings.risk_of(inputs.agent))
    lanes = {lane.lane_id: lane for lane in inputs.lanes}
    return {lane_id: reasons.barred(lanes[lane_id], checks) for lane_id, checks in found.items() if lane_id not in told}


def _answered(night: Night, inputs: GateInputs, decision: Decision) -> tuple[Decision, str]:
    """The decision after a person was asked, and who that was."""
    given = ask(night, inputs.agent, decision.as_record())
    if given.approved:
        why = f": {given.comment}" if given.comment else ""
        return replace(decision, reason=f"{decision.reason} Approved by {given.by}{why}."), given.by
    if inputs.champion is None:
        return decision, given.by
    return declined(decision, inputs.champion, given.by, given.comment), given.by


def _version_of(night: Night, agent: str, decision: Decision, champion: str) -> str:
    """Registry number of the champion after the decision."""
    serving = decision.serving
    if not decision.changes:
        return champion if serving.lane_id else ""
    if serving.kind is Kind.BASELINE:
        return register_baseline(night, agent, serving.name)
    return serving.version


def _as_it_served(night: Night, agent: str, serving: Serving) -> Serving:
    """A lane that returns, with its version that served last: no guard has looked at what was trained since."""
    registry = ModelRegistry(Tracker(night.settings))
    served = (registry.version(agent, version) for version in reversed(champions_of(registry.history(agent))))
    for info in served:
        if info.tags.get("lane_id") == serving.lane_id and not info.is_retired:
            return replace(serving, version=info.version)
    raise PipelineError(f"{agent}: the lane {serving.lane_id} that returns has no version that served before")


def _service_tags(serving: dict[str, Any]) -> dict[str, str]:
    tags = {SINCE: serving["since"], BEFORE: serving["before"], CHALLENGED: serving["challenged"]}
    return {"lane_id": serving["lane_id"], **{name: value or "" for name, value in tags.items()}}


def _evidence_row(night: Night, agent: str, lane: dict[str, Any], look: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "agent": agent,
        "lane_id": lane["lane_id"],
        "champion_lane_id": lane["against"],
        "as_of": night.as_of,
        "night": night.night_id,
        "state": lane["state"],
        "sessions": lane["sessions"],
        "log_e": _NOTHING_LEFT if lane["log_e"] is None else lane["log_e"],
        "log_e_reversed": _NOTHING_LEFT if lane["log_e_reversed"] is None else lane["log_e_reversed"],
        "drawdown": lane["drawdown"],
        "p_value": lane["p_value"],
        "alpha": look["alpha"] if look else None,
        "known_at": datetime.now(UTC),
    }


def _record(warehouse: Warehouse, night: str, receipt: DecisionReceipt) -> None:
    row = {
        "night": night,
        "decision_id": receipt.decision_id,
        "agent": receipt.agent,
        "candidate_version": receipt.candidate_version,
        "champion_version": receipt.champion_version,
        "outcome": receipt.outcome,
        "reason": receipt.reason,
        "numbers": json.dumps(receipt.record, sort_keys=True),
        "decided_at": datetime.now(UTC),
        "decided_by": receipt.decided_by,
    }
    warehouse.write(DECISIONS, pa.Table.from_pylist([row]))

"""Puts the gate's question for every candidate, records the answer, and moves the registry's aliases."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tasks.backtest import STAGE as BACKTEST
from tasks.backtest import BacktestReceipt
from tasks.baselines import register_baseline
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.training import TrainingReceipt
from tasks.trials import candidate_receipts, run_trials
from warehouse import Warehouse
from wealtharena.agents.specs import resolve_agent
from wealtharena.core.errors import PipelineError
from wealtharena.core.hashing import hash_json
from wealtharena.promotion import Decision, DecisionOutcome, decide
from wealtharena.settings import Settings, settings_hash
from wealtharena.tracking import ModelRegistry, Tracker

STAGE = "promote"
TABLE = "out_promotion__decisions"


@dataclass(frozen=True)
class DecisionReceipt:
    """What was decided about an agent.

    Attributes:
        agent: name.
        decision_id: names the decision in the registry and in the warehouse.
        outcome: ``promoted``, ``rejected``, ``baseline_champion`` or ``kept``.
        reason: one sentence with figures.
        candidate_version: registry number of tonight's policy.
        champion_version: registry number of the champion after the decision; ``""`` if there is none.
        record: the whole decision with every check.
    """

    agent: str
    decision_id: str
    outcome: str
    reason: str
    candidate_version: str
    champion_version: str
    record: dict[str, Any]


def agents_to_decide(night: Night) -> list[str]:
    """Agents with a candidate that was scored, the meta-agent last."""
    candidates, scored = candidate_receipts(night), finished(night, BACKTEST, BacktestReceipt)
    return [agent for agent in night.chosen if agent in candidates and agent in scored]


@stage_task("decide-agent", "decide {agent}")
def decide_agent(night: Night, agent: str) -> DecisionReceipt:
    """Decides about one candidate once a night; a repeat finds the decision and only sees to its consequences."""
    trained = candidate_receipts(night)[agent]
    inputs = {"night": night.night_id, "candidate": trained.checkpoint.bundle_hash}
    receipt = once(night, STAGE, agent, inputs, lambda: _decide(night, agent, trained), DecisionReceipt)
    _apply(night, receipt)
    tell(ProgressEvent(STAGE, agent, 1, 1, receipt.outcome))
    return receipt


def roll_back(settings: Settings, name: str, reason: str) -> dict[str, str]:
    """Restores an agent's previous champion and records the decision.

    Raises:
        SettingsError: there is no such agent.
        RegistryError: there is no champion before the present one.
    """
    agent = resolve_agent(name).name
    registry = ModelRegistry(Tracker(settings))
    before = registry.alias(agent, "champion")
    now = registry.rollback(agent)
    left = before.version if before is not None else ""
    text = f"Rolled back from version {left}: {reason}"
    moment = datetime.now(UTC)
    _record(
        Warehouse(settings.home / "warehouse"),
        night=f"{moment.date().isoformat()}-{settings_hash(settings)[:8]}",
        receipt=DecisionReceipt(
            agent=agent,
            decision_id=hash_json(["rollback", agent, left, now.version, moment.isoformat()])[:16],
            outcome="rolled_back",
            reason=text,
            candidate_version=left,
            champion_version=now.version,
            record={"from": left, "to": now.version},
        ),
        decided_by="person",
    )
    return {"agent": agent, "version": now.version, "reason": text}


def _decide(night: Night, agent: str, trained: TrainingReceipt) -> DecisionReceipt:
    trials = run_trials(night, agent)
    if trials.candidate is None:
        raise PipelineError(f"{agent}: the candidate of night {night.night_id} was not scored")
    risk = night.settings.risk_of(agent)
    decision = decide(trials.candidate, trials.champion, trials.baselines, night.settings.promotion, risk)
    champion = _champion_after(night, agent, decision, trained.version, trials.champion_version)
    salt = night.run_id if night.force else ""
    return DecisionReceipt(
        agent=agent,
        decision_id=hash_json([night.night_id, agent, trained.checkpoint.bundle_hash, salt])[:16],
        outcome=str(decision.outcome),
        reason=decision.reason,
        candidate_version=trained.version,
        champion_version=champion,
        record=decision.as_record(),
    )


def _champion_after(night: Night, agent: str, decision: Decision, candidate: str, champion: str) -> str:
    if decision.outcome is DecisionOutcome.PROMOTED:
        return candidate
    if decision.outcome is DecisionOutcome.BASELINE_CHAMPION:
        return register_baseline(night, agent, decision.winner)
    return champion


def _apply(night: Night, receipt: DecisionReceipt) -> None:
    """Records first, moves the alias second: a run that is killed in between catches up when it is repeated."""
    _record(night.warehouse, night.night_id, receipt, decided_by="gate")
    registry = ModelRegistry(Tracker(night.settings))
    champion = registry.alias(receipt.agent, "champion")
    if champion is None or champion.version != receipt.candidate_version:
        registry.set_challenger(receipt.agent, receipt.candidate_version)
    if receipt.outcome in (DecisionOutcome.PROMOTED, DecisionOutcome.BASELINE_CHAMPION):
        registry.promote(receipt.agent, receipt.champion_version, receipt.decision_id)
    registry.note(receipt.agent, receipt.candidate_version, {"decision": receipt.outcome, "reason": receipt.reason})


def _record(warehouse: Warehouse, night: str, receipt: DecisionReceipt, decided_by: str) -> None:
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
        "decided_by": decided_by,
    }
    warehouse.write(TABLE, pa.Table.from_pylist([row]))

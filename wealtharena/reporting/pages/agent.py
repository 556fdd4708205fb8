"""All pages of an agent from the rows that the warehouse holds of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from wealtharena.evaluation.walk_forward_table import Performance
from wealtharena.reporting.figures import Figure
from wealtharena.reporting.pages.decision import DecisionPage, evidence_chart, gather_decision, paper_chart
from wealtharena.reporting.pages.drift import DriftPage, gather_drift
from wealtharena.reporting.pages.history import HistoryPage, gather_history, history_chart
from wealtharena.reporting.pages.lanes import lane_lines
from wealtharena.reporting.pages.ledger import LedgerPage, gather_ledger, ledger_chart
from wealtharena.settings import PromotionSettings


@dataclass(frozen=True)
class Records:
    """Rows of the warehouse, of one agent or of all; days are ``datetime64``.

    Attributes:
        evidence, decisions: ``out_promotion__evidence`` and ``out_promotion__decisions``.
        trials: ``out_promotion__trials`` up to the night, one row per policy or rule.
        paper: ``out_lanes__paper``.
        returns, folds: ``out_lanes__walk_forward`` and ``out_lanes__folds`` of the night's histories.
        drift: ``out_drift__figures`` of the night.
    """

    evidence: pd.DataFrame
    decisions: pd.DataFrame
    trials: pd.DataFrame
    paper: pd.DataFrame
    returns: pd.DataFrame
    folds: pd.DataFrame
    drift: pd.DataFrame


@dataclass(frozen=True)
class PageFacts:
    """What the pages of an agent need besides the rows.

    Attributes:
        agent: canonical name.
        night, as_of: of the report; rows of later nights are left out.
        annualisation: sessions per year.
        rules: thresholds of the gate.
        decision: of the night, see ``Decision.as_record``; None if there was none.
        performance: figures of the histories.
        history_notes: what the walk-forward had to say.
    """

    agent: str
    night: str
    as_of: date
    annualisation: int
    rules: PromotionSettings
    decision: Mapping[str, Any] | None = None
    performance: Sequence[Performance] = ()
    history_notes: Sequence[str] = ()


@dataclass(frozen=True)
class AgentPages:
    """Each part is None where the warehouse has nothing for it."""

    decision: DecisionPage | None = None
    history: HistoryPage | None = None
    ledger: LedgerPage | None = None
    drift: DriftPage | None = None


def gather_pages(records: Records, facts: PageFacts) -> AgentPages:
    """The pages of one agent, as of its night."""
    own = {name: rows[rows["agent"] == facts.agent] for name, rows in vars(records).items()}
    moment = pd.Timestamp(facts.as_of)
    return AgentPages(
        decision=gather_decision(
            own["evidence"][own["evidence"]["as_of"] <= moment],
            own["paper"][own["paper"]["session_date"] <= moment],
            own["decisions"][own["decisions"]["night"].str[:10] <= facts.as_of.isoformat()],
            facts.decision,
            facts.rules,
            facts.annualisation,
        ),
        history=gather_history(
            own["returns"][own["returns"]["session_date"] <= moment],
            own["folds"],
            facts.performance,
            facts.history_notes,
        ),
        ledger=gather_ledger(own["trials"], facts.night, facts.annualisation),
        drift=gather_drift(own["drift"]),
    )


def page_charts(agent: str, pages: AgentPages) -> dict[str, Figure | None]:
    """Figures by the names under which the templates ask for them; a lane has one colour in all of them."""
    decision, history, ledger = pages.decision, pages.history, pages.ledger
    lane_ids = [lane.lane_id for lane in history.lanes] if history else []
    if decision:
        lane_ids += [lane.lane_id for lane in decision.lanes] + [account.lane_id for account in decision.accounts]
    lines = lane_lines(lane_ids)
    charts: dict[str, Figure | None] = {}
    if decision:
        charts |= {f"evidence-{agent}": evidence_chart(decision, lines), f"paper-{agent}": paper_chart(decision, lines)}
    if history:
        charts[f"history-{agent}"] = history_chart(history, lines)
    if ledger:
        charts[f"ledger-{agent}"] = ledger_chart(ledger)
    return charts

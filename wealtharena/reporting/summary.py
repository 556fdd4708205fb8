"""The night in one sentence and a few figures."""

import math
from dataclasses import dataclass

from wealtharena.core.asset_class import META_AGENT
from wealtharena.reporting.data import AgentReport, ReportData, Verdict
from wealtharena.reporting.display import display_name, figure, number, percent, signed_percent


@dataclass(frozen=True, slots=True)
class Highlight:
    """A figure at the top of the report.

    Attributes:
        label: what it is.
        value: the figure.
        note: a few words below it.
        tone: ``good``, ``warn``, ``bad`` or ``""``.
    """

    label: str
    value: str
    note: str
    tone: str = ""


def summary_sentence(data: ReportData) -> str:
    """Such as ``2 of 6 agents promoted, 3 champions kept, 1 failed: reits.``"""
    if not data.agents:
        return "No agent was trained."
    by_verdict = {verdict: [a.name for a in data.agents if a.verdict is verdict] for verdict in Verdict}
    promoted, kept = len(by_verdict[Verdict.PROMOTED]), len(by_verdict[Verdict.KEPT])
    baselines, vacant = len(by_verdict[Verdict.BASELINE]), len(by_verdict[Verdict.VACANT])
    failed = by_verdict[Verdict.FAILED]
    parts = [f"{promoted} of {len(data.agents)} agents promoted"]
    if by_verdict[Verdict.REFRESHED]:
        parts.append(f"{len(by_verdict[Verdict.REFRESHED])} refreshed")
    if kept:
        parts.append(f"{kept} {_plural('champion', kept)} kept")
    if by_verdict[Verdict.ROLLED_BACK]:
        parts.append(f"{len(by_verdict[Verdict.ROLLED_BACK])} rolled back")
    if baselines:
        parts.append(f"{baselines} {_plural('baseline', baselines)} {'serves' if baselines == 1 else 'serve'}")
    if vacant:
        parts.append(f"{vacant} without champion")
    if failed:
        parts.append(f"{len(failed)} failed: {', '.join(display_name(name) for name in failed)}")
    return ", ".join(parts) + "."


def book_facts(data: ReportData) -> list[tuple[str, str]]:
    """Exposure of the combined book: label and share of total equity."""
    weights = [row.weight for row in data.book if math.isfinite(row.weight) and row.weight]
    if not weights:
        return []
    long, short = sum(w for w in weights if w > 0), sum(w for w in weights if w < 0)
    shares = {"Long": long, "Short": short, "Net": long + short, "Gross": long - short}
    return [*((label, percent(share)) for label, share in shares.items()), ("Positions", str(len(weights)))]


def page_facts(agent: AgentReport) -> dict[str, str]:
    """What each page of an agent says in short; ``""`` where there is nothing."""
    return {
        "decision": _decision_fact(agent),
        "walk_forward": _history_fact(agent),
        "robustness": _robustness_fact(agent),
        "ledger": _ledger_fact(agent),
        "drift": _drift_fact(agent),
        "limits": _limits_fact(agent),
    }


def highlights(data: ReportData) -> list[Highlight]:
    """The combined book's result, the best agent, the data, champions that drifted, and what went wrong."""
    found = [_combined(data), _best_agent(data), _coverage(data), _drifted(data), _failures(data)]
    return [item for item in found if item is not None]


def _combined(data: ReportData) -> Highlight | None:
    results = [a.performance for a in data.agents if a.name == META_AGENT and a.performance]
    if not results or not math.isfinite(results[0].total_return):
        return None
    sharpe = f"Sharpe {number(results[0].sharpe)}, " if math.isfinite(results[0].sharpe) else ""
    tone = "good" if results[0].total_return >= 0 else "bad"
    return Highlight("Combined book", signed_percent(results[0].total_return), f"{sharpe}held-out window", tone)


def _best_agent(data: ReportData) -> Highlight | None:
    scored = [(_sharpe(agent), agent) for agent in data.agents if agent.name != META_AGENT]
    scored = [(sharpe, agent) for sharpe, agent in scored if math.isfinite(sharpe)]
    if not scored:
        return None
    sharpe, agent = max(scored, key=lambda item: item[0])
    return Highlight("Best Sharpe", number(sharpe), f"{display_name(agent.name)}, {agent.algorithm}")


def _coverage(data: ReportData) -> Highlight | None:
    if not data.coverage:
        return None
    asked = sum(len(item.symbols) for item in data.coverage)
    missing = sum(len(item.missing) for item in data.coverage)
    note = "every symbol arrived" if not missing else f"{missing} missing, reasons below"
    return Highlight("Symbols", f"{asked - missing} of {asked}", note, "warn" if missing else "")


def _drifted(data: ReportData) -> Highlight | None:
    alarms = {agent.name: agent.pages.drift.num_alarms for agent in data.agents if agent.pages.drift}
    names = ", ".join(display_name(name) for name, count in alarms.items() if count)
    return Highlight("Drift alarms", str(sum(alarms.values())), names, "warn") if names else None


def _failures(data: ReportData) -> Highlight | None:
    if not data.failures:
        return None
    return Highlight("Failed stages", str(len(data.failures)), data.failures[0].stage, "bad")


def _decision_fact(agent: AgentReport) -> str:
    page = agent.pages.decision
    state = f", {display_name(page.serving.state).lower()}" if page and page.serving and page.serving.state else ""
    lanes = [lane for lane in page.lanes if not lane.serves] if page else []
    if page is None or not any(lane.sessions for lane in lanes):
        return f"{agent.verdict}{state}; no forward evidence yet"
    lane = lanes[0]
    return (
        f"{agent.verdict}{state}; most forward evidence: {lane.lane}, E {number(lane.evidence)} after {lane.sessions} "
        f"{_plural('session', lane.sessions)} (asked: {figure(page.thresholds['provisional_evidence'])} after "
        f"{page.thresholds['min_sessions']:.0f})"
    )


def _history_fact(agent: AgentReport) -> str:
    page = agent.pages.history
    if page is None or page.best is None:
        return ""
    span = f"{page.years[0]}–{page.years[-1]}" if len(page.years) > 1 else page.years[0]
    row = page.best.figures
    if row is None or row.sharpe.value is None:
        return span
    interval = f"{number(row.sharpe.low)} to {number(row.sharpe.high)}"
    return f"{span}: {page.best.lane} has Sharpe {number(row.sharpe.value)} ({interval})"


def _robustness_fact(agent: AgentReport) -> str:
    if agent.robustness is None:
        return ""
    multiple = agent.robustness.break_even
    return f"earns nothing at {number(multiple, 1)}× the costs" if math.isfinite(multiple) else "no break-even cost"


def _ledger_fact(agent: AgentReport) -> str:
    page = agent.pages.ledger
    if page is None:
        return ""
    best = max((trial.probability for trial in page.tonight if math.isfinite(trial.probability)), default=math.nan)
    said = f"; tonight's Sharpe is above luck with a probability of {percent(best)}" if math.isfinite(best) else ""
    return f"{page.num_trials} {_plural('trial', page.num_trials)}{said}"


def _drift_fact(agent: AgentReport) -> str:
    page = agent.pages.drift
    if page is None:
        return ""
    alarms = f"{page.num_alarms} {_plural('alarm', page.num_alarms)}" if page.num_alarms else "no alarm"
    return f"{alarms} in {page.num_figures} {_plural('figure', page.num_figures)}"


def _limits_fact(agent: AgentReport) -> str:
    if agent.risk is None:
        return ""
    bound = [display_name(row.name) for row in agent.risk.limits if row.bound_share > 0.0]
    return f"bound: {', '.join(bound)}" if bound else "no limit bound"


def _sharpe(agent: AgentReport) -> float:
    return agent.performance.sharpe if agent.performance else math.nan


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"

"""How the night ended: one row per agent, every failure with its reason, and where to look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.backtest import STAGE as BACKTEST
from tasks.backtest import BacktestReceipt
from tasks.night import Night
from tasks.promotion import STAGE as PROMOTE
from tasks.promotion import DecisionReceipt
from tasks.receipts import finished_or_empty
from tasks.reporting import STAGE as REPORT
from tasks.reporting import ReportReceipt
from tasks.stage import StageResult
from tasks.trials import CANDIDATE
from wealtharena.tracking import tracking_uri

FAILED = "failed"
"""Stands for the decision about an agent that did not get that far."""


@dataclass(frozen=True)
class AgentRow:
    """One line of the closing table; figures are of the held-out window, after costs; None if undefined."""

    agent: str
    algorithm: str
    total_return: float | None
    sharpe: float | None
    sharpe_standard_error: float | None
    max_drawdown: float | None
    baseline: str
    baseline_sharpe: float | None
    decision: str
    reason: str


@dataclass(frozen=True)
class NightConclusion:
    """What the command line prints last.

    Attributes:
        night: id of the night.
        as_of: last session known.
        agents: one row per agent that was meant to be trained, the meta-agent last.
        failures: reason per ``stage/item``.
        problems: input that a person should mend, per item; a night with problems counts as failed.
        notes: what is worth knowing and needs no mending, per ``stage/item``.
        report: path of the report; ``""`` if it could not be written.
        mlflow: tracking URI.
    """

    night: str
    as_of: str
    agents: tuple[AgentRow, ...]
    failures: dict[str, str]
    problems: dict[str, str]
    notes: dict[str, tuple[str, ...]]
    report: str
    mlflow: str

    @property
    def succeeded(self) -> bool:
        """Everything was done and nothing has to be mended."""
        return not self.failures and not self.problems

    def failure_text(self) -> str:
        """All failures and problems in one line."""
        grouped = places_by_reason({**self.failures, **self.problems})
        return "; ".join(f"{', '.join(places)}: {reason}" for reason, places in grouped.items())


def places_by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """The places that failed for each reason, in the order of their first appearance."""
    grouped: dict[str, list[str]] = {}
    for place, reason in reasons.items():
        grouped.setdefault(reason, []).append(place)
    return grouped


def conclude_night(night: Night, results: Sequence[StageResult]) -> NightConclusion:
    """Gathers what the stages left behind."""
    failures = {f"{result.stage}/{item}": text for result in results for item, text in result.failed.items()}
    problems = {f"{result.stage}/{item}": text for result in results for item, text in result.warnings.items()}
    report = finished_or_empty(night, REPORT, ReportReceipt)
    return NightConclusion(
        night=night.night_id,
        as_of=night.as_of.isoformat(),
        agents=agent_rows(night, failures),
        failures=failures,
        problems=problems,
        notes={f"{result.stage}/{item}": texts for result in results for item, texts in result.notes.items()},
        report=next((receipt.path for receipt in report.values()), ""),
        mlflow=tracking_uri(night.settings),
    )


def agent_rows(night: Night, failures: dict[str, str]) -> tuple[AgentRow, ...]:
    """One row per agent of the night."""
    scored = finished_or_empty(night, BACKTEST, BacktestReceipt)
    decided = finished_or_empty(night, PROMOTE, DecisionReceipt)
    return tuple(_row(night, name, scored.get(name), decided.get(name), failures) for name in night.chosen)


def _row(
    night: Night,
    agent: str,
    scored: BacktestReceipt | None,
    decided: DecisionReceipt | None,
    failures: dict[str, str],
) -> AgentRow:
    figures = scored.figures.get(CANDIDATE, {}) if scored else {}
    baseline = scored.best_baseline if scored else ""
    why = "; ".join(text for place, text in failures.items() if place.split("/")[1] == agent)
    recipe = night.settings.agents.get(agent)
    return AgentRow(
        agent=agent,
        algorithm=str(recipe.algorithm) if recipe else "PPO",
        total_return=figures.get("total_return"),
        sharpe=figures.get("sharpe"),
        sharpe_standard_error=figures.get("sharpe_standard_error"),
        max_drawdown=figures.get("max_drawdown"),
        baseline=baseline,
        baseline_sharpe=scored.figures[baseline].get("sharpe") if scored and baseline else None,
        decision=decided.outcome if decided else FAILED,
        reason=decided.reason if decided else (why or "an earlier stage failed"),
    )

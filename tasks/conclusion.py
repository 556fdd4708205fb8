"""How the night ended: one row per agent, every failure with its reason, and where to look."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.night import Night
from tasks.stage import StageResult


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
        warnings: what a person should mend although the night went on.
        report: path of the report; empty if it could not be written.
        mlflow: tracking URI.
    """

    night: str
    as_of: str
    agents: tuple[AgentRow, ...]
    failures: dict[str, str]
    warnings: dict[str, str]
    report: str
    mlflow: str

    def failure_text(self) -> str:
        """All failures in one line."""
        return "; ".join(f"{place}: {reason}" for place, reason in self.failures.items())

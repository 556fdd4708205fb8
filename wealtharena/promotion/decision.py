"""What the promotion gate says, with every figure that it looked at."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wealtharena.evaluation.comparison import SharpeDifference
from wealtharena.promotion.score_card import Kind, ScoreCard, number_or_none


class DecisionOutcome(StrEnum):
    """How a gate ended."""

    PROMOTED = "promoted"
    """The candidate becomes champion."""
    REJECTED = "rejected"
    """The champion stays, or, without champion and usable baseline, there is none."""
    BASELINE_CHAMPION = "baseline_champion"
    """There was no usable champion and the best baseline beats the candidate: it becomes champion."""
    KEPT = "kept"
    """Candidate and champion are the same checkpoint."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question put to the candidate.

    Attributes:
        name: what was asked.
        passed: the answer.
        value: the candidate's figure.
        threshold: what it was held against.
    """

    name: str
    passed: bool
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """How sure the comparison is: reported, not a gate yet.

    Attributes:
        opponent: name of the card that the candidate was compared with.
        sharpe: difference of the annual Sharpe ratios, with standard error.
    """

    opponent: str
    sharpe: SharpeDifference

    def sentence(self) -> str:
        """The evidence in words; empty where there is none."""
        if math.isnan(self.sharpe.difference):
            return ""
        return (
            f"Sharpe difference {self.sharpe.difference:+.2f} with a standard error of "
            f"{self.sharpe.standard_error:.2f} (reported, not a gate yet)"
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Outcome of one gate.

    Attributes:
        outcome: see ``DecisionOutcome``.
        winner: name of the champion after the decision; empty if there is none.
        winner_kind: policy or baseline; None if there is no champion.
        reason: one plain sentence with numbers.
        checks: every check, passed or not.
        candidate: card of the candidate.
        opponent: card that it was held against; None if there was neither champion nor usable baseline.
        evidence: uncertainty of the comparison; None without opponent.
    """

    outcome: DecisionOutcome
    winner: str
    winner_kind: Kind | None
    reason: str
    checks: tuple[Check, ...]
    candidate: ScoreCard
    opponent: ScoreCard | None = None
    evidence: Evidence | None = None

    @property
    def champion_label(self) -> str:
        """``baseline:equal_weight`` for a baseline, the name for a policy: what a registry tag stores."""
        return f"baseline:{self.winner}" if self.winner_kind is Kind.BASELINE else self.winner

    def as_record(self) -> dict[str, Any]:
        """The whole decision as JSON-safe values."""
        return {
            "outcome": str(self.outcome),
            "winner": self.winner,
            "winner_kind": str(self.winner_kind) if self.winner_kind else None,
            "champion": self.champion_label,
            "reason": self.reason,
            "checks": [_check_record(check) for check in self.checks],
            "candidate": self.candidate.as_record(),
            "opponent": self.opponent.as_record() if self.opponent else None,
            "evidence": _evidence_record(self.evidence) if self.evidence else None,
        }


def _check_record(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "passed": check.passed,
        "value": number_or_none(check.value),
        "threshold": number_or_none(check.threshold),
    }


def _evidence_record(evidence: Evidence) -> dict[str, Any]:
    return {
        "opponent": evidence.opponent,
        "sharpe_difference": number_or_none(evidence.sharpe.difference),
        "standard_error": number_or_none(evidence.sharpe.standard_error),
        "correlation": number_or_none(evidence.sharpe.correlation),
        "sessions": evidence.sharpe.sessions,
        "gate": False,
        "note": "reported, not a gate yet",
    }

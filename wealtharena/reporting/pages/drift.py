"""Drift: how far features, results and positions of the champion have moved from what it was trained on."""

import math
from dataclasses import dataclass

import pandas as pd

MAX_ROWS = 15


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One figure; ``share`` is what it makes of its threshold, NaN where there is none."""

    kind: str
    name: str
    value: float
    threshold: float
    alarm: bool
    text: str

    @property
    def share(self) -> float:
        """Value over threshold."""
        return self.value / self.threshold if self.threshold else math.nan


@dataclass(frozen=True)
class DriftPage:
    """Figures of one agent: alarms first, then by what they make of their thresholds.

    Attributes:
        rows: all alarms and the largest others.
        num_figures: figures in all.
    """

    rows: tuple[DriftRow, ...]
    num_figures: int

    @property
    def num_alarms(self) -> int:
        """Figures beyond their threshold."""
        return sum(row.alarm for row in self.rows)


def gather_drift(figures: pd.DataFrame) -> DriftPage | None:
    """The page of one agent from the night's rows of ``out_drift__figures``; None without a figure."""
    if figures.empty:
        return None
    rows = [
        DriftRow(
            kind=str(row["kind"]),
            name=str(row["name"]),
            value=float(row["value"]),
            threshold=float(row["threshold"]),
            alarm=bool(row["alarm"]),
            text=str(row["text"]),
        )
        for row in figures.to_dict("records")
    ]
    rows.sort(key=lambda row: (not row.alarm, -row.share if math.isfinite(row.share) else math.inf, row.kind, row.name))
    shown = max(MAX_ROWS, sum(row.alarm for row in rows))
    return DriftPage(tuple(rows[:shown]), len(rows))

"""What was withheld from the core layer: one row per finding, with the value as it came and the reason in words."""

from typing import Any

import pandas as pd

QUARANTINE_COLUMNS = ("symbol", "session_date", "rule", "column", "value", "reason")


class Quarantine:
    """Collects findings while a frame is checked."""

    def __init__(self, date_column: str) -> None:
        self._date_column = date_column
        self._parts: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame, rule: str, column: str, reason: str) -> None:
        """Records ``rows`` (``symbol``, the date column and ``column``) under one rule."""
        if rows.empty:
            return
        self._parts.append(
            pd.DataFrame(
                {
                    "symbol": rows["symbol"].astype(str),
                    "session_date": rows[self._date_column],
                    "rule": rule,
                    "column": column,
                    "value": [_as_text(value) for value in rows[column]],
                    "reason": reason,
                }
            )
        )

    def frame(self) -> pd.DataFrame:
        """All findings in order of symbol, date and rule; equal ones once."""
        parts = self._parts or [pd.DataFrame(columns=list(QUARANTINE_COLUMNS))]
        found = pd.concat(parts, ignore_index=True).astype({"session_date": "datetime64[us]"})
        order = ["symbol", "session_date", "rule", "column"]
        return found.drop_duplicates().sort_values(order, kind="stable", ignore_index=True)


def merge_quarantine(found: pd.DataFrame, unparsed: pd.DataFrame, group: str) -> pd.DataFrame:
    """Findings of the checks and cells that no vendor could read, as rows of the quarantine table of one group."""
    parts = [part for part in (found, unparsed[list(QUARANTINE_COLUMNS)]) if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else found
    return rows.drop_duplicates().assign(asset_class=group)


def _as_text(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else str(value)

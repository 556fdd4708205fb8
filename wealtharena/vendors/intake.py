"""From a vendor's answer to rows that can be stored: one per date, and an account of those that cannot be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from wealtharena.core.market_data import BAR_COLUMNS, MACRO_COLUMNS, FetchResult

REFUSED_COLUMNS = ("symbol", "session_date", "rule", "column", "value", "reason")

_DAYS = ("session_date", "reference_date", "available_date")
_NOTHING_REFUSED = pd.DataFrame({name: pd.Series(dtype="str") for name in REFUSED_COLUMNS}).astype(
    {"session_date": "datetime64[us]"}
)


@dataclass(frozen=True)
class Origin:
    """Where stored rows come from; the same for all rows of one answer.

    Attributes:
        vendor: that answered.
        group: asset class, or ``macro``.
        epoch: how often the vendor has rewritten the symbol's history so far.
        run_id: execution that asked.
        known_at: when the answer came (with time zone).
    """

    vendor: str
    group: str
    epoch: int
    run_id: str
    known_at: datetime


def unique_rows(result: FetchResult) -> pd.DataFrame:
    """Rows of an answer that have a date, the first of each date (and release date, for macro)."""
    rows = result.frame
    if _is_plain(rows):
        return rows
    return rows[~rows[_date_column(rows)].isna() & ~rows.duplicated(_key(rows))].reset_index(drop=True)


def refused_rows(result: FetchResult) -> pd.DataFrame:
    """What cannot be stored, ``REFUSED_COLUMNS``: cells that are no number, rows without date, repeated dates.

    Of several rows with one date the first stands, whether the others equal it (``duplicate``) or contradict it
    (``duplicate_conflict``): which one is right cannot be known.
    """
    rows = result.frame
    if not result.unparsed and _is_plain(rows):
        return _NOTHING_REFUSED
    day = _date_column(rows)
    value = "close" if "close" in rows else "value"
    undated = rows[day].isna()
    repeated = rows.duplicated(_key(rows)) & ~undated
    equal = rows.duplicated() & repeated
    parts = [
        pd.DataFrame([_cell(result.symbol, *cell) for cell in result.unparsed], columns=list(REFUSED_COLUMNS)),
        _refused(result, undated, "no_date", day, "the row has no date; row withheld"),
        _refused(result, equal, "duplicate", day, "the row repeats another of this date; row withheld"),
        _refused(
            result,
            repeated & ~equal,
            "duplicate_conflict",
            value,
            "the first row of this date says otherwise and stands; row withheld",
        ),
    ]
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True).astype({"session_date": "datetime64[us]"})


def own_columns(rows: pd.DataFrame) -> pa.Table:
    """What differs from row to row: ``BAR_COLUMNS`` or ``MACRO_COLUMNS``, days as timestamps."""
    names = BAR_COLUMNS if "session_date" in rows else MACRO_COLUMNS
    return pa.table({name: _column(rows[name], name in _DAYS) for name in names})


def common_columns(result: FetchResult, origin: Origin) -> dict[str, str | int]:
    """What is the same in all rows of an answer, by name in the raw tables; JSON-able."""
    collected: dict[str, str | int] = {
        "payload_hash": result.payload_hash,
        "request": result.request,
        "vendor": origin.vendor,
        "run_id": origin.run_id,
        "known_at": origin.known_at.isoformat(),
    }
    if "session_date" not in result.frame:
        return {"series": result.symbol, **collected}
    return {
        "symbol": result.symbol,
        "asset_class": origin.group,
        "price_basis": str(result.price_basis),
        "currency": result.currency,
        "epoch": origin.epoch,
        **collected,
    }


def raw_rows(answers: Sequence[tuple[pa.Table, Mapping[str, str | int]]]) -> pa.Table:
    """Rows of a raw table from several answers of one vendor, given as (``own_columns``, ``common_columns``)."""
    rows = pa.concat_tables([own for own, _ in answers])
    places = pa.array(np.repeat(np.arange(len(answers)), [own.num_rows for own, _ in answers]))
    for name in answers[0][1]:
        values = [_typed(name, common[name]) for _, common in answers]
        rows = rows.append_column(name, pa.array(values).take(places))
    return rows


def _column(values: "pd.Series[Any]", is_day: bool) -> pa.Array:
    return pa.array(values.to_numpy("datetime64[us]" if is_day else "float64"), from_pandas=True)


def _typed(name: str, value: str | int) -> str | int | datetime:
    return datetime.fromisoformat(str(value)) if name == "known_at" else value


def _is_plain(rows: pd.DataFrame) -> bool:
    """Whether every row has a date of its own, as nearly every answer's rows have."""
    days = rows[_date_column(rows)]
    return bool(days.is_unique) and not days.hasnans


def _date_column(rows: pd.DataFrame) -> str:
    return "session_date" if "session_date" in rows else "reference_date"


def _key(rows: pd.DataFrame) -> list[str]:
    return ["session_date"] if "session_date" in rows else ["reference_date", "available_date"]


def _refused(result: FetchResult, mask: "pd.Series[bool]", rule: str, column: str, reason: str) -> pd.DataFrame:
    rows = result.frame[mask]
    return pd.DataFrame(
        {
            "symbol": result.symbol,
            "session_date": rows[_date_column(rows)],
            "rule": rule,
            "column": column,
            "value": [_text(value) for value in rows[column]],
            "reason": reason,
        },
        columns=list(REFUSED_COLUMNS),
    )


def _cell(symbol: str, label: str, column: str, text: str) -> tuple[str, pd.Timestamp | None, str, str, str, str]:
    # A label begins with the row's date, unless it is the date that cannot be read.
    day = pd.to_datetime(label[:10], format="%Y-%m-%d", errors="coerce")
    rule = "a number" if column not in ("date", "available_date") else "an ISO date"
    reason = f"{column} must be {rule}, got {text!r} at {label}"
    return symbol, None if pd.isna(day) else day, "not_a_number", column, text, reason


def _text(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return "" if pd.isna(value) else f"{value:.10g}"


def current_refused(refused: pd.DataFrame, fetches: pd.DataFrame) -> pd.DataFrame:
    """What is refused still, ``REFUSED_COLUMNS``: a later answer for the same day tells anew what cannot be stored.

    Args:
        refused: rows of ``core_quality__refused``; a row without date belongs to the whole answer.
        fetches: ledger rows of answers that a vendor stood by.
    """
    if refused.empty:
        return refused[list(REFUSED_COLUMNS)]
    key = ["vendor", "dataset", "symbol"]
    rows = refused.reset_index(drop=True).reset_index(names="row")
    answers = fetches[[*key, "requested_from", "requested_to", "known_at"]]
    pairs = rows.merge(answers, on=key, suffixes=("", "_later"))
    days = pairs["session_date"]
    covers = days.isna() | days.between(pairs["requested_from"], pairs["requested_to"])
    superseded = pairs.loc[covers & (pairs["known_at_later"] > pairs["known_at"]), "row"]
    standing = rows[~rows["row"].isin(superseded)]
    return standing[list(REFUSED_COLUMNS)].drop_duplicates().reset_index(drop=True)

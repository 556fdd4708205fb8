"""Keeps vendors' answers: at once in the journal, in batches in the raw tables and the ledger of fetches."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.night import Night
from warehouse import Journal, JournalEntry
from wealtharena.core.market_data import FetchRequest, FetchResult, MacroRequest, Outcome
from wealtharena.vendors.intake import Origin, common_columns, own_columns, raw_rows, refused_rows

FETCHES = "core_quality__fetches"
REFUSED = "core_quality__refused"
BARS, MACRO_DATA = "bars", "macro"


@dataclass(frozen=True)
class Answer:
    """A vendor's answer and what of it is to be stored.

    Attributes:
        dataset: ``bars`` or ``macro``.
        request: what was asked.
        result: what came.
        origin: vendor, group, epoch, run and moment.
        rows: rows of the answer that the raw table lacks.
    """

    dataset: str
    request: FetchRequest | MacroRequest
    result: FetchResult
    origin: Origin
    rows: pd.DataFrame


class AnswerBook:
    """Answers of one group; made under the group's lock, so that nobody else stores into it."""

    def __init__(self, night: Night, group: str) -> None:
        self._night, self._night_id = night, night.night_id
        self._journal = Journal(night.settings.home / "journal" / group)
        self._waiting = 0
        # What a run left behind when it was killed: it was answered, so it must not be asked again.
        self.store()

    def keep(self, answer: Answer) -> None:
        """Makes an answer safe from now on; every ``vendors.batch_size`` of them go into the tables."""
        fetch = _fetch_row(answer, self._night_id)
        metadata = {
            "fetch": fetch,
            "common": common_columns(answer.result, answer.origin),
            "refused": _refused(fetch, refused_rows(answer.result)),
        }
        self._journal.append(metadata, own_columns(answer.rows))
        self._waiting += 1
        if self._waiting >= self._night.settings.vendors.batch_size:
            self.store()

    def store(self) -> None:
        """Puts everything that waits into the tables."""
        self._waiting = 0
        entries = self._journal.entries()
        if not entries:
            return
        warehouse = self._night.warehouse
        for table, rows in _writes(entries):
            warehouse.write(table, rows)
        refused = [row for entry in entries for row in entry.metadata["refused"]]
        if refused:
            warehouse.write(REFUSED, _typed(refused, ("session_date",)))
        # The ledger last: what stands in it is stored.
        fetches = [entry.metadata["fetch"] for entry in entries]
        warehouse.write(FETCHES, _typed(fetches, ("requested_from", "requested_to", "first_date", "last_date")))
        self._journal.discard(entries)


def successful(fetches: pd.DataFrame) -> pd.DataFrame:
    """Ledger rows of answers that a vendor stood by: rows, or none because there were none."""
    return fetches[fetches["outcome"].isin([str(Outcome.ROWS), str(Outcome.EMPTY)])]


def raw_table(vendor: str, dataset: str) -> str:
    """Raw table of a vendor's bars or macro observations."""
    return f"raw_{vendor}__{'daily_bars' if dataset == BARS else 'macro'}"


def _writes(entries: Sequence[JournalEntry]) -> list[tuple[str, pa.Table]]:
    """Tables and rows to write, in order; a symbol that was answered twice is in two writes."""
    rounds: dict[tuple[int, str], list[tuple[pa.Table, Mapping[str, str | int]]]] = defaultdict(list)
    seen: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        fetch = entry.metadata["fetch"]
        table = raw_table(fetch["vendor"], fetch["dataset"])
        if entry.rows.num_rows:
            rounds[seen[table, fetch["symbol"]], table].append((entry.rows, entry.metadata["common"]))
            seen[table, fetch["symbol"]] += 1
    return [(table, raw_rows(answers)) for (_, table), answers in sorted(rounds.items(), key=lambda item: item[0])]


def _fetch_row(answer: Answer, night_id: str) -> dict[str, Any]:
    """The answer's row of the ledger, JSON-able."""
    result, origin, request = answer.result, answer.origin, answer.request
    first, last = _span(answer)
    return {
        "vendor": origin.vendor,
        "dataset": answer.dataset,
        "group": origin.group,
        "symbol": result.symbol,
        "requested_from": request.start.isoformat(),
        "requested_to": request.end.isoformat(),
        "outcome": str(result.outcome),
        "reason": result.reason,
        "rows": len(result.frame),
        "first_date": first,
        "last_date": last,
        "epoch": origin.epoch,
        "payload_hash": result.payload_hash,
        "request": result.request,
        "run_id": origin.run_id,
        "night": night_id,
        "known_at": origin.known_at.isoformat(),
    }


def _span(answer: Answer) -> tuple[str | None, str | None]:
    """First and last day that the answer has figures of: a bar without close has not come yet."""
    rows = answer.result.frame
    days = rows.iloc[:, 0].to_numpy("datetime64[D]")
    known = ~np.isnat(days)
    if answer.dataset == BARS:
        known &= ~np.isnan(rows["close"].to_numpy("float64"))
    return (str(days[known].min()), str(days[known].max())) if known.any() else (None, None)


def _refused(fetch: dict[str, Any], refused: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the table of what could not be stored, JSON-able."""
    if refused.empty:
        return []
    where = {name: fetch[name] for name in ("vendor", "dataset", "group", "known_at")}
    days = refused["session_date"].dt.strftime("%Y-%m-%d").where(refused["session_date"].notna(), None)
    texts = refused.assign(session_date=days.astype(object)).to_dict("records")
    return [{str(name): value for name, value in row.items()} | where for row in texts]


def _typed(rows: Sequence[Mapping[str, Any]], days: tuple[str, ...]) -> pa.Table:
    """Rows read from JSON, their dates and moments as such."""

    def typed(name: str, value: Any) -> Any:
        if value is None:
            return None
        if name == "known_at":
            return datetime.fromisoformat(value)
        return date.fromisoformat(value) if name in days else value

    return pa.Table.from_pylist([{name: typed(name, value) for name, value in row.items()} for row in rows])

"""What Alpha Vantage's answers mean: refusals come with status 200 and differ by their words alone."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from wealtharena.core.market_data import Outcome
from wealtharena.vendors.bar_results import UnparsedCell, number
from wealtharena.vendors.failures import Failure, FetchFailed, http_failure, shorten
from wealtharena.vendors.transport import Received

_TEXTS = ("Error Message", "Information", "Note")
_A_MINUTE = timedelta(seconds=60)
_PER_MINUTE = Failure(Outcome.RATE_LIMITED, "too many requests a minute")
_PER_DAY = Failure(Outcome.RATE_LIMITED, "the day's requests are used", stops_vendor=True)
# In this order: texts on seconds and minutes also name the day's quota, and every text on quotas the paid plans.
_MEANINGS = (
    (("invalid api call",), Failure(Outcome.UNKNOWN_SYMBOL, "not known by this symbol")),
    (("spreading out", "per second", "per-second"), Failure(Outcome.RATE_LIMITED, "too many requests a second")),
    (("per minute",), _PER_MINUTE),
    (("per day", "daily rate limit"), _PER_DAY),
    (("rate limit", "call frequency"), Failure(Outcome.RATE_LIMITED, "too many requests")),
    (("apikey", "api key"), Failure(Outcome.REJECTED, "the key is not accepted", stops_vendor=True)),
    (("premium",), Failure(Outcome.REJECTED, "not in the key's plan")),
)
# "1. open", and "1a. open (USD)" as coins were called until 2024.
_FIELD = re.compile(r"\d+[a-z]?\. (open|high|low|close|volume)\b")


class JsonObject(dict[str, Any]):
    """A JSON object that remembers every pair in the order of the text, repeated names too."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def data_of(received: Received, now: datetime, tomorrow: datetime) -> JsonObject:
    """The answer as an object that holds data.

    Args:
        now: moment from which waits count.
        tomorrow: when a used-up day's quota is granted anew.

    Raises:
        FetchFailed: it holds none; the failure says why.
        json.JSONDecodeError: the body is cut short, empty, or no JSON.
    """
    document = _document(received)
    for key in _TEXTS:
        if key in document:
            raise FetchFailed(_told(str(document[key]), now, tomorrow))
    failure = http_failure(received.status, received.headers, received.text, now)
    if failure:
        raise FetchFailed(failure)
    parsed = json.loads(received.body, object_pairs_hook=JsonObject)
    if not isinstance(parsed, JsonObject) or not parsed:
        raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, "an answer without data and without an error"))
    return parsed


def require_bars(series: object, meta: object, names: tuple[str, ...]) -> JsonObject:
    """The bars, unless they are none or those of another symbol than was asked for.

    Args:
        names: what was asked for, as the metadata repeats it.

    Raises:
        FetchFailed: with the failure ``REJECTED``.
    """
    if not isinstance(series, JsonObject) or not isinstance(meta, Mapping):
        raise FetchFailed(Failure(Outcome.REJECTED, f"bars must come as rows by date, got {shorten(str(series))}"))
    told = [str(value) for value in meta.values()]
    missing = set(map(str.upper, names)).difference(map(str.upper, told))
    if missing:
        reason = f"Alpha Vantage was asked for {'/'.join(names)} and answered for {shorten(', '.join(told))}"
        raise FetchFailed(Failure(Outcome.REJECTED, reason))
    return series


def read_bars(series: JsonObject, start: date, end: date) -> tuple[pd.DataFrame, tuple[UnparsedCell, ...]]:
    """Rows from ``start`` to ``end`` in the vendor's order (newest first), and the cells that are no numbers or dates.

    "None" and "NaN" are NaN. A row with an unreadable cell is only among the cells.
    """
    rows: list[dict[str, Any]] = []
    unparsed: list[UnparsedCell] = []
    for label, cells in series.pairs:
        day = _day(label)
        if day is None:
            unparsed.append((label, "date", label))
        elif start <= day <= end:
            row, wrong = _read_row(label, cells)
            unparsed.extend(wrong)
            if not wrong:
                rows.append({"session_date": pd.Timestamp(day), **row})
    return pd.DataFrame(rows, columns=["session_date", "open", "high", "low", "close", "volume"]), tuple(unparsed)


def _document(received: Received) -> Mapping[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        document = json.loads(received.body)
    except ValueError:
        return {}
    return document if isinstance(document, Mapping) else {}


def _told(words: str, now: datetime, tomorrow: datetime) -> Failure:
    """What a text instead of data means; one that is not known is ``REJECTED``."""
    said = f"Alpha Vantage says {shorten(words)!r}"
    for signs, failure in _MEANINGS:
        if any(sign in words.lower() for sign in signs):
            retry_at = now + _A_MINUTE if failure is _PER_MINUTE else tomorrow if failure is _PER_DAY else None
            return replace(failure, reason=f"{failure.reason}: {said}", retry_at=retry_at)
    return Failure(Outcome.REJECTED, said)


def _read_row(label: str, cells: Any) -> tuple[dict[str, float | None], list[UnparsedCell]]:
    if not isinstance(cells, Mapping):
        return {}, [(label, "close", shorten(str(cells)))]
    fields = [(match.group(1), value) for name, value in cells.items() if (match := _FIELD.match(name))]
    row: dict[str, float | None] = {}
    for field, value in fields:
        row.setdefault(field, number(value))
    return row, [(label, field, str(value)) for field, value in fields if number(value) is None]


def _day(label: str) -> date | None:
    try:
        return date.fromisoformat(label[:10])
    except ValueError:
        return None

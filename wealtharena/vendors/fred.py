"""FRED and ALFRED of the St. Louis Fed: macro series, with every value that was ever published."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

import pandas as pd

from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    MacroRequest,
    Outcome,
)
from wealtharena.settings import FredSettings
from wealtharena.vendors.attempts import Attempts
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure
from wealtharena.vendors.fred_client import FredClient, Observations, UnparsedCell, is_day
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.redaction import redact
from wealtharena.vendors.transport import VendorSession

NAME = "fred"


class FredVendor:
    """Macro series: today's values, or every vintage with its release day. A key is needed, it is free."""

    name = NAME
    is_local = False

    def __init__(self, settings: FredSettings, context: VendorContext) -> None:
        self._settings = settings
        quota = Quota(NAME, settings, context)
        self._attempts = Attempts(NAME, settings, quota, context)
        self._session = VendorSession(settings, quota)
        self._client = FredClient(settings, context, self._session)

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """FRED has no bars: every symbol is unknown to it."""
        for request in requests:
            failure = Failure(Outcome.UNKNOWN_SYMBOL, "FRED serves macro series, no bars")
            yield _no_rows(request.symbol, failure, BAR_COLUMNS, b"", "")

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """One result per series, as each one arrives. Never raises for one series.

        A value that FRED writes as "." is NaN. ``available_date`` is the day of the release, never the day on which a
        span of releases that was asked for happens to begin; without vintages it is NaT.

        Raises:
            VendorError: the quota file cannot be used.
        """
        for request in requests:
            yield self._series(request)

    def _series(self, request: MacroRequest) -> FetchResult:
        self._session.received.clear()
        answer = self._ask(request)
        body = b"".join(item.body for item in self._session.received)
        if isinstance(answer, Failure):
            return _no_rows(request.symbol, answer, MACRO_COLUMNS, body, self._asked())
        frame = answer.frame
        frame = frame[frame["reference_date"].between(pd.Timestamp(request.start), pd.Timestamp(request.end))]
        unparsed = tuple(cell for cell in answer.unparsed if _inside(cell, request))
        if frame.empty:
            return _no_rows(request.symbol, _nothing_inside(request, unparsed), MACRO_COLUMNS, body, self._asked())
        return FetchResult(
            request.symbol,
            Outcome.ROWS,
            "",
            frame.sort_values(["reference_date", "available_date"], kind="stable", ignore_index=True),
            hashlib.sha256(body).hexdigest(),
            unparsed=unparsed,
            request=self._asked(),
        )

    def _ask(self, request: MacroRequest) -> Observations | Failure:
        if not self._settings.api_key:
            return Failure(Outcome.REJECTED, "FRED needs a key (FRED_API_KEY), there is none")
        if request.with_vintages:
            return self._vintages(request)
        ask = partial(self._client.latest, request.symbol, request.start, request.end)
        return self._attempts.fetch(request.symbol, ask)

    def _vintages(self, request: MacroRequest) -> Observations | Failure:
        series, known_from = request.symbol, request.known_from or date.min
        days = self._attempts.fetch(series, partial(self._client.release_days, series))
        if isinstance(days, Failure):
            return days
        spans = _spans(days, known_from, self._settings.vintages_per_request)
        if not spans:
            reason = f"{series}: nothing was released since {known_from}, the last time on {days[-1]}"
            return Failure(Outcome.EMPTY, reason)
        parts: list[pd.DataFrame] = []
        unparsed: list[UnparsedCell] = []
        for first, last in spans:
            answer = self._attempts.fetch(series, partial(self._client.released, series, first, last))
            if isinstance(answer, Failure):
                return answer
            parts.append(_released_within(answer.frame, first, days[0], known_from))
            unparsed.extend(answer.unparsed)
        return Observations(pd.concat(parts, ignore_index=True), tuple(dict.fromkeys(unparsed)))

    def _asked(self) -> str:
        """The last request without the key, and how many there were."""
        urls = [redact(item.url) for item in self._session.received]
        more = f" and {len(urls) - 1} before it" if len(urls) > 1 else ""
        return f"{urls[-1]}{more}" if urls else ""


def _spans(days: Sequence[date], known_from: date, size: int) -> list[tuple[date, date]]:
    """First and last day of spans of at most ``size`` release days, each from the last day of the one before.

    The first one begins at the last release before ``known_from``. None where nothing was released since.
    """
    start = bisect_left(days, known_from)
    if start == len(days):
        return []
    begin = max(start - 1, 0)
    spans = [(days[begin], days[min(begin + size, len(days)) - 1])]
    while spans[-1][1] < days[-1]:
        begin += size - 1
        spans.append((days[begin], days[min(begin + size, len(days)) - 1]))
    return spans


def _released_within(frame: pd.DataFrame, first: date, first_of_all: date, known_from: date) -> pd.DataFrame:
    """Rows that were released in a span and not before ``known_from``.

    ALFRED dates all that stood already when the span begins on the span's first day: only on the very first release
    day is that the truth. Elsewhere the row with the true date is in the span before, or older than ``known_from``.
    """
    released = frame["available_date"].dt.date
    is_new = (released > first) | ((released == first) & (first == first_of_all))
    rows: pd.DataFrame = frame[is_new & (released >= known_from)]
    return rows


def _inside(cell: UnparsedCell, request: MacroRequest) -> bool:
    """Whether an unreadable cell's row lies between the days asked for; rows without a date always do."""
    day = cell[0][:10]
    return not is_day(day) or request.start <= date.fromisoformat(day) <= request.end


def _nothing_inside(request: MacroRequest, unparsed: Sequence[UnparsedCell]) -> Failure:
    if unparsed:
        label, column, text = unparsed[0]
        return Failure(Outcome.REJECTED, f"no row can be read; the first is {label}, {column} {text!r}")
    released = f" that was released since {request.known_from}" if request.known_from else ""
    reason = f"FRED knows {request.symbol} and has no value from {request.start} to {request.end}{released}"
    return Failure(Outcome.EMPTY, reason)


def _no_rows(symbol: str, failure: Failure, columns: tuple[str, ...], body: bytes, request: str) -> FetchResult:
    frame = pd.DataFrame(columns=list(columns))
    return FetchResult(
        symbol, failure.outcome, failure.reason, frame, hashlib.sha256(body).hexdigest(), request=request
    )

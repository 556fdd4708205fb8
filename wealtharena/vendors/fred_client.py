"""fredapi made fit for unattended use: counted and timed requests, all pages, and no failure that looks like data."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import fredapi
import numpy as np
import pandas as pd
import requests

from wealtharena.core.market_data import MACRO_COLUMNS, Outcome
from wealtharena.settings import FredSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure, FetchFailed, http_failure
from wealtharena.vendors.transport import VendorSession

UnparsedCell = tuple[str, str, str]

_DOCUMENTS = ("observations", "vintage_dates", "seriess")
# Days that a series may be without a reference date, weekends and holidays included, by FRED's code of its frequency.
_PERIOD_DAYS = {"D": 5, "W": 7, "BW": 14, "M": 31, "Q": 92, "SA": 184, "A": 366}
_TYPES = {"reference_date": "datetime64[us]", "value": "float64", "available_date": "datetime64[us]"}


@dataclass(frozen=True, slots=True)
class Observations:
    """One answer: rows of ``MACRO_COLUMNS``, and the cells of rows that could not be read (label, column, text)."""

    frame: pd.DataFrame
    unparsed: tuple[UnparsedCell, ...]


class FredClient(fredapi.Fred):  # type: ignore[misc]
    """fredapi on another transport: its own knows neither time limits nor quotas, and forgets the HTTP status.

    The public methods put one question each. They raise `FetchFailed` where the answer is no data, and what the
    transport raises.
    """

    def __init__(self, settings: FredSettings, context: VendorContext, session: VendorSession) -> None:
        # Not fredapi's own: it insists on a key, and may give the whole process another URL opener.
        self.root_url = settings.base_url.rstrip("/") or fredapi.Fred.root_url
        self.api_key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._max_refusals = settings.max_attempts
        self._refusals = 0
        self._context = context
        self._session = session
        self._repeated: list[ElementTree.Element] = []
        self._unparsed: list[UnparsedCell] = []

    def latest(self, series: str, start: date, end: date) -> Observations:
        """Today's values from ``start`` to ``end``; ``available_date`` is NaT."""
        values = self.get_series(_quoted(series), start, end)
        if self._sent_nothing(values):
            self._explain_nothing(series, start, end)
        answer = self._observations(values.index, values.to_list(), pd.NaT)
        undated = answer.frame.assign(available_date=np.datetime64("NaT")).astype(_TYPES)
        return Observations(undated, answer.unparsed)

    def released(self, series: str, first: date, last: date) -> Observations:
        """All values that stood between two days; ``available_date`` is the day of release, but not before ``first``.

        They are those of all reference dates, so that an empty answer is known for a fault.
        """
        rows = self.get_series_all_releases(_quoted(series), first, last)
        if self._sent_nothing(rows):
            reason = f"FRED sent no value of {series}, though it has releases from {first} to {last}"
            raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, reason))
        rows = rows.reindex(columns=["date", "value", "realtime_start"])
        # Beside two dates, fredapi turns a missing value into a missing date.
        values = rows["value"].where(rows["value"].notna(), float("nan"))
        return self._observations(rows["date"], values, rows["realtime_start"])

    def release_days(self, series: str) -> list[date]:
        """Days on which values were published, ascending."""
        days = {day.date() for day in self.get_series_vintage_dates(_quoted(series))}
        if not days:
            raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, f"FRED names no release day of {series}"))
        return sorted(days)

    def _sent_nothing(self, rows: Any) -> bool:
        return not (len(rows) or self._repeated or self._unparsed)

    def _explain_nothing(self, series: str, start: date, end: date) -> None:
        """Raises in any case: no value is right only where the series has no reference date between two days."""
        info = self.get_series_info(_quoted(series))
        first, last = (date.fromisoformat(info[name]) for name in ("observation_start", "observation_end"))
        known = f"{series} runs from {first} to {last}, {info['frequency'].lower()}"
        days = (min(end, last) - max(start, first)).days + 1
        if days < _PERIOD_DAYS.get(info["frequency_short"], 0):
            raise FetchFailed(Failure(Outcome.EMPTY, f"no reference date from {start} to {end}: {known}"))
        raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, f"FRED sent no value from {start} to {end}, though {known}"))

    def _observations(self, dates: Any, values: Any, released: Any) -> Observations:
        """fredapi's columns, which come as objects, and behind them the rows that it would have swallowed."""
        rows = pd.DataFrame({"reference_date": dates, "value": values, "available_date": released})
        repeated = pd.DataFrame(
            [(row.get("date"), _number(row), row.get("realtime_start")) for row in self._repeated],
            columns=list(MACRO_COLUMNS),
        )
        parts = [part.astype(_TYPES) for part in (rows, repeated)]
        return Observations(pd.concat(parts, ignore_index=True), tuple(self._unparsed))

    def _Fred__fetch_data(self, url: str) -> ElementTree.Element:  # noqa: N802 (the private name of fredapi's own)
        """All pages of an answer, without the rows that fredapi cannot represent."""
        root = self._page(url)
        count = int(root.get("count", len(root)))
        while len(root) < count:
            page = self._page(f"{url}&offset={len(root)}")
            if not len(page):
                reason = f"FRED announced {count} rows and sent {len(root)}"
                raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, reason))
            root.extend(page)
        self._repeated, self._unparsed = [], []
        if root.tag == "observations":
            self._set_aside(root)
        return root

    def _page(self, url: str) -> ElementTree.Element:
        response = self._session.get(url, params={"api_key": self.api_key})
        failure = self._failure(response)
        if failure:
            raise FetchFailed(failure)
        root = _document(response.content)
        if root.tag == "error":
            raise FetchFailed(self._refusal(_message(root)))
        self._refusals = 0
        if root.tag not in _DOCUMENTS:
            raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, f"a document <{root.tag}> instead of data"))
        return root

    def _failure(self, response: requests.Response) -> Failure | None:
        text = response.content.decode("utf-8", "replace")
        if response.status_code != 200:
            message = _error_message(response.content)
            if message and response.status_code == 400:
                return self._refusal(message)
            text = message or text
        return http_failure(response.status_code, response.headers, text, self._context.moment())

    def _refusal(self, message: str) -> Failure:
        """What FRED means by its words: the status is 400 for all of them."""
        words = message.lower()
        if "api_key is not registered" in words:
            # FRED has said so of keys that are: only a key that stays refused is taken for wrong.
            self._refusals += 1
            is_final = self._refusals >= self._max_refusals
            outcome = Outcome.REJECTED if is_final else Outcome.VENDOR_FAILURE
            return Failure(outcome, f"FRED refuses the key: {message}", stops_vendor=is_final)
        if "api_key" in words:
            return Failure(Outcome.REJECTED, f"FRED refuses the key: {message}", stops_vendor=True)
        if "series does not exist" in words or "series_id" in words:
            return Failure(Outcome.UNKNOWN_SYMBOL, f"FRED: {message}")
        return Failure(Outcome.REJECTED, f"FRED: {message}")

    def _set_aside(self, root: ElementTree.Element) -> None:
        """Takes out what fredapi cannot take: a cell that is no number or date, and a second row of one date.

        The first would cost it the whole answer; of the others it would keep the last, without a word.
        """
        kept: dict[tuple[str, str], ElementTree.Element] = {}
        for row in root:
            key = (row.get("date", ""), row.get("realtime_start", ""))
            cell = _unreadable(row)
            if cell:
                self._unparsed.append(cell)
            elif key in kept:
                self._repeated.append(row)
            else:
                kept[key] = row
        root[:] = list(kept.values())


def is_day(text: str) -> bool:
    """Whether a text is a date as FRED writes it, 2020-01-31."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _document(body: bytes) -> ElementTree.Element:
    # Its parser (expat) sets a limit to entities that expand without end.
    return ElementTree.fromstring(body)  # noqa: S314


def _error_message(body: bytes) -> str:
    """The message of FRED's error document; ``""`` where the body is none."""
    try:
        root = _document(body)
    except ElementTree.ParseError:
        return ""
    return _message(root) if root.tag == "error" else ""


def _message(error: ElementTree.Element) -> str:
    return " ".join(error.get("message", "").split())


def _unreadable(row: ElementTree.Element) -> UnparsedCell | None:
    """The first cell of a row that is no number or no date."""
    for name, column in (("date", "date"), ("realtime_start", "available_date")):
        if not is_day(row.get(name, "")):
            return f"the row of {row.get('date', '')!r}", column, row.get(name, "")
    try:
        _number(row)
    except ValueError:
        return f"{row.get('date')} (released {row.get('realtime_start')})", "value", row.get("value", "")
    return None


def _number(row: ElementTree.Element) -> float:
    text = row.get("value", "")
    return float("nan") if text == fredapi.Fred.nan_char else float(text)


def _quoted(series: str) -> str:
    """The name as part of a URL; fredapi puts it in as it stands."""
    return quote(series, safe="")

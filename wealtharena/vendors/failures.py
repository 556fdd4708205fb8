"""What went wrong with a request: one vocabulary for all vendors, however their clients put it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException

from wealtharena.core.market_data import Outcome

WORTH_A_RETRY = (Outcome.VENDOR_FAILURE, Outcome.RATE_LIMITED)
"""Outcomes that another attempt may turn into rows."""
_LONGEST_PAUSE = timedelta(days=1)
_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no rows.

    Attributes:
        outcome: ``VENDOR_FAILURE`` (5xx, reset, timeout, truncated, HTML) and ``RATE_LIMITED`` are tried again;
            ``EMPTY``, ``UNKNOWN_SYMBOL`` and ``REJECTED`` (bad key, paid plan, unusable payload) are final.
        reason: in words for a person.
        retry_at: when the vendor may be asked again; None: it does not tell.
        stops_vendor: no other symbol would fare better (bad key, the day's quota is used): the vendor is left alone
            for the rest of the run.
    """

    outcome: Outcome
    reason: str
    retry_at: datetime | None = None
    stops_vendor: bool = False


class FetchFailed(Exception):
    """Raised by a vendor's own code when an answer is no data; carries the failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def http_failure(status: int, headers: Mapping[str, str], text: str, now: datetime) -> Failure | None:
    """What an HTTP answer says by itself; None where it may be data.

    A 404 and other 4xx are ``REJECTED`` here; a vendor that means an unknown symbol by one of them looks at it first.

    Args:
        headers: of the answer, names in any case.
        text: body of the answer.
        now: moment from which a Retry-After in seconds counts.
    """
    retry_at = retry_after(headers, now)
    if status == 429:
        return Failure(Outcome.RATE_LIMITED, f"HTTP 429, too many requests{_until(retry_at)}", retry_at)
    if status == 408 or status >= 500:
        return Failure(Outcome.VENDOR_FAILURE, f"HTTP {status}: {shorten(text)}", retry_at)
    if looks_like_html(text):
        return Failure(Outcome.VENDOR_FAILURE, f"a web page instead of data (HTTP {status}): {shorten(text)}")
    if status >= 400:
        return Failure(Outcome.REJECTED, f"HTTP {status}: {shorten(text)}")
    return None


def transport_failure(error: Exception) -> Failure | None:
    """A failure of network, time or transfer; None where the error is another one.

    The exceptions of requests, curl_cffi, urllib and sockets are all ``OSError``; a body that does not parse as JSON
    or XML is a truncated or foreign one, since vendors send these formats by machine.
    """
    if isinstance(error, OSError | HTTPException):
        words = str(error).partition(" See https://curl.se")[0]
        return Failure(Outcome.VENDOR_FAILURE, f"{type(error).__name__}: {shorten(words)}")
    if isinstance(error, ValueError | SyntaxError) and type(error).__name__ in ("JSONDecodeError", "ParseError"):
        return Failure(Outcome.VENDOR_FAILURE, f"an answer that cannot be parsed: {shorten(str(error))}")
    return None


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Moment that a Retry-After header names, in seconds or as an HTTP date; None without a readable one.

    At most a day ahead: whoever asks for more is asked once a day whether it still stands.
    """
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "").strip()
    latest = now + _LONGEST_PAUSE
    if value.isdecimal():
        return latest if len(value) > 9 else min(now + timedelta(seconds=int(value)), latest)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(moment if moment.tzinfo else moment.replace(tzinfo=UTC), latest)


def looks_like_html(text: str) -> bool:
    """Whether a body is a web page."""
    start = text[:200].lstrip().lower()
    return start.startswith("<!doctype html") or "<html" in start


def shorten(text: str) -> str:
    """The first words of a text on one line."""
    line = " ".join(text[: 4 * _SHOWN_CHARACTERS].split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}…"


def _until(moment: datetime | None) -> str:
    return f", asks to wait until {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""

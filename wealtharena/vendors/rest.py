"""A bar feed over HTTP that answers with JSON, described by settings alone.

A feed that is asked with ``GET /v2/candles/AAPL?start=20240102&stop=20240105``, wants its key in ``X-Api-Key`` and
answers ``{"data": {"candles": [{"t": 1704153600, "o": 187.2, "h": 188.4, "l": 183.9, "c": "185.64"}]}}`` is::

    vendors:
      order: {stocks: [rest, yahoo]}
      rest:
        base_url: https://feed.example.com/v2
        path: /candles/{symbol}?start={start:%Y%m%d}&stop={end:%Y%m%d}
        key_header: X-Api-Key
        key_prefix: ""
        rows: data.candles
        fields: {session_date: t, open: o, high: h, low: l, close: c}
        date_format: unix
        price_basis: as_traded

with the key in ``WEALTHARENA_VENDORS__REST__API_KEY``. A feed without key needs none. What the feed calls an instrument
is its alias for ``rest`` in the universe table, else its symbol.
"""

import json
import string
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from urllib.parse import quote

import requests

from wealtharena.core.errors import SettingsError
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    FetchRequest,
    FetchResult,
    MacroRequest,
    Outcome,
    PriceBasis,
)
from wealtharena.settings import RestSettings
from wealtharena.vendors.attempts import Attempts
from wealtharena.vendors.bar_results import (
    bar_frame,
    last_day_to_ask,
    no_macro,
    nothing_readable,
    with_bars,
    without_bars,
)
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure, FetchFailed, http_failure, shorten
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.redaction import redact
from wealtharena.vendors.rest_rows import BarRows, read_rows
from wealtharena.vendors.transport import VendorSession

NAME = "rest"
_REQUIRED = ("session_date", "open", "high", "low", "close")
_PLACES = ("symbol", "start", "end")


class RestVendor:
    """Daily bars of a feed that the settings describe."""

    name = NAME
    is_local = False

    def __init__(self, settings: RestSettings, context: VendorContext) -> None:
        self._settings = settings
        self._context = context
        quota = Quota(NAME, settings, context)
        self._attempts = Attempts(NAME, settings, quota, context)
        self._session = VendorSession(settings, quota)

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """One result per request, as each one arrives; bars of sessions that had closed at the context's ``now``.

        Columns that ``fields`` does not name are NaN, and so are cells that are null, empty or not there. No bar at all
        is a failure where the exchange had sessions: a feed that answers with JSON cannot say why it sends none. Never
        raises for one symbol.

        Raises:
            SettingsError: the settings of ``vendors.rest`` describe no feed.
            VendorError: the quota file cannot be used.
        """
        _require_feed(self._settings)
        for request in requests:
            yield self._result(request)

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """The feed is asked for bars only: every series is unknown to it."""
        return no_macro(NAME, requests)

    def _result(self, request: FetchRequest) -> FetchResult:
        self._session.received.clear()
        answer = self._bars(request)
        bodies = [item.body for item in self._session.received]
        asked = redact(self._session.received[-1].url) if bodies else ""
        if isinstance(answer, Failure):
            result = without_bars(request, answer, bodies, asked)
        else:
            result = with_bars(request, answer.frame, bodies, asked, unparsed=answer.unparsed)
        return replace(result, price_basis=PriceBasis(self._settings.price_basis))

    def _bars(self, request: FetchRequest) -> BarRows | Failure:
        end = last_day_to_ask(request, self._context.now)
        if isinstance(end, Failure):
            return end
        url = _url(self._settings, request.instrument.called_by(NAME), request.start, end)
        return self._attempts.fetch(request.symbol, partial(self._page, url, request.start, end))

    def _page(self, url: str, start: date, end: date) -> BarRows:
        # A redirect would take the key to wherever the answer says.
        response = self._session.get(url, auth=self._sign, allow_redirects=False)
        failure = self._failure(response)
        if failure:
            raise FetchFailed(failure)
        rows = read_rows(json.loads(response.content), self._settings)
        frame = bar_frame(rows.frame, start, end)
        if frame.empty:
            raise FetchFailed(_nothing_inside(rows, start, end))
        return BarRows(frame, rows.unparsed)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        key = self._settings.api_key
        if key:
            request.headers[self._settings.key_header] = f"{self._settings.key_prefix}{key.get_secret_value()}"
        return request

    def _failure(self, response: requests.Response) -> Failure | None:
        text = response.content.decode("utf-8", "replace")
        if response.status_code in (401, 403):
            return Failure(Outcome.REJECTED, f"the feed refuses the key: {shorten(text)}", stops_vendor=True)
        if response.is_redirect:
            target = response.headers["Location"]
            return Failure(Outcome.REJECTED, f"vendors.rest.base_url: the feed has moved to {target}")
        failure = http_failure(response.status_code, response.headers, text, self._context.moment())
        if response.status_code == 404 and failure and failure.outcome is Outcome.REJECTED:
            return Failure(Outcome.UNKNOWN_SYMBOL, f"the feed does not know it: {shorten(text)}")
        return failure


def _require_feed(settings: RestSettings) -> None:
    """Raises a SettingsError unless the settings say where the feed is, how it is asked and what its columns are."""
    if not settings.base_url:
        raise SettingsError("vendors.rest.base_url must be the address of the feed, it is empty")
    try:
        places = {name for _, name, _, _ in string.Formatter().parse(settings.path) if name is not None}
        _url(settings, "X", date(2000, 1, 1), date(2000, 1, 1))
    except (ValueError, LookupError):
        places = set()
    if "symbol" not in places or not places <= set(_PLACES):
        raise SettingsError(
            f"vendors.rest.path must hold {{symbol}} and may hold {{start}} and {{end}}, got {settings.path!r}"
        )
    missing = [column for column in _REQUIRED if column not in settings.fields]
    unknown = [column for column in settings.fields if column not in BAR_COLUMNS]
    if missing or unknown:
        raise SettingsError(
            f"vendors.rest.fields must name {', '.join(_REQUIRED)} and may name {', '.join(BAR_COLUMNS[5:])}, "
            f"got {', '.join(settings.fields)}"
        )


def _url(settings: RestSettings, called: str, start: date, end: date) -> str:
    return settings.base_url.rstrip("/") + settings.path.format(symbol=quote(called, safe=""), start=start, end=end)


def _nothing_inside(rows: BarRows, start: date, end: date) -> Failure:
    if len(rows.frame):
        days = rows.frame["session_date"]
        span = f"{days.min().date()} to {days.max().date()}"
        return Failure(Outcome.VENDOR_FAILURE, f"no bar with a price from {start} to {end}; {len(days)} bars, {span}")
    if rows.unparsed:
        return nothing_readable(rows.unparsed)
    return Failure(Outcome.VENDOR_FAILURE, f"an empty list, though there were sessions from {start} to {end}")

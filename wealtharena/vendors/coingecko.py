"""CoinGecko through pycoingecko: daily bars of coins over the last year; works without a key.

Free plans have no daily open, high and low. Close and volume come from the daily points of ``market_chart/range``, as
far back as ``history_days``. For days that lie within the last 30, open, high and low are aggregated from the six
four-hour candles of ``ohlc``; older bars, and days whose candles are not complete, have a close only, the rest is NaN.
So a bar is close-only because of its age, never because of a failure. Points and candles are those of UTC days, prices
and volume are in the instrument's currency, and the volume is that of the 24 hours up to midnight.

A coin is asked for by CoinGecko's id, the instrument's alias ``coingecko``.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from pycoingecko import CoinGeckoAPI

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest, FetchResult, Instrument, MacroRequest, Outcome
from wealtharena.settings import CoingeckoSettings
from wealtharena.vendors.attempts import Attempts
from wealtharena.vendors.bar_results import (
    bar_frame,
    last_day_to_ask,
    no_macro,
    nothing_readable,
    with_bars,
    without_bars,
)
from wealtharena.vendors.coingecko_answers import (
    Rows,
    read_chart,
    refusal,
    require_candles,
    require_chart,
    with_candles,
)
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure, FetchFailed
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.transport import VendorSession

_LOG = logging.getLogger(__name__)
NAME = "coingecko"
_KEY_HEADER = "x-cg-demo-api-key"
_CANDLE_SPANS = (7, 14, 30)
"""Days back from now for which ``ohlc`` has candles of four hours."""
# Spans count from CoinGecko's clock at the request, which is later than the run's; a run takes less than this.
_MARGIN = timedelta(hours=6)
_HOUR_S = 3_600


@dataclass
class _Question:
    """What is asked about one coin, and what has been answered by now.

    Attributes:
        coin: CoinGecko's id.
        currency: ISO code of the prices.
        start, end: first and last UTC day.
        chart: daily points; None: not answered yet.
        bodies: of the answers that were used, in order.
    """

    coin: str
    currency: str
    start: date
    end: date
    chart: Mapping[str, Any] | None = None
    bodies: list[bytes] = field(default_factory=list)

    def __str__(self) -> str:
        return f"market_chart/range and ohlc of {self.coin} in {self.currency} from {self.start} to {self.end}"


class CoingeckoVendor:
    """Daily bars of coins, without dividends, splits and adjusted closes (NaN); no macro series."""

    name = NAME
    is_local = False

    def __init__(self, settings: CoingeckoSettings, context: VendorContext) -> None:
        self._context = context
        self._history = timedelta(days=settings.history_days)
        quota = Quota(NAME, settings, context)
        self._attempts = Attempts(NAME, settings, quota, context)
        self._session = VendorSession(settings, quota)
        self._client = CoinGeckoAPI()
        # The client's own session repeats requests and sleeps out of our sight, over https only.
        self._client.session = self._session
        if settings.base_url:
            self._client.api_base_url = f"{settings.base_url.rstrip('/')}/"
        if settings.api_key:
            # As a header: the client would write the key into every URL.
            self._session.headers[_KEY_HEADER] = settings.api_key.get_secret_value()
        self._has_candles = True

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """One result per request, as each one arrives; bars of UTC days that had ended at the context's ``now``.

        Days before what the plan serves are not asked for. Never raises for one symbol.

        Raises:
            VendorError: the quota file cannot be used.
        """
        for request in requests:
            yield self._bars(request)

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """Every series is unknown: CoinGecko has none."""
        return no_macro("CoinGecko", requests)

    def _bars(self, request: FetchRequest) -> FetchResult:
        question = self._question(request)
        if isinstance(question, Failure):
            return without_bars(request, question)
        answer = self._attempts.fetch(request.symbol, lambda: self._put(question))
        asked = str(question)
        if isinstance(answer, Failure):
            return without_bars(request, answer, question.bodies, asked)
        chart, candles = answer
        days, unparsed = read_chart(chart, _midnight(question.start), _midnight(question.end))
        frame = bar_frame(with_candles(days, candles), question.start, question.end)
        if len(frame):
            return with_bars(request, frame, question.bodies, asked, question.currency, unparsed)
        known = f"CoinGecko knows {question.coin} and has no price from {question.start} to {question.end}"
        failure = nothing_readable(unparsed) if unparsed else Failure(Outcome.EMPTY, known)
        return without_bars(request, failure, question.bodies, asked, unparsed)

    def _question(self, request: FetchRequest) -> _Question | Failure:
        coin = _coin_of(request.instrument)
        if isinstance(coin, Failure):
            return coin
        end = last_day_to_ask(request, self._context.now)
        if isinstance(end, Failure):
            return end
        oldest = self._oldest().date()
        if end < oldest:
            reason = f"CoinGecko serves this plan the days from {oldest} on; asked from {request.start} to {end}"
            return Failure(Outcome.REJECTED, reason)
        return _Question(coin, request.instrument.currency, max(request.start, oldest), end)

    def _put(self, question: _Question) -> tuple[Mapping[str, Any], Rows]:
        """Chart and candles; an attempt does not ask again for a chart that an earlier one got."""
        question.chart = question.chart or self._chart(question)
        span = self._candle_span(question)
        if span is None or not self._has_candles:
            return question.chart, []
        return question.chart, self._candles(question, span)

    def _chart(self, question: _Question) -> Mapping[str, Any]:
        # From the midnight at which the first day begins: even if the last day is not there yet, a point is.
        begin = max(_midnight(question.start), self._oldest())
        until = _midnight(question.end) + timedelta(days=1)
        document = self._exchange(
            lambda: self._client.get_coin_market_chart_range_by_id(
                quote(question.coin, safe=""),
                question.currency.lower(),
                int(begin.timestamp()),
                int(until.timestamp()) + _HOUR_S,
                interval="daily",
            )
        )
        chart = require_chart(document)
        question.bodies.append(self._session.received[-1].body)
        return chart

    def _candles(self, question: _Question, span: int) -> Rows:
        try:
            document = self._exchange(
                lambda: self._client.get_coin_ohlc_by_id(
                    quote(question.coin, safe=""), question.currency.lower(), str(span)
                )
            )
        except FetchFailed as error:
            if error.failure.outcome is not Outcome.REJECTED or error.failure.stops_vendor:
                raise
            _LOG.warning("coingecko: bars have a close only, the plan has no candles: %s", error.failure.reason)
            self._has_candles = False
            return []
        candles = require_candles(document)
        question.bodies.append(self._session.received[-1].body)
        return candles

    def _candle_span(self, question: _Question) -> int | None:
        """Fewest days back from now whose candles of four hours reach the first day, or at least the last one."""
        now = self._context.now
        if _midnight(question.end) < now - timedelta(days=_CANDLE_SPANS[-1]):
            return None
        first = _midnight(question.start) - _MARGIN
        reaching = (span for span in _CANDLE_SPANS if first >= now - timedelta(days=span))
        return next(reaching, _CANDLE_SPANS[-1])

    def _oldest(self) -> datetime:
        """Earliest moment that the plan serves throughout the run."""
        return self._context.now.astimezone(UTC) - self._history + _MARGIN

    def _exchange(self, put: Callable[[], object]) -> object:
        """What the client returns, unless the answer is a refusal: of that the client's exception tells less."""
        self._session.received.clear()
        try:
            document = put()
        except (ValueError, OSError):
            self._require_data()
            raise
        self._require_data()
        return document

    def _require_data(self) -> None:
        for received in self._session.received[-1:]:
            failure = refusal(received, self._context.moment())
            if failure:
                raise FetchFailed(failure)


def _coin_of(instrument: Instrument) -> str | Failure:
    if instrument.asset_class is not AssetClass.CRYPTO:
        return Failure(Outcome.UNKNOWN_SYMBOL, "CoinGecko has coins only")
    coin = dict(instrument.aliases).get(NAME, "")
    if not coin:
        reason = f"{instrument.symbol} has no alias {NAME}=..., CoinGecko's id of the coin"
        return Failure(Outcome.UNKNOWN_SYMBOL, reason)
    return coin


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

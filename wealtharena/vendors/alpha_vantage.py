"""Alpha Vantage through alpha_vantage: daily bars as traded; a free key gets 25 requests a day and the last 100 bars.

Shares, funds and property trusts come from TIME_SERIES_DAILY, currency pairs from FX_DAILY, coins from
DIGITAL_CURRENCY_DAILY. Commodities it has as single prices only, and those are not asked for. Dividends, splits and
adjusted closes belong to its paid series: they are NaN here.

A share is asked for by the instrument's alias ``alpha_vantage``, else by its own symbol. Shares of the ASX are asked
for by an alias only: Alpha Vantage's documentation names no symbol of the ASX, and a request for each of them would
cost most of a free key's day.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote

from alpha_vantage.alphavantage import AlphaVantage
from alpha_vantage.cryptocurrencies import CryptoCurrencies
from alpha_vantage.foreignexchange import ForeignExchange
from alpha_vantage.timeseries import TimeSeries

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest, FetchResult, Instrument, MacroRequest, Outcome
from wealtharena.settings import AlphaVantageSettings
from wealtharena.vendors.alpha_vantage_answers import JsonObject, data_of, read_bars, require_bars
from wealtharena.vendors.attempts import Attempts, next_utc_midnight
from wealtharena.vendors.bar_results import (
    bar_frame,
    last_day_to_ask,
    no_macro,
    nothing_readable,
    with_bars,
    without_bars,
)
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure, FetchFailed
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.redaction import REDACTED
from wealtharena.vendors.transport import VendorSession

NAME = "alpha_vantage"
_CODE_LENGTH = 3
_ONLY_BY_ALIAS = ("XASX",)
_NO_KEY = Failure(Outcome.REJECTED, "Alpha Vantage answers nothing without a key (vendors.alpha_vantage.api_key)")


@dataclass(frozen=True, slots=True)
class _Question:
    """One call of a client.

    Attributes:
        function: Alpha Vantage's name of it.
        names: what is asked for, as the answer's metadata repeats it.
        currency: of the prices, as far as the question says; ``""``: it does not.
        put: makes the call; returns the bars and the metadata.
    """

    function: str
    names: tuple[str, ...]
    currency: str
    put: Callable[["_Clients"], tuple[object, object]]


class AlphaVantageVendor:
    """Daily bars as traded, without dividends, splits and adjusted closes (NaN); no macro series."""

    name = NAME
    is_local = False

    def __init__(self, settings: AlphaVantageSettings, context: VendorContext) -> None:
        self._settings = settings
        self._context = context
        quota = Quota(NAME, settings, context)
        self._attempts = Attempts(NAME, settings, quota, context)
        self._session = VendorSession(settings, quota)
        self._key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._clients = _Clients(self._key, self._request) if self._key else None

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """One result per request, as each one arrives; bars of sessions that had closed at the context's ``now``.

        With ``outputsize`` compact a range that begins before the last 100 bars gets those of the 100 that lie in it.
        Volume is in shares, for coins in coins, and NaN for currencies. Never raises for one symbol.

        Raises:
            VendorError: the quota file cannot be used.
        """
        for request in requests:
            yield self._bars(request)

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """Every series is unknown: FRED has them with their release days, which Alpha Vantage does not tell."""
        return no_macro("Alpha Vantage", requests)

    def _bars(self, request: FetchRequest) -> FetchResult:
        question = _question(request.instrument, self._settings.outputsize)
        if isinstance(question, Failure):
            return without_bars(request, question)
        end = last_day_to_ask(request, self._context.now)
        if isinstance(end, Failure):
            return without_bars(request, end)
        asked = f"{question.function} of {'/'.join(question.names)} from {request.start} to {end}"
        self._session.received.clear()
        series = self._attempts.fetch(request.symbol, lambda: self._put(question))
        bodies = [item.body for item in self._session.received[-1:]]
        if isinstance(series, Failure):
            return without_bars(request, series, bodies, asked)
        rows, unparsed = read_bars(series, request.start, end)
        frame = bar_frame(rows, request.start, end)
        if len(frame):
            return with_bars(request, frame, bodies, asked, question.currency, unparsed)
        failure = nothing_readable(unparsed) if unparsed else _nothing_in_range(question, series, request.start, end)
        return without_bars(request, failure, bodies, asked, unparsed)

    def _put(self, question: _Question) -> JsonObject:
        if self._clients is None:
            raise FetchFailed(_NO_KEY)
        series, meta = question.put(self._clients)
        return require_bars(series, meta, question.names)

    def _request(self, url: str) -> JsonObject:
        """One exchange for the client, at ``base_url`` where one is set."""
        if self._settings.base_url:
            query = url.removeprefix(AlphaVantage._ALPHA_VANTAGE_API_URL)
            url = f"{self._settings.base_url.rstrip('/')}/query?{query}"
        self._session.get(url)
        # Refusals quote the key, and a reason shows only the first words of them: half a key could not be recognised.
        received = self._session.received[-1]
        received = replace(received, body=received.body.replace(self._key.encode(), REDACTED.encode()))
        return data_of(received, self._context.moment(), next_utc_midnight(self._context))


class _OurTransport(AlphaVantage):  # type: ignore[misc]
    """A client that builds requests and picks data from answers, and leaves the exchange to us.

    Its own sends without a time limit, to an address that is the same for the whole process, and tells refusals from
    failures by nothing.
    """

    def __init__(self, key: str, request: Callable[[str], JsonObject]) -> None:
        super().__init__(key=key, output_format="json")
        self._request = request

    def _handle_api_call(self, url: str) -> JsonObject:
        return self._request(url)


class _Shares(_OurTransport, TimeSeries):  # type: ignore[misc]
    """Shares, funds and property trusts."""


class _Pairs(_OurTransport, ForeignExchange):  # type: ignore[misc]
    """Currency pairs."""


class _Coins(_OurTransport, CryptoCurrencies):  # type: ignore[misc]
    """Coins."""


class _Clients:
    """The clients of one key."""

    def __init__(self, key: str, request: Callable[[str], JsonObject]) -> None:
        self.shares = _Shares(key, request)
        self.pairs = _Pairs(key, request)
        self.coins = _Coins(key, request)


def _question(instrument: Instrument, outputsize: str) -> _Question | Failure:
    called = instrument.called_by(NAME)
    match instrument.asset_class:
        case AssetClass.COMMODITIES:
            reason = "Alpha Vantage has commodities as single prices, not as bars of futures"
            return Failure(Outcome.UNKNOWN_SYMBOL, reason)
        case AssetClass.CURRENCIES:
            return _pair(called, outputsize)
        case AssetClass.CRYPTO:
            return _coin(called.partition("-")[0], instrument.currency)
    if instrument.exchange in _ONLY_BY_ALIAS and NAME not in dict(instrument.aliases):
        reason = f"Alpha Vantage is asked for shares of {instrument.exchange} by an alias only, and there is none"
        return Failure(Outcome.UNKNOWN_SYMBOL, reason)
    return _share(called, outputsize)


def _share(symbol: str, outputsize: str) -> _Question:
    # The client puts its arguments into the URL as they are.
    escaped = quote(symbol, safe="")
    return _Question("TIME_SERIES_DAILY", (symbol,), "", lambda of: of.shares.get_daily(escaped, outputsize))


def _pair(called: str, outputsize: str) -> _Question | Failure:
    """``EURUSD=X``, ``EUR/USD`` or ``EURUSD``; Yahoo's ``JPY=X`` is the yen's price of one dollar."""
    codes = called.removesuffix("=X").replace("/", "")
    base, quoted = codes[:-_CODE_LENGTH] or "USD", codes[-_CODE_LENGTH:]
    if {len(base), len(quoted)} != {_CODE_LENGTH} or not codes.isalpha():
        reason = f"a currency pair must be two codes of three letters, got {called!r}"
        return Failure(Outcome.UNKNOWN_SYMBOL, reason)
    return _Question(
        "FX_DAILY",
        (base, quoted),
        quoted,
        lambda of: of.pairs.get_currency_exchange_daily(base, quoted, outputsize),
    )


def _coin(coin: str, currency: str) -> _Question:
    escaped = quote(coin, safe="")
    return _Question(
        "DIGITAL_CURRENCY_DAILY",
        (coin, currency),
        currency,
        lambda of: of.coins.get_digital_currency_daily(escaped, currency),
    )


def _nothing_in_range(question: _Question, series: JsonObject, start: date, end: date) -> Failure:
    """``EMPTY`` only where the answer reaches back to the range: of the days before its rows it says nothing."""
    known = f"Alpha Vantage knows {'/'.join(question.names)}"
    first = min(series, default="")
    if first[:10] > start.isoformat():
        return Failure(Outcome.REJECTED, f"{known} and sends bars from {first[:10]} on; asked from {start} to {end}")
    return Failure(Outcome.EMPTY, f"{known} and has no bars from {start} to {end}")

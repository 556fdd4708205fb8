"""Yahoo Finance through yfinance: unofficial, for personal use, no key."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import yfinance

from wealtharena.core.market_data import FetchRequest, FetchResult, MacroRequest, Outcome, PriceBasis
from wealtharena.settings import YahooSettings
from wealtharena.vendors.attempts import Attempts
from wealtharena.vendors.bar_results import last_day_to_ask, no_macro, with_bars, without_bars
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure, FetchFailed, shorten
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.yahoo_chart import ChartAnswer, repeated_rows
from wealtharena.vendors.yahoo_session import YahooSession

NAME = "yahoo"
_COLUMNS = {
    "Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume",
    "Dividends": "dividend", "Stock Splits": "split",
}  # fmt: skip
_PRICES = ("open", "high", "low", "close")
# yfinance has one session, one cookie and one cache of answers for the whole process.
_YFINANCE = threading.Lock()


class YahooVendor:
    """Daily bars from Yahoo's charts: prices adjusted for splits, dividends and splits beside them."""

    name = NAME
    is_local = False

    def __init__(self, settings: YahooSettings, context: VendorContext) -> None:
        self._context = context
        quota = Quota(NAME, settings, context)
        self._attempts = Attempts(NAME, settings, quota, context, self._refused)
        self._session = YahooSession(settings, quota, context)

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """One result per request, as each one arrives; bars of sessions that had closed at the context's ``now``.

        Volume is 0 where Yahoo has none, days without any figure are left out, and a day that Yahoo sent twice is
        there twice. Never raises for one symbol.

        Raises:
            VendorError: the quota file cannot be used.
        """
        for request in requests:
            yield self._bars(request)

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """Yahoo is asked for no macro series: every one is unknown to it."""
        return no_macro(NAME, requests)

    def _bars(self, request: FetchRequest) -> FetchResult:
        end = last_day_to_ask(request, self._context.now)
        if isinstance(end, Failure):
            return without_bars(request, end)
        called = request.instrument.called_by(NAME)
        asked = f"chart of {called} from {request.start} to {end}"
        self._session.chart = None
        answer = self._attempts.fetch(request.symbol, lambda: self._ask(called, request.start, end))
        if isinstance(answer, Failure):
            chart = self._session.chart
            return without_bars(request, answer, (chart.body,) if chart else (), asked)
        table, chart = answer
        frame = _bar_frame(table, chart, request.start, end)
        if frame.empty:
            failure = Failure(Outcome.EMPTY, f"Yahoo knows {called} and has no bars from {request.start} to {end}")
            return without_bars(request, failure, (chart.body,), asked)
        currency = str(chart.meta.get("currency") or "")
        return with_bars(request, frame, (chart.body,), asked, currency, price_basis=PriceBasis.SPLIT_ADJUSTED)

    def _ask(self, called: str, start: date, end: date) -> tuple[pd.DataFrame, ChartAnswer]:
        with _YFINANCE:
            _prepare_yfinance()
            self._session.chart = None
            # A day more on either side: the bounds are midnights of UTC, the bars those of the exchange's zone.
            table = _Ticker(called, session=self._session).history(
                start=start - timedelta(days=1),
                end=end + timedelta(days=2),
                auto_adjust=False,
                actions=True,
            )
            chart = self._session.chart
            if chart is None:
                raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, "yfinance answered without asking Yahoo"))
            return table, chart

    def _refused(self, error: Exception) -> Failure | None:
        """A chart that is still refused after yfinance took a new crumb."""
        chart = self._session.chart
        if chart is None or chart.status != 401:
            return None
        return Failure(Outcome.VENDOR_FAILURE, f"HTTP 401: {shorten(chart.text)}")


class _Ticker(yfinance.Ticker):  # type: ignore[misc]
    """A ticker that does not ask Yahoo for its time zone first: it would only place the bounds of the range."""

    def _get_ticker_tz(self, timeout: float) -> str:
        return "UTC"


def _prepare_yfinance() -> None:
    """Makes yfinance raise its errors, ask anew instead of repeating an answer, and keep no file of its own.

    Its files (time zones, cookies) are not needed here, and two processes that share them meet "database is locked".
    """
    yfinance.config.debug.hide_exceptions = False
    warnings.filterwarnings("ignore", module="yfinance")
    yfinance.data.YfData.cache_get.cache_clear()
    if yfinance.cache._TzDBManager.get_location() != os.devnull:
        yfinance.set_tz_cache_location(os.devnull)
        # What it warns of is in the outcomes and their reasons.
        logging.getLogger("yfinance").setLevel(logging.ERROR)


def _bar_frame(table: pd.DataFrame, chart: ChartAnswer, start: date, end: date) -> pd.DataFrame:
    """``BAR_COLUMNS`` of yfinance's table from ``start`` to ``end``, dated in the exchange's zone.

    A last bar without prices is left out: Yahoo does not have it yet.
    """
    table.index = pd.DatetimeIndex(table.index).tz_localize(None)
    repeated = repeated_rows(chart)
    if repeated is not None:
        events = table[["Dividends", "Stock Splits"]]
        table = pd.concat([table.drop(repeated.index, errors="ignore"), repeated.join(events)])
        table = table.sort_index(kind="stable")
    # Arrays instead of frames: pandas' own ways would take a quarter of yfinance's time.
    days = table.index.to_numpy().astype("datetime64[D]")
    columns = {ours: table[theirs].to_numpy("float64") for theirs, ours in _COLUMNS.items()}
    columns["split"] = np.where(columns["split"] == 0.0, 1.0, columns["split"])
    rows = np.flatnonzero((days >= np.datetime64(start)) & (days <= np.datetime64(end)))
    if len(rows) and all(np.isnan(columns[price][rows[-1]]) for price in _PRICES):
        rows = rows[:-1]
    dates = days[rows].astype("datetime64[us]")
    return pd.DataFrame({"session_date": dates} | {name: values[rows] for name, values in columns.items()})

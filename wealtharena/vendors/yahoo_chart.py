"""What Yahoo's chart answers mean: data, a known symbol without bars, an unknown symbol, or a failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd

from wealtharena.core.market_data import Outcome
from wealtharena.vendors.failures import Failure, http_failure, shorten

_DOWN = "Will be right back"
_NO_DATA_IN_RANGE = "data doesn't exist for"
_SAME_DAY_S = 20 * 3600
_PRICES = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}


@dataclass(frozen=True, slots=True)
class ChartAnswer:
    """One answer of ``/v8/finance/chart``; ``document`` is None where the body is not JSON."""

    status: int
    body: bytes
    document: Any

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    @property
    def error(self) -> Mapping[str, Any] | None:
        """What Yahoo says is wrong: ``code`` and ``description``."""
        error = _mapping(_mapping(self.document).get("chart")).get("error")
        return _mapping(error) if error else None

    @property
    def result(self) -> Mapping[str, Any]:
        """The symbol's part of the answer; empty without one."""
        results = _mapping(_mapping(self.document).get("chart")).get("result")
        return _mapping(results[0]) if isinstance(results, list) and results else {}

    @property
    def meta(self) -> Mapping[str, Any]:
        """Currency, time zone and so on of the symbol; empty where Yahoo tells nothing of it."""
        return _mapping(self.result.get("meta"))


def chart_failure(answer: ChartAnswer, symbol: str, headers: Mapping[str, str], now: datetime) -> Failure | None:
    """Why an answer holds no bars; None where it does.

    Only Yahoo's own well-formed "not found" makes a symbol unknown, and only its metadata or its own words about the
    range make an answer legitimately empty. All else that brings nothing is a failure.

    Args:
        symbol: as it stood in the request.
    """
    text = answer.text
    described = _described(answer) if answer.status in (200, 400, 404, 422) and answer.error else None
    if described:
        return described
    failure = http_failure(answer.status, headers, text, now)
    if failure and answer.status != 404:
        return failure
    if failure or _DOWN in text or answer.document is None:
        return Failure(Outcome.VENDOR_FAILURE, f"an answer that is not Yahoo's (HTTP {answer.status}): {shorten(text)}")
    return _without_bars(answer, unquote(symbol))


def repeated_rows(answer: ChartAnswer) -> pd.DataFrame | None:
    """Every row of the days that Yahoo sent more than once, in its order; None as a rule.

    yfinance keeps one of them without a word. The last day is left to it: there Yahoo adds the live price to the bar.

    Returns:
        yfinance's columns of prices and volume, indexed by day at midnight without a zone.
    """
    stamps = np.asarray(answer.result["timestamp"], dtype="int64")
    if len(stamps) < 2 or np.diff(np.sort(stamps)).min() >= _SAME_DAY_S:
        return None
    days = pd.to_datetime(stamps, unit="s", utc=True).tz_convert(answer.meta["exchangeTimezoneName"])
    days = days.tz_localize(None).normalize()
    repeated = days.duplicated(keep=False) & (days < days.max())
    indicators = answer.result["indicators"]
    quote = indicators["quote"][0]
    adjusted = indicators["adjclose"][0]["adjclose"] if "adjclose" in indicators else quote["close"]
    columns = {name: quote[key] for name, key in _PRICES.items()} | {"Adj Close": adjusted}
    rows = pd.DataFrame(columns, index=days, dtype="float64")[repeated]
    return rows if len(rows) else None


def _described(answer: ChartAnswer) -> Failure | None:
    """What Yahoo's own words mean."""
    error = answer.error or {}
    words = f"{error.get('code', '')}: {error.get('description', '')}".strip(": ")
    said = f"Yahoo says {shorten(words)!r} (HTTP {answer.status})"
    if _NO_DATA_IN_RANGE in words.lower():
        return Failure(Outcome.EMPTY, said)
    if str(error.get("code", "")).lower() == "not found":
        return Failure(Outcome.UNKNOWN_SYMBOL, said)
    return Failure(Outcome.VENDOR_FAILURE if answer.status == 200 else Outcome.REJECTED, said)


def _without_bars(answer: ChartAnswer, symbol: str) -> Failure | None:
    if not answer.meta:
        return Failure(Outcome.VENDOR_FAILURE, "an answer without data and without an error")
    told = str(answer.meta.get("symbol", symbol))
    if told.upper() != symbol.upper():
        return Failure(Outcome.REJECTED, f"Yahoo answered for {told}, not for {symbol}")
    if not answer.result.get("timestamp"):
        return Failure(Outcome.EMPTY, f"Yahoo knows {symbol} and has no bars of it in the range")
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

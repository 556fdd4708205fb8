"""Alpha Vantage's format: errors come with status 200, as texts that quote the key."""

import csv
import io
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from stand_in_adjusting import coins, cut
from stand_in_faults import Fault, Kind
from stand_in_table import shown_at, spoiled, wants_partial
from stand_in_wire import Ask, Reply
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass

_URL = "https://www.alphavantage.co"
_PREMIUM_URL = f"{_URL}/premium/"
COMPACT_ROWS = 100
_FREE_TEXTS = {
    Kind.PER_SECOND: (
        "Information",
        "Please consider spreading out your free API requests more sparingly (1 request per second). You may "
        f"subscribe to any of the premium plans at {_PREMIUM_URL} to lift the free key rate limit (25 requests per "
        "day), raise the per-second burst limit, and instantly unlock all premium endpoints",
    ),
    Kind.PER_MINUTE_NOTE: (
        "Note",
        "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute and 500 calls per "
        f"day. Please visit {_PREMIUM_URL} if you would like to target a higher API call frequency.",
    ),
    Kind.PREMIUM: (
        "Information",
        "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium "
        f"plans at {_PREMIUM_URL} to instantly unlock all premium endpoints",
    ),
    Kind.BAD_KEY: (
        "Error Message",
        "the parameter apikey is invalid or missing. Please claim your free API key on "
        f"({_URL}/support/#api-key). It should take less than 20 seconds.",
    ),
}
_COMMODITIES = {"WTI": "CL=F", "BRENT": "BZ=F", "NATURAL_GAS": "NG=F"}
_MACRO = {
    "CPI": "CPIAUCSL",
    "UNEMPLOYMENT": "UNRATE",
    "NONFARM_PAYROLL": "PAYEMS",
    "REAL_GDP": "GDP",
    "FEDERAL_FUNDS_RATE": "DFF",
    "TREASURY_YIELD": "DGS10",
}
_MATURITIES = {"2year": "DGS2", "10year": "DGS10"}


@dataclass
class AlphaVantageFormat:
    """Answers of the one path ``/query``.

    Attributes:
        premium: serves the whole history of stocks, as to a paying key.
    """

    premium: bool = False

    def symbol_of(self, world: World, ask: Ask) -> str:
        """The world's name of a share, a pair, a coin, or of the series or future behind a function."""
        function = ask.query.get("function", "")
        if function == "FX_DAILY":
            return _pair(world, ask.query.get("from_symbol", ""), ask.query.get("to_symbol", ""))
        if function == "DIGITAL_CURRENCY_DAILY":
            name = ask.query.get("symbol", "")
            return world.symbol_called("alpha_vantage", name) or f"{name}-{ask.query.get('market', '')}"
        if function in _COMMODITIES:
            return _COMMODITIES[function]
        if function == "TREASURY_YIELD":
            return _MATURITIES.get(ask.query.get("maturity", "10year"), "DGS10")
        name = ask.query.get("symbol", "")
        return _MACRO.get(function) or world.symbol_called("alpha_vantage", name) or name

    def answer(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        """Daily bars of shares, pairs and coins; commodities and macro series as they stand."""
        function = ask.query.get("function", "")
        if not ask.query.get("apikey"):
            return _text(*_FREE_TEXTS[Kind.BAD_KEY])
        if function in _MACRO:
            return _observations(world, ask, symbol)
        if function in _COMMODITIES and world.instrument(symbol) is not None:
            return _commodity(world, ask, symbol)
        if not _fits(world, function, symbol):
            return _invalid_call(ask)
        return self._paid(ask) or _bars(world, ask, symbol, spoils)

    def refuse(self, ask: Ask, fault: Fault) -> Reply:
        """Alpha Vantage's words for each fault; only the day quota's quote the key."""
        if fault.kind is Kind.DAY_QUOTA:
            return day_quota(ask.query.get("apikey", ""))
        if fault.kind is Kind.TOO_MANY_REQUESTS:
            return _text(*_FREE_TEXTS[Kind.PER_SECOND], status=429)
        if fault.kind in _FREE_TEXTS:
            return _text(*_FREE_TEXTS[fault.kind])
        if fault.kind is Kind.UNKNOWN_SYMBOL:
            return _invalid_call(ask)
        if fault.kind is Kind.EMPTY_RESULT:
            return Reply(b"{}")
        return Reply(b"Internal Server Error", "text/html", 500)

    def _paid(self, ask: Ask) -> Reply | None:
        """What a free key is told where only paying ones are served."""
        function = ask.query["function"]
        if self.premium:
            return None
        if function == "TIME_SERIES_DAILY_ADJUSTED":
            return _text(*_FREE_TEXTS[Kind.PREMIUM])
        if function == "TIME_SERIES_DAILY" and ask.query.get("outputsize") == "full":
            return _full_is_premium(function)
        return None


def day_quota(key: str) -> Reply:
    """The answer to the 26th request of a day."""
    return _text(
        "Information",
        f"We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please "
        f"subscribe to any of the premium plans at {_PREMIUM_URL} to instantly remove all daily rate limits.",
    )


@dataclass(frozen=True)
class _Series:
    key: str
    information: str
    zone: str
    decimals: int
    classes: frozenset[AssetClass]
    volume: bool = True


_SERIES = {
    "TIME_SERIES_DAILY": _Series(
        "Time Series (Daily)",
        "Daily Prices (open, high, low, close) and Volumes",
        "US/Eastern",
        4,
        frozenset({AssetClass.STOCKS, AssetClass.ETFS, AssetClass.REITS}),
    ),
    "FX_DAILY": _Series(
        "Time Series FX (Daily)",
        "Forex Daily Prices (open, high, low, close)",
        "UTC",
        5,
        frozenset({AssetClass.CURRENCIES}),
        volume=False,
    ),
    "DIGITAL_CURRENCY_DAILY": _Series(
        "Time Series (Digital Currency Daily)",
        "Daily Prices and Volumes for Digital Currency",
        "UTC",
        8,
        frozenset({AssetClass.CRYPTO}),
    ),
}


_SERIES["TIME_SERIES_DAILY_ADJUSTED"] = _SERIES["TIME_SERIES_DAILY"]


def _fits(world: World, function: str, symbol: str) -> bool:
    instrument = world.instrument(symbol)
    if instrument is None or function not in _SERIES or instrument.asset_class not in _SERIES[function].classes:
        return False
    return instrument.exchange != "XASX" or "alpha_vantage" in dict(instrument.aliases)  # it has no shares of the ASX


def _bars(world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
    function = ask.query["function"]
    form = _SERIES[function]
    path = shown_at(world.listed(symbol, "alpha_vantage"), ask.now, wants_partial(spoils))
    compact = function != "DIGITAL_CURRENCY_DAILY" and ask.query.get("outputsize", "compact") == "compact"
    if compact:
        path = cut(path, slice(-COMPACT_ROWS, None))
    path = spoiled(path, spoils, ask.now)
    rows = slice(None, None, -1)
    days = [str(day) for day in path.days[rows].tolist()]
    columns = [
        [_number(value, form.decimals) for value in getattr(path, name)[rows].tolist()]
        for name in ("open", "high", "low", "close")
    ]
    if form.volume:
        volume = coins(path) if function == "DIGITAL_CURRENCY_DAILY" else path.volume
        digits = 8 if function == "DIGITAL_CURRENCY_DAILY" else 0
        columns.append([_number(value, digits) for value in volume[rows].tolist()])
    if ask.query.get("datatype") == "csv":
        return _as_csv(days, columns)
    keys = ("1. open", "2. high", "3. low", "4. close", "5. volume")
    series = {day: dict(zip(keys, values, strict=False)) for day, *values in zip(days, *columns, strict=True)}
    return _json({"Meta Data": _meta(ask, form, days[0] if days else ""), form.key: series})


def _meta(ask: Ask, form: _Series, last: str) -> dict[str, str]:
    if form.key == "Time Series (Daily)":
        names = ["Symbol", "Last Refreshed", "Output Size", "Time Zone"]
        size = "Full size" if ask.query.get("outputsize") == "full" else "Compact"
        values = [ask.query["symbol"], last, size, form.zone]
    elif form.volume:
        names = ["Digital Currency Code", "Market Code", "Last Refreshed", "Time Zone"]
        values = [ask.query["symbol"], ask.query.get("market", ""), f"{last} 00:00:00", form.zone]
    else:
        names = ["From Symbol", "To Symbol", "Last Refreshed", "Time Zone"]
        values = [ask.query["from_symbol"], ask.query["to_symbol"], last, form.zone]
    lines = enumerate(zip(["Information", *names], [form.information, *values], strict=True), start=1)
    return {f"{number}. {name}": value for number, (name, value) in lines}


def _as_csv(days: list[str], columns: list[list[str]]) -> Reply:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["timestamp", "open", "high", "low", "close", "volume"][: len(columns) + 1])
    writer.writerows(zip(days, *columns, strict=True))
    return Reply(text.getvalue().encode(), "application/x-download")


def _commodity(world: World, ask: Ask, symbol: str) -> Reply:
    path = shown_at(world.listed(symbol, "alpha_vantage"), ask.now)
    closes = pd.Series(path.close, index=pd.DatetimeIndex(path.days))
    if ask.query.get("interval", "monthly") == "monthly":
        closes = closes.groupby(closes.index.to_period("M").to_timestamp()).mean().round(4)
    return _data(ask.query["function"], ask.query.get("interval", "monthly"), closes)


def _observations(world: World, ask: Ask, series: str) -> Reply:
    table = world.published(series)
    table = table[table["released"] <= pd.Timestamp(ask.now.date())].drop_duplicates("reference_date", keep="last")
    values = pd.Series(table["value"].to_numpy(), index=pd.DatetimeIndex(table["reference_date"]))
    return _data(ask.query["function"], ask.query.get("interval", "monthly"), values)


def _data(name: str, interval: str, values: pd.Series) -> Reply:
    rows = [
        {"date": f"{day:%Y-%m-%d}", "value": "." if np.isnan(value) else repr(float(value))}
        for day, value in values[::-1].items()
    ]
    return _json({"name": name, "interval": interval, "unit": "", "data": rows})


def _pair(world: World, base: str, quote: str) -> str:
    usual = [f"{base}{quote}=X", f"{base}/{quote}", f"{base}{quote}", *([f"{quote}=X"] if base == "USD" else [])]
    called = (world.symbol_called("alpha_vantage", name) for name in usual)
    known = (name for name in usual if world.instrument(name) is not None)
    return next(filter(None, called), None) or next(known, usual[0])


def _full_is_premium(function: str) -> Reply:
    return _text(
        "Information",
        "Thank you for using Alpha Vantage! The outputsize=full parameter value is a premium feature for the "
        f"{function} endpoint. You may subscribe to any of the premium plans at {_PREMIUM_URL} to instantly unlock "
        "all premium features",
    )


def _invalid_call(ask: Ask) -> Reply:
    return _text(
        "Error Message",
        f"Invalid API call. Please retry or visit the documentation ({_URL}/documentation/) for "
        f"{ask.query.get('function', '')}.",
    )


def _number(value: float, decimals: int) -> str:
    return "NaN" if math.isnan(value) else f"{value:.{decimals}f}"


def _text(key: str, words: str, status: int = 200) -> Reply:
    return Reply(json.dumps({key: words}, indent=4).encode(), status=status)


def _json(body: dict[str, Any]) -> Reply:
    return Reply(json.dumps(body).encode())

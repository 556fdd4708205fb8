"""Yahoo Finance's format: cookies, crumbs and the chart that yfinance reads."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import numpy as np
from stand_in_adjusting import as_float32, as_float32_values, cut, dividend_adjusted, split_adjusted
from stand_in_faults import Fault, Kind
from stand_in_hours import hours_of
from stand_in_table import Adjusted, shown_at, spoiled, wants_partial
from stand_in_wire import HTML, TEXT, Ask, Reply
from stand_in_world import Listed, World

from wealtharena.core.asset_class import AssetClass

CRUMB = "standInCrumb"
_CHART = "/v8/finance/chart/"
_KINDS = {
    AssetClass.STOCKS: "EQUITY",
    AssetClass.REITS: "EQUITY",
    AssetClass.ETFS: "ETF",
    AssetClass.CRYPTO: "CRYPTOCURRENCY",
    AssetClass.CURRENCIES: "CURRENCY",
    AssetClass.COMMODITIES: "FUTURE",
}
_RANGES = ("1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max")
_RANGE_DAYS = {"1mo": 30, "3mo": 91, "6mo": 182, "1y": 365, "2y": 730, "5y": 1826, "10y": 3652}
_FORM = (
    '<html><body><form method="post"><input type="hidden" name="csrfToken" value="standInToken">'
    '<input type="hidden" name="sessionId" value="standInSession"></form></body></html>'
)
_NO_ROWS = '{"quote":[{}],"adjclose":[{}]}'
_RATE_LIMITED = "Edge: Too Many Requests"


@dataclass(frozen=True)
class _Rendered:
    """A chart's rows, each number already written."""

    table: Adjusted
    columns: dict[str, list[str]]


class YahooFormat:
    """Answers of every Yahoo host; the path stands below the host."""

    def __init__(self) -> None:
        self._rendered: dict[tuple[str, int, datetime], _Rendered] = {}

    def symbol_of(self, world: World, ask: Ask) -> str:
        """The symbol of a chart or quote; ``""`` for cookies and crumbs."""
        for prefix in (_CHART, "/v10/finance/quoteSummary/"):
            if ask.path.startswith(prefix):
                name = unquote(ask.path.removeprefix(prefix))
                return world.symbol_called("yahoo", name) or name
        name = ask.query.get("symbols", "")
        return world.symbol_called("yahoo", name) or name

    def answer(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        """Cookies, crumbs, consent forms and charts."""
        if ask.path.startswith(_CHART):
            return self._chart(world, ask, symbol, spoils)
        if ask.path.endswith("/v1/test/getcrumb"):
            return Reply(CRUMB.encode(), TEXT)
        if ask.path.startswith(("/v10/finance/quoteSummary/", "/v7/finance/quote")):
            return _quote(ask)
        if "onsent" in ask.path:
            return Reply(_FORM.encode(), HTML)
        cookie = ("Set-Cookie", "A3=d=standIn; Path=/; Max-Age=31536000")
        return Reply(b"", TEXT, 404, (cookie,))  # fc.yahoo.com answers 404, too

    def refuse(self, ask: Ask, fault: Fault) -> Reply:
        """Yahoo's words for each fault."""
        crumb = ask.path.endswith("getcrumb")
        if fault.kind is Kind.TOO_MANY_REQUESTS:
            return Reply(("Too Many Requests" if crumb else _RATE_LIMITED).encode(), TEXT, 429)
        if fault.kind is Kind.WILL_BE_RIGHT_BACK:
            return Reply(b"<html><body><h1>Will be right back...</h1></body></html>", HTML)
        if fault.kind is Kind.INVALID_CRUMB:
            return _error(401, "Unauthorized", "Invalid Crumb")
        if fault.kind is Kind.UNKNOWN_SYMBOL:
            return _unknown()
        if fault.kind is Kind.EMPTY_RESULT:
            return Reply(b'{"chart":{"result":[],"error":null}}')
        return _error(500, "Internal Server Error", "Internal error")

    def warm(self, world: World, now: datetime) -> None:
        """Renders every symbol, so that the first answers are as fast as the later ones."""
        for symbol in world.symbols():
            self._whole(world, symbol, now)

    def _chart(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        if world.instrument(symbol) is None:
            return _unknown()
        listed = world.listed(symbol, "yahoo")
        rendered = _render(listed, ask.now, partial=True) if wants_partial(spoils) else None
        rendered = rendered or self._whole(world, symbol, ask.now)
        stamps = rendered.table.stamps
        begin, end = _asked(ask, stamps)
        if not len(stamps) or end <= stamps[0] or begin > max(stamps[-1], _life_end(listed, ask.now)):
            return _error(400, "Bad Request", f"Data doesn't exist for startDate = {begin}, endDate = {end}")
        rows = slice(int(np.searchsorted(stamps, begin)), int(np.searchsorted(stamps, end)))
        if spoils:
            table = spoiled(cut(rendered.table, rows), spoils, ask.now)
            body = _chart_body(listed, ask, rendered.table, _Rendered(table, _columns(table)), slice(None))
        else:
            body = _chart_body(listed, ask, rendered.table, rendered, rows)
        return Reply(body.encode())

    def _whole(self, world: World, symbol: str, now: datetime) -> _Rendered:
        key = (symbol, world.version, now)
        if key not in self._rendered:
            self._rendered = {old: item for old, item in self._rendered.items() if old[1] == world.version}
            self._rendered[key] = _render(world.listed(symbol, "yahoo"), now)
        return self._rendered[key]


def _render(listed: Listed, now: datetime, partial: bool = False) -> _Rendered:
    path = shown_at(listed, now, partial)
    adjusted = split_adjusted(path)
    closes = as_float32_values(dividend_adjusted(adjusted))
    single = as_float32(adjusted)
    stamps = listed.opens_at[: len(path.days)].copy()
    if partial and len(path.days) and listed.closes_at[len(path.days) - 1] > now.timestamp():
        stamps[-1] = int(now.timestamp())  # Yahoo stamps the bar under way with its last trade
    table = Adjusted(**vars(single), adj_close=closes, stamps=stamps)
    return _Rendered(table, _columns(table))


def _columns(table: Adjusted) -> dict[str, list[str]]:
    columns = {name: _numbers(getattr(table, name)) for name in ("open", "high", "low", "close", "adj_close")}
    columns["volume"] = [str(int(value)) for value in table.volume.tolist()]
    columns["timestamp"] = [str(value) for value in table.stamps.tolist()]
    return columns


def _numbers(values: np.ndarray) -> list[str]:
    return ["null" if text == "nan" else text for text in map(repr, values.tolist())]


def _asked(ask: Ask, stamps: np.ndarray) -> tuple[int, int]:
    """Unix seconds that are asked for, the end excluded."""
    until = int(ask.now.timestamp()) + 1
    if "period1" in ask.query:
        return int(ask.query["period1"]), int(ask.query.get("period2", until))
    span = ask.query.get("range", "1mo")
    if span in {"1d", "5d"} and len(stamps):
        return int(stamps[-min(int(span[0]), len(stamps))]), until
    if span == "ytd":
        return int(datetime(ask.now.year, 1, 1, tzinfo=UTC).timestamp()), until
    days = _RANGE_DAYS.get(span)
    begin = int((ask.now - timedelta(days=days)).timestamp()) if days else -(2**40)
    return begin, until


def _life_end(listed: Listed, now: datetime) -> int:
    last = listed.instrument.last_day
    return 2**40 if last is None or last >= now.date() else 0


def _chart_body(listed: Listed, ask: Ask, whole: Adjusted, sent: _Rendered, rows: slice) -> str:
    meta = json.dumps(_meta(listed, ask, whole))
    if not len(sent.table.stamps[rows]):
        return f'{{"chart":{{"result":[{{"meta":{meta},"indicators":{_NO_ROWS}}}],"error":null}}}}'
    columns = {name: "[" + ",".join(values[rows]) + "]" for name, values in sent.columns.items()}
    quote = ",".join(f'"{name}":{columns[name]}' for name in ("open", "high", "low", "close", "volume"))
    events = _events(cut(sent.table, rows), ask.query.get("events", ""))
    return (
        f'{{"chart":{{"result":[{{"meta":{meta},"timestamp":{columns["timestamp"]}{events},'
        f'"indicators":{{"quote":[{{{quote}}}],"adjclose":[{{"adjclose":{columns["adj_close"]}}}]}}}}],"error":null}}}}'
    )


def _events(table: Adjusted, wanted: str) -> str:
    events: dict[str, dict[str, object]] = {}
    if "div" in wanted:
        for at in np.flatnonzero(table.dividend):
            stamp = int(table.stamps[at])
            cash = {"amount": float(table.dividend[at]), "date": stamp}
            events.setdefault("dividends", {})[str(stamp)] = cash
    if "split" in wanted:
        for at in np.flatnonzero(table.split != 1.0):
            stamp, ratio = int(table.stamps[at]), Fraction(float(table.split[at])).limit_denominator(100)
            new, old = ratio.numerator, ratio.denominator
            events.setdefault("splits", {})[str(stamp)] = {
                "date": stamp,
                "numerator": float(new),
                "denominator": float(old),
                "splitRatio": f"{new}:{old}",
            }
    return f',"events":{json.dumps(events)}' if events else ""


def _meta(listed: Listed, ask: Ask, whole: Adjusted) -> dict[str, object]:
    instrument = listed.instrument
    zone = ZoneInfo(hours_of(instrument).zone)
    offset = ask.now.astimezone(zone).utcoffset() or timedelta()
    return {
        "currency": instrument.currency,
        "symbol": instrument.called_by("yahoo"),
        "exchangeName": instrument.venue or instrument.exchange,
        "fullExchangeName": instrument.venue or instrument.exchange,
        "instrumentType": _KINDS[instrument.asset_class],
        "firstTradeDate": int(whole.stamps[0]),
        "regularMarketTime": int(whole.stamps[-1]),
        "hasPrePostMarketData": False,
        "gmtoffset": int(offset.total_seconds()),
        "timezone": ask.now.astimezone(zone).tzname(),
        "exchangeTimezoneName": zone.key,
        "regularMarketPrice": float(whole.close[-1]),
        "longName": instrument.name,
        "priceHint": 2,
        "dataGranularity": ask.query.get("interval", "1d"),
        "range": ask.query.get("range", ""),
        "validRanges": list(_RANGES),
    }


def _quote(ask: Ask) -> Reply:
    section = "quoteSummary" if "quoteSummary" in ask.path else "finance"
    if ask.query.get("crumb") != CRUMB:
        return _error(401, "Unauthorized", "Invalid Crumb", section)
    return _error(404, "Not Found", "Quote not found", section)


def _unknown() -> Reply:
    return _error(404, "Not Found", "No data found, symbol may be delisted")


def _error(status: int, code: str, description: str, section: str = "chart") -> Reply:
    body = {section: {"result": None, "error": {"code": code, "description": description}}}
    return Reply(json.dumps(body).encode(), status=status)

"""CoinGecko's format: points at 00:00 UTC are the close of the day before, candles are stamped at their close."""

import json
import math
from datetime import UTC
from urllib.parse import unquote

import numpy as np
from stand_in_adjusting import cut
from stand_in_faults import Fault, Kind
from stand_in_paths import Path
from stand_in_table import spoiled
from stand_in_wire import Ask, Reply
from stand_in_world import COINGECKO_DAYS, World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument

_STEPS = 288
"""Points of a day's path: one every five minutes."""
_STEP_MS = 300_000
_DAY_MS = 86_400_000
_PRICING = "https://www.coingecko.com/en/api/pricing"
_PAID = f"This request is limited to PRO API subscribers. Please visit {_PRICING} to subscribe to our API plans."
_CANDLE_STEPS = {1: 6, 7: 48, 14: 48, 30: 48, 90: 1152, 180: 1152, 365: 1152}
"""Five-minute steps of one candle by ``days``: half an hour, four hours, four days."""


class CoinGeckoFormat:
    """Answers of ``/coins/…``; dollars only."""

    def symbol_of(self, world: World, ask: Ask) -> str:
        """The world's name of the coin in the path."""
        parts = _parts(ask)
        if len(parts) < 2 or parts[1] == "list":
            return ""
        return next((item.symbol for item in _coins(world) if coin_id(item) == parts[1]), parts[1])

    def answer(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        """The list of coins, charts, candles; a plan without pay is served the last 365 days."""
        parts = _parts(ask)
        if parts[:1] == ["ping"]:
            return _json({"gecko_says": "(V3) To the Moon!"})
        if parts == ["coins", "list"]:
            return _json([{"id": coin_id(item), "symbol": _ticker(item), "name": item.name} for item in _coins(world)])
        if world.instrument(symbol) is None:
            return _json({"error": "coin not found"}, 404)
        if ask.query.get("vs_currency") != "usd":
            return _json({"error": "invalid vs_currency"}, 400)
        return _coin_page(world, ask, symbol, spoils)

    def refuse(self, ask: Ask, fault: Fault) -> Reply:
        """CoinGecko's words for each fault."""
        if fault.kind is Kind.TOO_MANY_REQUESTS:
            words = (
                f"You've exceeded the Rate Limit. Please visit {_PRICING} to subscribe to our API plans for higher "
                "rate limits."
            )
            return _json({"status": {"error_code": 429, "error_message": words}}, 429)
        if fault.kind is Kind.BAD_KEY:
            return _json({"status": {"error_code": 10002, "error_message": "API Key Missing"}}, 401)
        if fault.kind is Kind.PREMIUM:
            return _too_far_back(ask)
        if fault.kind is Kind.UNKNOWN_SYMBOL:
            return _json({"error": "coin not found"}, 404)
        if fault.kind is Kind.EMPTY_RESULT:
            candles = ask.path.endswith("/ohlc")
            return _json([] if candles else {"prices": [], "market_caps": [], "total_volumes": []})
        return _json({"error": "Internal Server Error"}, 500)


def coin_id(instrument: Instrument) -> str:
    """CoinGecko's id of a coin: its alias, else the coin's name in lower case."""
    alias = dict(instrument.aliases).get("coingecko")
    return alias or (instrument.name or _ticker(instrument)).lower().replace(" ", "-")


def _ticker(instrument: Instrument) -> str:
    return instrument.symbol.partition("-")[0].lower()


def _parts(ask: Ask) -> list[str]:
    return [unquote(part) for part in ask.path.removeprefix("/api/v3").split("/") if part]


def _coins(world: World) -> list[Instrument]:
    known = [world.instrument(symbol) for symbol in world.symbols()]
    return [item for item in known if item is not None and item.asset_class is AssetClass.CRYPTO]


def _coin_page(world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
    page = _parts(ask)[2:]
    if page == ["ohlc"]:
        return _candles(world, ask, symbol, spoils)
    if page[:1] == ["market_chart"]:
        return _chart(world, ask, symbol, spoils, ranged=page[-1] == "range")
    return _json({"status": {"error_code": 10005, "error_message": _PAID}}, 401)


def _chart(world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...], ranged: bool) -> Reply:
    now_ms = int(ask.now.timestamp() * 1000)
    if ranged:
        begin, end = (int(float(ask.query[name]) * 1000) for name in ("from", "to"))
    else:
        span = ask.query["days"]
        begin, end = (0 if span == "max" else now_ms - int(span) * _DAY_MS), now_ms
    if begin < now_ms - COINGECKO_DAYS * _DAY_MS:
        return _too_far_back(ask)
    stamps, prices, volumes = _points(spoiled(_until(world, symbol, now_ms), spoils, ask.now))
    every = _granularity(ask, begin, end)
    sent = stamps.copy()
    if every < _STEPS:  # hourly and finer points lie a little off the hour
        sent += 1_000 * (7 + stamps // _STEP_MS % 50)
    rows = (stamps % (every * _STEP_MS) == 0) & (sent >= begin) & (sent <= min(end, now_ms))
    at = np.flatnonzero(rows)
    if end >= now_ms:  # the chart ends with the price at this moment
        at = np.append(at, int(np.searchsorted(stamps, now_ms, side="right")) - 1)
    sent, prices, volumes = sent[at], prices[at], volumes[at]
    if end >= now_ms:
        sent[-1] = now_ms
    return _json(
        {
            "prices": _pairs(sent, prices),
            "market_caps": _pairs(sent, prices * 1e7),
            "total_volumes": _pairs(sent, volumes),
        }
    )


def _granularity(ask: Ask, begin: int, end: int) -> int:
    """Five-minute steps from one point to the next."""
    days = (end - begin) / _DAY_MS
    if ask.query.get("interval") == "daily" or days > 90:
        return _STEPS
    if ask.query.get("interval") == "hourly" or days > 1:
        return 12
    return 1


def _candles(world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
    span = ask.query.get("days", "")
    if span == "max" or (span.isdigit() and int(span) > COINGECKO_DAYS):
        return _too_far_back(ask)
    if not span.isdigit() or int(span) not in _CANDLE_STEPS:
        return _json({"error": "Invalid days parameter"}, 400)
    now_ms = int(ask.now.timestamp() * 1000)
    steps = _CANDLE_STEPS[int(span)]
    length = steps * _STEP_MS
    path = spoiled(_until(world, symbol, now_ms), spoils, ask.now)
    stamps, prices, _ = _points(path)
    first = -(-max(int(stamps[0]), now_ms - int(span) * _DAY_MS) // length) * length
    starts = np.arange(first, now_ms - length + 1, length)
    at = np.searchsorted(stamps, starts)
    windows = prices[at[:, None] + np.arange(steps + 1)]  # a candle reaches from its first to its last point
    rows = zip(
        (starts + length).tolist(),
        windows[:, 0].tolist(),
        windows.max(axis=1).tolist(),
        windows.min(axis=1).tolist(),
        windows[:, -1].tolist(),
        strict=True,
    )
    return _json([list(row) for row in rows])


def _until(world: World, symbol: str, now_ms: int) -> Path:
    """The last 370 days, today's included, as far as their paths will come."""
    path = world.listed(symbol, "coingecko").path
    today = np.datetime64(now_ms, "ms").astype("datetime64[D]")
    return cut(path, (path.days <= today) & (path.days > today - np.timedelta64(370, "D")))


def _points(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stamps (ms), prices and 24-hour volumes every five minutes, the close of the last day included.

    Each day runs from its open over its high and low, or its low and high, to its close.
    """
    n = len(path.days)
    inside = np.arange(_STEPS) / _STEPS
    up_first = path.close < path.open
    knots = np.array([0.0, 1 / 3, 2 / 3, 1.0])
    turns = np.stack(
        [path.open, np.where(up_first, path.high, path.low), np.where(up_first, path.low, path.high), path.close]
    )
    prices = np.empty((n, _STEPS))
    for left in range(3):
        inner = (inside >= knots[left]) & (inside < knots[left + 1])
        weight = (inside[inner] - knots[left]) / (knots[left + 1] - knots[left])
        prices[:, inner] = turns[left][:, None] * (1.0 - weight) + turns[left + 1][:, None] * weight
    for turn in range(3):
        prices[:, turn * _STEPS // 3] = turns[turn]  # exact at the turning points
    prices = np.clip(prices, path.low[:, None], path.high[:, None])  # NaN stays
    before = np.concatenate([[path.volume[0]], path.volume[:-1]])
    volumes = before[:, None] * (1.0 - inside) + path.volume[:, None] * inside
    begins = path.days.astype("datetime64[ms]").astype(np.int64)
    stamps = begins[:, None] + np.arange(_STEPS) * _STEP_MS
    return (
        np.append(stamps.ravel(), begins[-1] + _DAY_MS),
        np.append(prices.ravel(), path.close[-1]),
        np.append(volumes.ravel(), path.volume[-1]),
    )


def _pairs(stamps: np.ndarray, values: np.ndarray) -> list[list[float | None]]:
    return [
        [stamp, None if math.isnan(value) else value]
        for stamp, value in zip(stamps.tolist(), values.tolist(), strict=True)
    ]


def _too_far_back(ask: Ask) -> Reply:
    words = (
        "Your request exceeds the allowed time range. Public API users are limited to querying historical data within "
        f"the past 365 days. Upgrade to a paid plan to enjoy full historical data access: {_PRICING}. "
    )
    stamp = ask.now.astimezone(UTC).isoformat(timespec="milliseconds")
    return _json({"error": {"status": {"timestamp": stamp, "error_code": 10012, "error_message": words}}}, 401)


def _json(body: object, status: int = 200) -> Reply:
    return Reply(json.dumps(body).encode(), status=status)

"""What CoinGecko's answers mean, and daily bars from its daily points and four-hour candles."""

import json
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.market_data import Outcome
from wealtharena.vendors.bar_results import UnparsedCell, number
from wealtharena.vendors.failures import Failure, FetchFailed, http_failure, shorten
from wealtharena.vendors.transport import Received

_DAY_MS = 86_400_000
_CANDLE_MS = _DAY_MS // 6
_TOO_MANY, _OLDER_THAN_PLAN, _PAID_PLANS = 429, 10012, (10005, 10006)
_SERVER_ERRORS = range(500, 600)
Rows = list[list[Any]]
Candle = tuple[float, float, float]


def refusal(received: Received, now: datetime) -> Failure | None:
    """What an answer says instead of data; None where it may be data.

    Args:
        now: moment from which a Retry-After counts.
    """
    code, words = _error(received)
    said = f"CoinGecko says {shorten(words or received.text)!r}"
    if code == _OLDER_THAN_PLAN:
        return Failure(Outcome.REJECTED, f"older than what the plan serves: {said} (code {code})")
    if code in _PAID_PLANS:
        return Failure(Outcome.REJECTED, f"not in the plan: {said} (code {code})")
    if received.status == 404 and "coin not found" in words.lower():
        return Failure(Outcome.UNKNOWN_SYMBOL, said)
    if received.status == 401:
        return Failure(Outcome.REJECTED, f"the key is not accepted: {said} (code {code})", stops_vendor=True)
    # Behind some proxies an error comes with status 200.
    status = code if received.status == 200 and (code == _TOO_MANY or code in _SERVER_ERRORS) else received.status
    return http_failure(status, received.headers, received.text, now)


def require_chart(document: object) -> Mapping[str, Any]:
    """A chart of daily points.

    Raises:
        FetchFailed: it is none, or has no point at all.
    """
    if not isinstance(document, Mapping) or not {"prices", "total_volumes"} <= set(document):
        raise _unusable("a chart with prices and total_volumes", document)
    # A coin trades on every day of its life: a list without a point says nothing about the market.
    if not _rows(document["prices"], 2):
        raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, "a chart without a single price"))
    if all(row[0] % _DAY_MS for row in document["prices"]):
        raise FetchFailed(
            Failure(Outcome.REJECTED, "a chart without points of 00:00 UTC, though daily ones were asked for")
        )
    _rows(document["total_volumes"], 2)
    return document


def require_candles(document: object) -> Rows:
    """Candles [milliseconds of its close, open, high, low, close], at least one, all numbers or null.

    Raises:
        FetchFailed: there is none.
    """
    rows = _rows(document, 5)
    if not rows:
        raise FetchFailed(Failure(Outcome.VENDOR_FAILURE, "no candles, though there are prices"))
    if any(number(cell) is None for row in rows for cell in row[1:]):
        raise _unusable("candles of numbers", document)
    return rows


def read_chart(
    chart: Mapping[str, Any], start: datetime, end: datetime
) -> tuple[pd.DataFrame, tuple[UnparsedCell, ...]]:
    """``session_date``, ``close`` and ``volume`` of the days from ``start`` to ``end`` in the vendor's order.

    Only points of 00:00 UTC are days: the one of day D is the close of D - 1, and its volume that of the 24 hours
    before. Hourly points and the one of "now" lie off it and are left out.

    Args:
        start, end: midnights, UTC.

    Returns:
        The rows, and (day, column, text) of cells that are no numbers; their rows are left out.
    """
    volumes: dict[int, deque[object]] = defaultdict(deque)
    for stamp, volume in (row[:2] for row in chart["total_volumes"]):
        volumes[stamp].append(volume)
    first, last = _ms(start) + _DAY_MS, _ms(end) + _DAY_MS
    rows: list[tuple[pd.Timestamp, float | None, float | None]] = []
    unparsed: list[UnparsedCell] = []
    for stamp, price in (row[:2] for row in chart["prices"]):
        if stamp % _DAY_MS or not first <= stamp <= last:
            continue
        cells = {"close": price, "volume": volumes[stamp].popleft() if volumes[stamp] else None}
        day = pd.Timestamp(stamp - _DAY_MS, unit="ms")
        wrong = [(f"{day:%Y-%m-%d}", column, str(cell)) for column, cell in cells.items() if number(cell) is None]
        unparsed.extend(wrong)
        if not wrong:
            rows.append((day, number(cells["close"]), number(cells["volume"])))
    frame = pd.DataFrame(rows, columns=["session_date", "close", "volume"])
    return frame.astype({"session_date": "datetime64[us]"}), tuple(unparsed)


def with_candles(days: pd.DataFrame, candles: Rows) -> pd.DataFrame:
    """Rows of `read_chart` with ``open``, ``high`` and ``low`` of their candles, NaN without all six of a day.

    The close is a price of the day as well, and more exact than candles, which are rounded: high and low take it in.
    """
    of_day = _whole_days(candles)
    nothing = (np.nan, np.nan, np.nan)
    stamps = days["session_date"].astype("datetime64[ms]").astype("int64")
    table = np.array([of_day.get(stamp, nothing) for stamp in stamps], dtype="float64").reshape(-1, 3)
    close = days["close"].to_numpy(dtype="float64")
    has_candles = ~np.isnan(table).any(axis=1)
    high = np.where(has_candles, np.fmax(table[:, 1], close), np.nan)
    low = np.where(has_candles, np.fmin(table[:, 2], close), np.nan)
    return days.assign(open=table[:, 0], high=high, low=low)


def _whole_days(candles: Rows) -> dict[int, Candle]:
    """Open, high and low by the milliseconds at which the UTC day begins."""
    by_day: dict[int, dict[int, list[Any]]] = defaultdict(dict)
    for row in candles:
        if row[0] % _CANDLE_MS == 0:
            begins = row[0] - _CANDLE_MS
            by_day[begins - begins % _DAY_MS].setdefault(begins, row)
    return {day: _merged(parts) for day, parts in by_day.items() if len(parts) * _CANDLE_MS == _DAY_MS}


def _merged(parts: Mapping[int, list[Any]]) -> Candle:
    cells = np.array([[number(cell) for cell in parts[at][1:4]] for at in sorted(parts)], dtype="float64")
    return float(cells[0, 0]), float(cells[:, 1].max()), float(cells[:, 2].min())


def _rows(document: object, width: int) -> Rows:
    """A list of lists that begin with milliseconds."""
    if not isinstance(document, list):
        raise _unusable("a list of rows", document)
    for row in document:
        if not isinstance(row, list) or len(row) < width or not isinstance(row[0], int):
            raise _unusable(f"rows of milliseconds and {width - 1} values", row)
    return document


def _error(received: Received) -> tuple[int, str]:
    """Code (0: none) and words of an error, which CoinGecko wraps in three ways."""
    try:
        document = json.loads(received.body)
    except ValueError:
        return 0, ""
    error = _mapping(document).get("error")
    status = _mapping(_mapping(error).get("status")) or _mapping(_mapping(document).get("status"))
    status = status or _mapping(document)
    code = status.get("error_code", 0)
    words = status.get("error_message") or error or ""
    return code if isinstance(code, int) else 0, str(words)


def _unusable(wanted: str, got: object) -> FetchFailed:
    return FetchFailed(Failure(Outcome.REJECTED, f"an answer must be {wanted}, got {shorten(str(got))}"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000

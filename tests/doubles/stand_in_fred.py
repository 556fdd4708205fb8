"""FRED's format: XML, errors as status 400 with a message, vintages clipped to the window that is asked for."""

import re
from datetime import date
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from stand_in_faults import Fault, Kind
from stand_in_wire import XML, Ask, Reply
from stand_in_world import World

MAX_VINTAGES = 2_000
_EARLIEST, _LATEST = "1776-07-04", "9999-12-31"
_PROLOG = '<?xml version="1.0" encoding="utf-8" ?>\n'
_KEY = re.compile(r"[0-9a-z]{32}")
_UNREGISTERED = (
    "Bad Request.  The value for variable api_key is not registered.  Read "
    "https://fred.stlouisfed.org/docs/api/api_key.html for more information."
)
_MALFORMED = (
    "Bad Request.  The value for variable api_key is not a 32 character alpha-numeric lower-case string.  Read "
    "https://fred.stlouisfed.org/docs/api/api_key.html for more information."
)
_MISSING = "Bad Request.  The series does not exist."


class FredFormat:
    """Answers of ``/series``, ``/series/observations`` and ``/series/vintagedates``."""

    def symbol_of(self, world: World, ask: Ask) -> str:
        """The series."""
        return ask.query.get("series_id", "")

    def answer(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        """The series' description, its observations or its vintage dates."""
        if not _KEY.fullmatch(ask.query.get("api_key", "")):
            return _error(400, _MALFORMED)
        if symbol not in {spec.series for spec in world.series()}:
            return _error(400, _MISSING)
        today = str(ask.now.astimezone(ZoneInfo("America/Chicago")).date())
        table = world.published(symbol)
        table = table[table["released"] <= pd.Timestamp(today)]
        page = ask.path.rstrip("/").rpartition("/")[2]
        if page == "observations":
            return _observations(table, ask, today, spoils)
        if page == "vintagedates":
            return _vintage_dates(table, ask)
        return _description(world, symbol, table, today)

    def refuse(self, ask: Ask, fault: Fault) -> Reply:
        """FRED's words for each fault."""
        if fault.kind is Kind.TOO_MANY_REQUESTS:
            return _error(429, "Too Many Requests.  Exceeded Rate Limit")
        if fault.kind is Kind.BAD_KEY:
            return _error(400, _UNREGISTERED)
        if fault.kind is Kind.UNKNOWN_SYMBOL:
            return _error(400, _MISSING)
        if fault.kind is Kind.EMPTY_RESULT:
            return Reply(f'{_PROLOG}<observations count="0" offset="0" limit="100000"/>'.encode(), XML)
        return _error(500, "Internal Server Error")


def _observations(table: pd.DataFrame, ask: Ask, today: str, spoils: tuple[Fault, ...]) -> Reply:
    query = ask.query
    begin, end = query.get("realtime_start", today), query.get("realtime_end", today)
    vintages = _vintages(table, begin, end)
    if len(vintages) > MAX_VINTAGES:
        return _error(
            400,
            f"Bad Request.  There are {len(vintages)} vintage dates in the specified real-time period: {begin} to "
            f"{end}.  This exceeds the maximum number of vintage dates allowed ({MAX_VINTAGES}).",
        )
    first, last = query.get("observation_start", _EARLIEST), query.get("observation_end", _LATEST)
    days = table["reference_date"].dt.strftime("%Y-%m-%d").to_numpy()
    released = table["released"].dt.strftime("%Y-%m-%d").to_numpy()
    ends = _last_days(table)
    rows = (days >= first) & (days <= last) & (released <= end) & (ends >= begin)
    texts = [
        f'<observation realtime_start="{max(start, begin)}" realtime_end="{min(stop, end)}" date="{day}" '
        f'value="{value}"/>'
        for day, start, stop, value in zip(
            days[rows], released[rows], ends[rows], _values(table["value"].to_numpy()[rows], spoils), strict=True
        )
    ]
    limit, offset = int(query.get("limit", 100_000)), int(query.get("offset", 0))
    attributes = {
        "realtime_start": begin, "realtime_end": end, "observation_start": first, "observation_end": last,
        "units": "lin", "output_type": "1", "file_type": "xml", "order_by": "observation_date", "sort_order": "asc",
        "count": str(len(texts)), "offset": str(offset), "limit": str(limit),
    }  # fmt: skip
    return _document("observations", attributes, texts[offset : offset + limit])


def _values(values: np.ndarray, spoils: tuple[Fault, ...]) -> list[str]:
    if len(values) > 2 and any(fault.kind is Kind.NAN_ROW for fault in spoils):
        values = values.copy()
        values[-3] = np.nan
    return ["." if np.isnan(value) else repr(value) for value in values.tolist()]


def _last_days(table: pd.DataFrame) -> np.ndarray:
    """The last day on which each value stood."""
    following = table.groupby("reference_date")["released"].shift(-1) - pd.Timedelta(days=1)
    texts: np.ndarray = following.dt.strftime("%Y-%m-%d").fillna(_LATEST).to_numpy()
    return texts


def _vintages(table: pd.DataFrame, begin: str, end: str) -> list[str]:
    days = sorted(set(table["released"].dt.strftime("%Y-%m-%d")))
    return [day for day in days if begin <= day <= end]


def _vintage_dates(table: pd.DataFrame, ask: Ask) -> Reply:
    begin, end = ask.query.get("realtime_start", _EARLIEST), ask.query.get("realtime_end", _LATEST)
    days = _vintages(table, begin, end)
    limit, offset = int(ask.query.get("limit", 10_000)), int(ask.query.get("offset", 0))
    attributes = {
        "realtime_start": begin, "realtime_end": end, "order_by": "vintage_date", "sort_order": "asc",
        "count": str(len(days)), "offset": str(offset), "limit": str(limit),
    }  # fmt: skip
    texts = [f"<vintage_date>{day}</vintage_date>" for day in days[offset : offset + limit]]
    return _document("vintage_dates", attributes, texts)


def _description(world: World, series: str, table: pd.DataFrame, today: str) -> Reply:
    spec = next(item for item in world.series() if item.series == series)
    first, last = (table["reference_date"].iloc[at] for at in (0, -1)) if len(table) else (world.start, world.start)
    attributes = {
        "id": series, "realtime_start": today, "realtime_end": today, "title": f"{series} of the stand-in",
        "observation_start": _day(first), "observation_end": _day(last), "frequency": spec.frequency.capitalize(),
        "frequency_short": spec.frequency[0].upper(), "units": "Index", "units_short": "Index",
        "seasonal_adjustment": "Not Seasonally Adjusted", "seasonal_adjustment_short": "NSA",
        "last_updated": f"{today} 07:31:00-06", "popularity": "50", "notes": "Demo data, made from a seed.",
    }  # fmt: skip
    return _document("seriess", {"realtime_start": today, "realtime_end": today}, [f"<series {_written(attributes)}/>"])


def _day(value: date) -> str:
    return f"{value:%Y-%m-%d}"


def _document(name: str, attributes: dict[str, str], children: list[str]) -> Reply:
    lines = "\n  ".join(children)
    return Reply(f"{_PROLOG}<{name} {_written(attributes)}>\n  {lines}\n</{name}>".encode(), XML)


def _written(attributes: dict[str, str]) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())


def _error(status: int, message: str) -> Reply:
    return Reply(f'{_PROLOG}<error code="{status}" message={quoteattr(message)} />'.encode(), XML, status)

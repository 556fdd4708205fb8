"""A bar feed that settings alone describe: a healthy one, others of quite different make, and broken ones."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from canned_server import Canned, CannedServer, canned_server
from stand_in import KEYS, StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError
from wealtharena.core.market_data import BAR_COLUMNS, FetchRequest, FetchResult, Instrument, MacroRequest, Outcome
from wealtharena.settings import RestSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.rest import RestVendor

KEY = KEYS["rest"]
START, END = date(2026, 9, 1), date(2026, 11, 19)
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
SHARE = Instrument("BRK/B", AssetClass.STOCKS, "XNYS")
# 2 to 4 January 2024, at 14:30 UTC, when New York opens.
STAMPS = (1_704_205_800, 1_704_292_200, 1_704_378_600)
CANDLES = [
    {"t": STAMPS[0], "o": 10, "h": 12.5, "l": "9.5", "c": "11.25"},
    {"t": STAMPS[1], "o": 11, "h": 13, "l": 10.0, "c": None},
    {"t": STAMPS[2], "o": 12, "h": 14, "l": 11.0, "c": 13.0},
]
OTHER = {
    "path": "/candles/{symbol}?start={start:%Y%m%d}&stop={end:%Y%m%d}",
    "key_header": "X-Api-Key",
    "key_prefix": "",
    "rows": "data.candles",
    "fields": {"session_date": "t", "open": "o", "high": "h", "low": "l", "close": "c"},
    "date_format": "unix",
    "price_basis": "as_traded",
}


@pytest.fixture(scope="module")
def world() -> World:
    return World.default(start=date(2026, 3, 2))


def vendor_at(url: str, home: Path, now: datetime = NOW, **changes: Any) -> RestVendor:
    values = {"base_url": url, "api_key": KEY, "timeout_s": 5.0, "max_attempts": 2, **changes}
    context = VendorContext(home, now, lambda seconds: None)
    return RestVendor(RestSettings.model_validate(values), context)


@contextmanager
def saying(home: Path, *answers: Any, **changes: Any) -> Iterator[tuple[CannedServer, RestVendor]]:
    canned = [item if isinstance(item, Canned) else Canned(json.dumps(item)) for item in answers]
    with canned_server(canned) as server:
        yield server, vendor_at(server.url, home, **changes)


def ask(vendor: RestVendor, instrument: Instrument = SHARE, start: date = START, end: date = END) -> FetchResult:
    (result,) = vendor.fetch_bars([FetchRequest(instrument, start, end)])
    assert (result.outcome is Outcome.ROWS) == (len(result.frame) > 0) == (result.reason == "")
    assert tuple(result.frame.columns) == BAR_COLUMNS
    return result


def january(vendor: RestVendor) -> FetchResult:
    return ask(vendor, start=date(2024, 1, 2), end=date(2024, 1, 4))


@pytest.mark.parametrize("symbol", ["AAPL", "BHP.AX", "BTC-USD", "EURUSD=X", "GC=F"])
def test_the_default_settings_read_a_plain_feed(world: World, tmp_path: Path, symbol: str) -> None:
    instrument = world.instrument(symbol)
    assert instrument is not None
    with StandIn(world) as stand_in:
        settings = RestSettings.model_validate(stand_in.settings()["rest"])
        result = ask(RestVendor(settings, VendorContext(tmp_path, stand_in.now)), instrument)
        assert stand_in.count("rest", symbol) == 1
    expected = world.clean_bars(symbol, "rest").assign(dividend=np.nan, split=np.nan)
    expected = expected[expected["session_date"] >= pd.Timestamp(START)].reset_index(drop=True)
    pd.testing.assert_frame_equal(result.frame, expected, check_exact=True)
    assert result.price_basis == "split_adjusted" and result.unparsed == ()


def test_another_feed_has_other_paths_headers_fields_and_dates(tmp_path: Path) -> None:
    with saying(tmp_path, {"data": {"candles": CANDLES[::-1]}}, **OTHER) as (server, vendor):
        result = january(vendor)
    path, headers = server.asked[0]
    assert path == "/candles/BRK%2FB?start=20240102&stop=20240104"
    assert headers["x-api-key"] == KEY and "authorization" not in headers
    assert result.frame["session_date"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert result.frame["close"].tolist()[::2] == [11.25, 13.0] and np.isnan(result.frame["close"][1])
    assert result.frame["low"].tolist() == [9.5, 10.0, 11.0]
    assert result.frame[["adj_close", "volume", "dividend", "split"]].isna().all(axis=None)
    assert result.frame.dtypes.astype(str).tolist() == ["datetime64[us]"] + ["float64"] * 8
    assert result.price_basis == "as_traded"


@pytest.mark.parametrize(
    ("date_format", "cells"),
    [
        ("unix", list(STAMPS)),
        ("unix", [str(stamp) for stamp in STAMPS]),
        ("unix_ms", [1_000 * stamp + 7 for stamp in STAMPS]),
        ("%d/%m/%Y", ["02/01/2024", "03/01/2024", "04/01/2024"]),
        ("%Y%m%d", [20240102, 20240103, 20240104]),
        # The date that is written counts, in whatever zone.
        ("%Y-%m-%dT%H:%M:%S%z", [f"2024-01-0{day}T00:00:00+11:00" for day in (2, 3, 4)]),
    ],
)
def test_dates_are_read_as_they_are_written(tmp_path: Path, date_format: str, cells: list[Any]) -> None:
    rows = [{**candle, "t": cell} for candle, cell in zip(CANDLES, cells, strict=True)]
    with saying(tmp_path, rows, **{**OTHER, "rows": "", "date_format": date_format}) as (_, vendor):
        result = january(vendor)
    assert result.frame["session_date"].dt.day.tolist() == [2, 3, 4]


def test_a_feed_without_key_gets_none_and_an_alias_is_used(tmp_path: Path) -> None:
    share = Instrument("BRK-B", AssetClass.STOCKS, "XNYS", aliases=(("rest", "BRK B"),))
    with saying(tmp_path, CANDLES, **{**OTHER, "rows": "", "api_key": None}) as (server, vendor):
        assert ask(vendor, share, date(2024, 1, 2), date(2024, 1, 4)).outcome is Outcome.ROWS
    path, headers = server.asked[0]
    assert path.startswith("/candles/BRK%20B?") and "x-api-key" not in headers


def test_cells_that_are_no_numbers_are_named_and_their_rows_left_out(tmp_path: Path) -> None:
    wrong = [
        {**CANDLES[0], "c": "1,234.5"},
        {**CANDLES[1], "o": True, "h": [1]},
        {**CANDLES[1], "t": "yesterday"},
        {**CANDLES[1], "t": None},
    ]
    with saying(tmp_path, [*wrong, CANDLES[2]], **{**OTHER, "rows": ""}) as (_, vendor):
        result = january(vendor)
    assert result.frame["open"].tolist() == [12.0]
    assert result.unparsed == (
        ("2024-01-02 (row 1)", "close", "1,234.5"),
        ("2024-01-03 (row 2)", "open", "True"),
        ("2024-01-03 (row 2)", "high", "[1]"),
        ("row 3", "date", "yesterday"),
        ("row 4", "date", "None"),
    )


@pytest.mark.parametrize(
    ("answer", "changes", "words"),
    [
        (
            {"data": {"bars": CANDLES}},
            {},
            "vendors.rest.rows: there must be a list of bars at 'data.candles', got dict",
        ),
        ({"error": "no plan"}, {"rows": ""}, "a list of bars as the answer itself, got dict {'error': 'no plan'}"),
        ([[1, 2]], {"rows": ""}, "a bar must be an object with named fields, row 1 is list [1, 2]"),
        ([{"t": 1, "o": 1, "h": 1, "l": 1, "last": 1}], {"rows": ""}, "vendors.rest.fields.close: a bar must have 'c'"),
        (CANDLES, {"rows": "", "date_format": "%Y-%m-%d"}, "no row can be read; the first, row 1, has '1704205800'"),
    ],
)
def test_an_answer_that_does_not_fit_the_settings_is_rejected(
    tmp_path: Path, answer: Any, changes: dict[str, Any], words: str
) -> None:
    with saying(tmp_path, answer, **{**OTHER, **changes}) as (server, vendor):
        result = january(vendor)
    assert result.outcome is Outcome.REJECTED and words in result.reason and len(server.asked) == 1


def test_unfinished_and_foreign_days_are_left_out(tmp_path: Path) -> None:
    days = ["2026-11-18", "2026-11-17", "2026-11-19", "2026-11-20", "2026-11-23", "2026-08-03"]
    rows = [{"date": day, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1} for day in days]
    # New York is open: the bar of the 19th is not final yet.
    now = datetime(2026, 11, 19, 20, tzinfo=UTC)
    with saying(tmp_path, rows, now=now) as (server, vendor):
        result = ask(vendor, end=date(2026, 11, 30))
    assert result.frame["session_date"].dt.day.tolist() == [17, 18]
    assert server.asked[0][0].endswith("from=2026-09-01&to=2026-11-18")


def test_a_weekend_is_empty_and_not_asked_for(tmp_path: Path) -> None:
    with saying(tmp_path, []) as (server, vendor):
        result = ask(vendor, start=date(2026, 11, 14), end=date(2026, 11, 15))
    assert result.outcome is Outcome.EMPTY and not server.asked and result.request == ""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "an empty list, though there were sessions from 2024-01-02 to 2024-01-04"),
        ([{**CANDLES[0], "t": 1_500_000_000}], "no bar with a price from 2024-01-02 to 2024-01-04; 1 bars, 2017-07-14"),
    ],
)
def test_no_bar_in_open_sessions_is_a_failure(tmp_path: Path, rows: list[Any], words: str) -> None:
    with saying(tmp_path, rows, **{**OTHER, "rows": ""}) as (server, vendor):
        result = january(vendor)
    assert result.outcome is Outcome.VENDOR_FAILURE and words in result.reason and len(server.asked) == 2


FAULTS = [
    (Kind.TOO_MANY_REQUESTS, Outcome.RATE_LIMITED, 2),
    (Kind.SERVER_ERROR, Outcome.VENDOR_FAILURE, 2),
    (Kind.UNAVAILABLE_HTML, Outcome.VENDOR_FAILURE, 2),
    (Kind.HTML, Outcome.VENDOR_FAILURE, 2),
    (Kind.EMPTY_BODY, Outcome.VENDOR_FAILURE, 2),
    (Kind.TRUNCATED, Outcome.VENDOR_FAILURE, 2),
    (Kind.RESET, Outcome.VENDOR_FAILURE, 2),
    (Kind.SLOW_DRIP, Outcome.VENDOR_FAILURE, 2),
    (Kind.UNKNOWN_SYMBOL, Outcome.UNKNOWN_SYMBOL, 1),
    (Kind.BAD_KEY, Outcome.REJECTED, 1),
]


@pytest.mark.parametrize(("kind", "outcome", "requests"), FAULTS, ids=[str(item[0]) for item in FAULTS])
def test_each_fault_ends_as_what_it_is_and_passes_if_it_can(
    world: World, tmp_path: Path, kind: Kind, outcome: Outcome, requests: int
) -> None:
    apple, patience = world.instrument("AAPL"), 0.3 if kind is Kind.SLOW_DRIP else 5.0
    assert apple is not None
    for first in (0, 1):
        with StandIn(world, FaultPlan([Fault(kind, "rest", first=first, seconds=2.0)])) as stand_in:
            vendor = vendor_at(f"{stand_in.url}/rest", tmp_path, stand_in.now, timeout_s=patience)
            result = ask(vendor, apple)
            assert stand_in.count("rest") == requests
        assert result.outcome is (outcome if first == 0 or requests == 1 else Outcome.ROWS)


def test_a_redirect_is_not_followed_with_the_key(tmp_path: Path) -> None:
    with canned_server([Canned("[]")]) as elsewhere:
        moved = Canned("", 302, {"Location": f"{elsewhere.url}/bars"})
        with saying(tmp_path, moved) as (_, vendor):
            result = ask(vendor)
        assert not elsewhere.asked
    assert result.outcome is Outcome.REJECTED and f"moved to {elsewhere.url}/bars" in result.reason


@pytest.mark.parametrize(
    "answer", [Canned("[]", 401), Canned(f'"bad key {KEY}"', 403), Canned("[]", 500), Canned("[]")]
)
def test_the_key_is_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], answer: Canned
) -> None:
    caplog.set_level(logging.DEBUG)
    with saying(tmp_path, answer) as (server, vendor):
        result = ask(vendor)
        assert server.asked[0][1]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(result) and KEY not in caplog.text and KEY not in "".join(capfd.readouterr())


def test_every_request_takes_quota(tmp_path: Path) -> None:
    with saying(tmp_path, CANDLES, **{**OTHER, "rows": "", "max_per_day": 2}) as (server, vendor):
        results = [january(vendor) for _ in range(3)]
    assert [item.outcome for item in results] == [Outcome.ROWS, Outcome.ROWS, Outcome.RATE_LIMITED]
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": ""}, "vendors.rest.base_url must be the address of the feed"),
        ({"path": "/bars?from={start}"}, "vendors.rest.path must hold {symbol}"),
        ({"path": "/bars/{symbol}/{interval}"}, "vendors.rest.path must hold {symbol}"),
        ({"path": "/bars/{symbol}/{"}, "vendors.rest.path must hold {symbol}"),
        ({"fields": {"session_date": "t", "close": "c"}}, "vendors.rest.fields must name session_date, open, high"),
        ({"fields": {**RestSettings().fields, "vwap": "v"}}, "vendors.rest.fields must name"),
    ],
)
def test_settings_that_describe_no_feed_are_refused_before_anything_is_asked(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with saying(tmp_path, []) as (server, _):
        vendor = vendor_at(server.url, tmp_path, **changes) if "base_url" not in changes else vendor_at("", tmp_path)
        with pytest.raises(SettingsError, match=words):
            ask(vendor)
        assert not server.asked


def test_macro_series_are_unknown_to_a_bar_feed(tmp_path: Path) -> None:
    (result,) = vendor_at("http://127.0.0.1:9", tmp_path).fetch_macro([MacroRequest("GDP", START, END)])
    assert result.outcome is Outcome.UNKNOWN_SYMBOL

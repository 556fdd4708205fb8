"""CoinGecko's real client against a stand-in: days from points, bars from whole candles, and every refusal."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in import KEYS, StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import BAR_COLUMNS, FetchRequest, FetchResult, Instrument, MacroRequest, Outcome
from wealtharena.settings import Settings
from wealtharena.vendors import make_vendor
from wealtharena.vendors.coingecko_answers import read_chart, require_candles, require_chart, with_candles
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import FetchFailed

START, END = date(2026, 10, 10), date(2026, 11, 19)
CANDLES_FROM = pd.Timestamp("2026-10-22")
"""First day whose six candles lie within the 30 days before the stand-in's now, 2026-11-20 01:00."""
PRICES = ["open", "high", "low"]
KEY = KEYS["coingecko"]
HOUR_MS = 3_600_000
NOVEMBER_1 = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000


class Desk:
    """A stand-in and vendors that share one home folder and a clock that only sleeping moves."""

    def __init__(self, home: Path, world: World, *faults: Fault, **stand_in: Any) -> None:
        self.home = home
        self.world = world
        self.server = StandIn(world, FaultPlan(faults), **stand_in)
        self.clock_s = world.now.timestamp()
        self.slept: list[float] = []

    def __enter__(self) -> "Desk":
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock_s += seconds

    def vendor(self, **access: Any) -> Any:
        sections = self.server.settings()
        sections["coingecko"] |= access
        context = VendorContext(self.home, self.server.now, self.sleep, lambda: self.clock_s)
        return make_vendor(Settings.model_validate({"vendors": sections}), "coingecko", context)

    def fetch(self, *symbols: str, start: date = START, end: date = END, **access: Any) -> list[FetchResult]:
        requests = [FetchRequest(self.instrument(symbol), start, end) for symbol in symbols]
        return list(self.vendor(**access).fetch_bars(requests))

    def instrument(self, symbol: str) -> Instrument:
        known = self.world.instrument(symbol)
        assert known is not None
        return known

    @property
    def asked(self) -> int:
        return self.server.count("coingecko")


@pytest.fixture(scope="module")
def world() -> World:
    return World.default(start=date(2025, 9, 1))


@pytest.fixture
def healthy(tmp_path: Path, world: World) -> Iterator[Desk]:
    with Desk(tmp_path, world) as desk:
        yield desk


def truth(world: World, start: date = START, end: date = END) -> pd.DataFrame:
    bars = world.clean_bars("BTC-USD", "coingecko")
    return bars[bars["session_date"].between(pd.Timestamp(start), pd.Timestamp(end))].reset_index(drop=True)


def test_bars_are_the_truth_with_open_high_and_low_for_the_last_thirty_days(healthy: Desk) -> None:
    (result,) = healthy.fetch("BTC-USD")
    assert (result.outcome, result.reason, result.currency) == (Outcome.ROWS, "", "USD")
    assert list(result.frame.columns) == list(BAR_COLUMNS)
    assert result.frame["session_date"].dtype == "datetime64[us]"
    right = truth(healthy.world)
    right.loc[right["session_date"] < CANDLES_FROM, PRICES] = np.nan
    pd.testing.assert_frame_equal(result.frame, right, rtol=1e-9)
    assert healthy.asked == 2


def test_a_nights_overlap_is_asked_for_in_two_short_requests(healthy: Desk) -> None:
    (result,) = healthy.fetch("BTC-USD", start=END - timedelta(days=4))
    pd.testing.assert_frame_equal(result.frame, truth(healthy.world, END - timedelta(days=4)), rtol=1e-9)
    chart, candles = healthy.server.requests
    assert (chart.query["interval"], candles.query["days"]) == ("daily", "7")


def test_one_day_is_enough_to_ask_for(healthy: Desk) -> None:
    (result,) = healthy.fetch("BTC-USD", start=END, end=END)
    pd.testing.assert_frame_equal(result.frame, truth(healthy.world, END), rtol=1e-9)


@pytest.mark.parametrize("hour", [1, 12, 23])
def test_no_more_is_asked_for_than_the_plan_serves(tmp_path: Path, world: World, hour: int) -> None:
    now = datetime(2026, 11, 20, hour, 50, tzinfo=UTC)
    with Desk(tmp_path, world, now=now) as desk:
        (result,) = desk.fetch("BTC-USD", start=date(2025, 9, 1))
        assert {item.status for item in desk.server.requests} == {200}
    assert result.outcome is Outcome.ROWS
    assert 364 <= len(result.frame) <= 365


def test_days_before_what_the_plan_serves_are_refused_without_a_request(healthy: Desk) -> None:
    (result,) = healthy.fetch("BTC-USD", start=date(2025, 9, 1), end=date(2025, 9, 30))
    assert result.outcome is Outcome.REJECTED
    assert "from 2025-11-20 on" in result.reason
    assert healthy.asked == 0


def test_a_plan_that_serves_less_than_is_configured_is_told_in_its_words(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world) as desk:
        (result,) = desk.fetch("BTC-USD", start=date(2025, 9, 1), history_days=400)
        assert desk.asked == 1
    assert result.outcome is Outcome.REJECTED
    assert "10012" in result.reason


LASTING = (
    (Kind.TOO_MANY_REQUESTS, Outcome.RATE_LIMITED, 3, "HTTP 429"),
    (Kind.SERVER_ERROR, Outcome.VENDOR_FAILURE, 3, "HTTP 500"),
    (Kind.UNAVAILABLE_HTML, Outcome.VENDOR_FAILURE, 3, "HTTP 503"),
    (Kind.HTML, Outcome.VENDOR_FAILURE, 3, "web page"),
    (Kind.EMPTY_BODY, Outcome.VENDOR_FAILURE, 3, "cannot be parsed"),
    (Kind.TRUNCATED, Outcome.VENDOR_FAILURE, 3, "ConnectionError|parsed"),
    (Kind.RESET, Outcome.VENDOR_FAILURE, 3, "ConnectionError"),
    (Kind.EMPTY_RESULT, Outcome.VENDOR_FAILURE, 3, "without a single price"),
    (Kind.PREMIUM, Outcome.REJECTED, 1, "10012"),
    (Kind.BAD_KEY, Outcome.REJECTED, 1, "key is not accepted"),
    (Kind.UNKNOWN_SYMBOL, Outcome.UNKNOWN_SYMBOL, 1, "coin not found"),
)


@pytest.mark.parametrize(("kind", "outcome", "requests", "reason"), LASTING)
def test_a_lasting_fault_ends_in_its_true_outcome_and_shows_no_key(
    tmp_path: Path,
    world: World,
    caplog: pytest.LogCaptureFixture,
    kind: Kind,
    outcome: Outcome,
    requests: int,
    reason: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    with Desk(tmp_path, world, Fault(kind)) as desk:
        (result,) = desk.fetch("BTC-USD", max_attempts=3)
        assert desk.asked == requests
    assert result.outcome is outcome
    assert pd.Series([result.reason]).str.contains(reason).all(), result.reason
    assert result.frame.empty
    assert KEY not in f"{result.reason} {result.request} {caplog.text}"


@pytest.mark.parametrize(
    "kind",
    [Kind.TOO_MANY_REQUESTS, Kind.UNAVAILABLE_HTML, Kind.HTML, Kind.TRUNCATED, Kind.RESET, Kind.EMPTY_RESULT],
)
@pytest.mark.parametrize("where", ["/market_chart", "/ohlc"])
def test_a_passing_fault_costs_one_more_request(tmp_path: Path, world: World, kind: Kind, where: str) -> None:
    with Desk(tmp_path, world, Fault(kind, first=1, where=where)) as desk:
        (result,) = desk.fetch("BTC-USD", start=CANDLES_FROM.date())
        assert desk.asked == 3
        assert desk.server.count("coingecko", where=where) == 2
    pd.testing.assert_frame_equal(result.frame, truth(world, CANDLES_FROM.date()), rtol=1e-9)


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.SLOW_DRIP])
def test_an_answer_that_never_ends_is_given_up(tmp_path: Path, world: World, kind: Kind) -> None:
    with Desk(tmp_path, world, Fault(kind, seconds=20.0)) as desk:
        (result,) = desk.fetch("BTC-USD", timeout_s=0.3, max_attempts=1)
    assert result.outcome is Outcome.VENDOR_FAILURE
    assert "no complete answer within 0.3 s" in result.reason


def test_a_pause_that_the_vendor_asks_for_is_kept(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.TOO_MANY_REQUESTS, first=1, retry_after=30)) as desk:
        (result,) = desk.fetch("BTC-USD")
        assert desk.slept == [pytest.approx(30.0)]
    assert result.outcome is Outcome.ROWS


def test_a_pause_that_is_too_long_ends_the_run_for_every_coin(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.TOO_MANY_REQUESTS, retry_after=3_600)) as desk:
        results = desk.fetch("BTC-USD", "ETH-USD")
        assert (desk.asked, desk.slept) == (1, [])
    assert {item.outcome for item in results} == {Outcome.RATE_LIMITED}


def test_candles_that_fail_are_a_failure_and_no_bars_without_open(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.SERVER_ERROR, where="/ohlc")) as desk:
        (result,) = desk.fetch("BTC-USD")
        assert desk.server.count("coingecko", where="/market_chart") == 1
    assert result.outcome is Outcome.VENDOR_FAILURE


def test_a_plan_without_candles_gives_bars_with_a_close_only(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.PREMIUM, where="/ohlc")) as desk:
        bitcoin, ether = desk.fetch("BTC-USD", "ETH-USD")
        assert desk.server.count("coingecko", where="/ohlc") == 1
    assert (bitcoin.outcome, ether.outcome) == (Outcome.ROWS, Outcome.ROWS)
    assert bitcoin.frame[PRICES].isna().to_numpy().all()
    assert bitcoin.frame["close"].tolist() == pytest.approx(truth(world)["close"].tolist())


def test_days_older_than_candles_need_no_second_request(healthy: Desk) -> None:
    (result,) = healthy.fetch("BTC-USD", start=date(2026, 6, 1), end=date(2026, 6, 30))
    assert len(result.frame) == 30
    assert result.frame[PRICES].isna().to_numpy().all()
    assert healthy.asked == 1


def test_a_day_that_has_not_ended_is_left_out(tmp_path: Path, world: World) -> None:
    noon = datetime(2026, 11, 19, 12, tzinfo=UTC)
    with Desk(tmp_path, world, Fault(Kind.FUTURE_ROW), now=noon) as desk:
        (result,) = desk.fetch("BTC-USD", end=date(2026, 12, 31))
        (today,) = desk.fetch("BTC-USD", start=END, end=END)
    assert result.frame["session_date"].max() == pd.Timestamp("2026-11-18")
    assert today.outcome is Outcome.EMPTY
    assert "had closed" in today.reason


def test_spoilt_rows_arrive_as_they_were_sent(tmp_path: Path, world: World) -> None:
    faults = (Fault(Kind.NEGATIVE, day=date(2026, 11, 10)), Fault(Kind.CONFLICTING_DUPLICATE, day=date(2026, 11, 5)))
    with Desk(tmp_path, world, *faults) as desk:
        (result,) = desk.fetch("BTC-USD", start=date(2026, 10, 1), end=date(2026, 11, 15))
    days = result.frame["session_date"]
    assert days.is_monotonic_increasing
    # The path of 5 November was sent twice: its first point is the close of the 4th.
    assert (days == "2026-11-04").sum() == 2
    assert result.frame.loc[days == "2026-11-10", "low"].lt(0.0).all()


def test_what_it_does_not_have_is_not_asked_for(healthy: Desk) -> None:
    nameless = replace(healthy.instrument("BTC-USD"), aliases=())
    share, coin = healthy.vendor().fetch_bars(
        [FetchRequest(healthy.instrument("AAPL"), START, END), FetchRequest(nameless, START, END)]
    )
    assert (share.outcome, coin.outcome) == (Outcome.UNKNOWN_SYMBOL, Outcome.UNKNOWN_SYMBOL)
    assert "no alias coingecko" in coin.reason
    (series,) = healthy.vendor().fetch_macro([MacroRequest("GDP", START, END)])
    assert series.outcome is Outcome.UNKNOWN_SYMBOL
    assert healthy.asked == 0


def test_a_coin_it_does_not_know_says_nothing_about_the_next(healthy: Desk) -> None:
    gone = Instrument("GONE-USD", AssetClass.CRYPTO, "24/7", aliases=(("coingecko", "gone"),))
    unknown, known = healthy.vendor().fetch_bars(
        [FetchRequest(gone, START, END), FetchRequest(healthy.instrument("BTC-USD"), START, END)]
    )
    assert (unknown.outcome, known.outcome) == (Outcome.UNKNOWN_SYMBOL, Outcome.ROWS)


def test_every_request_counts_against_the_quota(healthy: Desk) -> None:
    results = healthy.fetch("BTC-USD", "ETH-USD", max_per_minute=3, max_wait_s=30.0)
    assert [item.outcome for item in results] == [Outcome.ROWS, Outcome.RATE_LIMITED]
    assert healthy.asked == 3


@pytest.mark.parametrize("key", [KEY, None])
def test_the_key_goes_into_a_header_and_is_not_needed(tmp_path: Path, world: World, key: str | None) -> None:
    seen: list[tuple[str, str | None]] = []

    class Remembers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("x-cg-demo-api-key")))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Remembers)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/api/v3/"
    with Desk(tmp_path, world) as desk:
        (result,) = desk.fetch("BTC-USD", base_url=address, api_key=key, max_attempts=1)
    server.shutdown()
    server.server_close()
    assert result.outcome is not Outcome.ROWS
    ((path, header),) = seen
    assert path.startswith("/api/v3/coins/bitcoin/market_chart/range?")
    assert header == key
    assert KEY not in path


def chart(*points: tuple[int, object, object]) -> dict[str, Any]:
    return {
        "prices": [[stamp, price] for stamp, price, _ in points],
        "total_volumes": [[stamp, volume] for stamp, _, volume in points],
    }


def test_midnight_is_the_close_of_the_day_before_and_other_points_are_none() -> None:
    day = datetime(2026, 10, 31, tzinfo=UTC)
    rows, unparsed = read_chart(
        chart(
            (NOVEMBER_1 - 24 * HOUR_MS, 1.0, 10.0),
            (NOVEMBER_1 - 7_000, 2.0, 20.0),
            (NOVEMBER_1, 3.0, 30.0),
            (NOVEMBER_1 + 7_000, 4.0, 40.0),
        ),
        day,
        day,
    )
    assert rows["session_date"].tolist() == [pd.Timestamp("2026-10-31")]
    assert (rows["close"].tolist(), rows["volume"].tolist(), unparsed) == ([3.0], [30.0], ())


def test_null_is_missing_and_text_is_unreadable() -> None:
    first, last = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    rows, unparsed = read_chart(chart((NOVEMBER_1, 3.0, None), (NOVEMBER_1 + 24 * HOUR_MS, "?", 1.0)), first, last)
    assert rows["close"].tolist() == [3.0]
    assert rows["volume"].isna().all()
    assert unparsed == (("2026-11-01", "close", "?"),)


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        ([], Outcome.REJECTED),
        ({"prices": []}, Outcome.REJECTED),
        ({"prices": [], "total_volumes": []}, Outcome.VENDOR_FAILURE),
        ({"prices": [["2026", 1.0]], "total_volumes": []}, Outcome.REJECTED),
        (chart((NOVEMBER_1 + 7_000, 1.0, 1.0)), Outcome.REJECTED),
    ],
)
def test_an_answer_that_is_no_daily_chart_is_refused(document: object, outcome: Outcome) -> None:
    with pytest.raises(FetchFailed) as refused:
        require_chart(document)
    assert refused.value.failure.outcome is outcome


def test_candles_must_be_numbers() -> None:
    assert require_candles([[NOVEMBER_1, 1.0, None, 1.0, 1.0]])
    with pytest.raises(FetchFailed, match="candles of numbers"):
        require_candles([[NOVEMBER_1, 1.0, "?", 1.0, 1.0]])


def candles_of_day(values: list[tuple[float, float]]) -> list[list[Any]]:
    """Candles of 31 October, each (open = low, high = close), stamped at their close."""
    closes_at = (NOVEMBER_1 - (5 - at) * 4 * HOUR_MS for at in range(6))
    return [[stamp, low, high, low, high] for stamp, (low, high) in zip(closes_at, values, strict=True)]


candle = st.tuples(st.floats(1.0, 10.0), st.floats(10.0, 100.0))


@given(st.lists(candle, min_size=6, max_size=6), st.sets(st.integers(0, 5), max_size=2), st.randoms())
def test_a_day_has_open_high_and_low_of_its_six_candles_or_none(
    values: list[tuple[float, float]], missing: set[int], shuffled: Any
) -> None:
    candles = [row for at, row in enumerate(candles_of_day(values)) if at not in missing]
    shuffled.shuffle(candles)
    days = pd.DataFrame({"session_date": [pd.Timestamp("2026-10-31")], "close": [10.0], "volume": [1.0]})
    (bar,) = with_candles(days.astype({"session_date": "datetime64[us]"}), candles)[PRICES].to_numpy()
    if missing:
        assert np.isnan(bar).all()
    else:
        assert bar.tolist() == [values[0][0], max(high for _, high in values), min(low for low, _ in values)]


def test_high_and_low_take_in_the_exact_close() -> None:
    days = pd.DataFrame({"session_date": [pd.Timestamp("2026-10-31")], "close": [62_211.4], "volume": [1.0]})
    rounded = candles_of_day([(61_721.0, 62_211.0)] * 6)
    bar = with_candles(days.astype({"session_date": "datetime64[us]"}), rounded).iloc[0]
    assert (bar["open"], bar["high"], bar["low"]) == (61_721.0, 62_211.4, 61_721.0)

"""Alpha Vantage's real client against a stand-in: bars as traded, and every refusal told apart."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alpha_vantage.alphavantage import AlphaVantage
from stand_in import KEYS, StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    MacroRequest,
    Outcome,
    PriceBasis,
)
from wealtharena.settings import Settings
from wealtharena.vendors import make_vendor
from wealtharena.vendors.alpha_vantage_answers import JsonObject, data_of, read_bars, require_bars
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import FetchFailed
from wealtharena.vendors.transport import Received

START, END = date(2026, 9, 1), date(2026, 11, 19)
KEY = KEYS["alpha_vantage"]


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, start: datetime) -> None:
        self.now = start.timestamp()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Desk:
    """A stand-in and vendors that share one home folder and one clock."""

    def __init__(self, home: Path, world: World, *faults: Fault, **stand_in: Any) -> None:
        self.home = home
        self.world = world
        self.server = StandIn(world, FaultPlan(faults), **stand_in)
        self.clock = Clock(world.now)

    def __enter__(self) -> "Desk":
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)

    def vendor(self, **access: Any) -> Any:
        sections = self.server.settings()
        sections["alpha_vantage"] |= access
        context = VendorContext(self.home, self.server.now, self.clock.sleep, lambda: self.clock.now)
        return make_vendor(Settings.model_validate({"vendors": sections}), "alpha_vantage", context)

    def fetch(self, *symbols: str, start: date = START, end: date = END, **access: Any) -> list[FetchResult]:
        requests = [FetchRequest(self.instrument(symbol), start, end) for symbol in symbols]
        return list(self.vendor(**access).fetch_bars(requests))

    def instrument(self, symbol: str) -> Instrument:
        known = self.world.instrument(symbol)
        assert known is not None
        return known

    @property
    def asked(self) -> int:
        return self.server.count("alpha_vantage")


@pytest.fixture(scope="module")
def world() -> World:
    return World.default(start=date(2026, 3, 2))


@pytest.fixture
def healthy(tmp_path: Path, world: World) -> Iterator[Desk]:
    with Desk(tmp_path, world) as desk:
        yield desk


def truth(world: World, symbol: str, start: date = START, end: date = END) -> pd.DataFrame:
    bars = world.clean_bars(symbol, "alpha_vantage")
    return bars[bars["session_date"].between(pd.Timestamp(start), pd.Timestamp(end))].reset_index(drop=True)


@pytest.mark.parametrize(
    ("symbol", "currency"), [("AAPL", ""), ("SPY", ""), ("PLD", ""), ("EURUSD=X", "USD"), ("BTC-USD", "USD")]
)
def test_bars_of_every_class_are_what_was_traded(healthy: Desk, symbol: str, currency: str) -> None:
    (result,) = healthy.fetch(symbol)
    assert (result.outcome, result.reason, result.unparsed) == (Outcome.ROWS, "", ())
    assert (result.price_basis, result.currency) == (PriceBasis.AS_TRADED, currency)
    assert list(result.frame.columns) == list(BAR_COLUMNS)
    assert result.frame["session_date"].dtype == "datetime64[us]"
    pd.testing.assert_frame_equal(result.frame, truth(healthy.world, symbol), rtol=1e-7)
    assert len(result.payload_hash) == 64
    assert healthy.asked == 1


def test_a_split_shows_as_the_jump_that_was_traded(tmp_path: Path) -> None:
    world = World.default(start=date(2026, 8, 3))
    world.add_split("AAPL", date(2026, 10, 5), 4.0)
    with Desk(tmp_path, world) as desk:
        (result,) = desk.fetch("AAPL")
    close = result.frame.set_index("session_date")["close"]
    assert close["2026-10-02"] / close["2026-10-05"] == pytest.approx(4.0, rel=0.1)
    assert result.frame[["split", "dividend", "adj_close"]].isna().to_numpy().all()


LASTING = (
    (Kind.TOO_MANY_REQUESTS, Outcome.RATE_LIMITED, 3, "429|a second"),
    (Kind.PER_SECOND, Outcome.RATE_LIMITED, 3, "a second"),
    (Kind.SERVER_ERROR, Outcome.VENDOR_FAILURE, 3, "HTTP 500"),
    (Kind.UNAVAILABLE_HTML, Outcome.VENDOR_FAILURE, 3, "HTTP 503"),
    (Kind.HTML, Outcome.VENDOR_FAILURE, 3, "web page"),
    (Kind.EMPTY_BODY, Outcome.VENDOR_FAILURE, 3, "cannot be parsed"),
    (Kind.TRUNCATED, Outcome.VENDOR_FAILURE, 3, "ConnectionError|parsed"),
    (Kind.RESET, Outcome.VENDOR_FAILURE, 3, "ConnectionError"),
    (Kind.EMPTY_RESULT, Outcome.VENDOR_FAILURE, 3, "without data"),
    (Kind.DAY_QUOTA, Outcome.RATE_LIMITED, 1, "day's requests are used"),
    (Kind.PREMIUM, Outcome.REJECTED, 1, "not in the key's plan"),
    (Kind.BAD_KEY, Outcome.REJECTED, 1, "key is not accepted"),
    (Kind.UNKNOWN_SYMBOL, Outcome.UNKNOWN_SYMBOL, 1, "Invalid API call"),
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
        (result,) = desk.fetch("AAPL", max_attempts=3)
        assert desk.asked == requests
    assert result.outcome is outcome
    assert pd.Series([result.reason]).str.contains(reason).all(), result.reason
    assert result.frame.empty
    assert list(result.frame.columns) == list(BAR_COLUMNS)
    assert KEY not in f"{result.reason} {result.request} {caplog.text}"


@pytest.mark.parametrize(
    "kind",
    [Kind.TOO_MANY_REQUESTS, Kind.SERVER_ERROR, Kind.HTML, Kind.EMPTY_BODY, Kind.TRUNCATED, Kind.RESET],
)
def test_a_passing_fault_costs_one_more_request(tmp_path: Path, world: World, kind: Kind) -> None:
    with Desk(tmp_path, world, Fault(kind, first=1)) as desk:
        (result,) = desk.fetch("AAPL")
        assert desk.asked == 2
    assert len(result.frame) == len(truth(world, "AAPL"))


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.SLOW_DRIP])
def test_an_answer_that_never_ends_is_given_up(tmp_path: Path, world: World, kind: Kind) -> None:
    with Desk(tmp_path, world, Fault(kind, seconds=20.0)) as desk:
        (result,) = desk.fetch("AAPL", timeout_s=0.3, max_attempts=1)
    assert result.outcome is Outcome.VENDOR_FAILURE
    assert "no complete answer within 0.3 s" in result.reason


def test_after_too_many_requests_a_minute_a_minute_is_waited(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.PER_MINUTE_NOTE, first=1)) as desk:
        (result,) = desk.fetch("AAPL")
        assert desk.clock.slept == [pytest.approx(60.0)]
    assert result.outcome is Outcome.ROWS


def test_a_used_day_stops_every_process_until_tomorrow(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, alpha_vantage_per_day=1) as desk:
        first, second, third = desk.fetch("AAPL", "JPM", "SPY")
        assert [first.outcome, second.outcome, third.outcome] == [Outcome.ROWS, *[Outcome.RATE_LIMITED] * 2]
        assert desk.asked == 2
        (restarted,) = desk.fetch("JPM")
        assert restarted.outcome is Outcome.RATE_LIMITED
        assert "left alone until 2026-11-21 00:00:00" in restarted.reason
        assert desk.asked == 2
        desk.server.new_day()
        desk.clock.now = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
        (tomorrow,) = desk.fetch("JPM")
        assert tomorrow.outcome is Outcome.ROWS


def test_the_configured_day_is_never_exceeded(healthy: Desk) -> None:
    results = healthy.fetch("AAPL", "JPM", "SPY", max_per_day=2)
    assert [item.outcome for item in results] == [Outcome.ROWS, Outcome.ROWS, Outcome.RATE_LIMITED]
    assert "2 per day" in results[2].reason
    assert healthy.asked == 2


def test_a_refused_key_is_not_tried_on_other_symbols(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.BAD_KEY)) as desk:
        results = desk.fetch("AAPL", "JPM", "SPY")
        assert desk.asked == 1
    assert {item.outcome for item in results} == {Outcome.REJECTED}


def test_an_unknown_symbol_says_nothing_about_the_next(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.UNKNOWN_SYMBOL, symbol="AAPL")) as desk:
        unknown, known = desk.fetch("AAPL", "JPM")
    assert (unknown.outcome, known.outcome) == (Outcome.UNKNOWN_SYMBOL, Outcome.ROWS)


def test_without_a_key_nobody_is_asked(healthy: Desk) -> None:
    (result,) = healthy.fetch("AAPL", api_key=None)
    assert result.outcome is Outcome.REJECTED
    assert "vendors.alpha_vantage.api_key" in result.reason
    assert healthy.asked == 0


def test_what_it_does_not_have_is_not_asked_for(healthy: Desk) -> None:
    gold, bhp = healthy.fetch("GC=F", "BHP.AX")
    assert (gold.outcome, bhp.outcome) == (Outcome.UNKNOWN_SYMBOL, Outcome.UNKNOWN_SYMBOL)
    assert "single prices" in gold.reason
    assert "alias" in bhp.reason
    (series,) = healthy.vendor().fetch_macro([MacroRequest("GDP", START, END)])
    assert series.outcome is Outcome.UNKNOWN_SYMBOL
    assert healthy.asked == 0


def test_an_alias_is_asked_for_in_place_of_the_symbol(tmp_path: Path) -> None:
    bhp = Instrument("BHP.AX", AssetClass.STOCKS, "XASX", "AUD", aliases=(("alpha_vantage", "BHP.AUS"),))
    with Desk(tmp_path, World(1, [bhp], date(2026, 8, 3), END)) as desk:
        (result,) = desk.fetch("BHP.AX")
        assert desk.server.requests[0].query["symbol"] == "BHP.AUS"
    assert result.outcome is Outcome.ROWS


@pytest.mark.parametrize(
    ("called", "base", "quoted"), [("EURUSD=X", "EUR", "USD"), ("JPY=X", "USD", "JPY"), ("EUR/GBP", "EUR", "GBP")]
)
def test_pairs_are_asked_for_by_their_two_codes(healthy: Desk, called: str, base: str, quoted: str) -> None:
    pair = replace(healthy.instrument("EURUSD=X"), aliases=(("alpha_vantage", called),))
    list(healthy.vendor().fetch_bars([FetchRequest(pair, START, END)]))
    query = healthy.server.requests[0].query
    assert (query["from_symbol"], query["to_symbol"]) == (base, quoted)


def test_a_name_that_is_no_pair_is_unknown(healthy: Desk) -> None:
    pair = replace(healthy.instrument("EURUSD=X"), aliases=(("alpha_vantage", "DXY1"),))
    (result,) = healthy.vendor().fetch_bars([FetchRequest(pair, START, END)])
    assert (result.outcome, healthy.asked) == (Outcome.UNKNOWN_SYMBOL, 0)


def test_a_range_without_a_closed_session_is_empty_and_not_asked_for(healthy: Desk) -> None:
    (weekend,) = healthy.fetch("AAPL", start=date(2026, 11, 14), end=date(2026, 11, 15))
    (future,) = healthy.fetch("AAPL", start=END + timedelta(days=1), end=END + timedelta(days=9))
    assert (weekend.outcome, future.outcome) == (Outcome.EMPTY, Outcome.EMPTY)
    assert "no session of XNYS" in weekend.reason
    assert healthy.asked == 0


def test_a_range_that_begins_before_the_last_hundred_bars_gets_what_there_is(healthy: Desk) -> None:
    (result,) = healthy.fetch("AAPL", start=date(2026, 3, 2))
    assert result.outcome is Outcome.ROWS
    assert len(result.frame) == 100


def test_a_range_before_the_last_hundred_bars_is_not_called_empty(healthy: Desk) -> None:
    (result,) = healthy.fetch("AAPL", start=date(2026, 3, 2), end=date(2026, 3, 31))
    assert result.outcome is Outcome.REJECTED
    assert "sends bars from 2026-07-01 on" in result.reason


def test_the_whole_history_is_a_matter_of_the_plan(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path / "free", world) as free, Desk(tmp_path / "paid", world, alpha_vantage_premium=True) as paid:
        (refused,) = free.fetch("AAPL", start=date(2026, 3, 2), outputsize="full")
        (whole,) = paid.fetch("AAPL", start=date(2026, 3, 2), outputsize="full")
    assert refused.outcome is Outcome.REJECTED
    assert "outputsize=full" in refused.reason
    pd.testing.assert_frame_equal(whole.frame, truth(world, "AAPL", date(2026, 3, 2)))


def test_unfinished_and_future_days_are_left_out(tmp_path: Path, world: World) -> None:
    noon = datetime(2026, 11, 19, 17, tzinfo=UTC)
    spoilt = (Fault(Kind.PARTIAL_BAR), Fault(Kind.FUTURE_ROW))
    with Desk(tmp_path, world, *spoilt, now=noon) as desk:
        share, coin = desk.fetch("AAPL", "BTC-USD", end=date(2026, 12, 31))
    assert share.frame["session_date"].max() == pd.Timestamp("2026-11-18")
    assert coin.frame["session_date"].max() == pd.Timestamp("2026-11-18")


def test_spoilt_rows_arrive_as_they_were_sent_and_in_order(tmp_path: Path, world: World) -> None:
    kinds = (Kind.NAN_ROW, Kind.HIGH_BELOW_LOW, Kind.NEGATIVE, Kind.GLITCH)
    days = (date(2026, 10, 5), date(2026, 10, 6), date(2026, 10, 7), date(2026, 10, 8))
    faults = [Fault(kind, day=day) for kind, day in zip(kinds, days, strict=True)]
    with Desk(tmp_path, world, *faults, Fault(Kind.OUT_OF_ORDER), alpha_vantage_premium=True) as desk:
        (result,) = desk.fetch("AAPL", outputsize="full")
    assert result.frame["session_date"].is_monotonic_increasing
    rows = result.frame.set_index("session_date")
    right = truth(world, "AAPL").set_index("session_date")
    assert rows.loc["2026-10-05", ["open", "close"]].isna().all()
    assert rows.loc["2026-10-06", "high"] < rows.loc["2026-10-06", "low"]
    assert rows.loc["2026-10-07", "close"] == -right.loc["2026-10-07", "close"]
    assert rows.loc["2026-10-08", "close"] == pytest.approx(100.0 * right.loc["2026-10-08", "close"])


def test_a_last_bar_without_prices_is_not_there_yet(tmp_path: Path, world: World) -> None:
    with Desk(tmp_path, world, Fault(Kind.NAN_ROW, day=END)) as desk:
        (result,) = desk.fetch("AAPL")
    assert result.frame["session_date"].max() == pd.Timestamp("2026-11-18")


def test_two_addresses_in_one_process_do_not_meet(tmp_path: Path, world: World) -> None:
    address = AlphaVantage._ALPHA_VANTAGE_API_URL
    with Desk(tmp_path / "one", world) as one, Desk(tmp_path / "two", world) as two:
        vendors = [one.vendor(), two.vendor()]
        for vendor in vendors:
            list(vendor.fetch_bars([FetchRequest(one.instrument("AAPL"), START, END)]))
        assert (one.asked, two.asked) == (1, 1)
    assert address == AlphaVantage._ALPHA_VANTAGE_API_URL


def series(text: str) -> JsonObject:
    parsed = json.loads(text, object_pairs_hook=JsonObject)
    assert isinstance(parsed, JsonObject)
    return parsed


def test_none_and_nan_are_missing_and_other_texts_are_unreadable() -> None:
    rows, unparsed = read_bars(
        series(
            '{"2026-11-19": {"1. open": "None", "4. close": "NaN", "5. volume": "12"},'
            ' "2026-11-18": {"1. open": "abc", "4. close": "1.5"},'
            ' "18.11.2026": {"1. open": "1.0"}, "2026-11-17": "gone",'
            ' "2026-08-31": {"1. open": "before the range"}}'
        ),
        START,
        END,
    )
    assert rows["session_date"].tolist() == [pd.Timestamp("2026-11-19")]
    assert rows[["open", "close"]].isna().to_numpy().all()
    assert rows["volume"].tolist() == [12.0]
    assert unparsed == (
        ("2026-11-18", "open", "abc"),
        ("18.11.2026", "date", "18.11.2026"),
        ("2026-11-17", "close", "gone"),
    )


def test_a_day_that_was_sent_twice_is_there_twice() -> None:
    rows, _ = read_bars(series('{"2026-11-19": {"4. close": "2"}, "2026-11-19": {"4. close": "3"}}'), START, END)
    assert rows["close"].tolist() == [2.0, 3.0]


def test_the_former_names_of_a_coins_columns_are_understood() -> None:
    text = (
        '{"2026-11-19": {"1a. open (USD)": "7", "1b. open (USD)": "8", "5. volume": "3", "6. market cap (USD)": "9"}}'
    )
    rows, unparsed = read_bars(series(text), START, END)
    assert (rows["open"].tolist(), rows["volume"].tolist(), unparsed) == ([7.0], [3.0], ())
    assert np.isnan(rows["high"]).all()


def test_bars_of_another_symbol_are_refused() -> None:
    bars = series('{"2026-11-19": {}}')
    assert require_bars(bars, {"2. Symbol": "aapl"}, ("AAPL",)) is bars
    with pytest.raises(FetchFailed, match="asked for AAPL and answered for MSFT") as refused:
        require_bars(bars, {"2. Symbol": "MSFT"}, ("AAPL",))
    assert refused.value.failure.outcome is Outcome.REJECTED


def test_a_refusal_in_words_that_nobody_knows_is_not_repeated() -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    body = b'{"Information": "We moved."}'
    with pytest.raises(FetchFailed, match="We moved") as refused:
        data_of(Received("", 200, {}, body), moment, moment)
    assert refused.value.failure.outcome is Outcome.REJECTED

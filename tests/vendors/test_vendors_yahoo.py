"""Yahoo through the real yfinance, against the stand-in: the truth when healthy, the true reason under each fault."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yfinance
from stand_in import StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import BAR_COLUMNS, FetchRequest, FetchResult, Instrument, MacroRequest, Outcome
from wealtharena.settings import YahooSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.yahoo import YahooVendor

START, END = date(2026, 6, 1), date(2026, 11, 19)
CHART = "/v8/finance/chart/"
PENCE = Instrument("VOD.L", AssetClass.STOCKS, "XLON", "GBp", name="Vodafone", venue="LSE")


class Clock:
    """Time that passes only by sleeping, and remembers each pause."""

    def __init__(self, now: datetime) -> None:
        self.now = now.timestamp()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(round(seconds, 3))


@pytest.fixture
def world() -> World:
    return World.default(start=date(2026, 1, 5), end=END)


@pytest.fixture(autouse=True)
def _client_without_a_past() -> Iterator[None]:
    """yfinance keeps cookies and crumbs for the whole process; a test starts without."""
    client = yfinance.data.YfData()
    client._cookie = client._crumb = None
    client._cookie_strategy = "basic"
    yield


class Desk:
    """A Yahoo vendor on a stand-in."""

    def __init__(self, stand_in: StandIn, home: Path, **access: float) -> None:
        settings = YahooSettings.model_validate(stand_in.settings()["yahoo"] | {"backoff_s": 1.0} | access)
        self.stand_in, self.clock = stand_in, Clock(stand_in.now)
        context = VendorContext(home, stand_in.now, self.clock.sleep, lambda: self.clock.now)
        self.quota = Quota("yahoo", settings, context)
        self.vendor = YahooVendor(settings, context)

    def fetch(self, *symbols: str, start: date = START, end: date = END) -> list[FetchResult]:
        requests = [FetchRequest(self.instrument(symbol), start, end) for symbol in symbols]
        return list(self.vendor.fetch_bars(requests))

    def one(self, symbol: str = "BHP.AX", start: date = START, end: date = END) -> FetchResult:
        return self.fetch(symbol, start=start, end=end)[0]

    def instrument(self, symbol: str) -> Instrument:
        return self.stand_in.world.instrument(symbol) or Instrument(symbol, AssetClass.STOCKS, "XASX", "AUD")

    def charts(self) -> int:
        return self.stand_in.count("yahoo", where=CHART)


def truth(world: World, symbol: str, start: date = START, end: date = END) -> pd.DataFrame:
    bars = world.clean_bars(symbol, "yahoo")
    bars = bars[bars["session_date"].between(pd.Timestamp(start), pd.Timestamp(end))]
    return bars.reset_index(drop=True)


def assert_truth(result: FetchResult, expected: pd.DataFrame) -> None:
    assert (result.outcome, result.reason) == (Outcome.ROWS, "")
    assert tuple(result.frame.columns) == BAR_COLUMNS
    assert result.frame["session_date"].dtype == "datetime64[us]"
    pd.testing.assert_frame_equal(result.frame, expected, check_dtype=False, rtol=1e-6)


def test_healthy_bars_of_every_class_are_the_truth_with_one_chart_each(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        symbols = world.symbols()
        results = desk.fetch(*symbols, start=date(2026, 1, 5))
        for symbol, result in zip(symbols, results, strict=True):
            assert result.symbol == symbol
            assert result.price_basis == "split_adjusted"
            assert_truth(result, truth(world, symbol, date(2026, 1, 5)))
            assert result.frame["split"].eq(1.0).any()
        assert desk.charts() == len(symbols)
        assert stand_in.count("yahoo") == len(symbols) + 2  # one cookie and one crumb for all


def test_dates_are_those_of_the_exchange_across_daylight_saving(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        summer = desk.one("EURUSD=X", date(2026, 7, 6), date(2026, 7, 10))
        assert [day.date() for day in summer.frame["session_date"]] == [date(2026, 7, day) for day in range(6, 11)]
        sydney = desk.one("BHP.AX", date(2026, 10, 1), date(2026, 10, 9))
        assert [day.day for day in sydney.frame["session_date"]] == [1, 2, 5, 6, 7, 8, 9]


def test_a_split_and_a_dividend_keep_their_columns(world: World, tmp_path: Path) -> None:
    world.add_split("JPM", date(2026, 9, 15), 4.0)
    with StandIn(world) as stand_in:
        result = Desk(stand_in, tmp_path).one("JPM")
    bars = result.frame.set_index("session_date")
    assert bars.loc["2026-09-15", "split"] == 4.0
    assert list(bars.index[bars["dividend"] > 0.0]) == [pd.Timestamp(2026, 8, 5), pd.Timestamp(2026, 11, 3)]
    assert bars.loc["2026-08-05", "dividend"] == pytest.approx(world.dividends("JPM")[date(2026, 8, 5)] / 4.0, rel=1e-4)
    assert (bars["adj_close"] < bars["close"]).iloc[0]
    assert_truth(result, truth(world, "JPM"))


def test_pence_are_named_and_left_as_they_are(tmp_path: Path) -> None:
    world = World(3, [PENCE], date(2026, 1, 5), END)
    with StandIn(world) as stand_in:
        result = Desk(stand_in, tmp_path).one("VOD.L")
    assert result.currency == "GBp"
    assert_truth(result, truth(world, "VOD.L"))


def test_equal_answers_have_equal_hashes_and_the_request_is_told(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        first, again, other = desk.one(), desk.one(), desk.one("CSL.AX")
    assert first.payload_hash == again.payload_hash != other.payload_hash
    assert first.request == "chart of BHP.AX from 2026-06-01 to 2026-11-19"


PASSING = [
    (Kind.TOO_MANY_REQUESTS, {}, Outcome.RATE_LIMITED, "HTTP 429, too many requests (3 attempts)"),
    (Kind.SERVER_ERROR, {}, Outcome.VENDOR_FAILURE, "HTTP 500: "),
    (Kind.UNAVAILABLE_HTML, {}, Outcome.VENDOR_FAILURE, "HTTP 503: "),
    (Kind.HTML, {}, Outcome.VENDOR_FAILURE, "a web page instead of data (HTTP 200): "),
    (Kind.WILL_BE_RIGHT_BACK, {}, Outcome.VENDOR_FAILURE, "Will be right back"),
    (Kind.EMPTY_BODY, {}, Outcome.VENDOR_FAILURE, "an answer that is not Yahoo's (HTTP 200)"),
    (Kind.TRUNCATED, {}, Outcome.VENDOR_FAILURE, "IncompleteRead: "),
    (Kind.RESET, {}, Outcome.VENDOR_FAILURE, "ConnectionError: "),
    (Kind.HANG, {"seconds": 5.0}, Outcome.VENDOR_FAILURE, "Timeout: "),
    (Kind.SLOW_DRIP, {"seconds": 8.0}, Outcome.VENDOR_FAILURE, "Timeout: "),
    (Kind.INVALID_CRUMB, {}, Outcome.VENDOR_FAILURE, "Invalid Crumb"),
    (Kind.EMPTY_RESULT, {}, Outcome.VENDOR_FAILURE, "an answer without data and without an error"),
]


@pytest.mark.parametrize(("kind", "how", "outcome", "reason"), PASSING, ids=[str(case[0]) for case in PASSING])
def test_a_lasting_fault_ends_in_its_true_outcome_and_a_passing_one_in_rows(
    world: World, tmp_path: Path, kind: Kind, how: dict[str, float], outcome: Outcome, reason: str
) -> None:
    lasting = Fault(kind, "yahoo", "BHP.AX", where=CHART, **how)
    # A refused crumb makes yfinance itself ask twice in one attempt.
    passing = replace(lasting, symbol="CSL.AX", first=2 if kind is Kind.INVALID_CRUMB else 1)
    with StandIn(world, FaultPlan([lasting, passing])) as stand_in:
        desk = Desk(stand_in, tmp_path, max_attempts=3, timeout_s=0.25)
        failed, recovered = desk.fetch("BHP.AX", "CSL.AX")
        asked = stand_in.count("yahoo", "BHP.AX", CHART), stand_in.count("yahoo", "CSL.AX", CHART)
    assert failed.outcome is outcome
    assert reason in failed.reason
    assert "delisted" not in failed.reason
    assert failed.frame.empty
    assert tuple(failed.frame.columns) == BAR_COLUMNS
    assert_truth(recovered, truth(world, "CSL.AX"))
    assert asked == ((6, 3) if kind is Kind.INVALID_CRUMB else (3, 2))
    assert desk.clock.pauses == [1.0, 2.0, 1.0]


def test_a_retry_after_is_waited_out(world: World, tmp_path: Path) -> None:
    fault = Fault(Kind.TOO_MANY_REQUESTS, "yahoo", "BHP.AX", where=CHART, first=1, retry_after=37)
    with StandIn(world, FaultPlan([fault])) as stand_in:
        desk = Desk(stand_in, tmp_path)
        assert_truth(desk.one(), truth(world, "BHP.AX"))
        assert desk.clock.pauses == [37.0]
        assert desk.charts() == 2


def test_a_long_retry_after_leaves_the_vendor_alone_in_every_process(world: World, tmp_path: Path) -> None:
    fault = Fault(Kind.TOO_MANY_REQUESTS, "yahoo", "BHP.AX", where=CHART, retry_after=3600)
    with StandIn(world, FaultPlan([fault])) as stand_in:
        desk = Desk(stand_in, tmp_path)
        results = desk.fetch("BHP.AX", "CSL.AX", "AAPL")
        until = f"{stand_in.now + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC"
        assert [result.outcome for result in results] == [Outcome.RATE_LIMITED] * 3
        assert all(result.reason == f"HTTP 429, too many requests, asks to wait until {until}" for result in results)
        assert desk.charts() == 1
        assert desk.clock.pauses == []
        [later] = Desk(stand_in, tmp_path).fetch("CSL.AX")
        assert later.outcome is Outcome.RATE_LIMITED
        assert desk.charts() == 1


def test_after_five_failures_in_a_row_the_rest_is_not_asked(world: World, tmp_path: Path) -> None:
    with StandIn(world, FaultPlan([Fault(Kind.SERVER_ERROR, "yahoo", where=CHART)])) as stand_in:
        desk = Desk(stand_in, tmp_path, max_attempts=2)
        results = desk.fetch(*world.symbols())
        assert {result.outcome for result in results} == {Outcome.VENDOR_FAILURE}
        assert results[4].reason.startswith("HTTP 500")
        assert results[5].reason.startswith("not asked: 5 symbols failed one after another, the last with: HTTP 500")
        assert desk.charts() == 10


@pytest.mark.parametrize("kind", [Kind.TOO_MANY_REQUESTS, Kind.UNAVAILABLE_HTML, Kind.HTML])
def test_a_refused_crumb_is_neither_kept_nor_in_the_way(world: World, tmp_path: Path, kind: Kind) -> None:
    fault = Fault(kind, "yahoo", where="getcrumb", first=1)
    with StandIn(world, FaultPlan([fault])) as stand_in:
        desk = Desk(stand_in, tmp_path)
        for result in desk.fetch("BHP.AX", "CSL.AX"):
            assert_truth(result, truth(world, result.symbol))
        assert [item.query.get("crumb") for item in stand_in.requests if CHART in item.path] == [None, None]
        assert stand_in.count("yahoo", where="getcrumb") == 1
        desk.clock.now += 3600.0
        desk.one("AAPL")
        assert stand_in.requests[-1].query["crumb"] == "standInCrumb"


def test_an_unknown_symbol_is_asked_once_and_told_in_yahoos_words(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        result = desk.one("NOSUCH.AX")
        assert result.outcome is Outcome.UNKNOWN_SYMBOL
        assert "No data found" in result.reason
        assert desk.charts() == 1


def test_a_404_page_makes_no_symbol_unknown(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        # The stand-in answers paths that no vendor has with a 404 of its own.
        desk = Desk(stand_in, tmp_path, base_url=f"{stand_in.url}/elsewhere", max_attempts=1)
        result = desk.one()
    assert result.outcome is Outcome.VENDOR_FAILURE
    assert "not Yahoo's (HTTP 404)" in result.reason


def test_days_without_a_session_are_empty_without_a_request(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        weekend = desk.one("BHP.AX", date(2026, 11, 14), date(2026, 11, 15))
        assert (weekend.outcome, stand_in.requests) == (Outcome.EMPTY, [])
        assert weekend.reason == "no session of XASX that had closed from 2026-11-14 to 2026-11-15"
        tomorrow = desk.one("BHP.AX", date(2026, 11, 20), date(2026, 11, 20))
        assert (tomorrow.outcome, stand_in.requests) == (Outcome.EMPTY, [])


def test_a_known_symbol_without_bars_in_the_range_is_empty(tmp_path: Path) -> None:
    listed_late = Instrument("NEW.AX", AssetClass.STOCKS, "XASX", "AUD", first_day=date(2026, 9, 1))
    world = World(3, [listed_late], date(2026, 1, 5), END)
    with StandIn(world) as stand_in:
        result = Desk(stand_in, tmp_path).one("NEW.AX", date(2026, 3, 2), date(2026, 3, 6))
    assert result.outcome is Outcome.EMPTY
    assert "Data doesn't exist for startDate" in result.reason


def test_an_answer_for_another_symbol_is_rejected(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        # The stand-in finds OLD by its alias and answers, as Yahoo does for renamed companies, under the new name.
        world.add(Instrument("NEW", AssetClass.STOCKS, "XNYS", aliases=(("yahoo", "NEW"),)))
        stand_in._formats["yahoo"].symbol_of = lambda world, ask: "NEW" if "OLD" in ask.path else ""  # type: ignore
        result = desk.one("OLD")
    assert (result.outcome, result.reason) == (Outcome.REJECTED, "Yahoo answered for NEW, not for OLD")


def test_the_bar_under_way_is_left_out_until_it_has_closed(world: World, tmp_path: Path) -> None:
    fault = Fault(Kind.PARTIAL_BAR, "yahoo", "AAPL")
    noon_in_new_york = datetime(2026, 11, 19, 17, tzinfo=UTC)
    with StandIn(world, FaultPlan([fault]), noon_in_new_york) as stand_in:
        during = Desk(stand_in, tmp_path).one("AAPL")
        assert_truth(during, truth(world, "AAPL", end=date(2026, 11, 18)))
        stand_in.now = datetime(2026, 11, 19, 23, tzinfo=UTC)
        assert_truth(Desk(stand_in, tmp_path).one("AAPL"), truth(world, "AAPL"))


def test_rows_from_the_future_are_left_out_and_disorder_is_sorted(world: World, tmp_path: Path) -> None:
    faults = [Fault(Kind.FUTURE_ROW, "yahoo", "BHP.AX"), Fault(Kind.OUT_OF_ORDER, "yahoo", "BHP.AX")]
    with StandIn(world, FaultPlan(faults)) as stand_in:
        assert_truth(Desk(stand_in, tmp_path).one(), truth(world, "BHP.AX"))


def test_a_day_that_came_twice_is_there_twice(world: World, tmp_path: Path) -> None:
    day = date(2026, 10, 6)
    faults = [
        Fault(Kind.DUPLICATE, "yahoo", "BHP.AX", day=day),
        Fault(Kind.CONFLICTING_DUPLICATE, "yahoo", "CSL.AX", day=day),
    ]
    with StandIn(world, FaultPlan(faults)) as stand_in:
        equal, conflicting = Desk(stand_in, tmp_path).fetch("BHP.AX", "CSL.AX")
    for result in (equal, conflicting):
        expected = truth(world, result.symbol)
        assert len(result.frame) == len(expected) + 1
        assert_truth(replace(result, frame=result.frame.drop_duplicates("session_date", ignore_index=True)), expected)
    closes = conflicting.frame.loc[conflicting.frame["session_date"] == pd.Timestamp(day), "close"]
    assert closes.iloc[1] == pytest.approx(closes.iloc[0] * 1.02)


def test_a_day_without_prices_stays_nan_and_a_last_one_is_not_there_yet(world: World, tmp_path: Path) -> None:
    faults = [
        Fault(Kind.NAN_ROW, "yahoo", "BHP.AX", day=date(2026, 10, 6)),
        Fault(Kind.NAN_ROW, "yahoo", "CSL.AX", day=END),
    ]
    with StandIn(world, FaultPlan(faults)) as stand_in:
        inside, last = Desk(stand_in, tmp_path).fetch("BHP.AX", "CSL.AX")
    row = inside.frame.set_index("session_date").loc["2026-10-06"]
    assert np.isnan(row[["open", "high", "low", "close"]].astype(float)).all()
    assert_truth(last, truth(world, "CSL.AX", end=date(2026, 11, 18)))


def test_the_same_question_is_asked_anew_and_sees_a_rewritten_history(world: World, tmp_path: Path) -> None:
    start, end = date(2026, 8, 3), date(2026, 8, 28)
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path)
        before = desk.one("BHP.AX", start, end)
        world.add_split("BHP.AX", date(2026, 11, 16), 2.0)
        after = desk.one("BHP.AX", start, end)
        assert desk.charts() == 2
    np.testing.assert_allclose(after.frame["close"] * 2.0, before.frame["close"], rtol=1e-6)


def test_every_request_is_counted_cookies_and_retries_included(world: World, tmp_path: Path) -> None:
    fault = Fault(Kind.INVALID_CRUMB, "yahoo", "BHP.AX", where=CHART, first=2)
    with StandIn(world, FaultPlan([fault])) as stand_in:
        desk = Desk(stand_in, tmp_path, max_per_day=40)
        desk.fetch("BHP.AX", "CSL.AX", "NOSUCH.AX")
        assert desk.quota.left() == {"day": 40 - stand_in.count("yahoo")}


def test_a_used_up_quota_stops_requests_and_says_so(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        desk = Desk(stand_in, tmp_path, max_per_day=4)
        results = desk.fetch("BHP.AX", "CSL.AX", "AAPL", "JPM")
        assert stand_in.count("yahoo") == 4
    assert [result.outcome for result in results] == [Outcome.ROWS] * 2 + [Outcome.RATE_LIMITED] * 2
    assert "the quota (4 per day) is used up until" in results[3].reason


def test_nothing_is_written_outside_home_and_nothing_shared_can_be_locked(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with StandIn(world) as stand_in, caplog.at_level(logging.WARNING):
        assert Desk(stand_in, tmp_path / "home").one().outcome is Outcome.ROWS
    assert {path.name.split(".")[0] for path in (tmp_path / "home").iterdir()} == {"quotas"}
    assert not (tmp_path / "cache").exists()
    assert caplog.records == []


def test_macro_series_are_unknown_to_yahoo(world: World, tmp_path: Path) -> None:
    with StandIn(world) as stand_in:
        [result] = Desk(stand_in, tmp_path).vendor.fetch_macro([MacroRequest("CPIAUCSL", START, END)])
        assert (result.outcome, stand_in.requests) == (Outcome.UNKNOWN_SYMBOL, [])

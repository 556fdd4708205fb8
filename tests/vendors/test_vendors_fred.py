"""FRED's real client against a stand-in: every vintage with its true release day, and no fault taken for data."""

import hashlib
import logging
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import fredapi
import numpy as np
import pandas as pd
import pytest
from canned_server import Canned, CannedServer, canned_server
from stand_in import KEYS, StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_macro import MacroSpec
from stand_in_world import World

from wealtharena.core.market_data import MACRO_COLUMNS, FetchRequest, FetchResult, MacroRequest, Outcome
from wealtharena.settings import FredSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.fred import FredVendor

KEY = KEYS["fred"]
START, END = date(2021, 1, 4), date(2026, 11, 19)
LONG_START = date(2018, 1, 1)
# Published every weekday and revised once, so that it has more releases than one request may span.
LONG = MacroSpec("LONG", "daily", 1, 1, 3.0, 0.05)
QUARTERLY = MacroSpec("Q", "quarterly", 28)


@pytest.fixture(scope="module")
def world() -> World:
    return World.default()


@dataclass
class Pauses:
    """A clock that only sleeping moves."""

    seconds: float = 1_800_000_000.0
    count: int = 0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.count += 1


def vendor_at(url: str, home: Path, now: datetime, **changes: Any) -> FredVendor:
    pauses = Pauses()
    values = {"base_url": f"{url}/fred", "api_key": KEY, "max_per_second": None, "timeout_s": 5.0, **changes}
    context = VendorContext(home, now, pauses.sleep, lambda: pauses.seconds)
    return FredVendor(FredSettings.model_validate(values), context)


@contextmanager
def served(world: World, home: Path, *faults: Fault, **changes: Any) -> Iterator[tuple[StandIn, FredVendor]]:
    with StandIn(world, FaultPlan(faults)) as stand_in:
        yield stand_in, vendor_at(stand_in.url, home, stand_in.now, **changes)


def ask(vendor: FredVendor, series: str, **changes: Any) -> FetchResult:
    values: dict[str, Any] = {"start": START, "end": END, **changes}
    (result,) = vendor.fetch_macro([MacroRequest(series, **values)])
    assert (result.outcome is Outcome.ROWS) == (len(result.frame) > 0) == (result.reason == "")
    assert result.price_basis == "as_traded" and list(result.frame.columns) == list(MACRO_COLUMNS)
    return result


def truth(world: World, series: str) -> pd.DataFrame:
    return world.macro(series).rename(columns={"released": "available_date"})[list(MACRO_COLUMNS)]


def same(frame: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(frame.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True)


def test_todays_values_are_the_last_releases_and_a_holiday_is_missing(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path) as (stand_in, vendor):
        result = ask(vendor, "DGS10")
        revised = ask(vendor, "PAYEMS")
    expected = truth(world, "DGS10").assign(available_date=pd.NaT).astype({"available_date": "datetime64[us]"})
    same(result.frame, expected)
    assert result.frame.dtypes.astype(str).tolist() == ["datetime64[us]", "float64", "datetime64[us]"]
    holiday = result.frame.set_index("reference_date")["value"][pd.Timestamp(2024, 7, 4)]
    assert np.isnan(holiday) and 50 < result.frame["value"].isna().sum() < 80
    last = truth(world, "PAYEMS").groupby("reference_date")["value"].last()
    assert revised.frame["value"].tolist() == last.tolist()
    assert stand_in.count("fred") == 2


def test_only_the_days_asked_for_come(world: World, tmp_path: Path) -> None:
    days = {"start": date(2024, 3, 1), "end": date(2024, 6, 1)}
    with served(world, tmp_path) as (stand_in, vendor):
        current, vintages = ask(vendor, "UNRATE", **days), ask(vendor, "INDPRO", **days, with_vintages=True)
        assert stand_in.requests[0].query["observation_start"] == "2024-03-01"
    months = [pd.Timestamp(2024, month, 1) for month in (3, 4, 5, 6)]
    assert current.frame["reference_date"].tolist() == months
    assert sorted(set(vintages.frame["reference_date"])) == months and len(vintages.frame) == 16


@pytest.mark.parametrize(
    ("series", "span"),
    [("GDP", 2), ("GDP", 3), ("INDPRO", 7), ("CPIAUCSL", 31), ("CPIAUCSL", 2_000), ("ICSA", 90), ("DFF", 700)],
)
def test_vintages_in_spans_equal_the_truth(world: World, tmp_path: Path, series: str, span: int) -> None:
    with served(world, tmp_path, vintages_per_request=span) as (stand_in, vendor):
        result = ask(vendor, series, with_vintages=True)
        releases = truth(world, series)["available_date"].nunique()
        # Each span shares a day with the one before; one more request is for the release days.
        assert stand_in.count("fred") == 1 + max(1, -(-(releases - 1) // (span - 1)))
        assert "api_key" in stand_in.requests[0].query
    same(result.frame, truth(world, series))


def test_a_series_of_more_than_two_thousand_releases_arrives_whole(tmp_path: Path) -> None:
    long = World(1, (), LONG_START, END, (LONG,))
    assert truth(long, "LONG")["available_date"].nunique() > 2_000
    with served(long, tmp_path) as (stand_in, vendor):
        bare = fredapi.Fred(KEY)
        bare.root_url = f"{stand_in.url}/fred"
        with pytest.raises(ValueError, match="exceeds the maximum number of vintage dates"):
            bare.get_series_all_releases("LONG")
        stand_in.forget()
        result = ask(vendor, "LONG", start=LONG_START, with_vintages=True)
        assert {item.status for item in stand_in.requests} == {200} and stand_in.count("fred") == 4
    same(result.frame, truth(long, "LONG"))


@pytest.mark.parametrize("known_from", [date(2026, 6, 1), date(2026, 10, 16), date(2026, 11, 17), date(2021, 1, 1)])
def test_an_incremental_night_gets_what_was_released_since_and_nothing_older(
    world: World, tmp_path: Path, known_from: date
) -> None:
    everything = truth(world, "INDPRO")
    expected = everything[everything["available_date"] >= pd.Timestamp(known_from)]
    with served(world, tmp_path, vintages_per_request=9) as (_, vendor):
        result = ask(vendor, "INDPRO", with_vintages=True, known_from=known_from)
    assert len(expected) and not (expected["reference_date"] == expected["available_date"]).any()
    same(result.frame, expected)


def test_a_value_revised_on_a_border_of_spans_is_dated_on_it_and_others_are_not(tmp_path: Path) -> None:
    """Release days of the quarterly series in turn are the border; an old quarter is revised on each of them alone."""
    start = date(2023, 1, 1)
    days = sorted({day.date() for day in World(1, (), start, END, (QUARTERLY,)).macro("Q")["released"]})
    for position, day in enumerate(days[1:8], start=1):
        revised = World(1, (), start, END, (QUARTERLY,))
        revised.revise_macro("Q", start, 99.0 + position, day)
        with served(revised, tmp_path, vintages_per_request=4) as (_, vendor):
            result = ask(vendor, "Q", start=start, with_vintages=True)
        same(result.frame, truth(revised, "Q"))
        own = result.frame[result.frame["reference_date"] == pd.Timestamp(start)]
        assert own["available_date"].dt.date.tolist() == [days[0], day]


def test_a_night_without_release_is_empty(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path) as (stand_in, vendor):
        result = ask(vendor, "GDP", with_vintages=True, known_from=date(2026, 11, 10))
        assert stand_in.count("fred") == 1
    assert result.outcome is Outcome.EMPTY
    assert "nothing was released since 2026-11-10, the last time on 2026-10-29" in result.reason


def test_a_range_between_two_reference_dates_is_empty_and_fred_was_asked_why(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path) as (_, vendor):
        between = ask(vendor, "GDP", start=date(2026, 8, 3), end=date(2026, 8, 28))
        after = ask(vendor, "UNRATE", start=date(2026, 11, 2))
        before = ask(vendor, "DGS10", start=date(1999, 1, 1), end=date(2000, 1, 1))
        vintages = ask(vendor, "UNRATE", end=date(2021, 1, 20), with_vintages=True)
    assert [item.outcome for item in (between, after, before, vintages)] == [Outcome.EMPTY] * 4
    assert "GDP runs from 2021-01-04" in between.reason or "GDP runs from 2021-04-01" in between.reason
    assert "UNRATE runs from" in after.reason and "DGS10 runs from" in before.reason
    assert "FRED knows UNRATE and has no value from 2021-01-04 to 2021-01-20" in vintages.reason


EMPTY_ONCE = Fault(Kind.EMPTY_RESULT, "fred", where="observations", nth=(2,))


def test_an_empty_answer_is_taken_for_a_fault_where_there_must_be_values(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path, Fault(Kind.EMPTY_RESULT, "fred", where="observations")) as (stand_in, vendor):
        current, vintages = ask(vendor, "DGS10"), ask(vendor, "CPIAUCSL", with_vintages=True)
        assert stand_in.count("fred", "DGS10", "observations") == 4
    assert current.outcome is vintages.outcome is Outcome.VENDOR_FAILURE
    assert "FRED sent no value from 2021-01-04 to 2026-11-19, though DGS10 runs from" in current.reason
    assert "FRED sent no value of CPIAUCSL" in vintages.reason and "(4 attempts)" in vintages.reason


def test_one_empty_span_among_many_does_not_go_unseen(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path, EMPTY_ONCE, vintages_per_request=20) as (_, vendor):
        same(ask(vendor, "INDPRO", with_vintages=True).frame, truth(world, "INDPRO"))


PASSING = [
    Fault(Kind.TOO_MANY_REQUESTS, "fred", first=1),
    Fault(Kind.TOO_MANY_REQUESTS, "fred", first=1, retry_after=3),
    Fault(Kind.SERVER_ERROR, "fred", first=2),
    Fault(Kind.UNAVAILABLE_HTML, "fred", first=1),
    Fault(Kind.HTML, "fred", first=1),
    Fault(Kind.EMPTY_BODY, "fred", first=1),
    Fault(Kind.TRUNCATED, "fred", first=1),
    Fault(Kind.RESET, "fred", first=1),
    Fault(Kind.BAD_KEY, "fred", first=3),
    Fault(Kind.HANG, "fred", first=1, seconds=3.0),
    Fault(Kind.SLOW_DRIP, "fred", first=1, seconds=3.0),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.kind}-{fault.retry_after}")
def test_a_fault_that_passes_costs_an_attempt_and_no_row(world: World, tmp_path: Path, fault: Fault) -> None:
    patience = 0.3 if fault.kind in (Kind.HANG, Kind.SLOW_DRIP) else 5.0
    with served(world, tmp_path, fault, timeout_s=patience) as (stand_in, vendor):
        same(ask(vendor, "GDP", with_vintages=True).frame, truth(world, "GDP"))
        assert stand_in.count("fred") == 2 + fault.first


LASTING = [
    (Kind.TOO_MANY_REQUESTS, Outcome.RATE_LIMITED, "HTTP 429, too many requests", 3),
    (Kind.SERVER_ERROR, Outcome.VENDOR_FAILURE, "HTTP 500: Internal Server Error", 3),
    (Kind.UNAVAILABLE_HTML, Outcome.VENDOR_FAILURE, "HTTP 503", 3),
    (Kind.HTML, Outcome.VENDOR_FAILURE, "a web page instead of data", 3),
    (Kind.EMPTY_BODY, Outcome.VENDOR_FAILURE, "cannot be parsed", 3),
    (Kind.RESET, Outcome.VENDOR_FAILURE, "Connection", 3),
    (Kind.UNKNOWN_SYMBOL, Outcome.UNKNOWN_SYMBOL, "The series does not exist", 1),
    (Kind.BAD_KEY, Outcome.REJECTED, "api_key is not registered", 3),
]


@pytest.mark.parametrize(("kind", "outcome", "words", "requests"), LASTING, ids=[str(item[0]) for item in LASTING])
def test_a_fault_that_lasts_is_told_by_its_name(
    world: World, tmp_path: Path, kind: Kind, outcome: Outcome, words: str, requests: int
) -> None:
    with served(world, tmp_path, Fault(kind, "fred"), max_attempts=3) as (stand_in, vendor):
        result = ask(vendor, "GDP")
        assert stand_in.count("fred") == requests
    assert result.outcome is outcome and words in result.reason
    assert result.frame.empty
    assert ("series/observations?series_id=GDP" in result.request) == (kind is not Kind.RESET)


def test_a_refused_key_stops_the_run_and_a_misspelt_one_at_once(world: World, tmp_path: Path) -> None:
    requests = [MacroRequest(name, START, END) for name in ("GDP", "UNRATE", "DGS10")]
    with served(world, tmp_path, Fault(Kind.BAD_KEY, "fred"), max_attempts=3) as (stand_in, vendor):
        results = list(vendor.fetch_macro(requests))
        assert stand_in.count("fred") == 3
    assert {result.outcome for result in results} == {Outcome.REJECTED}
    with served(world, tmp_path, api_key="TOO-SHORT") as (stand_in, vendor):
        results = list(vendor.fetch_macro(requests))
        assert stand_in.count("fred") == 1
    assert {result.outcome for result in results} == {Outcome.REJECTED}
    assert "not a 32 character" in results[0].reason


def test_without_a_key_nothing_is_asked(tmp_path: Path) -> None:
    vendor = vendor_at("http://127.0.0.1:9", tmp_path, datetime(2026, 11, 20, tzinfo=UTC), api_key=None)
    result = ask(vendor, "GDP")
    assert result.outcome is Outcome.REJECTED and "FRED_API_KEY" in result.reason and result.request == ""


def test_unknown_series_is_told_from_failure_and_its_name_is_quoted(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path) as (stand_in, vendor):
        result = ask(vendor, "A&B=C/D", with_vintages=True)
        assert [item.symbol for item in stand_in.requests] == ["A&B=C/D"]
    assert result.outcome is Outcome.UNKNOWN_SYMBOL


def test_bars_are_unknown_to_fred(world: World, tmp_path: Path) -> None:
    instrument = world.instrument("AAPL")
    assert instrument is not None
    with served(world, tmp_path) as (stand_in, vendor):
        (result,) = vendor.fetch_bars([FetchRequest(instrument, START, END)])
        assert not stand_in.requests
    assert result.outcome is Outcome.UNKNOWN_SYMBOL


def test_every_request_takes_quota_and_the_used_quota_stops(world: World, tmp_path: Path) -> None:
    with served(world, tmp_path, max_per_day=3) as (stand_in, vendor):
        first, second = ask(vendor, "GDP", with_vintages=True), ask(vendor, "UNRATE", with_vintages=True)
        assert stand_in.count("fred") == 3
    assert first.outcome is Outcome.ROWS
    assert second.outcome is Outcome.RATE_LIMITED and "3 per day" in second.reason


@pytest.mark.parametrize("kind", [None, Kind.SERVER_ERROR, Kind.RESET, Kind.BAD_KEY, Kind.HTML])
def test_the_key_is_nowhere(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], kind: Kind | None
) -> None:
    caplog.set_level(logging.DEBUG)
    with served(world, tmp_path, *([Fault(kind, "fred")] if kind else [])) as (stand_in, vendor):
        result = ask(vendor, "GDP", with_vintages=True)
        assert stand_in.requests[0].query["api_key"] == KEY
    assert KEY not in repr(result) and KEY not in caplog.text and KEY not in "".join(capfd.readouterr())
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_proxy_variables_and_the_keys_variable_leave_the_process_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opener = urllib.request._opener  # type: ignore[attr-defined]
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("FRED_API_KEY", KEY)
    vendor_at("http://127.0.0.1:9", tmp_path, datetime(2026, 11, 20, tzinfo=UTC))
    assert urllib.request._opener is opener  # type: ignore[attr-defined]
    assert os.environ["FRED_API_KEY"] == KEY


def document(*rows: str, count: int | None = None) -> Canned:
    number = len(rows) if count is None else count
    return Canned(f'<observations count="{number}">{"".join(rows)}</observations>')


def row(day: str, value: str, released: str = "2026-11-20") -> str:
    return f'<observation realtime_start="{released}" realtime_end="2026-11-20" date="{day}" value="{value}"/>'


@contextmanager
def saying(tmp_path: Path, *answers: Canned) -> Iterator[tuple[CannedServer, FredVendor]]:
    with canned_server(answers) as server:
        yield server, vendor_at(server.url, tmp_path, datetime(2026, 11, 20, tzinfo=UTC), max_attempts=2)


def test_repeated_dates_come_in_freds_order_and_unreadable_cells_are_named(tmp_path: Path) -> None:
    answer = document(
        row("2024-01-03", "2.5"),
        row("2024-01-02", "1.5"),
        row("2024-01-02", "9.5"),
        row("2024-01-04", "n.a."),
        row("2024-13-05", "4.5"),
        row("2024-01-08", "."),
        row("1999-01-08", "odd"),
    )
    with saying(tmp_path, answer) as (_, vendor):
        result = ask(vendor, "DGS10")
    values = list(zip(result.frame["reference_date"].dt.strftime("%m-%d"), result.frame["value"], strict=True))
    assert values[:3] == [("01-02", 1.5), ("01-02", 9.5), ("01-03", 2.5)]
    assert values[3][0] == "01-08" and np.isnan(values[3][1]) and result.frame["available_date"].isna().all()
    assert result.unparsed == (
        ("2024-01-04 (released 2026-11-20)", "value", "n.a."),
        ("the row of '2024-13-05'", "date", "2024-13-05"),
    )
    assert result.payload_hash == hashlib.sha256(answer.body.encode()).hexdigest()


def test_an_answer_of_which_nothing_can_be_read_is_rejected(tmp_path: Path) -> None:
    with saying(tmp_path, document(row("2024-01-04", "n.a."))) as (_, vendor):
        result = ask(vendor, "DGS10")
    assert result.outcome is Outcome.REJECTED and "value 'n.a.'" in result.reason


def test_further_pages_are_asked_for_and_a_missing_one_is_a_failure(tmp_path: Path) -> None:
    first, second = row("2024-01-02", "1.5"), row("2024-01-03", "2.5")
    with saying(tmp_path, document(first, count=2), document(second, count=2)) as (server, vendor):
        assert ask(vendor, "DGS10").frame["value"].tolist() == [1.5, 2.5]
        assert "offset=1" in server.asked[1][0] and len(server.asked) == 2
    with saying(tmp_path, document(first, count=2), document(count=2)) as (_, vendor):
        result = ask(vendor, "DGS10")
    assert result.outcome is Outcome.VENDOR_FAILURE and "announced 2 rows and sent" in result.reason


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (Canned("<weather/>"), Outcome.VENDOR_FAILURE, "a document <weather> instead of data"),
        (Canned('<error code="400" message="Bad Request.  Odd."/>', 400), Outcome.REJECTED, "FRED: Bad Request. Odd."),
        (Canned('<error code="400" message="Odd."/>'), Outcome.REJECTED, "FRED: Odd."),
        (Canned('<error code="429" message="Exceeded Rate Limit"/>', 429), Outcome.RATE_LIMITED, "HTTP 429"),
        (Canned("<vintage_dates></vintage_dates>"), Outcome.VENDOR_FAILURE, "FRED names no release day of DGS10"),
    ],
)
def test_other_words_of_fred(tmp_path: Path, answer: Canned, outcome: Outcome, words: str) -> None:
    with saying(tmp_path, answer) as (_, vendor):
        result = ask(vendor, "DGS10", with_vintages=True)
    assert result.outcome is outcome and words in result.reason

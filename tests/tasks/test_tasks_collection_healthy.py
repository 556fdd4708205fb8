"""Healthy nights: what is stored is the vendors' truth, and nothing is asked that is known."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from collection_nights import (
    END,
    SERIES,
    START,
    Nights,
    assert_core_is_truth,
    assert_core_macro_is_truth,
    assert_raw_is_truth,
    assert_raw_macro_is_truth,
    ledger,
    outcomes,
)
from stand_in import StandIn
from stand_in_wire import Recorded
from stand_in_world import DEFAULT_INSTRUMENTS, World

from tasks.collection import CollectionReceipt
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.vendors import MACRO

SYMBOLS = sorted(item.symbol for item in DEFAULT_INSTRUMENTS)
CHART = "/v8/finance/chart"
FRIDAY = date(2024, 5, 17)
MEMORIAL_DAY = date(2024, 5, 27)


@dataclass(frozen=True)
class FirstNight:
    """A night over every class and the macro series, and what it asked the vendors."""

    nights: Nights
    receipts: dict[str, CollectionReceipt]
    requests: list[Recorded]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstNight]:
    with StandIn(World(1, DEFAULT_INSTRUMENTS, START, END, SERIES)) as stand_in:
        nights = Nights.over(tmp_path_factory.mktemp("healthy"), stand_in)
        receipts = nights.collect("first")
        yield FirstNight(nights, receipts, stand_in.requests)


@pytest.fixture
def later(first: FirstNight, tmp_path: Path) -> Iterator[Nights]:
    """A copy of what the first night stored, and vendors whose world may go on."""
    shutil.copytree(first.nights.home, tmp_path / "home")
    with StandIn(World(1, DEFAULT_INSTRUMENTS, START, END, SERIES)) as stand_in:
        yield Nights(tmp_path / "home", stand_in, first.nights.universe, first.nights.vendors)


def test_every_symbol_is_stored_as_its_first_vendor_tells_it(first: FirstNight) -> None:
    warehouse, world = first.nights.warehouse, first.nights.stand_in.world
    for symbol in SYMBOLS:
        assert_raw_is_truth(warehouse, world, "yahoo", symbol)
        assert_core_is_truth(warehouse, world, symbol)
    ended = outcomes(warehouse, "first")
    assert {symbol: ended[symbol]["outcome"] for symbol in ended} == dict.fromkeys(
        [*SYMBOLS, *(spec.series for spec in SERIES)], "rows"
    )
    assert not any(receipt.missing or receipt.problems or receipt.notes for receipt in first.receipts.values())
    assert warehouse.read("core_quality__disagreements").empty
    assert set(warehouse.read("core_quality__quarantine")["rule"]) == {"no_value"}, "blanks of DGS10 on holidays"


def test_the_second_vendor_is_asked_about_one_symbol_of_each_class(first: FirstNight) -> None:
    rows = ledger(first.nights.warehouse, dataset="bars")
    checked = rows[rows["vendor"] != "yahoo"]
    assert checked.groupby("group")["symbol"].count().to_dict() == {
        str(name): 1 for name in AssetClass if name is not AssetClass.COMMODITIES
    }
    delivered = checked[checked["outcome"] == "rows"]
    assert len(delivered) >= 4
    for vendor, symbol in zip(delivered["vendor"], delivered["symbol"], strict=True):
        assert_raw_is_truth(first.nights.warehouse, first.nights.stand_in.world, vendor, symbol)
    assert all(symbol.endswith(".AX") for symbol in checked.loc[checked["outcome"] != "rows", "symbol"])


def test_macro_series_are_stored_with_every_vintage(first: FirstNight) -> None:
    warehouse, world = first.nights.warehouse, first.nights.stand_in.world
    for spec in SERIES:
        assert_raw_macro_is_truth(warehouse, world, spec)
        assert_core_macro_is_truth(warehouse, world, spec)
    assert warehouse.read("core_macro__observations", where={"series": "GDP"}).duplicated("reference_date").any()


def test_the_first_night_makes_no_request_too_many(first: FirstNight) -> None:
    charts = [item.symbol for item in first.requests if item.path.startswith(CHART)]
    asked = {name: sum(item.vendor == name for item in first.requests) for name in ("yahoo", "coingecko", "fred")}
    assert sorted(charts) == SYMBOLS
    assert asked["yahoo"] - len(SYMBOLS) in (1, 2), "a cookie, and a crumb unless this process has one already"
    assert asked["coingecko"] == 2, "points and candles of one coin"
    assert asked["fred"] == 5, "observations of three series, release days of two"
    checked = ledger(first.nights.warehouse, vendor="alpha_vantage")
    assert sum(item.vendor == "alpha_vantage" for item in first.requests) == (checked["outcome"] == "rows").sum()
    assert {item.status for item in first.requests} <= {200, 404}, "404 is how the cookie comes"


def test_the_same_night_again_asks_nothing_and_changes_nothing(later: Nights, first: FirstNight) -> None:
    groups = ("stocks", "crypto", MACRO)
    tables = ("raw_yahoo__daily_bars", "raw_coingecko__daily_bars", "raw_fred__macro", "core_quality__fetches")
    versions = {name: later.warehouse.version(name) for name in tables}
    again = later.collect("again", *groups)
    assert later.stand_in.requests == []
    assert {name: later.warehouse.version(name) for name in tables} == versions
    for group in groups:
        assert again[group].core == first.receipts[group].core
        assert not again[group].missing and not again[group].notes
    before, after = outcomes(later.warehouse, "first"), outcomes(later.warehouse, "again")
    for symbol, row in after.items():
        assert row == before[symbol] | {"run_id": "again", "night": row["night"]}


def test_the_next_night_asks_for_the_overlap_and_what_is_new(later: Nights) -> None:
    world = later.stand_in.world
    world.advance(END + timedelta(days=2))
    later.collect("second", "stocks", "crypto", MACRO)
    for symbol in (item.symbol for item in DEFAULT_INSTRUMENTS if item.asset_class in ("stocks", "crypto")):
        assert_raw_is_truth(later.warehouse, world, "yahoo", symbol, adj_close=False)
        assert_core_is_truth(later.warehouse, world, symbol)
    for spec in SERIES:
        assert_raw_macro_is_truth(later.warehouse, world, spec)
        assert_core_macro_is_truth(later.warehouse, world, spec)
    asked = ledger(later.warehouse, vendor="yahoo", run_id="second")
    assert sorted(asked["symbol"]) == ["AAPL", "BHP.AX", "BTC-USD", "CSL.AX", "ETH-USD", "JPM"]
    for _, row in asked.iterrows():
        instrument = world.instrument(str(row["symbol"]))
        assert instrument is not None
        sessions = exchange_sessions(instrument.exchange, START, END)
        assert row["requested_from"] == sessions[-5], "five stored sessions are asked again"
        assert row["requested_to"].date() == world.end
    charts = [item for item in later.stand_in.requests if item.path.startswith(CHART)]
    assert len(charts) == len(asked)
    assert {_day(item.query["period1"]) for item in charts} <= {END - timedelta(days=ago) for ago in range(5, 9)}
    assert later.stand_in.count("fred", where="observation_start") >= 1


def test_a_closed_session_asks_nothing(later: Nights) -> None:
    world = later.stand_in.world
    quiet = Nights(later.home, later.stand_in, later.universe, {"cross_check_symbols": 0})
    world.advance(FRIDAY)
    quiet.collect("friday", "etfs", "crypto")
    later.stand_in.forget()
    world.advance(FRIDAY + timedelta(days=2))
    receipts = quiet.collect("sunday", "etfs", "crypto")
    assert {item.symbol for item in later.stand_in.requests if item.symbol} == {"BTC-USD", "ETH-USD"}
    assert not receipts["etfs"].missing and not receipts["etfs"].notes
    assert {row["outcome"] for row in outcomes(quiet.warehouse, "sunday").values()} == {"rows"}
    for symbol in ("SPY", "BTC-USD"):
        assert_core_is_truth(quiet.warehouse, world, symbol)


def test_a_holiday_of_one_exchange_is_a_session_of_another(later: Nights) -> None:
    world = later.stand_in.world
    quiet = Nights(later.home, later.stand_in, later.universe, {"cross_check_symbols": 0})
    world.advance(MEMORIAL_DAY - timedelta(days=1))
    quiet.collect("sunday", "stocks")
    later.stand_in.forget()
    world.advance(MEMORIAL_DAY)
    quiet.collect("holiday", "stocks")
    assert {item.symbol for item in later.stand_in.requests if item.symbol} == {"BHP.AX", "CSL.AX"}
    for symbol in ("AAPL", "BHP.AX"):
        assert_core_is_truth(quiet.warehouse, world, symbol)


def _day(stamp: str) -> date:
    return datetime.fromtimestamp(int(stamp), UTC).date()

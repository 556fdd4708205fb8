"""How each symbol's collection ends, with the true reason, in the night itself and in the ones after it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from collection_nights import (
    END,
    SERIES,
    START,
    Nights,
    assert_core_is_truth,
    assert_raw_is_truth,
    outcomes,
    write_universe,
)
from stand_in import KEYS, StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError
from wealtharena.core.market_data import Instrument
from wealtharena.vendors import MACRO

LISTED_ON = END + timedelta(days=2)
FINE, SAVED, LATE, LIMITED, DOWN = (Instrument(name, AssetClass.STOCKS, "XNYS") for name in "ABCDE")
LATE_AT_VENDORS = Instrument("C", AssetClass.STOCKS, "XNYS", first_day=LISTED_ON)
GONE = Instrument("G", AssetClass.STOCKS, "XNYS", last_day=START - timedelta(days=30))
NOWHERE, DEAR = Instrument("X", AssetClass.STOCKS, "XNYS"), Instrument("P", AssetClass.REITS, "XNYS")
FAULTS = (
    Fault(Kind.SERVER_ERROR, "yahoo", "B", where="chart"),
    Fault(Kind.TOO_MANY_REQUESTS, symbol="D"),
    Fault(Kind.UNAVAILABLE_HTML, symbol="E"),
    Fault(Kind.PREMIUM, "alpha_vantage", "P"),
    Fault(Kind.BAD_KEY, "fred", "GDP"),
)
SETTINGS = {
    "cross_check_symbols": 0,
    "min_coverage": 0.0,
    "order": {"stocks": ("yahoo", "alpha_vantage"), "reits": ("alpha_vantage",), "macro": ("fred",)},
}
EXPECTED = {
    "A": ("rows", "yahoo", ""),
    "B": ("rows", "alpha_vantage", ""),
    "C": ("empty", "yahoo", "Data doesn't exist for startDate"),
    "D": ("rate_limited", "yahoo", "HTTP 429, too many requests"),
    "E": ("vendor_failure", "yahoo", "HTTP 503"),
    "G": ("empty", "", "its listing ended on 2022-12-04, before the first day that is collected (2023-01-03)"),
    "X": ("unknown_symbol", "yahoo", "No data found, symbol may be delisted"),
    "P": ("rejected", "alpha_vantage", "premium"),
    "CPIAUCSL": ("rows", "fred", ""),
    "DGS10": ("rows", "fred", ""),
    "GDP": ("rejected", "fred", "api_key is not registered"),
}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """After two runs of one night: ``first`` and, with the same faults, ``again``."""
    folder = tmp_path_factory.mktemp("outcomes")
    world = World(3, (FINE, SAVED, LATE_AT_VENDORS, LIMITED, DOWN, DEAR), START, END, SERIES)
    with StandIn(world, FaultPlan(FAULTS)) as stand_in:
        universe = write_universe(folder / "universe", (FINE, SAVED, LATE, LIMITED, DOWN, NOWHERE, DEAR, GONE), SERIES)
        nights = Nights(folder / "home", stand_in, universe, SETTINGS)
        for run in ("first", "again"):
            nights.collect(run, "stocks", "reits", MACRO)
        yield nights


@pytest.mark.parametrize("run", ["first", "again"])
@pytest.mark.parametrize("symbol", EXPECTED)
def test_every_symbol_ends_in_one_of_six_ways_with_the_true_reason(nights: Nights, symbol: str, run: str) -> None:
    outcome, vendor, reason = EXPECTED[symbol]
    ended = outcomes(nights.warehouse, run)[symbol]
    assert (ended["outcome"], ended["vendor"]) == (outcome, vendor)
    assert reason in ended["reason"] and bool(reason) == bool(ended["reason"])
    assert (ended["rows"] > 0) == (outcome == "rows")
    assert not any(key in ended["reason"] for key in KEYS.values())


def test_what_failed_does_not_touch_what_was_delivered(nights: Nights) -> None:
    world = nights.stand_in.world
    assert_core_is_truth(nights.warehouse, world, "A")
    assert_raw_is_truth(nights.warehouse, world, "yahoo", "A")
    assert_raw_is_truth(nights.warehouse, world, "alpha_vantage", "B")
    core = nights.warehouse.read("core_stocks__daily_bars")
    assert set(core["symbol"]) == {"A", "B"}
    assert set(core.loc[core["symbol"] == "B", "vendor"]) == {"alpha_vantage"}


def test_too_little_of_a_class_is_refused_by_name_and_reason(nights: Nights) -> None:
    strict = Nights(nights.home, nights.stand_in, nights.universe, SETTINGS | {"min_coverage": 0.8})
    with pytest.raises(DataWindowError) as caught:
        strict.collect("strict", "stocks")
    text = str(caught.value)
    assert text.startswith("stocks: vendors.min_coverage asks for 80% of 6 symbols, got 33% (C: Yahoo says ")
    assert all(words in text for words in ("; D: yahoo: HTTP 429", "; E: yahoo: HTTP 503", "; X: yahoo: Yahoo says "))


def test_once_a_symbol_is_listed_its_bars_come(nights: Nights) -> None:
    world = World(3, (FINE, SAVED, LATE_AT_VENDORS, LIMITED, DOWN, DEAR), START, LISTED_ON, SERIES)
    with StandIn(world) as stand_in:
        later = Nights(nights.home, stand_in, nights.universe, SETTINGS)
        later.collect("later", "stocks")
        assert_raw_is_truth(later.warehouse, world, "yahoo", "C")
        assert_core_is_truth(later.warehouse, world, "C")
        for symbol in "ABDE":
            assert_core_is_truth(later.warehouse, world, symbol)

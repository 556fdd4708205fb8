"""What vendors say differently in the next night: splits, revisions, dividends, vintages, changed symbols."""

import copy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd
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
    stored_bars,
)
from stand_in import StandIn
from stand_in_world import World

from tasks.collection import CollectionReceipt
from tasks.standing import fetches_of, revisions_of, versions_of
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.vendors import MACRO

NAMES = ("SPLIT", "REVISED", "PAYER", "STEADY", "OLD", "PAST")
INSTRUMENTS = tuple(Instrument(name, AssetClass.STOCKS, "XNYS", venue="NYSE") for name in NAMES)
THURSDAY, FRIDAY = date(2024, 5, 16), date(2024, 5, 17)
RECENT, LONG_AGO, LONG_SPLIT = date(2024, 5, 10), date(2023, 11, 15), date(2023, 6, 15)
CPI_DAY = date(2024, 1, 1)
QUIET = {"cross_check_symbols": 0, "min_coverage": 0.5}


@dataclass(frozen=True)
class TwoNights:
    """Two nights of stocks and macro series, with changes of the world between them."""

    nights: Nights
    world: World
    before: dict[str, pd.DataFrame]
    first: dict[str, CollectionReceipt]
    second: dict[str, CollectionReceipt]

    def truth(self, symbol: str) -> pd.Series:
        """Closes as Yahoo tells them after the second night."""
        return _closes(self.world.clean_bars(symbol, "yahoo"))


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNights]:
    world = World(5, INSTRUMENTS, START, END, SERIES)
    with StandIn(world) as stand_in:
        nights = Nights.over(tmp_path_factory.mktemp("changes"), stand_in, **QUIET)
        first = nights.collect("first", "stocks", MACRO)
        before = {name: stored_bars(nights.warehouse, "yahoo", name) for name in NAMES}
        stand_in.forget()
        world.advance(THURSDAY)
        _change(world)
        second = nights.collect("second", "stocks", MACRO)
        yield TwoNights(nights, world, before, first, second)


def _change(world: World) -> None:
    world.add_split("SPLIT", THURSDAY, 2.0)
    world.add_split("PAST", LONG_SPLIT, 4.0)
    close = float(world.bars("REVISED").set_index("session_date")["close"][pd.Timestamp(RECENT)])
    world.revise("REVISED", RECENT, close=round(close * 1.001, 2), high=round(close * 1.05, 2))
    world.revise("PAYER", THURSDAY, dividend=0.75)
    value = float(world.macro("CPIAUCSL").set_index("reference_date")["value"].loc[[pd.Timestamp(CPI_DAY)]].iloc[-1])
    world.revise_macro("CPIAUCSL", CPI_DAY, value + 1.5, THURSDAY)
    world.rename("OLD", "NEW")


@pytest.mark.parametrize("symbol", ["SPLIT", "PAST", "REVISED", "PAYER", "STEADY"])
def test_the_warehouse_holds_the_new_truth(changed: TwoNights, symbol: str) -> None:
    assert_raw_is_truth(changed.nights.warehouse, changed.world, "yahoo", symbol, adj_close=False)
    assert_core_is_truth(changed.nights.warehouse, changed.world, symbol)


@pytest.mark.parametrize(("symbol", "factor"), [("SPLIT", 2.0), ("PAST", 4.0)])
def test_a_split_reloads_the_whole_history_on_the_new_basis(changed: TwoNights, symbol: str, factor: float) -> None:
    asked = ledger(changed.nights.warehouse, symbol=symbol)
    assert asked["epoch"].tolist() == [0, 1]
    assert asked["requested_from"].iloc[-1].date() == START
    assert changed.nights.stand_in.count("yahoo", symbol) == 2, "the overlap, then the whole history"
    note = f"yahoo, {symbol}: its history was rewritten and was asked for anew"
    assert note in changed.second["stocks"].notes
    rows = changed.nights.warehouse.read("raw_yahoo__daily_bars", where={"symbol": symbol})
    assert set(rows["epoch"]) == {1}, "no row of the old basis is left in the present view"
    day = pd.Timestamp(START) + pd.Timedelta(days=2)
    assert _closes(changed.before[symbol])[day] / changed.truth(symbol)[day] == pytest.approx(factor, rel=1e-3)


def test_only_what_was_rewritten_is_asked_for_as_a_whole(changed: TwoNights) -> None:
    for symbol in ("REVISED", "PAYER", "STEADY"):
        assert changed.nights.stand_in.count("yahoo", symbol) == 1
        assert ledger(changed.nights.warehouse, symbol=symbol)["epoch"].tolist() == [0, 0]


def test_a_revision_is_a_new_version_and_the_old_one_stays(changed: TwoNights) -> None:
    told = revisions_of(changed.nights.settings(), "REVISED")
    assert [(row["date"], row["column"]) for row in told] == [(str(RECENT), "close"), (str(RECENT), "high")]
    row = told[0]
    assert row["was"] == _closes(changed.before["REVISED"])[pd.Timestamp(RECENT)]
    assert row["became"] == changed.truth("REVISED")[pd.Timestamp(RECENT)]
    first, second = fetches_of(changed.nights.settings(), "REVISED")
    assert row["known_at"] == second["known_at"] >= first["known_at"]
    versions = versions_of(changed.nights.settings(), "REVISED", RECENT)
    assert [version["close"] for version in versions] == [row["was"], row["became"]]


def test_a_dividend_revises_nothing_and_lowers_the_factor_of_the_past(changed: TwoNights) -> None:
    assert revisions_of(changed.nights.settings(), "PAYER") == []
    history = changed.nights.warehouse.read("raw_yahoo__daily_bars", where={"symbol": "PAYER"}, history=True)
    assert not history.duplicated("session_date").any()
    rows = changed.nights.warehouse.read("core_stocks__daily_bars", where={"symbol": "PAYER"})
    factor = rows.set_index("session_date")["adj_factor"]
    step = factor[pd.Timestamp("2024-05-15")] / factor[pd.Timestamp(THURSDAY)]
    last = float(rows.set_index("session_date")["close"][pd.Timestamp("2024-05-15")])
    assert step == pytest.approx(1.0 - 0.75 / last, rel=1e-6)


def test_a_revised_macro_value_is_a_further_vintage(changed: TwoNights) -> None:
    for spec in SERIES:
        assert_raw_macro_is_truth(changed.nights.warehouse, changed.world, spec)
        assert_core_macro_is_truth(changed.nights.warehouse, changed.world, spec)
    rows = changed.nights.warehouse.read("core_macro__observations", where={"series": "CPIAUCSL"})
    vintages = rows[rows["reference_date"] == pd.Timestamp(CPI_DAY)]
    assert vintages["available_date"].iloc[-1].date() == THURSDAY
    assert vintages["value"].iloc[-1] == pytest.approx(vintages["value"].iloc[-2] + 1.5)
    told = versions_of(changed.nights.settings(), "CPIAUCSL", CPI_DAY)
    assert len(told) == len(vintages)


def test_a_symbol_that_its_vendors_do_not_know_any_more_is_named_and_keeps_its_bars(changed: TwoNights) -> None:
    ended = outcomes(changed.nights.warehouse, "second")["OLD"]
    assert ended["outcome"] == "unknown_symbol"
    assert "No data found, symbol may be delisted" in ended["reason"]
    assert any("OLD is not up to date: " in note for note in changed.second["stocks"].notes)
    rows = changed.nights.warehouse.read("core_stocks__daily_bars", where={"symbol": "OLD"})
    pd.testing.assert_series_equal(_closes(rows), _closes(changed.before["OLD"]))


def test_under_its_new_name_the_whole_history_is_asked_for_once(changed: TwoNights, tmp_path: Path) -> None:
    shutil.copytree(changed.nights.home, tmp_path / "home")
    world = copy.deepcopy(changed.world)
    world.advance(FRIDAY)
    with StandIn(world) as stand_in:
        nights = replace(Nights.over(tmp_path, stand_in), vendors=changed.nights.vendors)
        (nights.universe / "renames.csv").write_text(
            "symbol,former,last_day,vendors\nNEW,OLD,2024-05-15,\n", encoding="utf-8"
        )
        receipt = nights.collect("third", "stocks")["stocks"]
        assert receipt.missing == {}
        assert stand_in.count("yahoo", "NEW") == 1 and stand_in.count("yahoo", "OLD") == 0
    assert_raw_is_truth(nights.warehouse, world, "yahoo", "NEW")
    assert_core_is_truth(nights.warehouse, world, "NEW")
    assert "OLD" not in set(nights.warehouse.read("core_stocks__daily_bars", columns=["symbol"])["symbol"])


def _closes(rows: pd.DataFrame) -> pd.Series:
    closes: pd.Series = rows.set_index("session_date")["close"]
    return closes

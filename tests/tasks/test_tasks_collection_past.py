"""Nights of a past date: the same bits as on that date, whatever was revised, split, paid and published since."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from collection_nights import END, SERIES, START, Nights, collect_group
from stand_in import StandIn
from stand_in_world import World

from tasks.features import FeaturesReceipt, compute_class_features
from tasks.night import Night, knowledge_moment
from tasks.vendor_desk import forget
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument
from wealtharena.settings import Settings
from wealtharena.vendors import MACRO

pytestmark = pytest.mark.slow

GROUPS = (str(AssetClass.REITS), MACRO)
TRUSTS = tuple(Instrument(name, AssetClass.REITS, "XNYS") for name in ("RA", "RB", "RC"))
NEXT, BETWEEN, WEEKS_LATER = END + timedelta(days=1), END + timedelta(days=8), END + timedelta(days=21)
LAST = WEEKS_LATER + timedelta(days=2)


@dataclass(frozen=True)
class Seen:
    """What an agent would see of a night: the receipt of its features, and the table itself."""

    receipt: FeaturesReceipt
    table: pd.DataFrame
    notes: tuple[str, ...]

    def must_equal(self, other: "Seen") -> None:
        assert self.receipt.data_version == other.receipt.data_version
        assert self.receipt.features.content_hash == other.receipt.features.content_hash
        pd.testing.assert_frame_equal(self.table, other.table, check_exact=True)


def seen(night: Night) -> Seen:
    """Collects the night and computes its features."""
    try:
        receipts = [collect_group(night, group) for group in GROUPS]
    finally:
        forget(night)
    receipt = compute_class_features.fn(night, AssetClass.REITS)
    table = night.warehouse.read(receipt.features.name, version=receipt.features.version)
    return Seen(receipt, table, receipts[0].notes)


def past(night: Callable[..., Night], settings: Callable[..., Settings], as_of: date, **run: object) -> Seen:
    """The night of a past date, opened today."""
    own = settings(as_of=as_of, **run)
    return seen(night(f"past-{as_of}-{len(run)}", settings=own, as_of=as_of, known_at=knowledge_moment(own)))


@dataclass(frozen=True)
class Weeks:
    """Nights of some weeks, in which much was revised, and each as it saw itself."""

    nights: Nights
    own: dict[date, Seen]

    def past(self, as_of: date, **run: object) -> Seen:
        """A night of a past date, over all that is stored by now."""
        return past(self.nights.night, self.nights.settings, as_of, **run)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weeks]:
    world = World(6, TRUSTS, START, END, SERIES)
    with StandIn(world) as stand_in:
        nights = Nights.over(tmp_path_factory.mktemp("past"), stand_in)
        own = {END: seen(nights.night("first"))}
        world.advance(NEXT)
        revise_bar(world, "RA", END - timedelta(days=1))
        world.revise_macro("CPIAUCSL", date(2024, 1, 1), 300.0, NEXT)
        own[NEXT] = seen(nights.night("second"))
        world.advance(WEEKS_LATER)
        world.add_split("RB", BETWEEN, 2.0)
        world.revise("RC", BETWEEN + timedelta(days=1), dividend=0.9)
        revise_bar(world, "RB", date(2023, 11, 15))
        world.revise_macro("GDP", date(2023, 7, 1), 22_000.0, BETWEEN)
        own[WEEKS_LATER] = seen(nights.night("third"))
        stand_in.forget()
        yield Weeks(nights, own)


def revise_bar(world: World, symbol: str, day: date) -> None:
    """Another close and high than was told before."""
    close = float(world.bars(symbol).set_index("session_date")["close"][pd.Timestamp(day)])
    world.revise(symbol, day, close=round(close * 1.003, 2), high=round(close * 1.06, 2))


@pytest.mark.parametrize("as_of", [END, NEXT, WEEKS_LATER])
def test_a_past_dated_night_sees_what_its_own_night_saw(weeks: Weeks, as_of: date) -> None:
    weeks.past(as_of).must_equal(weeks.own[as_of])


def test_it_asks_nobody_and_says_what_it_leaves_out(weeks: Weeks) -> None:
    weeks.nights.stand_in.forget()
    notes = weeks.past(END).notes
    assert weeks.nights.stand_in.requests == []
    assert any("rows became known after" in note and "run.known_at=now reads them" in note for note in notes)


def test_todays_knowledge_of_a_past_date_is_another_one(weeks: Weeks) -> None:
    """Without this, the others would show nothing."""
    hindsight = weeks.past(END, known_at="now")
    assert hindsight.receipt.data_version != weeks.own[END].receipt.data_version
    assert weeks.own[END].receipt.data_version != weeks.own[NEXT].receipt.data_version
    assert hindsight.table["session_date"].max().date() == END


def test_a_date_without_a_night_of_its_own_is_seen_as_the_first_night_after_it_knew_it(weeks: Weeks) -> None:
    world = weeks.nights.stand_in.world
    before = weeks.past(BETWEEN)
    world.advance(LAST)
    world.add_split("RA", LAST, 3.0)
    revise_bar(world, "RC", WEEKS_LATER - timedelta(days=1))
    world.revise_macro("CPIAUCSL", date(2024, 2, 1), 310.0, LAST)
    latest = seen(weeks.nights.night("fourth"))
    assert latest.table["session_date"].max().date() == LAST
    weeks.past(BETWEEN).must_equal(before)
    weeks.past(END).must_equal(weeks.own[END])


@pytest.fixture
def files(tmp_path: Path) -> Settings:
    """A folder of files as the source."""
    write_files(tmp_path / "data", END)
    section = {"source": "files", "files": {"root": tmp_path / "data"}}
    return Settings.model_validate({"home": tmp_path / "home", "vendors": section, "run": {"history_start": START}})


def write_files(root: Path, end: date, edited: bool = False) -> None:
    """Bars of three trusts and one series; ``edited``: other figures in the past, a split, a revised observation."""
    days = exchange_sessions("XNYS", START, end)
    (root / "market/reits").mkdir(parents=True, exist_ok=True)
    (root / "macro").mkdir(exist_ok=True)
    for number, name in enumerate(("RA", "RB", "RC")):
        steps = np.random.default_rng(number).normal(0.0, 0.012, len(exchange_sessions("XNYS", START, LAST)))
        close = 40.0 * np.exp(np.cumsum(steps))[: len(days)]
        if edited and name == "RA":
            close[200] *= 1.01
        if edited and name == "RB":
            close /= 2.0
        bars = pd.DataFrame({"date": days, "open": close * 0.999, "high": close * 1.02, "low": close * 0.98})
        bars.assign(close=close, volume=1e6).to_csv(root / f"market/reits/{name}.csv", index=False)
    rates = pd.DataFrame({"date": days, "value": np.linspace(3.0, 4.0, len(days))})
    if edited:
        rates.loc[300, "value"] = 9.0
    rates.to_csv(root / "macro/DGS10.csv", index=False)


def test_files_that_were_edited_since_do_not_change_the_past(files: Settings) -> None:
    def settings(**run: object) -> Settings:
        return files.model_copy(update={"run": files.run.model_copy(update=run)})

    def night(run_id: str, **changes: object) -> Night:
        opened = pd.Timestamp(LAST + timedelta(days=1), tz="UTC").to_pydatetime()
        values = {"settings": files, "as_of": END, "opened_at": opened, "agents": ("reits",), "with_meta": False}
        return Night.model_validate({**values, "run_id": run_id, **changes})

    first = seen(night("first"))
    write_files(files.vendors.files.root, LAST, edited=True)
    latest = seen(night("latest", as_of=LAST))
    assert latest.table["session_date"].max().date() == LAST
    past(night, settings, END).must_equal(first)
    hindsight = past(night, settings, END, known_at="now")
    assert hindsight.receipt.data_version != first.receipt.data_version

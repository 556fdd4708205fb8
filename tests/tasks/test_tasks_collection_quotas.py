"""A day's quota is shared by processes, outlives them, and ends in words; no key in anything that they leave behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from collection_nights import END, Children, Nights, outcomes, texts_under
from stand_in import KEYS, StandIn
from stand_in_faults import Fault, FaultPlan, Kind
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.settings import AlphaVantageSettings

pytestmark = pytest.mark.slow

START = date(2024, 1, 2)
PER_DAY = AlphaVantageSettings().max_per_day or 0
NAMES = {
    AssetClass.STOCKS: [f"S{number:02d}" for number in range(16)],
    AssetClass.ETFS: [f"E{number:02d}" for number in range(16)],
    AssetClass.REITS: [f"R{number:02d}" for number in range(4)],
}
SYMBOLS = [symbol for names in NAMES.values() for symbol in names]
INSTRUMENTS = [Instrument(name, asset_class, "XNYS") for asset_class, names in NAMES.items() for name in names]


@contextmanager
def yahoo_is_down(folder: Path, granted: int) -> Iterator[tuple[Nights, Children]]:
    """Every symbol is asked of Alpha Vantage, which grants so many requests a day."""
    plan = FaultPlan([Fault(Kind.SERVER_ERROR, "yahoo")])
    with (
        StandIn(World(4, INSTRUMENTS, START, END, ()), plan, alpha_vantage_per_day=granted) as stand_in,
        Children(folder / "errors") as children,
    ):
        access = {"max_per_day": PER_DAY}
        yield Nights.over(folder, stand_in, alpha_vantage=access, min_coverage=0.0), children


def ended(nights: Nights, *runs: str) -> dict[str, dict[str, object]]:
    return {symbol: row for run in runs for symbol, row in outcomes(nights.warehouse, run).items()}


def test_no_process_at_once_or_later_asks_for_the_twenty_sixth_time(tmp_path: Path) -> None:
    with yahoo_is_down(tmp_path, PER_DAY) as (nights, children):
        codes, _ = children.run(nights.job("left", "stocks"), nights.job("right", "etfs"))
        assert codes == [0, 0]
        assert nights.stand_in.count("alpha_vantage") == PER_DAY == 25
        assert children.run(nights.job("later", "reits"))[0] == [0]
        assert children.run(nights.job("again", "stocks", "etfs"))[0] == [0]
        assert nights.stand_in.count("alpha_vantage") == PER_DAY
    rows = ended(nights, "left", "right", "later")
    assert set(rows) == set(SYMBOLS)
    delivered = {symbol for symbol, row in rows.items() if row["outcome"] == "rows"}
    assert len(delivered) == PER_DAY and {rows[symbol]["vendor"] for symbol in delivered} == {"alpha_vantage"}
    for symbol in set(SYMBOLS) - delivered:
        assert rows[symbol]["outcome"] == "vendor_failure"
        assert f"alpha_vantage: the quota ({PER_DAY} per day) is used up until" in str(rows[symbol]["reason"])
    repeated = ended(nights, "again")
    assert {symbol for symbol, row in repeated.items() if row["outcome"] == "rows"} == delivered


def test_a_vendor_that_says_its_day_is_over_is_left_alone_and_its_words_keep_no_key(tmp_path: Path) -> None:
    """Somebody else used the key: the vendor's count is ahead of ours, and its refusal quotes the key."""
    with yahoo_is_down(tmp_path, granted=9) as (nights, children):
        assert children.run(nights.job("first", "stocks"))[0] == [0]
        assert children.run(nights.job("second", "reits"))[0] == [0]
        assert nights.stand_in.count("alpha_vantage") == 10
    rows = ended(nights, "first", "second")
    lacking = [row for row in rows.values() if row["outcome"] != "rows"]
    assert len(rows) - len(lacking) == 9
    assert all("the day's requests are used" in str(row["reason"]) for row in lacking)
    errors = children.told()
    assert "the day's requests are used" in errors
    for key in KEYS.values():
        assert key not in errors
        for place, text in texts_under(nights.home):
            assert key not in text, place

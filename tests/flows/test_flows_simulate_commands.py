"""`wealtharena simulate calibrate`: from a folder of bars to a page, a table and constants."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.options import repeat_lists
from flows.simulate_commands import simulate_app
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest
from wealtharena.settings import SimulatorSettings
from wealtharena.vendors import SimulatorVendor


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three stocks of New York and two commodities, from the simulator."""
    vendor = SimulatorVendor(SimulatorSettings(symbols_per_class=6, edge=0.0))
    wanted = {"STK02.SIM": "AAA", "STK06.SIM": "BBB", "COM01.SIM": "CCC", "COM02.SIM": "DDD"}
    for instrument in vendor.instruments([AssetClass.STOCKS, AssetClass.COMMODITIES]):
        if instrument.symbol in wanted:
            (result,) = vendor.fetch_bars([FetchRequest(instrument, date(2017, 1, 2), date(2020, 12, 31))])
            folder = tmp_path / "data" / "market" / str(instrument.asset_class)
            folder.mkdir(parents=True, exist_ok=True)
            columns = {"session_date": "date"}
            frame = result.frame[["session_date", "open", "high", "low", "close", "volume"]].rename(columns=columns)
            frame.to_csv(folder / f"{wanted[instrument.symbol]}.csv", index=False)
    return tmp_path / "data"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(simulate_app, repeat_lists(["calibrate", *arguments]))


def quick(data: Path, out: Path, *more: str) -> Result:
    return call("--data", str(data), "--out", str(out), "--markets", "2", "--draws", "10", *more)


def test_it_explains_itself_with_an_example() -> None:
    answer = call("--help")
    assert answer.exit_code == 0
    assert "wealtharena simulate calibrate" in re.sub(r"\s+", " ", answer.output)


def test_it_prints_a_table_per_class_and_writes_page_facts_and_constants(data: Path, tmp_path: Path) -> None:
    answer = quick(data, tmp_path / "out", "--json")
    assert answer.exit_code == 0, answer.output
    assert "stocks: 2 assets" in answer.output and "commodities: 2 assets" in answer.output
    told = json.loads(answer.output.strip().splitlines()[-1])
    assert set(told["facts"]) == {"commodities", "stocks"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "calibration.html",
        "facts.json",
        "market.json",
    ]
    market = json.loads((tmp_path / "out" / "market.json").read_text(encoding="utf-8"))
    assert set(market["classes"]) == {"commodities XNYS", "stocks XNYS"}


def test_equal_seeds_write_equal_facts(data: Path, tmp_path: Path) -> None:
    for name, seed in (("one", "4"), ("two", "4"), ("three", "5")):
        assert quick(data, tmp_path / name, "--classes", "stocks", "--seed", seed).exit_code == 0
    one, two, three = ((tmp_path / name / "facts.json").read_text() for name in ("one", "two", "three"))
    assert one == two != three


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--classes", "shares"), "unknown asset class 'shares'"),
        (("--exchanges", "ASX"), "there must be bars of"),
        (("--start", "2020-06-01"), "at least 500 usable bars"),
    ],
)
def test_what_cannot_be_fitted_is_told_in_one_line(
    data: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    answer = quick(data, tmp_path / "out", *more, "--json")
    assert answer.exit_code == 2
    assert message in json.loads(answer.output.strip().splitlines()[-1])["error"]
    assert not (tmp_path / "out").exists()

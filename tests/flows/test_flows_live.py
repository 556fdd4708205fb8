"""A live night from the command line, on four vendors that stumble now and then, and what one may do after it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_live import demo_world
from flows_console import LEAN, Answer, Console
from stand_in import KEYS, StandIn
from stand_in_faults import FaultPlan
from stand_in_world import World

from warehouse import Warehouse
from wealtharena.core.asset_class import AssetClass
from wealtharena.settings import CONFIG_FOLDER
from wealtharena.vendors import load_universe

pytestmark = pytest.mark.slow

START = date(2024, 1, 2)
CLASSES = [AssetClass.STOCKS, AssetClass.CRYPTO, AssetClass.REITS]
PER_CLASS = 3
PER_DAY = 25
PROFILE = f"""
vendors: {{source: live}}
run: {{history_start: {START}, max_symbols: {PER_CLASS}, asset_classes: [{", ".join(CLASSES)}]}}
"""


@dataclass(frozen=True)
class LiveConsole(Console):
    """A console whose vendors are all one stand-in."""

    url: str = ""
    vendors: tuple[tuple[str, str], ...] = ()

    def environment(self) -> dict[str, str]:
        """Variables of the process."""
        return super().environment() | dict(self.vendors)


@dataclass(frozen=True)
class Live:
    """A live night and where it ran."""

    console: LiveConsole
    stand_in: StandIn
    profile: str
    night: Answer

    @property
    def world(self) -> World:
        return self.stand_in.world

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.console.home / "warehouse")

    def run(self, *words: str) -> dict[str, Any]:
        """A command that must succeed; the last line of its output."""
        answer = self.console.run(*words, "--profile", self.profile, "--json")
        assert answer.code == 0, answer.err
        return answer.last


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Iterator[Live]:
    now = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("live")
    profile = folder / "tiny_live.yaml"
    trainings = "\n".join(line for line in LEAN.splitlines() if not line.startswith(("run:", "vendors:")))
    profile.write_text(PROFILE + trainings, encoding="utf-8")
    world = demo_world(load_universe(CONFIG_FOLDER / "universe"), 3, START, now.date())
    with StandIn(world, FaultPlan.mild(2), now, alpha_vantage_per_day=PER_DAY) as stand_in:
        variables = stand_in.environment() | {"WEALTHARENA_VENDORS__ALPHA_VANTAGE__MAX_PER_DAY": str(PER_DAY)}
        console = LiveConsole(folder / "home", prefect_api, stand_in.url, tuple(variables.items()))
        yield Live(console, stand_in, str(profile), console.run("nightly", "--profile", str(profile), "--json"))


def test_the_night_succeeds_and_writes_its_report(live: Live) -> None:
    assert live.night.code == 0, live.night.err
    assert live.night.last["failures"] == live.night.last["problems"] == {}
    assert {row["decision"] for row in live.night.last["agents"]} <= {"promoted", "baseline_champion", "rejected"}
    assert len(live.night.last["agents"]) == len(CLASSES) + 1
    html = Path(live.night.last["report"]).read_text(encoding="utf-8")
    assert "demo data" in html.lower(), "what comes from a stand-in says so"


def test_every_vendor_was_asked_and_none_beyond_its_quota(live: Live) -> None:
    asked = {name: live.stand_in.count(name) for name in ("yahoo", "alpha_vantage", "fred", "coingecko")}
    assert all(asked.values())
    assert asked["alpha_vantage"] <= PER_DAY
    assert asked["yahoo"] <= 2 * PER_CLASS * len(CLASSES) + 4


def test_what_was_collected_is_what_the_vendors_told(live: Live) -> None:
    count = 0
    for name in CLASSES:
        bars = live.warehouse.read(f"core_{name}__daily_bars")
        for symbol, rows in bars.groupby("symbol"):
            truth = live.world.clean_bars(str(symbol), "yahoo")
            truth = truth[truth["session_date"].isin(rows["session_date"])]
            np.testing.assert_allclose(rows["close"], truth["close"], rtol=1e-6)
            assert len(rows) == len(truth) > 300
            count += 1
    assert count == PER_CLASS * len(CLASSES)
    assert live.warehouse.read("core_macro__observations")["series"].nunique() >= 10


def test_prefect_shows_coverage_and_quality(live: Live, prefect_api: str) -> None:
    import httpx

    with httpx.Client(base_url=prefect_api) as client:
        artifacts = client.post("/artifacts/filter", json={"limit": 200}).json()
    own = {item["key"]: item for item in artifacts if live.night.last["night"] in (item["description"] or "")}
    assert {"data-coverage", "data-quality"} <= set(own)
    assert "stocks" in own["data-coverage"]["data"] and "rows" in own["data-quality"]["data"]


def test_the_data_commands_tell_what_there_is(live: Live) -> None:
    status = live.run("data", "status")
    assert [item["name"] for item in status["classes"]] == [*map(str, CLASSES), "macro"]
    assert all(item["coverage"] == 1.0 and not item["missing"] for item in status["classes"])
    left = {item["name"]: item["left"] for item in status["vendors"]}
    assert left["alpha_vantage"]["day"] == PER_DAY - live.stand_in.count("alpha_vantage")
    history = live.run("data", "history", "AAPL")
    assert {row["vendor"] for row in history["fetches"]} >= {"yahoo"} and history["revisions"] == []
    check = live.run("data", "check")
    assert check["ok"] and len(check["findings"]) > 10


def test_the_warehouse_is_tidied_saved_and_put_back(live: Live, tmp_path: Path) -> None:
    tables = {item.table: item.rows for item in live.warehouse.describe()}
    assert {row["table"] for row in live.run("warehouse", "maintain")["tables"]} == set(tables)
    saved = live.run("warehouse", "backup", str(tmp_path / "backup"))
    assert {row["table"] for row in saved["tables"]} == set(tables)
    elsewhere = replace(live, console=replace(live.console, home=tmp_path / "home"))
    restored = elsewhere.run("warehouse", "restore", str(tmp_path / "backup"))
    assert {row["table"] for row in restored["tables"]} == set(tables)
    assert {item.table: item.rows for item in elsewhere.warehouse.describe()} == tables


def test_no_key_was_printed_or_kept(live: Live) -> None:
    texts = [live.night.out, live.night.err]
    texts += [path.read_bytes().decode("latin-1") for path in live.console.home.parent.rglob("*") if path.is_file()]
    for key in KEYS.values():
        assert not any(key in text for text in texts)

"""`wealtharena data`, `warehouse` and a narrowed `collect`: what a person sees before, after and instead of data."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from demo_live import demo_world
from flows_console import CHECKOUT, Answer, Console
from stand_in import StandIn
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.doctor import examine
from flows.options import repeat_lists
from warehouse import Warehouse
from wealtharena.core import AssetClass
from wealtharena.settings import CONFIG_FOLDER, load_settings
from wealtharena.vendors import load_universe

README_COLLECT = next(
    shlex.split(line)[1:]
    for line in (CHECKOUT / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith(".venv/bin/wealtharena collect --source live")
)
COMMANDS = [
    ("data", "status"),
    ("data", "history"),
    ("data", "check"),
    ("warehouse", "maintain"),
    ("warehouse", "backup"),
    ("warehouse", "restore"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder in which nothing was collected yet."""
    monkeypatch.setenv("WEALTHARENA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, repeat_lists(arguments))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: tuple[str, str]) -> None:
    answer = call(*command, "--help")
    assert answer.exit_code == 0
    assert f"wealtharena {' '.join(command)}" in re.sub(r"\s+", " ", answer.output)


@pytest.mark.parametrize("command", [("status",), ("check",), ("history", "BHP.AX")])
def test_before_any_collection_one_message_says_what_to_do(home: Path, command: tuple[str, ...]) -> None:
    answer = call("data", *command, "--json")
    assert answer.exit_code == 2
    told = f"nothing was collected yet under {home}: run `wealtharena collect` first"
    assert [line for line in answer.stderr.splitlines() if line] == [f"Error: {told}"]
    assert json.loads(answer.stdout) == {"error": told}
    assert not home.exists()


def test_upkeep_of_an_empty_warehouse_is_no_failure_and_a_restore_of_nothing_is_refused(
    home: Path, tmp_path: Path
) -> None:
    answer = call("warehouse", "maintain", "--json")
    assert (answer.exit_code, last(answer)) == (0, {"tables": []})
    refused = call("warehouse", "restore", str(tmp_path / "none"))
    assert refused.exit_code == 2
    assert str(tmp_path / "none") in re.sub(r"\s+", " ", refused.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "stocks", "bonds"], r"run.asset_classes.1: Input should be 'stocks', .*, got 'bonds'"),
        (["--max-symbols", "0"], "Invalid value for '--max-symbols'"),
        (["--start", "yesterday"], "'yesterday' does not match the format"),
    ],
)
def test_a_wrong_choice_of_what_to_collect_is_one_message(tmp_path: Path, arguments: list[str], message: str) -> None:
    answer = Console(tmp_path / "home", "http://127.0.0.1:9/api").run("collect", *arguments)
    assert answer.code == 2
    assert re.search(message, re.sub(r"[\s│]+", " ", answer.err))
    assert "Traceback" not in answer.err


def test_the_doctor_lists_missing_keys_without_calling_them_a_fault() -> None:
    keys = {item.name: item for item in examine(load_settings("nightly", [], {}))}["vendor keys"]
    assert keys.ok and not keys.remedy
    for vendor, variable in (("alpha_vantage", "ALPHAVANTAGE_API_KEY"), ("fred", "FRED_API_KEY")):
        assert f"{vendor} is left out, it has no key: " in keys.found
        assert f"give it as variable {variable} or as Prefect Secret block" in keys.found
    given = load_settings("nightly", [], {"FRED_API_KEY": "a", "WEALTHARENA_VENDORS__ALPHA_VANTAGE__API_KEY": "b"})
    keys = {item.name: item for item in examine(given)}["vendor keys"]
    assert keys.found == "alpha_vantage, coingecko, fred, yahoo: none is missing"


@dataclass(frozen=True)
class Live:
    """An installation whose vendors are the stand-in, after the README's collection."""

    console: Console
    stand_in: StandIn
    collected: Answer


@dataclass(frozen=True)
class LiveConsole(Console):
    """The command line with the stand-in as all its vendors."""

    vendors: dict[str, str]

    def environment(self) -> dict[str, str]:
        return super().environment() | self.vendors


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Iterator[Live]:
    now = datetime.now(UTC)
    world = demo_world(load_universe(CONFIG_FOLDER / "universe"), 1, date(2025, 1, 2), now.date())
    with StandIn(world, now=now) as stand_in:
        console = LiveConsole(tmp_path_factory.mktemp("live") / "home", prefect_api, stand_in.environment())
        yield Live(console, stand_in, console.run(*README_COLLECT))


@pytest.fixture
def installation(live: Live, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its home folder; commands that need no server may run in this process."""
    for name, value in live.console.environment().items():
        monkeypatch.setenv(name, value)
    return live.console.home


@pytest.mark.slow
def test_the_readmes_collection_asks_for_what_was_chosen(live: Live) -> None:
    assert live.collected.code == 0, live.collected.err
    asked = {item.symbol for item in live.stand_in.requests if item.vendor == "yahoo" and item.symbol}
    universe = load_universe(CONFIG_FOLDER / "universe")
    known = {item.symbol: item for name in ("stocks", "crypto") for item in universe.instruments([AssetClass(name)])}
    assert len(asked) == 10 and asked <= set(known)
    assert {known[symbol].venue for symbol in asked} <= {"ASX", "NYSE", "CRYPTO"}


@pytest.mark.slow
def test_status_and_history_tell_of_the_collection(live: Live, installation: Path) -> None:
    answer = call("data", "status", "--profile", "nightly", "--json")
    assert answer.exit_code == 0
    classes = {item["name"]: item for item in last(answer)["classes"]}
    assert {name: item["symbols"] for name, item in classes.items()} == {"stocks": 5, "crypto": 5, "macro": 19}
    assert all(item["coverage"] == 1.0 and not item["missing"] for item in classes.values())
    vendors = {item["name"]: item["last_asked"] for item in last(answer)["vendors"]}
    assert {name for name, moment in vendors.items() if moment} == {"yahoo", "alpha_vantage", "fred", "coingecko"}
    history = call("data", "history", "BTC-USD", "--json")
    assert last(history)["fetches"][0]["outcome"] == "rows" and last(history)["revisions"] == []
    versions = last(call("data", "history", "BTC-USD", "--session", "2025-06-02", "--json"))["versions"]
    assert [row["vendor"] for row in versions][:1] == ["yahoo"]
    unknown = call("data", "history", "NOPE")
    assert (unknown.exit_code, "got 'NOPE'" in unknown.stderr) == (2, True)


@pytest.mark.slow
def test_a_check_that_finds_damage_ends_with_code_1_and_a_backup_mends_it(installation: Path, tmp_path: Path) -> None:
    assert call("warehouse", "backup", str(tmp_path / "backup")).exit_code == 0
    assert (call("data", "check", "--json").exit_code, call("data", "check").exit_code) == (0, 0)
    warehouse = Warehouse(installation / "warehouse")
    bars = warehouse.read("core_crypto__daily_bars")
    early = bars.iloc[[0]].assign(session_date=pd.Timestamp("2001-01-01"))
    warehouse.write("core_crypto__daily_bars", pd.concat([early, bars]))
    damaged = call("data", "check", "--json")
    assert damaged.exit_code == 1
    assert "MEND" in damaged.stdout
    (wrong,) = [item["found"] for item in last(damaged)["findings"] if not item["ok"]]
    assert wrong == f"1 bars without raw row: {early['symbol'].iloc[0]} 2001-01-01"
    restored = call("warehouse", "restore", str(tmp_path / "backup"), "--json")
    assert restored.exit_code == 0
    assert call("data", "check").exit_code == 0


def last(answer: Result) -> Any:
    return json.loads(answer.stdout.strip().splitlines()[-1])

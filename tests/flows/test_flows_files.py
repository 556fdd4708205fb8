"""Nights on a folder of files: whole data become a night, broken data one clear message and a code."""

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flows_console import LEAN, Answer, Console
from flows_market_data import AS_OF, BLANK_SERIES, END, FILES_PROFILE, START, SYMBOLS, write_market_data

from warehouse import Warehouse

pytestmark = pytest.mark.slow

CLASSES = {folder: "currencies" if folder == "forex" else folder for folder in SYMBOLS}
ALGORITHMS = {
    "stocks": "PPO",
    "crypto": "SAC",
    "etfs": "A2C",
    "currencies": "DQN",
    "reits": "PPO",
    "commodities": "PPO",
    "meta": "PPO",
}
TEXT_LINE = 801
TEXT_MESSAGE = "BHP.AX: close must be a number, got 'twelve' at {day} (line 801)"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete folder; tests that break something work on a copy."""
    root = tmp_path_factory.mktemp("market-data")
    write_market_data(root)
    return root


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory, data: Path) -> str:
    """Path of a profile whose whole night on the files takes half a minute: it hardly trains, but all six classes."""
    trainings = "\n".join(line for line in LEAN.splitlines() if not line.startswith(("run:", "vendors:")))
    trainings = re.sub(r"env_steps: \d+", "env_steps: 1024", trainings)
    path = tmp_path_factory.mktemp("profiles") / "tiny_files.yaml"
    path.write_text(FILES_PROFILE % data + trainings, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Console:
    return Console(tmp_path_factory.mktemp("files") / "home", prefect_api)


@pytest.fixture(scope="module")
def night(console: Console, profile: str) -> Answer:
    return console.run("nightly", "--profile", profile, "--json")


@pytest.fixture
def broken(tmp_path: Path, data: Path) -> Path:
    """A copy of the data, to be broken."""
    return Path(shutil.copytree(data, tmp_path / "broken"))


def rows_of(console: Console, table: str) -> list[dict[str, Any]]:
    rows = Warehouse(console.home / "warehouse").read(table)
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def champions_of(console: Console) -> dict[str, str]:
    """Version of each agent's champion."""
    return {agent: version for agent, version, *_ in console.run("status", "--json").last["champions"]}


def put_text_in_a_price(root: Path) -> str:
    """Writes a word into a close of BHP.AX; returns the date of that line."""
    path = root / "market/stocks/BHP.AX.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[TEXT_LINE - 1].split(",")
    cells[lines[0].split(",").index("close")] = "twelve"
    lines[TEXT_LINE - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return cells[0]


def assert_one_message(answer: Answer, message: str, code: int) -> None:
    """The process ended with this code and said so once, in words."""
    assert answer.code == code, answer.err
    assert message in answer.err
    assert answer.err.count("Error:") == 1
    assert "Traceback" not in answer.out + answer.err


def test_a_night_on_healthy_files_succeeds_up_to_the_last_day_that_all_cover(night: Answer) -> None:
    assert night.code == 0, night.err
    assert night.last["as_of"] == AS_OF.isoformat()
    assert night.last["failures"] == night.last["problems"] == {}
    assert {row["decision"] for row in night.last["agents"]} <= {"promoted", "baseline_champion"}


def test_every_class_has_its_agent_and_its_signals(night: Answer, console: Console) -> None:
    assert {row["agent"]: row["algorithm"] for row in night.last["agents"]} == ALGORITHMS
    counts = console.run("sql", "SELECT agent, count(*) AS n FROM out_portfolio__signals GROUP BY ALL", "--json").last
    assert {row["agent"]: row["n"] for row in counts["rows"]} == {**dict.fromkeys(CLASSES.values(), 3), "meta": 18}


def test_the_report_on_real_files_shows_every_agent_and_is_not_marked_as_demo(night: Answer) -> None:
    html = Path(night.last["report"]).read_text(encoding="utf-8")
    assert "demo data" not in html.lower()
    assert all(f"equity-{name}" in html for name in ALGORITHMS)
    assert all(symbol in html for symbols in SYMBOLS.values() for symbol in symbols)


def test_every_symbol_is_in_the_warehouse_or_listed_with_its_reason(night: Answer, console: Console) -> None:
    outcomes = {row["symbol"]: row for row in rows_of(console, "core_quality__outcomes")}
    for folder, name in CLASSES.items():
        bars = pd.DataFrame(rows_of(console, f"core_{name}__daily_bars"))
        assert set(bars["symbol"]) == set(SYMBOLS[folder])
        assert bars["session_date"].min().date() <= START + pd.Timedelta(days=4)
        assert bars["session_date"].max().date() == AS_OF
        assert {outcomes[symbol]["outcome"] for symbol in SYMBOLS[folder]} == {"rows"}
    stored = {row["series"] for row in rows_of(console, "core_macro__observations")}
    assert stored == {"DGS10", "DGS2", "VIXCLS"}
    asked = {symbol for symbols in SYMBOLS.values() for symbol in symbols} | stored | {BLANK_SERIES}
    assert set(outcomes) == asked
    coverage = console.run("sql", "SELECT receipt FROM out_runs__receipts WHERE item = 'macro'", "--json").last
    assert BLANK_SERIES in coverage["rows"][0]["receipt"]


def test_rollback_restores_the_champion_before_and_a_repeat_does_not_undo_it(
    night: Answer, console: Console, profile: str
) -> None:
    first = champions_of(console)
    # Another seed is another candidate; guards alone make it champion.
    lenient = ["--set", "seed=7", "--set", "risk.max_drawdown=1.0", "--set", "promotion.policy=guarded"]
    console.run("nightly", "--profile", profile, "--agent", "etfs", *lenient, "--json")
    second = champions_of(console)
    assert second["etfs"] != first["etfs"]
    back = console.run("rollback", "--agent", "etfs", "--reason", "test", "--json")
    assert back.last["version"] == first["etfs"]
    console.run("nightly", "--profile", profile, "--agent", "etfs", *lenient, "--json")
    assert champions_of(console) == first


def test_a_night_with_text_in_a_price_does_its_work_and_ends_failed(
    tmp_path: Path, prefect_api: str, profile: str, broken: Path
) -> None:
    day = put_text_in_a_price(broken)
    fresh = Console(tmp_path / "home", prefect_api)
    arguments = ["--agent", "stocks", "--set", f"vendors.files.root={broken}", "--json"]
    answer = fresh.run("nightly", "--profile", profile, *arguments)
    assert_one_message(answer, TEXT_MESSAGE.format(day=day), code=1)
    assert answer.last["failures"] == {}
    assert list(answer.last["problems"]) == ["collect/stocks"]
    (row,) = answer.last["agents"]
    assert row["decision"] != "failed"
    assert Path(answer.last["report"]).is_file()
    quarantined = [row for row in rows_of(fresh, "core_quality__quarantine") if row["rule"] == "not_a_number"]
    assert [(row["symbol"], row["column"], row["value"]) for row in quarantined] == [("BHP.AX", "close", "twelve")]
    assert set(pd.DataFrame(rows_of(fresh, "core_stocks__daily_bars"))["symbol"]) == set(SYMBOLS["stocks"])


def test_a_date_before_the_data_ends_at_once_with_the_days_that_there_are(
    tmp_path: Path, prefect_api: str, profile: str
) -> None:
    fresh = Console(tmp_path / "home", prefect_api)
    arguments = ["--as-of", "2019-12-30", "--set", "run.history_start=2007-01-01", "--json"]
    answer = fresh.run("nightly", "--profile", profile, *arguments)
    assert_one_message(answer, f"no row from 2007-01-01 to 2019-12-30; its rows run from {START} to {END}", code=1)
    assert set(answer.last["failures"]) == {f"collect/{name}" for name in CLASSES.values()}
    assert not fresh.home.joinpath("reports").exists()


def test_a_date_before_the_history_that_is_asked_for_is_refused(tmp_path: Path, prefect_api: str, profile: str) -> None:
    answer = Console(tmp_path / "home", prefect_api).run("nightly", "--profile", profile, "--as-of", "2019-12-30")
    assert_one_message(answer, f"as_of must be after run.history_start {START}, got 2019-12-30", code=2)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["nightly"], "{root} must be a folder (with market/<class>/<SYMBOL>.csv), it is not there", 2),
        (["collect", "--as-of", "2023-06-28"], "{root} must be a folder (with market/<class>/<SYMBOL>.csv)", 1),
        (["collect", "--agent", "bonds"], "unknown agent 'bonds'; known: commodities, crypto", 2),
    ],
)
def test_bad_arguments_end_in_one_message(
    tmp_path: Path, prefect_api: str, profile: str, arguments: list[str], message: str, code: int
) -> None:
    root = tmp_path / "nowhere"
    console = Console(tmp_path / "home", prefect_api)
    answer = console.run(*arguments, "--profile", profile, "--set", f"vendors.files.root={root}")
    assert_one_message(answer, message.format(root=root), code)


def test_an_empty_folder_is_refused(tmp_path: Path, prefect_api: str, profile: str) -> None:
    (tmp_path / "empty" / "market").mkdir(parents=True)
    console = Console(tmp_path / "home", prefect_api)
    answer = console.run("collect", "--profile", profile, "--set", f"vendors.files.root={tmp_path / 'empty'}")
    assert_one_message(answer, "there must be at least one <class>/<SYMBOL>.csv or .parquet, got none", code=2)


def test_binary_garbage_is_named_and_its_class_alone_fails(
    tmp_path: Path, prefect_api: str, profile: str, broken: Path
) -> None:
    path = broken / "market/reits/PLD.csv"
    path.write_bytes(bytes(range(256)) * 40)
    fresh = Console(tmp_path / "home", prefect_api)
    root = ["--set", f"vendors.files.root={broken}"]
    unread = f"{path}: the file must be readable as csv"
    # No last common day can be found, so none is guessed; with a day given, the other classes are collected.
    assert_one_message(fresh.run("collect", "--profile", profile, *root), unread, code=2)
    answer = fresh.run("collect", "--profile", profile, *root, "--as-of", AS_OF.isoformat(), "--json")
    assert_one_message(answer, unread, code=1)
    assert list(answer.last["failed"]) == ["reits"]
    assert set(answer.last["done"]) == {*CLASSES.values(), "macro"} - {"reits"}

"""The command line without a night: help, and one clear message for bad input."""

import re
from pathlib import Path

import pytest
from flows_console import Console
from typer.testing import CliRunner

from flows.cli import STAGE_COMMANDS, app

COMMANDS = [
    "nightly",
    "features",
    *STAGE_COMMANDS,
    "rollback",
    "status",
    "sql",
    "doctor",
    "deploy",
    "worker",
    "mlflow",
    "stop",
]
NOWHERE = "http://127.0.0.1:9/api"


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(tmp_path / "home", NOWHERE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert f"wealtharena {command}" in re.sub(r"\s+", " ", answer.output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nightly", "--profile", "nightmare"], "profile 'nightmare' is neither a file nor one of the known profiles"),
        (
            ["nightly", "--set", "risk.max_weight=1.4"],
            "risk.max_weight: Input should be less than or equal to 1, got 1.4",
        ),
        (["nightly", "--agent", "bonds"], "unknown agent 'bonds'; known: commodities, crypto"),
        (["nightly"], "prefect.api_url must be a reachable Prefect server, got http://127.0.0.1:9/api"),
        (["rollback", "--agent", "bonds"], "unknown agent 'bonds'"),
        (["rollback", "--agent", "stocks"], "stocks has no previous champion to go back to"),
        (["sql", "SELECT * FROM nothing"], "unknown table 'nothing'"),
        (["sql", "DROP TABLE x"], "a query may only read"),
        (["doctor", "--set", "prefect.port=70000"], "prefect.port: Input should be less than 65536, got 70000"),
    ],
)
def test_bad_input_ends_in_one_message_and_a_code(console: Console, arguments: list[str], message: str) -> None:
    answer = console.run(*arguments)
    assert answer.code == 2
    assert message in re.sub(r"\s+", " ", answer.err)
    assert "Traceback" not in answer.out + answer.err


def test_a_broken_profile_names_file_and_line(console: Console, tmp_path: Path) -> None:
    profile = tmp_path / "broken.yaml"
    profile.write_text("windows: [1\nseed: 2", encoding="utf-8")
    answer = console.run("nightly", "--profile", str(profile), "--json")
    assert answer.code == 2
    assert "broken.yaml is not valid YAML (line 2" in answer.last["error"]


def test_status_before_the_first_night_says_how_to_begin(console: Console) -> None:
    answer = console.run("status", "--json")
    assert answer.code == 0
    assert "Start with `wealtharena nightly`" in answer.out
    assert answer.last == {"champions": [], "paper": [], "nights": [], "tables": []}


def test_the_doctor_names_what_is_wrong_and_the_remedy(console: Console, tmp_path: Path) -> None:
    answer = console.run("doctor", "--profile", "files", "--set", f"vendors.files.root={tmp_path / 'none'}", "--json")
    assert answer.code == 1
    wrong = {item["name"]: item for item in answer.last["findings"] if not item["ok"]}
    assert set(wrong) == {"data source files", "Prefect server"}
    assert "vendors.files.root" in wrong["data source files"]["remedy"]
    assert all(item["remedy"] for item in wrong.values())

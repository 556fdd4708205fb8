"""`wealtharena features --list`: what the agents can observe."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flows.cli import app
from wealtharena.indicators import CALENDAR, CROSS_SECTIONS, INDICATORS
from wealtharena.markets import MARKETS

PROBE = """
import sys
from typer.testing import CliRunner
from flows.cli import app
answer = CliRunner().invoke(app, ["features", "--list"])
print(answer.exit_code, sorted({"ray", "torch", "mlflow", "prefect"} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEALTHARENA_FEATURES__CALENDAR", raising=False)


def listed(*arguments: str) -> dict[str, dict[str, object]]:
    answer = CliRunner().invoke(app, ["features", "--list", "--json", *arguments])
    assert answer.exit_code == 0, answer.output
    return {item["name"]: item for item in json.loads(answer.stdout.splitlines()[-1])["features"]}


def test_every_feature_is_listed_with_what_it_needs() -> None:
    features = listed()
    assert list(features) == [*INDICATORS, *CROSS_SECTIONS, *CALENDAR]
    assert features["carry"] == {
        "name": "carry",
        "group": "carry",
        "lookback_bars": 63,
        "inputs": ["carry", "close"],
        "classes": ["currencies"],
        "description": INDICATORS["carry"].description,
    }
    assert features["momentum_12_1_rank"]["lookback_bars"] == 252
    assert all(item["group"] and item["inputs"] and item["description"] for item in features.values())


def test_the_table_names_every_feature() -> None:
    answer = CliRunner().invoke(app, ["features", "--list"])
    assert answer.exit_code == 0
    assert all(name in answer.stdout for name in (*INDICATORS, *CROSS_SECTIONS, *CALENDAR))


@pytest.mark.parametrize("spec", MARKETS.values(), ids=[str(name) for name in MARKETS])
def test_an_agents_features_are_those_of_its_class(spec) -> None:  # type: ignore[no-untyped-def]
    assert set(listed("--agent", spec.agent)) == set(spec.indicators)
    with_calendar = listed("--agent", spec.agent, "--set", "features.calendar=true")
    assert set(with_calendar) == {*spec.indicators, *CALENDAR}


def test_an_unknown_agent_is_one_message() -> None:
    answer = CliRunner().invoke(app, ["features", "--list", "--agent", "bonds"])
    assert answer.exit_code == 2
    assert "unknown agent 'bonds'" in answer.stderr


def test_the_list_needs_neither_a_server_nor_the_learning_libraries() -> None:
    answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[-2] == "0 []"


def test_the_command_explains_itself() -> None:
    answer = CliRunner().invoke(app, ["features", "--help"])
    assert answer.exit_code == 0
    assert "wealtharena features --list" in " ".join(answer.output.split())

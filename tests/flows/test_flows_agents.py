"""`wealtharena agents`: one row per agent, everything about one, and what is wrong before anything is started."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from flows.cli import app
from wealtharena.agents import AGENTS

PROBE = """
import sys
from typer.testing import CliRunner
from flows.cli import app
answer = CliRunner().invoke(app, sys.argv[1:])
print(answer.exit_code, sorted({"ray", "torch", "mlflow", "prefect"} & set(sys.modules)), answer.stderr)
"""


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEALTHARENA_FEATURES__CALENDAR", raising=False)


def shown(*arguments: str) -> str:
    answer = CliRunner().invoke(app, ["agents", *arguments])
    assert answer.exit_code == 0, answer.output
    return " ".join(answer.stdout.split())


def test_there_is_one_row_per_agent() -> None:
    text = shown()
    assert all(f" {name} │" in text for name in AGENTS)
    assert (
        "currencies │ DQN │ feed_forward 64-64, 1 session │ 19: carry and trend │ levels -1 0 1, long and short" in text
    )


def test_one_agent_is_shown_in_full_as_the_settings_make_it() -> None:
    text = shown("--agent", "equities", "--set", "agents.stocks.risk_profile=conservative", "--set", "training.seeds=2")
    assert "Agent stocks" in text
    assert "training │ 100,000 steps x 2 seeds, episodes of 126 sessions, 64 accounts" in text
    assert "conservative: max_weight 0.25, max_gross 0.8" in text
    assert "log_return 1, variance 4, drawdown 0.005" in text
    assert "costs, XASX │ commission_bps 8, min_commission 6" in text
    assert "replay_capacity" not in text  # SAC's and DQN's
    assert "final_learning_rate" not in text


def test_a_learning_rate_that_falls_is_shown_with_its_end() -> None:
    text = shown("--agent", "stocks", "--set", "agents.stocks.final_learning_rate=0")
    assert "learning_rate 0.001, final_learning_rate 0, gamma 0.9" in text


def test_a_machine_gets_every_agent_in_one_line() -> None:
    answer = CliRunner().invoke(app, ["agents", "--json", "--set", "run.asset_classes=[crypto]"])
    plans = json.loads(answer.stdout.splitlines()[-1])["agents"]
    assert [plan["agent"] for plan in plans] == ["crypto", "meta"]
    assert plans[0]["figures"]["train_batch_size"] == 256


def test_an_unknown_agent_is_one_message() -> None:
    answer = CliRunner().invoke(app, ["agents", "--agent", "bonds"])
    assert answer.exit_code == 2
    assert "unknown agent 'bonds'" in answer.stderr


def test_the_command_explains_itself() -> None:
    answer = CliRunner().invoke(app, ["agents", "--help"])
    assert answer.exit_code == 0
    assert "wealtharena agents --agent stocks" in " ".join(answer.output.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["agents"], "0 []"),
        (
            ["train", "--set", "agents.stocks.minibatch_size=4096"],
            "2 [] Error: agents.stocks: minibatch_size must be at most train_batch_size (2048), got 4096 "
            "(from --set agents.stocks.minibatch_size=4096)",
        ),
        (
            ["nightly", "--set", "agents.currencies.actions=weights"],
            "2 [] Error: agents.currencies: actions of DQN must be levels, got weights",
        ),
    ],
)
def test_neither_a_table_nor_a_wrong_setting_waits_for_ray_or_a_server(arguments: list[str], told: str) -> None:
    answer = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True)
    assert " ".join(answer.stdout.split()).startswith(told)

"""`wealtharena evaluate learning` and `pipeline`: what they explain, refuse, print and return."""

import json
import re

import pytest
from typer.testing import CliRunner, Result

from flows.evaluate_commands import evaluate_app


def call(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate_app, ["learning", *arguments])


def test_it_explains_itself_with_examples() -> None:
    answer = call("--help")
    assert answer.exit_code == 0
    text = re.sub(r"[\s│]+", " ", answer.output)
    assert "wealtharena evaluate learning --agent ppo --market M1e" in text
    assert "--leak" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--agent", "trpo"), "unknown agent or algorithm 'trpo'"),
        (("--agent", "ppo", "--market", "M9"), "unknown verification market 'M9'"),
        (("--agent", "ppo", "--market", "M5", "--leak"), "market of a leak must be one of M0"),
        (("--agent", "sac", "--market", "M2"), "costs are quadratic"),
    ],
)
def test_what_cannot_be_tested_is_told_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    answer = call(*arguments, "--json")
    assert answer.exit_code == 2
    assert message in json.loads(answer.output.strip().splitlines()[-1])["error"]


@pytest.mark.slow
def test_a_control_prints_a_table_and_a_record_and_fails_when_a_target_is_missed() -> None:
    answer = call("--agent", "a2c", "--market", "M3b", "--seeds", "2", "--years", "1", "--steps", "4096", "--json")
    assert answer.exit_code == 1, answer.output
    assert "at least 90% of the oracle" in answer.output and "missed" in answer.output
    (record,) = json.loads(answer.output.strip().splitlines()[-1])["controls"]
    assert (record["agent"], record["market"], record["leak"], record["meets_target"]) == ("a2c", "M3b", False, False)
    assert [outcome["seed"] for outcome in record["outcomes"]] == [1, 2]
    assert all(outcome["comparison"]["sessions"] == 252 for outcome in record["outcomes"])
    assert record["recipe"]["env_steps"] == 4096


def rehearse(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate_app, ["pipeline", *arguments])


def test_the_pipeline_explains_itself_with_examples() -> None:
    answer = rehearse("--help")
    assert answer.exit_code == 0
    text = re.sub(r"[\s│]+", " ", answer.output)
    assert "wealtharena evaluate pipeline --market M0 --market M6 --seeds 40" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--agent", "trpo"), "unknown agent or algorithm 'trpo'"),
        (("--market", "M0", "--market", "M9"), "unknown verification market 'M9'"),
        (("--market", "M1c"), "must ask something of agents, got M1c"),
        (("--incumbent", "gold"), "unknown baseline 'gold'"),
    ],
)
def test_what_cannot_be_rehearsed_is_told_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    answer = rehearse(*arguments, "--json")
    assert answer.exit_code == 2
    assert message in json.loads(answer.output.strip().splitlines()[-1])["error"]


@pytest.mark.slow
def test_the_pipeline_trains_trades_and_decides_and_says_what_was_asked_of_each_market() -> None:
    answer = rehearse("--market", "M3b", "--seeds", "1", "--years", "1", "--steps", "2048", "--every", "21", "--set",
                      "training.num_workers=1", "--json")  # fmt: skip
    assert answer.exit_code == 1, answer.output
    assert "M3b: agent champion, in more than 50% of the worlds: missed" in answer.output
    (record,) = json.loads(answer.output.strip().splitlines()[-1])["markets"]
    assert (record["market"], record["promoted"]["worlds"], record["kept"]) == ("M3b", 1, False)
    (world,) = record["worlds"]
    assert world["oracle"] > 0.0 and "ppo" in world["reason"]

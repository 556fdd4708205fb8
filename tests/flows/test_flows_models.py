"""What a person asks after a night: the models' history, what could be pruned, drift, signals of a past date."""

import shlex
import sys

import pytest
from flows_console import Answer, FirstNight, Shell

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shell(first_night: FirstNight) -> Shell:
    return first_night.shell


def test_the_history_tells_how_the_champion_came(shell: Shell) -> None:
    answer = asked(shell, "models", "--agent", "stocks", "--history", "--json")
    (first, *_) = answer.last["history"]["stocks"]
    assert (first["number"], first["act"], first["before"], first["by"]) == (1, "promoted", "", "gate")
    assert first["decision_id"]


def test_pruning_shows_why_everything_of_a_first_night_stays(shell: Shell) -> None:
    answer = asked(shell, "models", "prune", "--json")
    assert answer.last["deleted"] is False
    assert answer.last["versions"]
    assert not [verdict for verdict in answer.last["versions"] if verdict["goes"]]


def test_drift_is_watched_again_on_demand(shell: Shell) -> None:
    answer = asked(shell, "drift", "--agent", "stocks", "--json")
    assert answer.code == 0, answer.err
    assert answer.last["stage"] == "drift"
    assert "stocks" in answer.last["done"]


def test_signals_of_a_past_date_make_its_market_and_say_that_they_are_hindsight(shell: Shell) -> None:
    answer = asked(shell, "signals", "--as-of", "2023-05-31", "--agent", "stocks", "--json")
    assert answer.code == 0, answer.err
    assert list(answer.last["done"]) == ["stocks"]
    (note,) = answer.last["notes"]["stocks"]
    assert "is the champion of today, made on 2023-06-30" in note
    assert note.endswith("nobody had these signals after 2023-05-31")


def asked(shell: Shell, *arguments: str) -> Answer:
    """The command line in the shell of the first night."""
    return shell.run(shlex.join([sys.executable, "-m", "flows.cli", *arguments]))

"""`wealtharena evaluate gate`: what it prints, refuses and returns."""

import json
import re

from typer.testing import CliRunner, Result

from flows.evaluate_commands import evaluate_app


def call(*arguments: str) -> Result:
    return CliRunner().invoke(evaluate_app, ["gate", *arguments])


def test_it_explains_itself_with_examples() -> None:
    answer = call("--help")
    assert answer.exit_code == 0
    assert "wealtharena evaluate gate --years 20000" in re.sub(r"[\s│]+", " ", answer.output)


def test_it_prints_rates_with_intervals_and_whether_bounds_are_kept() -> None:
    answer = call("--years", "60", "--scenario", "worthless")
    assert answer.exit_code == 0, answer.output
    assert "Takeovers within sessions" in answer.output
    assert re.search(r"worthless: confirmed a year, at most 5%: [\d.]+%, [\d.]+–[\d.]+: kept", answer.output)


def test_a_missed_bound_is_a_failure_and_json_tells_which() -> None:
    answer = call("--years", "60", "-s", "worthless", "--set", "promotion.confirmed_evidence_per_lane=0", "--set",
                  "promotion.confirmed_evidence=3", "--json")  # fmt: skip
    assert answer.exit_code == 1
    (record,) = json.loads(answer.output.strip().splitlines()[-1])
    assert (record["scenario"], record["worlds"]) == ("worthless", 60)
    assert [bound["kept"] for bound in record["bounds"]] == [False]
    assert set(record["promoted"]) == {"63", "126", "252", "504"}


def test_the_same_seed_gives_the_same_figures() -> None:
    one, other = (call("--years", "30", "-s", "worthless", "--seed", "5", "--json").output for _ in range(2))
    assert one == other


def test_an_unknown_scenario_is_told_in_one_line() -> None:
    answer = call("--scenario", "lucky", "--json")
    assert answer.exit_code == 2
    assert "--scenario must be one of null" in json.loads(answer.output.strip().splitlines()[-1])["error"]

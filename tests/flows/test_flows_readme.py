"""The README is true: its commands are run here as they stand, on a night made small by variables."""

import re

import pytest
from flows_console import CHECKOUT, OWN_ENVIRONMENT, FirstNight, Shell

pytestmark = pytest.mark.slow

LINES = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
RUN_ELSEWHERE = {
    "make test": "CI",
    ".venv/bin/wealtharena nightly --profile files --set vendors.files.root=/path/to/market-data": "test_flows_files",
    ".venv/bin/wealtharena collect --source live --classes stocks crypto --exchanges ASX NYSE --max-symbols 5 "
    "--start 2025-01-02": "test_flows_data_commands",
    ".venv/bin/wealtharena nightly --profile nightly": "test_flows_live",
    ".venv/bin/wealtharena simulate calibrate --data /path/to/market-data --classes stocks --out calibration": (
        "test_flows_simulate_commands"
    ),
    ".venv/bin/wealtharena evaluate learning --agent ppo --market M1e --seeds 2": "test_flows_evaluate_commands",
    ".venv/bin/wealtharena evaluate gate --years 20000": "test_flows_gate_command",
    ".venv/bin/wealtharena evaluate pipeline --seeds 20": "test_flows_evaluate_commands",
    ".venv/bin/wealtharena warehouse backup /srv/backup/2026-11-20": "test_flows_data_commands",
    ".venv/bin/wealtharena deploy --profile nightly": "test_flows_deployment",
    ".venv/bin/wealtharena worker": "test_flows_deployment",
    "export PREFECT_API_URL=http://127.0.0.1:4200/api": "test_flows_deployment",
    ".venv/bin/prefect deployment run nightly/nightly --param profile=quickstart": "test_flows_deployment",
}


@pytest.fixture(scope="module")
def shell(first_night: FirstNight) -> Shell:
    """A shell in which `make nightly` was run, as the README begins."""
    if not OWN_ENVIRONMENT:
        pytest.skip("the README's commands need the checkout's own .venv, which `make test` makes")
    assert "promoted" in first_night.answer.out or "baseline_champion" in first_night.answer.out
    return first_night.shell


def test_make_nightly_leaves_a_server_running(shell: Shell) -> None:
    assert "answers at " + shell.console.api_url in shell.run(".venv/bin/wealtharena doctor").out


@pytest.mark.parametrize(
    "line",
    [
        line
        for line in LINES
        if line not in RUN_ELSEWHERE and not line.startswith(("make", ".venv/bin/wealtharena rollback"))
    ],
)
def test_a_command_of_the_readme_works_as_it_stands(shell: Shell, line: str) -> None:
    answer = shell.run(line)
    assert answer.code == 0, answer.err
    assert answer.out.strip()


def test_the_live_demo_serves_the_vendors_and_hands_its_arguments_to_the_night(shell: Shell) -> None:
    (line,) = [line for line in LINES if line.startswith("make demo-live")]
    answer = shell.run(f'{line} FAULTS=none ARGS="--help"')
    assert answer.code == 0, answer.err
    assert "Run the whole night" in answer.out
    assert "Demo data: " in answer.err
    assert "Requests: yahoo 0" in answer.err


def test_rollback_of_a_first_champion_says_that_there_is_none_before_it(shell: Shell) -> None:
    (line,) = [line for line in LINES if "rollback" in line]
    answer = shell.run(line)
    assert answer.code == 2
    assert "no previous champion" in answer.err


def test_every_other_command_of_the_readme_is_run_by_another_test() -> None:
    assert set(RUN_ELSEWHERE) <= set(LINES)
    for place in set(RUN_ELSEWHERE.values()) - {"CI"}:
        assert (CHECKOUT / "tests" / "flows" / f"{place}.py").is_file(), place


def test_make_help_lists_every_target(shell: Shell) -> None:
    help_text = shell.run("make help").out
    assert all(f"make {target}" in help_text for target in ("nightly", "demo-live", "test", "stop", "mlflow"))

"""The README is true: its commands are run here as they stand, on a night made small by variables."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from flows_console import CHECKOUT, TINY, Answer, free_port

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
    ".venv/bin/wealtharena deploy --profile nightly": "test_flows_deployment",
    ".venv/bin/wealtharena worker": "test_flows_deployment",
    "export PREFECT_API_URL=http://127.0.0.1:4200/api": "test_flows_deployment",
    ".venv/bin/prefect deployment run nightly/nightly --param profile=quickstart": "test_flows_deployment",
}


def tiny_variables() -> dict[str, str]:
    """The tiny profile as variables, so that commands can stay as the README has them."""
    return {f"WEALTHARENA_{key.upper()}": yaml.safe_dump(value) for key, value in yaml.safe_load(TINY).items()}


class Shell:
    """Runs lines of the README in the checkout."""

    def __init__(self, home: Path) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("WEALTHARENA_", "PREFECT_"))}
        self.environment = plain | tiny_variables()
        self.environment |= {
            "WEALTHARENA_HOME": str(home),
            "WEALTHARENA_PREFECT__PORT": str(free_port()),
            "PREFECT_HOME": str(home.parent / "prefect"),
        }

    def run(self, line: str) -> Answer:
        done = subprocess.run(
            ["bash", "-c", line],
            env=self.environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in which `make nightly` was run, as the README begins."""
    if not (CHECKOUT / ".venv" / "bin" / "wealtharena").is_file() or Path(sys.prefix) != CHECKOUT / ".venv":
        pytest.skip("the README's commands need the checkout's own .venv, which `make test` makes")
    shell = Shell(tmp_path_factory.mktemp("readme") / "home")
    try:
        answer = shell.run("make nightly")
        assert answer.code == 0, answer.err
        assert "promoted" in answer.out or "baseline_champion" in answer.out
        yield shell
    finally:
        shell.run("make stop")


def test_make_nightly_leaves_a_server_running_and_make_stop_ends_it(shell: Shell) -> None:
    api_url = f"http://127.0.0.1:{shell.environment['WEALTHARENA_PREFECT__PORT']}/api"
    assert "answers at " + api_url in shell.run(".venv/bin/wealtharena doctor").out


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
    assert all(f"make {target}" in help_text for target in ("nightly", "test", "stop", "mlflow", "worker", "lint"))

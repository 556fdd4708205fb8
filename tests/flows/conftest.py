"""A real Prefect server, and nights small enough for a test: every stage is the real one."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from flows_console import LEAN, OWN_ENVIRONMENT, TINY, FirstNight, Shell, free_port

from flows.server import is_reachable


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """API of a Prefect server of the tests' own."""
    home, port = tmp_path_factory.mktemp("prefect-server"), free_port()
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": "",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    api_url = f"http://127.0.0.1:{port}/api"
    deadline = time.monotonic() + 90
    while not is_reachable(api_url) and time.monotonic() < deadline:
        assert process.poll() is None, (home / "log").read_text()
        time.sleep(0.2)
    yield api_url
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstNight]:
    """The night that the README begins with, for all tests that look at what it left or go on from there.

    None of them gives the stocks another champion. `make nightly` leaves a server running, `make stop` ends it.
    """
    shell = Shell(tmp_path_factory.mktemp("first-night") / "home")
    command = f"{sys.executable} -m flows.cli"
    begin, stop = ("make nightly", "make stop") if OWN_ENVIRONMENT else (f"{command} nightly $ARGS", f"{command} stop")
    try:
        answer = shell.run(begin, ARGS="--json")
        assert answer.code == 0, answer.err
        yield FirstNight(shell, answer)
    finally:
        shell.run(stop)
    assert not is_reachable(shell.console.api_url)


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of a profile whose whole night takes half a minute."""
    path = tmp_path_factory.mktemp("profiles") / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="session")
def lean_profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """As ``tiny_profile``, without simulations of the results."""
    path = tmp_path_factory.mktemp("lean-profiles") / "tiny.yaml"
    path.write_text(LEAN, encoding="utf-8")
    return str(path)

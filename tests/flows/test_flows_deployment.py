"""The nightly deployment for real: a server, a worker, a run started by hand and read back through the API."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psutil
import pytest
from flows_console import Answer, Console

from flows.stages import STAGES
from warehouse import Warehouse

pytestmark = pytest.mark.slow

POOL = "test-pool"
FINAL_STATES = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
RUN_TIMEOUT_S = 240.0
SCHEDULE_TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Console:
    """Who deploys; its home is where the runs must write."""
    return Console(tmp_path_factory.mktemp("deploying") / "home", prefect_api)


@pytest.fixture(scope="module")
def deployed(console: Console, lean_profile: str) -> Answer:
    answer = console.run("deploy", "--profile", lean_profile, "--set", f"prefect.work_pool={POOL}", "--json")
    assert answer.code == 0, answer.err
    return answer


@pytest.fixture(scope="module")
def api(prefect_api: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=prefect_api, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def deployment(deployed: Answer, api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/deployments/name/nightly/nightly").json()
    return found


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, deployed: Answer, prefect_api: str) -> Iterator[Console]:
    """A worker that serves the pool from a home of its own; it and its runs are ended whatever happens."""
    elsewhere = Console(tmp_path_factory.mktemp("working") / "home", prefect_api)
    with (elsewhere.home.parent / "log").open("wb") as log:
        process = subprocess.Popen(
            elsewhere.command("worker", "--set", f"prefect.work_pool={POOL}"),
            env=elsewhere.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield elsewhere
    finally:
        end(process)


@pytest.fixture(scope="module")
def finished(
    console: Console, deployment: dict[str, Any], worker: Console, api: httpx.Client, lean_profile: str
) -> dict[str, Any]:
    """A run that was started by hand with parameters of its own, once it has ended."""
    started = subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "run", "nightly/nightly", "--param", 'agents=["etfs"]'],
        env=console.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < deadline:
        for run in runs_of(api, deployment, auto_scheduled=False):
            if run["state_type"] in FINAL_STATES:
                return run
        time.sleep(0.5)
    raise AssertionError((worker.home.parent / "log").read_text())


def runs_of(api: httpx.Client, deployment: dict[str, Any], auto_scheduled: bool) -> list[dict[str, Any]]:
    found = api.post("/flow_runs/filter", json={"deployments": {"id": {"any_": [deployment["id"]]}}}).json()
    return [run for run in found if run["auto_scheduled"] is auto_scheduled]


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that leads a group, and whatever it has started."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    os.killpg(process.pid, signal.SIGTERM)
    _, alive = psutil.wait_procs([psutil.Process(process.pid), *children], timeout=15)
    for member in alive:
        member.kill()
    process.wait()


def test_the_deployment_has_its_pool_its_parameters_and_its_tags(
    deployed: Answer, deployment: dict[str, Any], api: httpx.Client, lean_profile: str
) -> None:
    assert deployed.last["work_pool"] == deployment["work_pool_name"] == POOL
    assert api.get(f"/work_pools/{POOL}").json()["type"] == "process"
    assert deployment["parameters"]["profile"] == lean_profile
    assert deployment["parameters"]["overrides"] == [f"prefect.work_pool={POOL}"]
    assert set(deployment["tags"]) == {"wealtharena", "nightly"}
    # Whoever starts a run by hand is shown what can be chosen.
    assert set(deployment["parameter_openapi_schema"]["properties"]) == {
        "profile",
        "as_of",
        "overrides",
        "agents",
        "force",
    }


def test_one_night_runs_at_a_time(deployment: dict[str, Any]) -> None:
    assert deployment["global_concurrency_limit"]["limit"] == 1


def test_the_schedule_is_weekday_evenings_in_sydney(deployment: dict[str, Any]) -> None:
    (schedule,) = deployment["schedules"]
    assert schedule["active"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 18 * * 1-5", "Australia/Sydney")


def test_the_server_plans_the_coming_weekday_evenings(deployment: dict[str, Any], api: httpx.Client) -> None:
    deadline = time.monotonic() + SCHEDULE_TIMEOUT_S
    while not (scheduled := runs_of(api, deployment, auto_scheduled=True)) and time.monotonic() < deadline:
        time.sleep(0.5)
    starts = [datetime.fromisoformat(run["expected_start_time"]) for run in scheduled]
    local = [start.astimezone(ZoneInfo("Australia/Sydney")) for start in starts]
    assert {f"{start:%H:%M}" for start in local} == {"18:30"}
    assert {start.weekday() for start in local} <= {0, 1, 2, 3, 4}


def test_a_run_started_by_hand_completes_at_the_worker(
    finished: dict[str, Any], worker: Console, lean_profile: str
) -> None:
    assert finished["state_type"] == "COMPLETED", (
        finished["state"]["message"],
        (worker.home.parent / "log").read_text(),
    )
    assert finished["parameters"]["agents"] == ["etfs"]
    assert finished["parameters"]["profile"] == lean_profile
    assert finished["name"] == "nightly tiny latest"
    assert {"wealtharena", "nightly"} <= set(finished["tags"])


def test_its_data_lie_in_the_home_given_at_deploying_and_not_in_the_workers(
    finished: dict[str, Any], console: Console, worker: Console
) -> None:
    rows = Warehouse(console.home / "warehouse").read("out_portfolio__signals", columns=["agent", "symbol"])
    assert set(rows["agent"]) == {"etfs"}
    assert len(rows) == 3
    assert [path.suffix for path in (console.home / "reports").iterdir()] == [".html"]
    assert not (worker.home / "warehouse").exists()


def test_its_artifacts_and_its_stages_can_be_read_through_the_api(
    finished: dict[str, Any], console: Console, api: httpx.Client
) -> None:
    stages = api.post(
        "/flow_runs/filter", json={"flow_runs": {"parent_flow_run_id": {"any_": [finished["id"]]}}}
    ).json()
    assert len(stages) == len(STAGES)
    assert {stage["state_type"] for stage in stages} == {"COMPLETED"}
    of_stages = {"flow_run_id": {"any_": [stage["id"] for stage in stages]}}
    artifacts = {
        item["key"]: str(item["data"]) for item in api.post("/artifacts/filter", json={"artifacts": of_stages}).json()
    }
    assert set(artifacts) == {
        "data-coverage", "data-quality", "training-etfs", "agent-table", "decision-summary", "report-link",
    }  # fmt: skip
    assert float(artifacts["training-etfs"]) == 100.0
    assert "etfs" in artifacts["agent-table"]
    (report,) = Path(console.home / "reports").iterdir()
    assert str(report) in artifacts["report-link"]

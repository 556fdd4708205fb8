"""A real night's question: it pauses on a real server, and people answer it, or nobody does."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from flows_console import CHECKOUT, Console

pytestmark = pytest.mark.slow

NIGHT = """
import json, sys
from datetime import UTC, date, datetime
from dataclasses import asdict
from prefect import flow, task
from tasks import approval
from tasks.night import Night
from wealtharena.settings import load_settings

RECORD = {"outcome": "promoted", "p_value": 0.0012345, "checks": [{"name": "turnover", "value": 0.31, "passed": True}]}

@task
def decide(agent, hours):
    settings = load_settings("quickstart", ["promotion.policy=manual", f"promotion.approval_hours={hours}"])
    night = Night(settings=settings, as_of=date(2026, 11, 20), opened_at=datetime.now(UTC), run_id="r",
                  agents=("stocks",), with_meta=False)
    return approval.ask(night, agent, {**RECORD, "reason": f"{agent} has both keys"})

@flow
def promote():
    futures = {agent: decide.submit(agent, hours) for agent, hours in
               {"stocks": 1, "etfs": 1, "crypto": 0.002}.items()}
    return {agent: asdict(future.result()) for agent, future in futures.items()}

print(json.dumps(promote()))
"""


@pytest.fixture
def console(tmp_path: Path, prefect_api: str) -> Console:
    return Console(tmp_path / "home", prefect_api)


def test_people_answer_side_by_side_and_silence_keeps_the_champion(console: Console) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", NIGHT], cwd=CHECKOUT, env=console.environment(), stdout=subprocess.PIPE, text=True
    ) as night:
        try:
            waiting = await_questions(console, {"stocks", "etfs"})
            answer = console.run("approve", "--agent", "asx_stocks", "--by", "Ada", "--comment", "plausible", "--json")
            assert answer.code == 0, answer.err
            assert answer.last == {
                "agent": "asx_stocks", "answer": "approved", "by": "Ada", "asked": "stocks has both keys"
            }  # fmt: skip
            # As the form in the UI does it.
            run = waiting["etfs"]["id"]
            nameless = post(console, f"/flow_runs/{run}/resume", {"run_input": {"approve": True, "name": ""}})
            assert nameless["status"] == "REJECT"
            post(console, f"/flow_runs/{run}/resume", {"run_input": {"approve": False, "name": "Bob", "comment": "no"}})
            out, _ = night.communicate(timeout=200)
        finally:
            night.kill()
    assert json.loads(out.strip().splitlines()[-1]) == {
        "stocks": {"approved": True, "by": "Ada", "comment": "plausible"},
        "etfs": {"approved": False, "by": "Bob", "comment": "no"},
        "crypto": {
            "approved": False, "by": "nobody", "comment": "nobody answered within 0.002 hours: the champion stays"
        },
    }  # fmt: skip
    text = form_of(console, waiting["stocks"])
    assert "# May the champion of stocks change?" in text
    assert "| p_value | 0.001234 |" in text
    assert "| checks.turnover.value | 0.31 |" in text
    again = console.run("approve", "--agent", "stocks", "--by", "Ada")
    assert again.code == 2
    assert "nobody is asked about stocks: no run of 'ask-for-approval' waits for input" in again.err


def await_questions(console: Console, agents: set[str]) -> dict[str, dict[str, Any]]:
    """Paused runs by agent; one that is short of time may be over again."""
    seen: dict[str, dict[str, Any]] = {}
    deadline = time.monotonic() + 120
    wanted = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}, "flows": {"name": {"any_": ["ask-for-approval"]}}}
    while not agents <= seen.keys():
        assert time.monotonic() < deadline, f"only {set(seen)} were asked about"
        found = post(console, "/flow_runs/filter", wanted)
        seen |= {run["parameters"]["agent"]: run for run in found if run["parameters"]["home"] == str(console.home)}
        time.sleep(0.3)
    return seen


def form_of(console: Console, run: dict[str, Any]) -> str:
    """What the UI shows beside the form."""
    keys = run["state"]["state_details"]["run_input_keyset"]
    address = f"{console.api_url}/flow_runs/{run['id']}/input/{keys['description']}"
    with urllib.request.urlopen(address) as response:  # noqa: S310 an address of this machine
        return str(json.loads(response.read()))


def post(console: Console, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310 an address of this machine
        console.api_url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            # The server's SQLite is locked while others write: one asks again, as Prefect's own client does.
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
        time.sleep(0.5)

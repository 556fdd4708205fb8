"""A whole night, small but real in every stage: Prefect server, Ray, MLflow on SQLite, Delta tables, one HTML file."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flows_console import Answer, Console, FirstNight
from flows_trainings import assert_nothing_is_logged_twice, curves_of, receipts_of

from warehouse import Warehouse

pytestmark = pytest.mark.slow

AGENTS = ["stocks", "crypto", "etfs", "currencies", "meta"]


@pytest.fixture(scope="module")
def console(first_night: FirstNight) -> Console:
    return first_night.shell.console


@pytest.fixture(scope="module")
def night(first_night: FirstNight) -> Answer:
    """The first night of a home folder."""
    return first_night.answer


def signals_of(home: Path, night: Answer) -> list[dict[str, Any]]:
    columns, own = ["agent", "symbol", "target_weight"], {"night": night.last["night"]}
    rows = Warehouse(home / "warehouse").read("out_portfolio__signals", columns=columns, where=own)
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def metrics_of(home: Path, night: Answer) -> list[dict[str, Any]]:
    columns, own = ["agent", "strategy", "metric", "value"], {"night": night.last["night"]}
    rows = Warehouse(home / "warehouse").read("out_backtest__metrics", columns=columns, where=own)
    return [{str(key): repr(value) for key, value in row.items()} for row in rows.to_dict("records")]


def versions_of(home: Path, agent: str) -> int:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/mlflow/mlflow.db", f"sqlite:///{home}/mlflow/mlflow.db")
    return len(client.search_model_versions(f"name = 'wealtharena-{agent}'"))


def test_all_agents_end_with_a_decision_and_its_reason(night: Answer) -> None:
    rows = {row["agent"]: row for row in night.last["agents"]}
    assert list(rows) == AGENTS
    assert {row["decision"] for row in rows.values()} <= {"promoted", "baseline_champion"}
    assert all(row["reason"] and row["sharpe"] is not None for row in rows.values())
    assert {name: row["algorithm"] for name, row in rows.items()} == {
        "stocks": "PPO",
        "crypto": "SAC",
        "etfs": "A2C",
        "currencies": "DQN",
        "meta": "PPO",
    }


def test_the_closing_lines_say_where_to_look(night: Answer, console: Console) -> None:
    assert Path(night.last["report"]).is_file()
    for place in (night.last["report"], console.api_url.removesuffix("/api"), "mlflow.db"):
        assert place in night.out


def test_the_report_shows_every_agent_and_calls_demo_data_demo_data(night: Answer) -> None:
    html = Path(night.last["report"]).read_text(encoding="utf-8")
    assert "demo data" in html.lower()
    for name in AGENTS:
        assert f'id="figure-equity-{name}"' in html or f"equity-{name}" in html


def test_mlflow_holds_a_run_per_agent_under_the_night(night: Answer, console: Console) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(night.last["mlflow"], night.last["mlflow"])
    experiment = client.get_experiment_by_name("wealtharena")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    parent = runs.pop(night.last["night"])
    assert set(runs) == set(AGENTS)
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in runs.values())
    assert all(run.info.status == "FINISHED" for run in (parent, *runs.values()))
    for name, run in runs.items():
        history = client.get_metric_history(run.info.run_id, "episode_return_mean")
        assert len({point.step for point in history}) > 1, name
        assert {"data_version", "settings_hash", "git_commit", "seed"} <= set(run.data.tags)
        model = client.get_registered_model(f"wealtharena-{name}")
        assert "champion" in model.aliases


def test_sql_status_and_signals_read_what_the_night_left(night: Answer, console: Console, tiny_profile: str) -> None:
    counts = console.run("sql", "SELECT agent, count(*) AS n FROM out_portfolio__signals GROUP BY ALL", "--json").last
    assert {row["agent"]: row["n"] for row in counts["rows"]} == {**dict.fromkeys(AGENTS[:-1], 3), "meta": 12}
    status = console.run("status", "--json").last
    assert [agent for agent, champion, *_ in status["champions"] if champion != "none"] == AGENTS
    signals = console.run("signals", "--profile", tiny_profile, "--json").last
    stored = {(row["agent"], row["symbol"]): row["target_weight"] for row in signals_of(console.home, night)}
    shown = {
        (name, symbol): weight for name, item in signals["done"].items() for symbol, weight in item["weights"].items()
    }
    assert shown == stored


def test_prefect_knows_the_run_its_stages_and_its_artifacts(night: Answer, console: Console) -> None:
    import httpx

    with httpx.Client(base_url=console.api_url) as client:
        runs = client.post("/flow_runs/filter", json={"limit": 200}).json()
        artifacts = client.post("/artifacts/filter", json={"limit": 200}).json()
    named = [run for run in runs if run["name"].startswith("nightly ") and run["state_type"] == "COMPLETED"]
    stages = {run["name"].split(" ")[0] for run in runs}
    assert named
    assert {"wealtharena"} <= set(named[-1]["tags"]) | {tag for run in runs for tag in run["tags"]}
    assert stages >= {
        "collect-data",
        "compute-features",
        "train-agents",
        "train-meta-agent",
        "run-backtests",
        "analyse-results",
        "trade-on-paper",
        "promote-agents",
        "generate-signals",
        "build-report",
    }
    assert {item["key"] for item in artifacts} >= {"data-coverage", "agent-table", "decision-summary", "report-link"}


def test_the_same_night_again_trains_nothing_and_changes_no_signal(
    night: Answer, console: Console, tiny_profile: str
) -> None:
    before = signals_of(console.home, night), metrics_of(console.home, night), versions_of(console.home, "crypto")
    again = console.run("nightly", "--profile", tiny_profile, "--json")
    assert again.code == 0
    assert "train " not in again.err
    assert again.last["agents"] == night.last["agents"]
    assert (
        signals_of(console.home, night),
        metrics_of(console.home, night),
        versions_of(console.home, "crypto"),
    ) == before


@pytest.fixture
def fresh(tmp_path: Path, prefect_api: str) -> Iterator[Console]:
    yield Console(tmp_path / "home", prefect_api)


def test_a_night_killed_in_training_goes_on_from_there_and_equals_an_undisturbed_one(
    night: Answer, console: Console, fresh: Console, tiny_profile: str
) -> None:
    process = subprocess.Popen(
        fresh.command("nightly", "--profile", tiny_profile),
        env=fresh.environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    trained = wait_for_training(fresh.home, at_least=2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    versions = {agent: versions_of(fresh.home, agent) for agent in trained}
    answer = fresh.run("nightly", "--profile", tiny_profile, "--json")
    assert answer.code == 0, answer.err
    assert not [agent for agent in trained if f"train {agent}:" in answer.err]
    assert {agent: versions_of(fresh.home, agent) for agent in trained}.keys() == versions.keys()
    assert signals_of(fresh.home, night) == signals_of(console.home, night)
    assert metrics_of(fresh.home, night) == metrics_of(console.home, night)
    assert curves_of(fresh.home, night.last["night"]) == curves_of(console.home, night.last["night"])
    trained_now = {row["item"]: row for row in receipts_of(fresh.home)}
    assert {agent: weights_of(row) for agent, row in trained_now.items()} == {
        row["item"]: weights_of(row) for row in receipts_of(console.home) if row["night"] == night.last["night"]
    }
    assert_nothing_is_logged_twice(
        fresh.home, [json.loads(row["receipt"])["mlflow_run_id"] for row in trained_now.values()]
    )
    assert [row["decision"] for row in answer.last["agents"]] == [row["decision"] for row in night.last["agents"]]


def weights_of(receipt: dict[str, Any]) -> str:
    """Hash of a trained network's parameters."""
    return str(json.loads(receipt["receipt"])["weights_hash"])


def wait_for_training(home: Path, at_least: int, timeout_s: float = 240.0) -> list[str]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        rows = receipts_of(home)
        if len(rows) >= at_least:
            return [row["item"] for row in rows]
        time.sleep(0.1)
    raise AssertionError(f"fewer than {at_least} trainings in {timeout_s} s")

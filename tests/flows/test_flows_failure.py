"""A night in which one agent cannot be trained."""

from pathlib import Path

import pytest
from flows_console import Console

pytestmark = pytest.mark.slow


def test_one_agents_failure_is_named_and_stops_nobody_else(tmp_path: Path, prefect_api: str, lean_profile: str) -> None:
    fresh = Console(tmp_path / "home", prefect_api)
    failing = ["--set", "agents.crypto.learning_rate=1e30", "--set", "run.asset_classes=[crypto, etfs, currencies]"]
    answer = fresh.run("nightly", "--profile", lean_profile, *failing, "--json")
    assert answer.code == 1
    assert list(answer.last["failures"]) == ["train/crypto"]
    assert "must be finite" in answer.last["failures"]["train/crypto"]
    decisions = {row["agent"]: row["decision"] for row in answer.last["agents"]}
    assert decisions.pop("crypto") == "failed"
    assert list(decisions) == ["etfs", "currencies", "meta"]
    assert "failed" not in decisions.values()
    assert Path(answer.last["report"]).is_file()
    assert "Traceback" not in answer.err

"""The same calls against a tracking server."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from wealtharena.settings import Settings
from wealtharena.settings.models import MlflowSettings
from wealtharena.tracking import ModelRegistry, Tracker


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    stores = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--artifacts-destination", str(folder / "files")]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    with (
        (tmp_path / "server.log").open("w") as log,
        subprocess.Popen(
            [*command, *stores], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            _await(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)


@pytest.mark.slow
def test_a_bundle_travels_to_a_server_and_back(server: str, tmp_path: Path, bundle: Path) -> None:
    settings = Settings(home=tmp_path / "home", mlflow=MlflowSettings(tracking_uri=server))
    tracker = Tracker(settings)
    registry = ModelRegistry(tracker)
    run_id = tracker.start_agent(tracker.start_night("night1"), "stocks")
    assert tracker.start_agent(tracker.start_night("night1"), "stocks") == run_id
    tracker.log_metrics(run_id, {"sharpe": 1.0})
    assert registry.alias("stocks", "champion") is None
    version = registry.register("stocks", bundle, run_id, {"bundle_hash": "aa"})
    assert registry.register("stocks", bundle, run_id, {"bundle_hash": "aa"}) == version
    registry.promote("stocks", version, "d1")
    for _ in range(2):
        folder = registry.download("stocks", "champion")
        assert folder.is_relative_to(settings.home)
        assert (folder / "policy.onnx").read_bytes() == b"weights"
        assert (folder / "training" / "state.json").is_file()
    assert tracker.client.get_run(run_id).info.artifact_uri.startswith("mlflow-artifacts:")
    other = registry.register("stocks", bundle, run_id, {"bundle_hash": "bb"})
    registry.promote("stocks", other, "d2", state="provisional")
    assert registry.rollback("stocks", by="Ada", reason="a person's reason").version == version
    copy = registry.download("stocks", other)
    registry.retire("stocks", other, by="prune", reason="old")
    assert not copy.exists()
    assert not tracker.client.list_artifacts(run_id, "bundles/stocks-bb")
    # Another machine reads the same trail from the server.
    elsewhere = ModelRegistry(Tracker(Settings(home=tmp_path / "other", mlflow=MlflowSettings(tracking_uri=server))))
    told = [(entry.act, entry.before, entry.after, entry.by) for entry in elsewhere.history("stocks")]
    assert told == [
        ("promoted", "", "1", "gate"), ("promoted", "1", "2", "gate"), ("rolled_back", "2", "1", "Ada"),
        ("retired", "2", "", "prune"),
    ]  # fmt: skip


def _await(url: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2):  # noqa: S310 an address of this machine
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"no answer from {url} within {seconds} s")

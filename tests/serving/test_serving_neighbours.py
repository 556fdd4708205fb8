"""What training exports and tracking registers is what serving loads: neither may import the other, so it is here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from serving_models import CREATED, FEATURES, RULES, make_panel, policy_card

from wealtharena.agents.networks import GaussianScores, LevelValues, NetworkSpec, TorchPolicy
from wealtharena.envs import next_targets
from wealtharena.serving.bundle import write_bundle
from wealtharena.serving.onnx_policy import OnnxPolicy
from wealtharena.serving.production import ProductionModelManager
from wealtharena.settings import MlflowSettings, Settings
from wealtharena.tracking import ModelRegistry, Tracker
from wealtharena.training.export import export_policy

LONG_SHORT = replace(RULES, long_only=False)
SPEC = NetworkSpec(len(FEATURES), (16,))
ROW_WIDTH = SPEC.row_width


def seeded_network(kind: str) -> GaussianScores | LevelValues:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        if kind == "levels":
            return LevelValues(SPEC, (-1.0, 0.0, 1.0))
        return GaussianScores(SPEC, low=-1.0, bounded=kind == "bounded")


@pytest.mark.parametrize("kind", ["bounded", "squashed", "levels"])
def test_what_training_exports_is_what_serving_computes(tmp_path: Path, kind: str) -> None:
    network = seeded_network(kind)
    export_policy(network, ROW_WIDTH, tmp_path / "policy.onnx")
    observation = np.random.default_rng(3).normal(size=(2, 5, ROW_WIDTH)).astype(np.float32)
    observation[:, :, -3] = np.array([1, 1, 0, 1, 1], dtype=np.float32)
    observation[:, 2, :-4] = 0.0
    scores = OnnxPolicy(tmp_path / "policy.onnx").act(observation)
    np.testing.assert_allclose(scores, TorchPolicy(network).act(observation), atol=1e-5)
    assert np.all(scores[:, 2] == 0.0)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    (tmp_path / "training").mkdir()
    export_policy(seeded_network("bounded"), ROW_WIDTH, tmp_path / "training" / "policy.onnx")
    return tmp_path / "training"


def promoted(settings: Settings, content: Path) -> str:
    """Version of a bundle that went through the registry as in a night; the checkpoint itself is gone afterwards."""
    card = policy_card(rules=LONG_SHORT)
    ref = write_bundle(settings.home / "checkpoints" / "stocks" / "night", card, content, CREATED)
    tracker = Tracker(settings)
    registry = ModelRegistry(tracker)
    run_id = tracker.start_agent(tracker.start_night("2026-11-06"), "stocks")
    version = registry.register("stocks", Path(ref.uri), run_id, {"bundle_hash": ref.bundle_hash})
    registry.promote("stocks", version, "decision-1")
    shutil.rmtree(ref.uri)
    return version


def weights_of(content: Path) -> dict[str, float]:
    """What the exported network itself wants to hold."""
    panel = make_panel()
    targets = next_targets(OnnxPolicy(content / "policy.onnx").act, panel, LONG_SHORT)
    return dict(zip(panel.symbols, targets.tolist(), strict=True))


def test_what_tracking_promotes_is_what_production_serves(tmp_path: Path, trained: Path) -> None:
    settings = Settings(home=tmp_path / "home of data")
    version = promoted(settings, trained)
    manager = ProductionModelManager(settings.home)
    prediction = manager.get_model_prediction("asx_stocks", make_panel())
    assert prediction["version"] == version
    assert prediction["weights"] == weights_of(trained)
    assert prediction["weights"]["CCC"] == 0.0 != prediction["weights"]["AAA"]
    assert [item["agent"] for item in manager.list_models()] == ["stocks"]


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database, artifacts = f"sqlite:///{tmp_path / 'server.db'}", str(tmp_path / "artifacts")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", artifacts]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health", server)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(240):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"{url} did not answer within two minutes")


@pytest.mark.slow
def test_champions_are_fetched_from_a_tracking_server(tmp_path: Path, trained: Path, mlflow_server: str) -> None:
    settings = Settings(home=tmp_path / "trainer", mlflow=MlflowSettings(tracking_uri=mlflow_server))
    version = promoted(settings, trained)
    manager = ProductionModelManager(tmp_path / "other machine", tracking_uri=mlflow_server)
    for _ in range(2):
        model = manager.load_agent_model("stocks")
        assert model.version == version
        assert model.folder.is_relative_to(tmp_path / "other machine")
    assert manager.get_model_prediction("stocks", make_panel())["weights"] == weights_of(trained)

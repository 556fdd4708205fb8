"""An MLflow home per test; its database is copied from one that was made once."""

import shutil
from pathlib import Path

import pytest

from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by MLflow itself, which takes 1.5 s: too long to repeat in every test."""
    home = tmp_path_factory.mktemp("template")
    Tracker(Settings(home=home)).client.search_experiments()
    return home / "mlflow" / "mlflow.db"


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    home = tmp_path / "home"
    (home / "mlflow").mkdir(parents=True)
    shutil.copy(empty_database, home / "mlflow" / "mlflow.db")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return Settings(home=home)


@pytest.fixture
def tracker(settings: Settings) -> Tracker:
    return Tracker(settings)


@pytest.fixture
def registry(tracker: Tracker) -> ModelRegistry:
    return ModelRegistry(tracker)


@pytest.fixture
def run_id(tracker: Tracker) -> str:
    return tracker.start_agent(tracker.start_night("night1"), "stocks")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "training").mkdir(parents=True)
    (folder / "policy.onnx").write_bytes(b"weights")
    (folder / "training" / "state.json").write_text("{}", encoding="utf-8")
    return folder

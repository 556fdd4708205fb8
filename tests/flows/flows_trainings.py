"""What trainings leave in a home folder, to the last bit."""

from pathlib import Path
from typing import Any

from warehouse import Warehouse


def receipts_of(home: Path) -> list[dict[str, Any]]:
    """The receipts of the trainings."""
    rows = Warehouse(home / "warehouse").read_or_empty("out_runs__receipts", where={"stage": "train"})
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def curves_of(home: Path, night: str = "") -> list[dict[str, Any]]:
    """Every row of every seed's curve, of one night or of all."""
    own = {"night": night} if night else None
    rows = Warehouse(home / "warehouse").read("out_training__curves", where=own).to_dict("records")
    return [{str(key): repr(value) for key, value in row.items()} for row in rows]


def bundles_of(home: Path) -> dict[str, bytes]:
    """The manifest of each agent's newest bundle, which vouches for network, curve and weights."""
    return {path.parent.parent.name: path.read_bytes() for path in sorted(home.glob("checkpoints/*/*/manifest.json"))}


def points_of(home: Path) -> list[Path]:
    """Points that trainings can go on from."""
    return list(home.glob("nights/*/training/*/*-work/points/0*"))


def assert_nothing_is_logged_twice(home: Path, runs: list[str]) -> None:
    """MLflow holds each metric of each seed once per iteration."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{home}/mlflow/mlflow.db"
    client = MlflowClient(uri, uri)
    for run in runs:
        metrics = client.get_run(run).data.metrics
        assert "episode_return_mean" in metrics
        for name in metrics:
            steps = [point.step for point in client.get_metric_history(run, name)]
            assert len(steps) == len(set(steps)) or name == "train_seconds", name

"""Runs: begun once, filled once, ended as they went, and nothing said that should not be."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from wealtharena.core.errors import TrackingError
from wealtharena.settings import Settings, settings_hash
from wealtharena.settings.models import MlflowSettings, RewardSettings, RiskSettings
from wealtharena.tracking import Tracker, tracking_uri


def test_a_rerun_of_a_night_goes_on_with_its_run(tracker: Tracker, settings: Settings) -> None:
    first = tracker.start_night("night1", {"as_of": "2026-01-05"})
    tracker.finish(first, failed=True)
    assert tracker.client.get_run(first).info.status == "FAILED"
    again = Tracker(settings).start_night("night1", {"as_of": "2026-01-06"})
    assert again == first
    run = tracker.client.get_run(first)
    assert (run.info.status, run.info.run_name, run.data.tags["as_of"]) == ("RUNNING", "night1", "2026-01-06")
    tracker.finish(first)
    assert tracker.client.get_run(first).info.status == "FINISHED"


def test_another_night_is_another_run(tracker: Tracker) -> None:
    assert tracker.start_night("night1") != tracker.start_night("night2")


def test_agents_are_nested_under_their_night_once_each(tracker: Tracker) -> None:
    nights = [tracker.start_night(name) for name in ("night1", "night2")]
    agents = {(night, agent): tracker.start_agent(night, agent) for night in nights for agent in ("stocks", "meta")}
    assert len({*nights, *agents.values()}) == 6
    for (night, agent), run_id in agents.items():
        assert tracker.start_agent(night, agent) == run_id
        tags = tracker.client.get_run(run_id).data.tags
        assert (tags["mlflow.parentRunId"], tags["mlflow.runName"]) == (night, agent)


def test_a_run_says_what_it_was_made_from(tracker: Tracker, settings: Settings) -> None:
    run = tracker.client.get_run(tracker.start_night("night1", {"data_version": "abc"}))
    tags = run.data.tags
    assert (tags["settings_hash"], tags["seed"], tags["data_version"]) == (settings_hash(settings), "1", "abc")
    expected = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    assert tags["git_commit"] == expected.stdout.strip()
    assert run.data.params["agents.stocks.env_steps"] == str(settings.agents["stocks"].env_steps)
    assert run.data.params["costs.crypto.commission_bps"] == "10.0"


def test_an_agents_run_carries_its_own_recipe(tracker: Tracker, run_id: str, settings: Settings) -> None:
    params = tracker.client.get_run(run_id).data.params
    assert params["algorithm"] == "PPO"
    recipe = set(type(settings.agents["stocks"]).model_fields) - {"reward"}
    appetite = {f"risk.{name}" for name in RiskSettings.model_fields} | {
        f"reward.{name}" for name in RewardSettings.model_fields
    }
    assert set(params) == recipe | appetite


def test_limits_and_reward_of_a_run_are_those_of_the_agents_risk_profile(settings: Settings) -> None:
    careful = {"agents": {"stocks": {"algorithm": "PPO", "risk_profile": "conservative"}}}
    tracker = Tracker(Settings.model_validate({"home": settings.home, **careful}))
    night = tracker.start_night("night1")
    stocks, meta = (
        tracker.client.get_run(tracker.start_agent(night, agent)).data.params for agent in ("stocks", "meta")
    )
    assert (stocks["risk_profile"], stocks["risk.max_volatility"], stocks["reward.variance"]) == (
        "conservative", "0.12", "4.0",
    )  # fmt: skip
    assert (meta["risk_profile"], meta["risk.max_volatility"], meta["reward.variance"]) == ("balanced", "0.6", "1.0")


def test_parameters_keep_their_first_value(tracker: Tracker, run_id: str) -> None:
    tracker.log_params(run_id, {"note": "first"})
    tracker.log_params(run_id, {"note": "second", "other": 1})
    params = tracker.client.get_run(run_id).data.params
    assert (params["note"], params["other"]) == ("first", "1")


def test_learning_curves_logged_twice_are_there_once(tracker: Tracker, run_id: str) -> None:
    curves = pd.DataFrame(
        {
            "iteration": [1, 2, 3, 1, 2, 3],
            "metric": ["loss"] * 3 + ["reward"] * 3,
            "value": [3.0, math.nan, 1.0, 0.1, 0.2, 0.3],
            "env_steps": [10, 20, 30] * 2,
        }
    )
    for _ in range(2):
        tracker.log_curves(run_id, curves.sample(frac=1.0, random_state=1))
    loss = sorted(tracker.client.get_metric_history(run_id, "loss"), key=lambda point: point.step)
    assert [point.step for point in loss] == [1, 2, 3]
    assert (loss[0].value, loss[2].value) == (3.0, 1.0)
    assert math.isnan(loss[1].value)
    assert len(tracker.client.get_metric_history(run_id, "reward")) == 3


def test_curves_longer_than_one_batch_arrive_whole(tracker: Tracker, run_id: str) -> None:
    curves = pd.DataFrame({"iteration": range(2_500), "metric": "loss", "value": 1.0})
    tracker.log_curves(run_id, curves)
    assert len(tracker.client.get_metric_history(run_id, "loss")) == 2_500


def test_figures_and_artifacts_are_kept_under_home(
    tracker: Tracker, run_id: str, bundle: Path, settings: Settings
) -> None:
    tracker.log_metrics(run_id, {"held_out_sharpe": 1.25})
    tracker.log_artifact(run_id, bundle, "bundle")
    tracker.log_artifact(run_id, bundle / "policy.onnx")
    assert tracker.client.get_run(run_id).data.metrics == {"held_out_sharpe": 1.25}
    stored = settings.home / "mlflow" / "artifacts" / run_id / "artifacts"
    names = {path.relative_to(stored).as_posix() for path in stored.rglob("*") if path.is_file()}
    assert names == {"policy.onnx", "bundle/policy.onnx", "bundle/training/state.json"}
    assert list(Path.cwd().iterdir()) == []


def test_threads_that_begin_one_night_share_its_run(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = set(pool.map(lambda _: Tracker(settings).start_night("night1"), range(8)))
    assert len(runs) == 1


def test_a_password_reaches_mlflow_by_its_variable_and_nothing_else(
    settings: Settings, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
    secret = "correct-horse-battery"  # noqa: S105
    guarded = settings.model_copy(update={"mlflow": MlflowSettings(password=SecretStr(secret))})
    tracker = Tracker(guarded)
    run_id = tracker.start_agent(tracker.start_night("night1"), "stocks")
    tracker.log_artifact(run_id, bundle)
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == secret
    stored = [path for path in settings.home.rglob("*") if path.is_file()]
    assert stored
    assert not [path for path in stored if secret.encode() in path.read_bytes()]


def test_no_settings_about_places_are_logged(tracker: Tracker) -> None:
    params = tracker.client.get_run(tracker.start_night("night1")).data.params
    assert not [name for name in params if name.split(".")[0] in {"mlflow", "prefect", "home"}]


@pytest.mark.parametrize("act", ["start_agent", "set_tags", "log_metrics", "log_artifact", "finish"])
def test_an_unknown_run_is_an_error_of_ours(tracker: Tracker, bundle: Path, act: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "start_agent": ("stocks",),
        "set_tags": ({"a": "b"},),
        "log_metrics": ({"a": 1.0},),
        "log_artifact": (bundle,),
    }
    with pytest.raises(TrackingError, match=r"run norun .*failed: .*norun") as caught:
        getattr(tracker, act)("norun", *arguments.get(act, ()))
    assert "\n" not in str(caught.value)


def test_a_server_that_is_down_is_named_without_its_password(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = "http://user:hidden@127.0.0.1:9"
    tracker = Tracker(settings.model_copy(update={"mlflow": MlflowSettings(tracking_uri=uri)}))
    assert tracking_uri(tracker.settings) == uri
    with pytest.raises(TrackingError, match=r"connecting at http://127\.0\.0\.1:9 failed: ") as caught:
        tracker.start_night("night1")
    assert "hidden" not in str(caught.value)


def test_a_broken_database_is_an_error_of_ours(settings: Settings) -> None:
    (settings.home / "mlflow" / "mlflow.db").write_bytes(b"not a database" * 100)
    with pytest.raises(TrackingError, match=r"connecting at sqlite:.*failed: .*not a database"):
        Tracker(settings).start_night("night1")


@pytest.mark.slow
def test_importing_is_light_and_mlflow_is_silent(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "import wealtharena.tracking as t; from wealtharena.settings import Settings\n"
        "assert 'mlflow' not in sys.modules\n"
        "tracker = t.Tracker(Settings(home=Path('home'))); run = tracker.start_night('night1')\n"
        "Path('file').write_text('x'); tracker.log_artifact(run, Path('file')); tracker.finish(run)\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
    )
    # Without the variables by which MLflow guesses that it is being tested.
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} == {"home", "file"}

"""The trainings of one agent with several seeds: who is kept, what is told while they go, what fails."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from small_market import small_panel

from tasks import training as training_stage
from tasks import watch as watch_module
from tasks.night import Night
from tasks.progress import ProgressEvent, listen, unlisten
from tasks.tracking import start_agent_run
from tasks.watch import TrainingWatch
from wealtharena.agents.lanes import policy_lanes
from wealtharena.agents.specs import AGENTS
from wealtharena.core.errors import TrainingError
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.serving.model import ServedModel
from wealtharena.settings import Settings
from wealtharena.tracking import Tracker
from wealtharena.training.cluster import TrainingQueue
from wealtharena.training.result import CurveRow, TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.selection import jobs_of

MakeNight = Callable[..., Night]


def three_jobs(folder: Path) -> tuple[TrainingJob, ...]:
    settings, panel = Settings(), small_panel()
    job = TrainingJob(
        agent=AGENTS["stocks"],
        recipe=settings.agents["stocks"].model_copy(update={"env_steps": 300, "window": 1}),
        panel_train=panel,
        panel_validation=panel,
        rules=TradingRules.from_settings(settings, "stocks"),
        reward=RewardWeights.from_settings(settings, "stocks"),
        training=settings.training.model_copy(update={"seeds": 3}),
        seed=1,
        output_dir=folder,
    )
    return jobs_of(job)


def row(iteration: int, sharpe: float | None = None) -> CurveRow:
    return CurveRow(iteration, 100 * iteration, 0.25, 0.1, 0.2, 0.3, sharpe, episode_return_std=0.125)


def progress(job: TrainingJob, iteration: int, speed: float = 50.0) -> TrainingProgress:
    return TrainingProgress("stocks", job.seed, row(iteration), 300, speed)


def result(job: TrainingJob, sharpe: float, iterations: int = 3) -> TrainingResult:
    curve = tuple(row(k, sharpe if k == iterations else None) for k in range(1, iterations + 1))
    here = job.output_dir
    return TrainingResult("stocks", job.seed, 0.25, 3, sharpe, curve, "abc", here, here, here, 1.0)


@contextmanager
def hearing() -> Iterator[list[ProgressEvent]]:
    events: list[ProgressEvent] = []
    listen(events.append)
    try:
        yield events
    finally:
        unlisten(events.append)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """What Prefect was shown: percentage and text."""
    shown: list[tuple[float, str]] = []

    def create(percent: float, key: str, text: str) -> str:
        shown.append((percent, f"{key}: {text}"))
        return "id"

    def update(_: str, percent: float, text: str) -> None:
        shown.append((percent, text))

    monkeypatch.setattr(watch_module, "create_progress_artifact", create)
    monkeypatch.setattr(watch_module, "update_progress_artifact", update)
    monkeypatch.setattr(watch_module, "_REPORT_SECONDS", 0.0)
    return shown


def test_a_watch_tells_of_every_seed_and_logs_nothing_twice(
    make_night: MakeNight, tmp_path: Path, pictures: list[tuple[float, str]]
) -> None:
    night, jobs = make_night(), three_jobs(tmp_path)
    tracker = Tracker(night.settings)
    run_id = start_agent_run(tracker, night, "stocks", "v1")
    for speed in (50.0, 70.0):  # a night that was killed tells of the same iterations once more
        with hearing() as events:
            watch = TrainingWatch("train", "stocks", tracker, run_id, jobs)
            trainings: dict[Future[Any], int] = {Future(): job.seed for job in jobs}
            follower = threading.Thread(target=watch.follow, args=(trainings,))
            follower.start()
            for number, iteration in enumerate((1, 2, 2, 3)):
                watch.hear(progress(jobs[1], iteration, speed + number))
            for future in trainings:
                future.set_result(None)
            follower.join()
            results = [result(job, sharpe) for job, sharpe in zip(jobs, (0.5, 1.5, -0.5), strict=True)]
            watch.conclude(results, results[1], "best of 3 seeds")
    first, *_, last = events
    assert (first.done, first.total, first.note) == (0, 900, "PPO waits for a core")
    assert (last.done, last.total, last.note) == (900, 900, "PPO, best of 3 seeds")
    notes = [event.note for event in events]
    assert "PPO seed 2/3, iteration 3, return +0.250 ± 0.125, 73 steps/s, 0 s left" in notes
    assert max(event.done for event in events[:-1]) < 900
    assert pictures[-1] == (100.0, "best of 3 seeds")
    assert any("seed 2/3, iteration" in text for _, text in pictures)
    names = tracker.client.get_run(run_id).data.metrics
    for name in names:
        steps = [point.step for point in tracker.client.get_metric_history(run_id, name)]
        assert len(steps) == len(set(steps)), name
    assert names["validation_sharpe"] == 1.5 and names["seed_3/validation_sharpe"] == -0.5
    speeds = tracker.client.get_metric_history(run_id, "seed_2/steps_per_second")
    assert [(point.step, point.value) for point in speeds] == [(1, 50.0), (2, 51.0), (3, 53.0)]


def test_a_single_seed_has_the_plain_names(
    make_night: MakeNight, tmp_path: Path, pictures: list[tuple[float, str]]
) -> None:
    night, job = make_night(), three_jobs(tmp_path)[0]
    tracker = Tracker(night.settings)
    run_id = start_agent_run(tracker, night, "stocks", "v1")
    watch = TrainingWatch("train", "stocks", tracker, run_id, [job])
    watch.hear(progress(job, 1))
    future: Future[Any] = Future()
    future.set_result(None)
    watch.follow({future: job.seed})
    watch.conclude([result(job, 0.5)], result(job, 0.5), "validation Sharpe +0.50")
    assert {"episode_return_mean", "steps_per_second"} <= set(tracker.client.get_run(run_id).data.metrics)
    assert not any("seed_" in name for name in tracker.client.get_run(run_id).data.metrics)


class _DeafWatch:
    """Hears of nothing that matters here."""

    hear = None

    def follow(self, trainings: dict[Future[Any], int]) -> None:
        for future in trainings:
            future.exception()


def trained(
    monkeypatch: pytest.MonkeyPatch, jobs: tuple[TrainingJob, ...], outcome: Callable[[TrainingJob], TrainingResult]
) -> Any:
    """``_train_seeds`` with this outcome for each job."""
    monkeypatch.setattr(training_stage, "submit_training", lambda job, hear: outcome(job))
    cluster = training_stage._Cluster(lambda: None, TrainingQueue(2))
    monkeypatch.setattr(training_stage, "_open_cluster", [cluster])
    return training_stage._train_seeds(jobs, _DeafWatch())  # type: ignore[arg-type]


def test_seeds_that_fail_are_named_and_the_others_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = three_jobs(tmp_path)

    def outcome(job: TrainingJob) -> TrainingResult:
        if job.seed == 1:
            raise TrainingError("stocks: seed 1: loss must be finite, got nan in iteration 4")
        return replace(result(job, 0.5), failures=("loss must be finite",))

    results, outcomes = trained(monkeypatch, jobs, outcome)
    assert [item.seed for item in results] == [job.seed for job in jobs[1:]]
    assert [item.failure for item in outcomes] == [
        "stocks: seed 1: loss must be finite, got nan in iteration 4",
        "",
        "",
    ]
    assert [item.attempts for item in outcomes] == [1, 2, 2]


def test_an_agent_fails_when_every_seed_does_and_equal_reasons_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome(job: TrainingJob) -> TrainingResult:
        raise TrainingError("stocks: the panel is too short" if job.seed > 1 else "stocks: seed 1: lost")

    with pytest.raises(TrainingError, match=r"^stocks: seed 1: lost; stocks: the panel is too short$"):
        trained(monkeypatch, three_jobs(tmp_path), outcome)


def test_what_nobody_foresaw_is_not_hidden_by_other_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome(job: TrainingJob) -> TrainingResult:
        if job.seed == 1:
            raise ZeroDivisionError
        return result(job, 0.5)

    with pytest.raises(ZeroDivisionError):
        trained(monkeypatch, three_jobs(tmp_path), outcome)


DATES = {"training": (date(2015, 1, 2), date(2020, 1, 2)), "validation": (date(2020, 1, 3), date(2021, 1, 4))}


def champion(folder: Path, **changes: Any) -> ServedModel:
    """A champion of an equal night, with or without a checkpoint of RLlib."""
    settings = Settings()
    values: dict[str, Any] = {
        "agent": "stocks",
        "kind": ModelKind.POLICY,
        "algorithm": "PPO",
        "feature_names": ("f",),
        "rules": TradingRules.from_settings(settings, "stocks"),
        "settings_hash": "s",
        "data_version": "d",
        "seed": 1,
        "windows": DATES,
    }
    return ServedModel(ModelCard(**values | changes), "v3", folder, None)


def test_a_training_does_not_begin_with_the_champion_of_another_lane(
    make_night: MakeNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = champion(tmp_path, lane_id="stocks-bold@1a2b3c4d")
    monkeypatch.setattr(training_stage, "champion_version", lambda night, agent: "3")
    monkeypatch.setattr(training_stage, "load_version", lambda night, info: model)
    settings = make_night().settings
    warm = settings.training.model_copy(update={"warm_start": "champion"})
    night = make_night(settings=settings.model_copy(update={"training": warm}))
    own = policy_lanes(night.settings, "stocks")[0]
    told = ("training began from scratch: the champion stocks v3 (PPO) is of stocks-bold",)
    assert training_stage._warm_start(night, own, DATES) == (None, told)


@pytest.mark.parametrize(
    ("warm_start", "windows", "checkpoint", "told"),
    [
        ("champion", DATES, True, None),
        ("scratch", DATES, True, ""),
        ("champion", DATES, False, "stocks v3 (PPO) has no RLlib checkpoint"),
        ("champion", {}, True, "knows training sessions up to an unknown day, tonight's end on 2020-01-02"),
        (
            "champion",
            DATES | {"validation": (date(2020, 1, 3), date(2021, 1, 5))},
            True,
            "knows validation sessions up to 2021-01-05, tonight's end on 2021-01-04",
        ),
    ],
)
def test_a_training_begins_with_the_champion_unless_that_knows_too_much(
    make_night: MakeNight,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warm_start: str,
    windows: dict[str, Any],
    checkpoint: bool,
    told: str | None,
) -> None:
    if checkpoint:
        (tmp_path / "rllib").mkdir()
    model = champion(tmp_path, windows=windows)
    monkeypatch.setattr(training_stage, "champion_version", lambda night, agent: "3")
    monkeypatch.setattr(training_stage, "load_version", lambda night, info: model)
    settings = make_night().settings
    training = settings.training.model_copy(update={"warm_start": warm_start})
    night = make_night(settings=settings.model_copy(update={"training": training}))
    start, notes = training_stage._warm_start(night, policy_lanes(settings, "stocks")[0], DATES)
    if told is None:
        assert start is not None and start.checkpoint == tmp_path / "rllib" and start.feature_names == ("f",)
        assert notes == ()
    else:
        assert start is None
        assert told in "".join(notes)

"""Trainings that stop half-way, by whatever cause, and what the same job then makes of what they left."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from training_samples import make_job_in, planted_panel

from wealtharena.agents import AGENTS
from wealtharena.core.errors import TrainingError
from wealtharena.settings.models import Algorithm
from wealtharena.training import job as job_module
from wealtharena.training.fingerprint import fingerprint
from wealtharena.training.job import train_policy, training_events
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult, WarmStart
from wealtharena.training.work import discard_work

MakeJob = Callable[..., TrainingJob]
Undisturbed = Callable[[Algorithm], TrainingResult]
SOON = 1e-9
STEPS = {Algorithm.PPO: 512, Algorithm.A2C: 512, Algorithm.SAC: 3072, Algorithm.DQN: 3072}


def short(job: TrainingJob, **training: Any) -> TrainingJob:
    """A job of a few iterations with points at each of them."""
    steps = STEPS[job.recipe.algorithm]
    recipe = job.recipe.model_copy(update={"env_steps": steps, "updates_per_step": 0.01, "final_learning_rate": 1e-4})
    changed = job.training.model_copy(update={"checkpoint_seconds": SOON, "evaluations": 4, **training})
    return replace(job, recipe=recipe, training=changed)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    @cache
    def train(algorithm: Algorithm) -> TrainingResult:
        return train_policy(short(make_job_in(tmp_path_factory.mktemp(algorithm.value), algorithm)))

    return train


def stop_after(job: TrainingJob, iterations: int) -> None:
    """Trains so many iterations and leaves everything as it lies."""
    events = training_events(job)
    assert len(list(islice(events, iterations))) == iterations
    events.close()  # type: ignore[attr-defined]


def iterations_of(job: TrainingJob) -> list[int]:
    """Trains to the end; the iterations that this took."""
    heard: list[int] = []
    train_policy(job, lambda event: heard.append(event.iteration))
    return heard


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_stopped_training_ends_like_one_that_was_not(
    algorithm: Algorithm, make_job: MakeJob, undisturbed: Undisturbed
) -> None:
    job, expected = short(make_job(algorithm)), undisturbed(algorithm)
    stop_after(job, 1)
    stop_after(job, 1)
    result = train_policy(job)
    assert result.weights_hash == expected.weights_hash
    assert result.record.read_bytes() == expected.record.read_bytes()
    assert result.policy.read_bytes() == expected.policy.read_bytes()
    assert not job.work_dir.exists()


def test_a_finished_training_is_not_repeated_until_its_work_is_discarded(make_job: MakeJob) -> None:
    job = short(make_job(Algorithm.A2C))
    *progress, result = training_events(job)
    assert len(progress) == 8 and result == list(training_events(job))[-1]
    assert len(list(training_events(job))) == 1
    discard_work(job)
    assert not job.work_dir.exists()
    assert len(list(training_events(job))) == 9


def test_altered_results_are_not_taken_for_finished_ones(make_job: MakeJob) -> None:
    job = short(make_job(Algorithm.A2C))
    *_, result = training_events(job)
    assert isinstance(result, TrainingResult)
    before = result.record.read_bytes()
    result.record.write_text("{}")
    assert iterations_of(job) == list(range(1, 9))
    assert result.record.read_bytes() == before


def test_of_a_damaged_point_nothing_is_read(make_job: MakeJob, undisturbed: Undisturbed) -> None:
    job = short(make_job(Algorithm.A2C), evaluations=1)
    stop_after(job, 4)
    oldest, youngest = sorted((job.work_dir / "points").iterdir())
    (youngest / "rllib" / "algorithm_state.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    (job.work_dir / "points" / ".unfinished-000-00000005").mkdir()
    assert iterations_of(job) == [4, 5, 6, 7, 8]
    assert oldest.name == "000-00000003"


def test_a_point_whose_best_policy_is_damaged_counts_as_damaged(make_job: MakeJob) -> None:
    job = short(make_job(Algorithm.A2C), evaluations=8)
    stop_after(job, 8)
    best = json.loads(sorted((job.work_dir / "points").glob("*/state.json"))[-1].read_text())["best"]["point"]
    (job.work_dir / "points" / best / "state.json").write_text("{}")
    first = iterations_of(job)[0]
    assert first <= int(best.split("-")[1])


def test_another_job_begins_anew_in_the_same_folder(make_job: MakeJob) -> None:
    job = short(make_job(Algorithm.A2C))
    stop_after(job, 3)
    assert iterations_of(replace(job, seed=2)) == list(range(1, 9))


@pytest.mark.parametrize("change", ["agent", "seed", "panel", "patience", "reward", "rules", "recipe", "warm_start"])
def test_whatever_the_result_depends_on_makes_another_job(make_job: MakeJob, change: str, tmp_path: Path) -> None:
    job = short(make_job(Algorithm.A2C))
    other = {
        "agent": replace(job, agent=AGENTS["reits"]),
        "seed": replace(job, seed=2),
        "panel": replace(job, panel_train=planted_panel(120, 3, 0.1, seed=6)),
        "patience": short(job, patience=50),
        "reward": replace(job, reward=replace(job.reward, variance=0.5)),
        "rules": replace(job, rules=replace(job.rules, max_gross=0.5)),
        "recipe": replace(job, recipe=job.recipe.model_copy(update={"gamma": 0.5})),
        "warm_start": replace(job, warm_start=WarmStart(tmp_path, "stocks v3", ("f0",))),
    }[change]
    assert fingerprint(other) != fingerprint(job)


def test_how_often_points_are_made_and_where_they_lie_makes_no_other_job(make_job: MakeJob) -> None:
    job = short(make_job(Algorithm.A2C))
    assert fingerprint(job) == fingerprint(short(make_job(Algorithm.A2C, folder="elsewhere"), checkpoint_seconds=99.0))


def failing_once(monkeypatch: pytest.MonkeyPatch, iteration: int, times: int = 1) -> None:
    """The loss is not finite in an iteration, so many times."""
    real, failures = job_module._train_once, []

    def train_once(job: TrainingJob, algorithm: Any, number: int) -> tuple[float, float, float]:
        losses = real(job, algorithm, number)
        if number == iteration and len(failures) < times:
            failures.append(number)
            raise TrainingError(f"loss must be finite, got nan in iteration {number}")
        return losses

    monkeypatch.setattr(job_module, "_train_once", train_once)


def test_a_failed_training_tries_again_from_its_best_point_with_other_random_actions(
    make_job: MakeJob, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[TrainingProgress] = []
    failing_once(monkeypatch, 4)
    result = train_policy(short(make_job(Algorithm.A2C)), heard.append)
    assert [(event.attempt, event.iteration) for event in heard] == [
        *((1, k) for k in (1, 2, 3)),
        *((2, k) for k in (3, 4, 5, 6, 7, 8)),
    ]
    assert result.attempts == 2
    assert json.loads(result.record.read_text())["failures"] == ["loss must be finite, got nan in iteration 4"]
    calm = undisturbed(Algorithm.A2C)
    assert result.curve[:2] == calm.curve[:2] and result.curve[2:] != calm.curve[2:]


def test_a_retry_is_the_same_retry_whenever_points_were_made_and_kills_came(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, 4)
    expected = train_policy(short(make_job(Algorithm.A2C), checkpoint_seconds=99.0))
    failing_once(monkeypatch, 4)
    job = short(make_job(Algorithm.A2C, folder="killed"))
    stop_after(job, 3)
    stop_after(job, 2)
    assert train_policy(job).record.read_bytes() == expected.record.read_bytes()


def test_before_the_first_evaluation_a_retry_begins_anew_with_another_seed(
    make_job: MakeJob, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, 1)
    result = train_policy(short(make_job(Algorithm.A2C)))
    assert result.attempts == 2
    assert result.curve[0] != undisturbed(Algorithm.A2C).curve[0]


def test_after_the_last_retry_the_reasons_of_all_attempts_are_told(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_once(monkeypatch, 4, times=9)
    told = r"^loss must be finite, got nan in iteration 4; attempt 1: loss .* iteration 4; attempt 2: loss .* 4$"
    with pytest.raises(TrainingError, match=told):
        train_policy(short(make_job(Algorithm.A2C), max_retries=2))


def test_a_training_without_progress_ends_when_patience_does(make_job: MakeJob) -> None:
    whole = train_policy(short(make_job(Algorithm.A2C, env_steps=64), evaluations=8))
    scores = [row.validation_sharpe for row in whole.curve]
    impatient = short(make_job(Algorithm.A2C, folder="impatient"), evaluations=8, patience=1)
    expected = next(k for k in range(1, 9) if k == 8 or scores[k] <= max(scores[:k]))  # type: ignore[operator, type-var]
    stop_after(impatient, 1)
    assert len(train_policy(impatient).curve) == min(8, expected + 1)
    assert len(whole.curve) == 8


def start_from(result: TrainingResult, job: TrainingJob, **changes: Any) -> TrainingJob:
    start = WarmStart(result.checkpoint, "stocks v3", job.panel_train.feature_names)
    return replace(job, warm_start=replace(start, **changes))


@pytest.mark.parametrize("algorithm", [Algorithm.A2C, Algorithm.DQN])
def test_a_warm_start_takes_over_the_champions_policy(
    algorithm: Algorithm, make_job: MakeJob, undisturbed: Undisturbed
) -> None:
    champion = undisturbed(algorithm)
    job = make_job(algorithm, learning_rate=1e-30, folder="warm")
    result = train_policy(start_from(champion, replace(short(job), recipe=job.recipe)))
    assert result.warm_start == "weights of stocks v3"
    assert json.loads(result.record.read_text())["warm_start"] == "weights of stocks v3"
    assert result.validation_sharpe == champion.validation_sharpe


def test_a_champion_that_does_not_fit_is_named_with_what_differs(make_job: MakeJob, undisturbed: Undisturbed) -> None:
    champion = undisturbed(Algorithm.A2C)
    scratch = train_policy(short(make_job(Algorithm.A2C, folder="scratch", hidden_sizes=(4,))))
    wide = start_from(champion, short(make_job(Algorithm.A2C, hidden_sizes=(4,))))
    result = train_policy(wide)
    assert result.weights_hash == scratch.weights_hash
    assert result.warm_start.startswith("from scratch, not from stocks v3: its ")
    assert " is (8, " in result.warm_start
    job = short(make_job(Algorithm.A2C, folder="other"))
    other = train_policy(start_from(champion, job, feature_names=("f0", "f1", "f2", "momentum")))
    assert other.warm_start == "from scratch, not from stocks v3: its features are with momentum, without f3"
    gone = train_policy(start_from(champion, replace(job, seed=3), checkpoint=Path("/nowhere")))
    assert gone.warm_start.startswith("from scratch, not from stocks v3: its checkpoint does not load: ")

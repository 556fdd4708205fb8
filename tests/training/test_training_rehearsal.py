"""A world of the rehearsed pipeline with a known policy in place of a training: what is traded, shown and decided."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.evaluate_pipeline import rehearsal_of
from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.evaluation.learning import Learnt, Lesson, learning_control
from wealtharena.promotion.rehearsal import WorldOutcome, summarise
from wealtharena.settings import load_settings
from wealtharena.training import rehearsal
from wealtharena.training.controls import Student
from wealtharena.training.rehearsal import Rehearsal, RehearsalProgress, rehearse_world, run_rehearsal
from wealtharena.training.result import CurveRow, TrainingProgress


@dataclass
class Known:
    """In place of a training: position as a multiple of a feature, by default of the first."""

    slope: float
    lessons: list[Lesson]
    feature: int = 0

    def __call__(self, student: Student, folder: Path) -> Any:
        return self.train

    def train(self, lesson: Lesson) -> Generator[TrainingProgress, None, Learnt]:
        self.lessons.append(lesson)
        yield TrainingProgress("ppo", lesson.seed, CurveRow(1, 50, 0.0, 0.0, 0.0, 0.0, None), 100, 1.0, 1)
        return Learnt(act=self.act, env_steps=100)

    def act(self, observation: Float32Array) -> FloatArray:
        return np.clip(self.slope * observation[:, :, self.feature].astype(np.float64), -1.0, 1.0)


def rehearsed(
    market: str, slope: float, monkeypatch: pytest.MonkeyPatch, seed: int = 1, years: int = 1
) -> tuple[WorldOutcome, list[RehearsalProgress], list[Lesson]]:
    return lived(asked(market, years), Known(slope, []), monkeypatch, seed)


def lived(
    what: Rehearsal, known: Known, monkeypatch: pytest.MonkeyPatch, seed: int = 1
) -> tuple[WorldOutcome, list[RehearsalProgress], list[Lesson]]:
    monkeypatch.setattr(rehearsal, "trainer_of", known)
    told = rehearse_world(what, seed)
    progress: list[RehearsalProgress] = []
    while True:
        try:
            progress.append(next(told))
        except StopIteration as end:
            return end.value, progress, known.lessons


def asked(market: str, years: int = 1) -> Rehearsal:
    return rehearsal_of(load_settings("quickstart", [], {}), "ppo", market, years, steps=100, every=21)


def test_who_follows_a_real_edge_is_champion_and_what_is_served_is_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _, _ = rehearsed("M3b", -1.0, monkeypatch, seed=2, years=5)
    assert outcome.promoted == 0 and outcome.rolled_back is None
    assert "ppo" in outcome.reason and outcome.first == "ppo"
    assert outcome.served == pytest.approx(outcome.policy)
    assert 0.5 < outcome.policy < outcome.oracle + 0.5
    assert outcome.history > 1.0


def test_cash_in_service_gives_way_only_to_both_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    what = replace(asked("M3b", years=5), incumbent="cash")
    outcome, _, _ = lived(what, Known(-1.0, []), monkeypatch, seed=13)
    assert outcome.first == "cash"
    assert outcome.promoted is not None and outcome.promoted >= what.settings.promotion.min_sessions
    assert outcome.served != outcome.policy


def test_who_does_nothing_is_never_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _, _ = rehearsed("M0", 0.0, monkeypatch)
    assert (outcome.promoted, outcome.policy, outcome.oracle, outcome.history) == (None, 0.0, 0.0, 0.0)


def test_a_leak_makes_a_champion_where_there_is_nothing_to_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the rehearsal is for: it has to fail then."""
    leaky = replace(asked("M0", years=2), control=learning_control("M0", 0.95, leak=True))
    outcome, _, _ = lived(leaky, Known(1.0, [], feature=1), monkeypatch)
    assert outcome.promoted == 0 and outcome.policy > 5.0
    assert not summarise("M0", [outcome] * 2, 0.05).kept


def test_every_year_is_trained_on_what_lies_before_it_and_the_newest_policy_on_what_lies_before_the_held_out_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome, progress, lessons = rehearsed("M0", 0.0, monkeypatch, years=2)
    assert [lesson.validation.dates[-1].astype(object).year for lesson in lessons] == [2005, 2006, 2007, 2007]
    assert [(one.trained, one.trainings) for one in progress] == [(k + 0.5, 4) for k in range(4)]
    assert len({lesson.seed for lesson in lessons}) == 4
    for lesson in lessons:
        embargo = np.busday_count(lesson.train.dates[-1], lesson.validation.dates[1]) - 1
        assert embargo == 5
    assert outcome.seed == 1


def test_equal_seeds_end_alike_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one, same, other = (rehearsed("M6", 1.0, monkeypatch, seed, years=1)[0] for seed in (1, 1, 2))
    assert one == same
    assert one.policy != other.policy


def test_without_a_session_of_ray_it_says_so() -> None:
    with pytest.raises(TrainingError, match="ppo on M0: no Ray session"):
        run_rehearsal(asked("M0"), [1])

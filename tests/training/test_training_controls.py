"""Learning controls with our own trainings: whose recipe is used, and what every algorithm must learn."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wealtharena.core.errors import SettingsError, TrainingError
from wealtharena.evaluation.learning import SeedOutcome, learn_and_compare, learning_control
from wealtharena.settings import load_settings
from wealtharena.settings.models import AgentSettings, Algorithm, Settings
from wealtharena.training.controls import BOOK_RECIPES, CONTROL_RECIPES, Student, find_student, run_control, trainer_of
from wealtharena.training.result import TrainingProgress

TINY: dict[str, Any] = {"env_steps": 512, "num_accounts": 16, "train_batch_size": 256, "minibatch_size": 128}


def student(name: str, **changes: Any) -> Student:
    found = find_student(name, Settings())
    return replace(found, recipe=AgentSettings.model_validate(found.recipe.model_dump() | changes))


def learnt(who: Student, market: str, folder: Path, years: float, leak: bool = False) -> SeedOutcome:
    control = learning_control(market, 0.9, leak=leak)
    told = learn_and_compare(control, 1, years, trainer_of(who, folder))
    progress: list[TrainingProgress] = []
    while True:
        try:
            progress.append(next(told))
        except StopIteration as end:
            outcome: SeedOutcome = end.value
            break
    assert progress[-1].env_steps == outcome.env_steps
    return outcome


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_an_algorithm_has_its_recipe_for_controls(algorithm: Algorithm) -> None:
    found = find_student(f" {algorithm.lower()} ", Settings())
    assert found.name == algorithm.lower()
    assert found.recipe.algorithm is algorithm and not found.recipe.long_only
    for name, value in CONTROL_RECIPES[algorithm].items():
        assert getattr(found.recipe, name) == value


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_book_of_many_assets_has_figures_of_its_own(algorithm: Algorithm) -> None:
    found = find_student(algorithm, Settings(), is_book=True).recipe.model_dump()
    assert {name: found[name] for name in BOOK_RECIPES[algorithm]} == BOOK_RECIPES[algorithm]


def test_an_agent_has_its_own_recipe_and_may_sell_short() -> None:
    found, own = find_student("Equities", Settings()), Settings().agents["stocks"]
    assert found.name == "stocks"
    assert found.recipe == own.model_copy(update={"long_only": False})


def test_the_engine_is_that_of_the_settings() -> None:
    settings = load_settings("quickstart", ["training.engine=stock", "training.patience=2"], {})
    training = find_student("ppo", settings).training
    assert (training.engine, training.patience, training.evaluations) == ("stock", None, 1)


def test_steps_replace_those_of_the_recipe() -> None:
    assert find_student("dqn", Settings(), 4_096).recipe.env_steps == 4_096


@pytest.mark.parametrize("name", ["trpo", "meta", ""])
def test_who_is_neither_algorithm_nor_agent_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="unknown agent or algorithm"):
        find_student(name, Settings())


def test_without_a_step_there_is_no_training() -> None:
    with pytest.raises(SettingsError, match="steps must be at least 1, got 0"):
        find_student("ppo", Settings(), 0)


def test_without_a_session_a_control_says_so() -> None:
    with pytest.raises(TrainingError, match="ppo on M1e: no Ray session"):
        run_control(learning_control("M1e", 0.9), student("ppo"), [1], 1.0)


def test_a_training_is_tested_on_histories_it_never_saw(tmp_path: Path) -> None:
    outcome = learnt(student("a2c", **TINY), "M1e", tmp_path, years=1.0)
    assert outcome.env_steps == 512
    assert outcome.comparison.sessions == 252
    assert outcome.comparison.turnover > 0.0


@pytest.mark.slow
def test_equal_seeds_learn_and_are_scored_alike(tmp_path: Path) -> None:
    who = student("ppo", **TINY)
    first, second = (learnt(who, "M3b", tmp_path / name, years=1.0).comparison for name in ("one", "two"))
    assert first == second


# What a quick training reaches on one seed; docs/evaluation.md has the figures of whole ones.
QUICK: dict[str, tuple[dict[str, Any], float]] = {
    "ppo": ({"env_steps": 400_000}, 0.90),
    "a2c": ({"env_steps": 300_000}, 0.90),
    "sac": ({"env_steps": 60_000}, 0.85),
    "dqn": ({"env_steps": 60_000}, 0.85),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_every_algorithm_finds_a_leaked_return(name: str, tmp_path: Path) -> None:
    changes, share = QUICK[name]
    outcome = learnt(student(name, **changes), "M0", tmp_path, years=20.0, leak=True)
    assert outcome.comparison.ratio >= share
    assert not outcome.comparison.above_ceiling

"""Learning controls with our own trainings, one process per seed, through the code that trains at night."""

import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wealtharena.agents.specs import AgentSpec, resolve_agent
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.evaluation.learning import (
    LearningControl,
    LearningSummary,
    Learnt,
    Lesson,
    SeedOutcome,
    learn_and_compare,
    summarise,
)
from wealtharena.settings.models import AgentSettings, Algorithm, Settings, TrainingSettings
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.side_by_side import run_seeds

_ONE_ASSET: dict[str, Any] = {"num_accounts": 256, "hidden_sizes": (32,), "gamma": 0.95}
_ON_POLICY: dict[str, Any] = {**_ONE_ASSET, "gae_lambda": 0.95}
_REPLAY: dict[str, Any] = {
    **_ONE_ASSET, "env_steps": 1_000_000, "train_batch_size": 1_024, "learning_rate": 3e-3,
    "replay_capacity": 1_000_000, "updates_per_step": 0.01,
}  # fmt: skip

CONTROL_RECIPES: dict[Algorithm, dict[str, Any]] = {
    Algorithm.PPO: {
        **_ON_POLICY, "env_steps": 5_000_000, "train_batch_size": 16_384, "minibatch_size": 4_096,
        "learning_rate": 1e-3, "entropy_coeff": 0.003,
    },
    Algorithm.A2C: {**_ON_POLICY, "env_steps": 8_000_000, "train_batch_size": 8_192, "learning_rate": 1e-3},
    Algorithm.SAC: {**_REPLAY, "initial_temperature": 0.01, "target_entropy": -2.0},
    Algorithm.DQN: {**_REPLAY, "final_epsilon": 0.2},
}  # fmt: skip
"""What an algorithm's recipe differs in from ``AgentSettings`` when it is to show that it can learn.

The market is drawn at random, so that many steps cannot be learnt by heart: a small network, many accounts, large
batches, and a discount that looks ahead as long as a position is held. One recipe serves every market of one asset.
"""

_BOOK: dict[str, Any] = {"gamma": 0.9, "learning_rate": 2e-3, "final_learning_rate": 0.0}

BOOK_RECIPES: dict[Algorithm, dict[str, Any]] = {
    Algorithm.PPO: {
        **_BOOK, "env_steps": 2_000_000, "train_batch_size": 4_096, "minibatch_size": 2_048, "num_epochs": 2,
        "gae_lambda": 0.9, "entropy_coeff": 0.0,
    },
    Algorithm.A2C: {
        **_BOOK, "env_steps": 2_000_000, "train_batch_size": 4_096, "learning_rate": 3e-3, "gae_lambda": 0.9,
    },
    Algorithm.SAC: {
        **_BOOK, "env_steps": 400_000, "train_batch_size": 512, "replay_capacity": 400_000,
        "updates_per_step": 0.03, "target_entropy": -1.0,
    },
    Algorithm.DQN: {"env_steps": 500_000},
}  # fmt: skip
"""What differs from that on a market of many assets, whose every step shows as many returns."""

TARGET_SHARES = {Algorithm.PPO: 0.90, Algorithm.A2C: 0.90, Algorithm.SAC: 0.85, Algorithm.DQN: 0.85}
"""Share of the oracle's score that each algorithm must reach."""

_TRAINING: dict[str, Any] = {
    "episode_days": 252,
    "evaluations": 1,  # the last policy is tested: a choice among several would be by luck, in histories of a few years
    "patience": None,
    "checkpoint_seconds": 3_600.0,
    "max_retries": 0,
}
"""What differs from the night in how it is trained; the engine is the one of the settings."""


@dataclass(frozen=True)
class Student:
    """Who learns.

    Attributes:
        name: an algorithm in lower case, or an agent.
        agent: whose name the training has.
        recipe: its figures; long and short.
        training: engine, episodes.
    """

    name: str
    agent: AgentSpec
    recipe: AgentSettings
    training: TrainingSettings


def find_student(
    name: str,
    settings: Settings,
    env_steps: int | None = None,
    *,
    is_book: bool = False,
    training: TrainingSettings | None = None,
) -> Student:
    """The recipe of an algorithm (``ppo`` …) for controls, or that of an agent, which may then sell short.

    Args:
        is_book: the market has many assets, see ``BOOK_RECIPES``.
        env_steps: of the training; by default the recipe's.
        training: how it is run; by default as a control, which keeps the last policy.

    Raises:
        SettingsError: it is neither, or ``env_steps`` is not positive.
    """
    wanted = name.strip().upper()
    if wanted in set(Algorithm):
        algorithm = Algorithm(wanted)
        book = BOOK_RECIPES[algorithm] if is_book else {}
        figures: dict[str, Any] = {"algorithm": algorithm, **CONTROL_RECIPES[algorithm], **book}
        spec = AgentSpec(name.strip().lower(), None)
    else:
        spec = _agent(name, settings)
        figures = settings.agents[spec.name].model_dump()
    changes = {"long_only": False} | ({} if env_steps is None else {"env_steps": env_steps})
    if env_steps is not None and env_steps < 1:
        raise SettingsError(f"steps must be at least 1, got {env_steps}")
    if training is None:
        training = TrainingSettings.model_validate(settings.training.model_dump() | _TRAINING)
    return Student(spec.name, spec, AgentSettings.model_validate(figures | changes), training)


def trainer_of(student: Student, folder: Path) -> Callable[[Lesson], Generator[TrainingProgress, None, Learnt]]:
    """Trains on a lesson as a night does, in ``folder``, and loads the policy from its checkpoint."""
    return partial(_train, student, folder)


def run_control(
    control: LearningControl,
    student: Student,
    seeds: Sequence[int],
    num_years: float,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> LearningSummary:
    """All seeds side by side, as many as the Ray session has cores.

    Args:
        num_years: of the test worlds of each seed.
        on_progress: called from several threads.

    Raises:
        WealthArenaError: of the first seed that fails; ``TrainingError`` if there is no Ray session.
    """
    work = partial(_learn, control, student, num_years)
    return summarise(control, run_seeds(work, seeds, f"{student.name} on {control.title}", on_progress))


def _agent(name: str, settings: Settings) -> AgentSpec:
    try:
        spec = resolve_agent(name)
    except SettingsError:
        spec = None
    if spec is None or spec.name not in settings.agents:
        known = [*(algorithm.lower() for algorithm in Algorithm), *settings.agents]
        raise SettingsError(unknown_name("agent or algorithm", name, known))
    return spec


def _train(student: Student, folder: Path, lesson: Lesson) -> Generator[TrainingProgress, None, Learnt]:
    from wealtharena.training.job import training_events
    from wealtharena.training.local import load_policy

    recipe = student.recipe
    job = TrainingJob(
        agent=student.agent,
        recipe=recipe,
        panel_train=lesson.train,
        panel_validation=lesson.validation,
        rules=lesson.rules,
        reward=lesson.reward,
        training=student.training,
        seed=lesson.seed,
        output_dir=folder / "training",
    )
    result: TrainingResult | None = None
    for event in training_events(job):
        if isinstance(event, TrainingResult):
            result = event
        else:
            yield event
    assert result is not None  # noqa: S101 - the last event
    return Learnt(
        act=load_policy(result.checkpoint).act,
        env_steps=result.curve[-1].env_steps,
        window=recipe.window,
        actions=recipe.action_kind.value,
    )


def _learn(
    control: LearningControl, student: Student, num_years: float, seed: int
) -> Generator[TrainingProgress, None, SeedOutcome]:
    with tempfile.TemporaryDirectory(prefix="wealtharena-control-") as folder:
        return (yield from learn_and_compare(control, seed, num_years, trainer_of(student, Path(folder))))

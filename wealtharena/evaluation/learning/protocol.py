"""One seed of a learning control: histories, a training handed in, and the comparison with the oracle."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from wealtharena.core.errors import SettingsError
from wealtharena.core.panel import MarketPanel
from wealtharena.envs.simulation import PolicyAct, SimulationPath, run_policy
from wealtharena.evaluation.learning.controls import LearningControl
from wealtharena.evaluation.verification.comparison import Comparison, compare
from wealtharena.evaluation.verification.trading import trading_rules
from wealtharena.evaluation.verification.worlds import SESSIONS_PER_YEAR, World
from wealtharena.execution import RewardWeights, TradingRules

NUM_TEST_WORLDS = 4
VALIDATION_YEARS = 4.0

_SEEDS_APART = 1_000
_VALIDATION, _FIRST_TEST = 1, 2

Progress = TypeVar("Progress")


@dataclass(frozen=True)
class Lesson:
    """What a training is given.

    Attributes:
        train: history to learn from.
        validation: another one.
        rules: limits that never bind.
        reward: that the market's score asks for.
        seed: of the training.
    """

    train: MarketPanel
    validation: MarketPanel
    rules: TradingRules
    reward: RewardWeights
    seed: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a training gives back.

    Attributes:
        act: the deterministic policy.
        env_steps: that it was trained for.
        window, actions: how it is run, see ``run_policy``.
    """

    act: PolicyAct
    env_steps: int
    window: int = 1
    actions: str = "weights"


Trainer = Callable[[Lesson], Generator[Progress, None, Learnt]]
"""Trains on a lesson; what it yields on the way is handed on."""


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """One training and its comparison.

    Attributes:
        seed: of worlds and training.
        comparison: on the test worlds.
        env_steps: of the training.
        train_seconds, test_seconds: wall time.
    """

    seed: int
    comparison: Comparison
    env_steps: int
    train_seconds: float
    test_seconds: float


def learn_and_compare(
    control: LearningControl, seed: int, num_years: float, trainer: Trainer[Progress]
) -> Generator[Progress, None, SeedOutcome]:
    """Trains on one history and trades ``num_years`` years of others, beside the oracle.

    Yields what ``trainer`` yields, and returns the outcome. No two seeds and no two purposes share a history.

    Raises:
        SettingsError: the seed is negative or ``num_years`` is too short for a session per test world.
    """
    if seed < 0:
        raise SettingsError(f"seed must be at least 0, got {seed}")
    if num_years * SESSIONS_PER_YEAR < NUM_TEST_WORLDS:
        raise SettingsError(f"years must hold {NUM_TEST_WORLDS} sessions, got {num_years}")
    started = time.perf_counter()
    learnt = yield from trainer(_lesson(control, seed))
    trained = time.perf_counter()
    comparison = examine(control, seed, num_years, learnt)
    return SeedOutcome(seed, comparison, learnt.env_steps, trained - started, time.perf_counter() - trained)


def examine(control: LearningControl, seed: int, num_years: float, learnt: Learnt) -> Comparison:
    """The policy beside the oracle on the test worlds of a seed."""
    first = _SEEDS_APART * seed + _FIRST_TEST
    worlds = [control.world(first + k, num_years / NUM_TEST_WORLDS) for k in range(NUM_TEST_WORLDS)]
    paths = [_trade(learnt, world) for world in worlds]
    return compare(
        control.market, [_from(world, learnt.window) for world in worlds], paths, market=control.verification
    )


def _lesson(control: LearningControl, seed: int) -> Lesson:
    first = _SEEDS_APART * seed
    return Lesson(
        train=control.world(first, control.training_years).panel,
        validation=control.world(first + _VALIDATION, VALIDATION_YEARS).panel,
        rules=trading_rules(),
        reward=control.reward,
        seed=seed,
    )


def _trade(learnt: Learnt, world: World) -> SimulationPath:
    last_row, window = len(world.panel.dates) - 1, learnt.window
    return run_policy(learnt.act, world.panel, window, last_row, trading_rules(), window=window, actions=learnt.actions)


def _from(world: World, window: int) -> World:
    """What a policy with a window trades: the rows before its first decision are only seen."""
    first = window - 1
    return World(world.panel.rows(first, len(world.panel.dates)), world.hidden[first:])

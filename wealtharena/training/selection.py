"""Several trainings of one agent that differ by their seed only, and which of them is kept."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from wealtharena.core.errors import TrainingError
from wealtharena.core.numbers import number_or_none
from wealtharena.training.result import TrainingJob, TrainingResult

_SEEDS = 2**31


class Purpose(IntEnum):
    """What a seed is derived for; one seed gives unrelated ones for each."""

    TRAINING = 0
    RETRY = 1
    WALK_FORWARD = 2


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """How the training with one seed ended; figures are None where undefined, or where it failed.

    Attributes:
        seed: of the training.
        validation_sharpe: of the policy that it kept.
        final_reward: mean episode return at its end.
        attempts: that it took.
        failure: why it failed; ``""`` if it did not.
    """

    seed: int
    validation_sharpe: float | None = None
    final_reward: float | None = None
    attempts: int = 1
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation (of the sample) of scores over seeds, and their number; NaN where undefined."""

    mean: float
    deviation: float
    count: int


def derived_seed(seed: int, purpose: Purpose, number: int) -> int:
    """Seed ``number`` for a purpose, below 2³¹: NumPy's ``SeedSequence(seed, spawn_key=(purpose, number))``."""
    sequence = np.random.SeedSequence(seed, spawn_key=(purpose, number))
    return int(sequence.generate_state(1, np.uint64)[0] % _SEEDS)


def jobs_of(job: TrainingJob) -> tuple[TrainingJob, ...]:
    """``job.training.seeds`` jobs with folders of their own: the first has the job's seed, the others derived ones."""
    seeds = (job.seed, *(derived_seed(job.seed, Purpose.TRAINING, k) for k in range(1, job.training.seeds)))
    return tuple(replace(job, seed=seed, output_dir=job.output_dir / f"seed-{k}") for k, seed in enumerate(seeds))


def is_better(sharpe: float, than: float) -> bool:
    """An undefined ratio is worse than any other; a tie keeps the earlier policy."""
    return math.isfinite(sharpe) and (not math.isfinite(than) or sharpe > than)


def best_of(results: Sequence[TrainingResult]) -> TrainingResult:
    """The result whose policy did best on the validation window, the first one of equals.

    Raises:
        TrainingError: there is none.
    """
    if not results:
        raise TrainingError("there must be a training to choose from, got none")
    best = results[0]
    for result in results[1:]:
        if is_better(result.validation_sharpe, best.validation_sharpe):
            best = result
    return best


def spread_of(scores: Iterable[float | None]) -> Spread:
    """Over the scores that are defined."""
    known = np.array([score for score in scores if score is not None and math.isfinite(score)])
    mean = float(known.mean()) if known.size else math.nan
    deviation = float(known.std(ddof=1)) if known.size > 1 else math.nan
    return Spread(mean, deviation, known.size)


def outcome_of(result: TrainingResult) -> SeedOutcome:
    """How a training ended that ended well."""
    scores = number_or_none(result.validation_sharpe), number_or_none(result.final_reward)
    return SeedOutcome(result.seed, *scores, attempts=result.attempts)


def describe(outcomes: Sequence[SeedOutcome]) -> str:
    """``validation Sharpe +1.40``, and for several seeds how many there were, their mean and their spread."""
    scores = [outcome.validation_sharpe for outcome in outcomes if not outcome.failure]
    defined = [score for score in scores if score is not None]
    best = f"validation Sharpe {max(defined):+.2f}" if defined else "validation Sharpe undefined"
    failed = len(outcomes) - len(scores)
    if len(outcomes) < 2:
        return best
    spread = spread_of(defined)
    others = f" (mean {spread.mean:+.2f} ± {spread.deviation:.2f})" if spread.count > 1 else ""
    return f"best of {len(outcomes)} seeds{f', {failed} failed' if failed else ''}, {best}{others}"

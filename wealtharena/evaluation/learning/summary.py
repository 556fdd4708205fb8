"""Several seeds of a learning control: the mean, its interval, and whether the target is met."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from wealtharena.core.errors import SettingsError
from wealtharena.evaluation.learning.controls import LearningControl
from wealtharena.evaluation.learning.protocol import SeedOutcome
from wealtharena.evaluation.verification.catalogue import LUCK
from wealtharena.evaluation.verification.comparison import TOLERANCE
from wealtharena.evaluation.verification.worlds import SESSIONS_PER_YEAR

STANDSTILL = 0.01
"""Mean turnover per session up to which an account stands still; one of random positions has about 0.67."""

# Two-sided 95 % quantiles of Student's t with 1, 2, ... degrees of freedom; the last serves for all above.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class LearningSummary:
    """A control over all of its seeds; intervals are 95 %, by the spread over the seeds.

    Attributes:
        control: what was to be learnt.
        outcomes: one per seed.
        score, oracle: means over the seeds.
        ratio, ratio_low, ratio_high: of score to oracle, mean over the seeds; NaN where the oracle earns nothing.
            The interval is that of the comparison itself if there is one seed.
        turnover: mean per session.
        above_ceiling: significantly more than anybody can know.
        meets_target: see ``target``.
    """

    control: LearningControl
    outcomes: tuple[SeedOutcome, ...]
    score: float
    oracle: float
    ratio: float
    ratio_low: float
    ratio_high: float
    turnover: float
    above_ceiling: bool
    meets_target: bool

    @property
    def target(self) -> str:
        """What was asked, in words."""
        market = self.control.verification
        if market.target == "share":
            return f"at least {self.control.share:.0%} of the oracle"
        if market.target == "no loss":
            return "no negative score"
        still = f", turnover at most {STANDSTILL:g}" if market.one_way_cost > 0.0 else ""
        return f"Sharpe ratio at most {_luck(self.outcomes):.3f}{still}"

    def as_record(self) -> dict[str, Any]:
        """Plain values for JSON; what is undefined is null."""
        values = asdict(self)
        record = {
            **values.pop("control"),
            **values,
            "measure": self.control.verification.measure.statistic,
            "target": self.target,
        }
        without_nan: dict[str, Any] = _json_values(record)
        return without_nan


def summarise(control: LearningControl, outcomes: Sequence[SeedOutcome]) -> LearningSummary:
    """Mean, interval and verdict.

    Raises:
        SettingsError: there is no outcome.
    """
    if not outcomes:
        raise SettingsError("outcomes must hold at least one seed, got none")
    compared = [outcome.comparison for outcome in outcomes]
    score = float(np.mean([comparison.score for comparison in compared]))
    oracle = float(np.mean([comparison.oracle for comparison in compared]))
    ratio, ratio_low, ratio_high = _interval([comparison.ratio for comparison in compared])
    excess = _interval([comparison.score - comparison.ceiling for comparison in compared])
    ceiling = float(np.mean([comparison.ceiling for comparison in compared]))
    is_above = excess[1] > TOLERANCE * abs(ceiling)
    if len(compared) == 1:
        ratio_low, ratio_high = compared[0].ratio_low, compared[0].ratio_high
        is_above = compared[0].above_ceiling
    turnover = float(np.mean([comparison.turnover for comparison in compared]))
    return LearningSummary(
        control=control,
        outcomes=tuple(outcomes),
        score=score,
        oracle=oracle,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        turnover=turnover,
        above_ceiling=is_above,
        meets_target=not is_above and _meets_target(control, outcomes, score, ratio, turnover),
    )


def _meets_target(
    control: LearningControl, outcomes: Sequence[SeedOutcome], score: float, ratio: float, turnover: float
) -> bool:
    market = control.verification
    if market.target == "share":
        return ratio >= control.share
    if market.target == "no loss":
        return score >= 0.0
    stands_still = market.one_way_cost == 0.0 or turnover <= STANDSTILL
    return score <= _luck(outcomes) and stands_still


def _luck(outcomes: Sequence[SeedOutcome]) -> float:
    """Mean Sharpe ratio that luck explains, over the years of all seeds together."""
    sessions = sum(outcome.comparison.sessions for outcome in outcomes)
    return LUCK / math.sqrt(sessions / SESSIONS_PER_YEAR)


def _interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % limits by Student's t; NaN limits for a single value."""
    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        return mean, math.nan, math.nan
    half = _STUDENT[min(count - 1, len(_STUDENT)) - 1] * float(np.std(values, ddof=1)) / math.sqrt(count)
    return mean, mean - half, mean + half


def _json_values(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json_values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_values(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Error rates and power of simulated years, with intervals and the bounds that they must keep."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wealtharena.promotion.simulation.paths import YEAR
from wealtharena.promotion.simulation.scenarios import Scenario
from wealtharena.promotion.simulation.years import Years, simulate
from wealtharena.settings import PromotionSettings

HORIZONS = (63, 126, 252, 504)
"""Sessions within which takeovers are counted."""
_NORMAL_95 = 1.959964
# Worlds with an edge reach the bootstrap's last replicate, and power needs no third digit.
_EDGE_SHARE = 10


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of the worlds with its 95 % interval (Wilson, 1927).

    Attributes:
        count: worlds in which it happened.
        worlds: all worlds.
    """

    count: int
    worlds: int

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.worlds

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        z2, n, share = _NORMAL_95**2, self.worlds, self.value
        centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = _NORMAL_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a scenario has to show.

    Attributes:
        meaning: in words.
        rate: that was measured.
        limit: that it is held against.
        at_least: whether the rate must not be below the limit; otherwise not above.
    """

    meaning: str
    rate: Rate
    limit: float
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the interval leaves it possible: a bound is missed when the whole interval lies beyond it."""
        low, high = self.rate.interval
        return high >= self.limit if self.at_least else low <= self.limit


@dataclass(frozen=True, slots=True)
class Summary:
    """What the gate did in a scenario.

    Attributes:
        scenario: see ``Scenario``.
        promoted: by horizon: takeovers by a lane that is truly better where one is, otherwise by any lane.
        confirmed: by horizon: those that were confirmed.
        wrong: takeovers within a year by a lane that is no better.
        median_session: by which half of the worlds had promoted the better lane; NaN if fewer did.
        rolled_back: share of the takeovers that gave the place back before the watch ended.
        days_in_service: mean sessions in service of a lane that took over, until it gave back or the watch ended.
        bounds: what had to be kept.
    """

    scenario: Scenario
    promoted: dict[int, Rate]
    confirmed: dict[int, Rate]
    wrong: Rate
    median_session: float
    rolled_back: Rate | None
    days_in_service: float
    bounds: tuple[Bound, ...]

    @property
    def passed(self) -> bool:
        """Whether every bound is kept."""
        return all(bound.kept for bound in self.bounds)

    def as_record(self) -> dict[str, Any]:
        """JSON-safe values."""
        return {
            "scenario": self.scenario.name,
            "meaning": self.scenario.meaning,
            "worlds": self.wrong.worlds,
            "promoted": {str(horizon): _record(rate) for horizon, rate in self.promoted.items()},
            "confirmed": {str(horizon): _record(rate) for horizon, rate in self.confirmed.items()},
            "wrong": _record(self.wrong),
            "median_session": None if math.isnan(self.median_session) else self.median_session,
            "rolled_back": None if self.rolled_back is None else _record(self.rolled_back),
            "days_in_service": None if math.isnan(self.days_in_service) else self.days_in_service,
            "bounds": [
                {"meaning": bound.meaning, "limit": bound.limit, "kept": bound.kept, **_record(bound.rate)}
                for bound in self.bounds
            ],
        }


def worlds_of(scenario: Scenario, years: int) -> int:
    """Worlds that are simulated of a scenario: ``years``, or a tenth where there is an edge."""
    return max(1, years // _EDGE_SHARE) if scenario.has_edge else years


def run_scenario(
    scenario: Scenario,
    years: int,
    rules: PromotionSettings,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Simulates two years of nights of each world of a scenario and counts."""
    return summarise_years(
        scenario, simulate(scenario, worlds_of(scenario, years), HORIZONS[-1], rules, seed, progress)
    )


def summarise_years(scenario: Scenario, years: Years) -> Summary:
    """Rates of what was watched."""
    took = years.promoted > 0
    right = took & (years.lane == 0) if scenario.has_edge and not scenario.everyone else took
    false = took & ~right if scenario.has_edge else took
    promoted = {horizon: _rate(right & (years.promoted <= horizon)) for horizon in HORIZONS}
    proved = right & (years.confirmed > 0)
    confirmed = {horizon: _rate(proved & (years.confirmed <= horizon)) for horizon in HORIZONS}
    ended = np.where(years.rolled_back > 0, years.rolled_back, years.sessions)
    return Summary(
        scenario=scenario,
        promoted=promoted,
        confirmed=confirmed,
        wrong=_rate(false & (years.promoted <= YEAR)),
        median_session=_median(np.where(right, years.promoted, np.iinfo(np.int64).max)),
        rolled_back=Rate(int((years.rolled_back > 0).sum()), int(took.sum())) if took.any() else None,
        days_in_service=float((ended - years.promoted)[took].mean()) if took.any() else math.nan,
        bounds=_bounds(scenario, promoted, confirmed),
    )


def _bounds(scenario: Scenario, promoted: dict[int, Rate], confirmed: dict[int, Rate]) -> tuple[Bound, ...]:
    if scenario.name == "gain-1":
        return (Bound("promoted within a year, at least", promoted[YEAR], 0.70, at_least=True),)
    if scenario.has_edge:
        return ()
    if scenario.history_counts:
        return (Bound("promoted a year, at most", promoted[YEAR], 0.01),)
    return (Bound("confirmed a year, at most", confirmed[YEAR], 0.05),)


def _rate(events: NDArray[np.bool_]) -> Rate:
    return Rate(int(events.sum()), int(events.size))


def _median(sessions: NDArray[np.int64]) -> float:
    middle = float(np.sort(sessions)[(sessions.size - 1) // 2])
    return middle if middle <= HORIZONS[-1] else math.nan


def _record(rate: Rate) -> dict[str, Any]:
    low, high = rate.interval
    return {"share": rate.value, "low": low, "high": high, "count": rate.count, "worlds": rate.worlds}

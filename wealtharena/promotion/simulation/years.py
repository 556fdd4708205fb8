"""Runs the gate's own functions through simulated years."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import FloatArray
from wealtharena.promotion.challenge import Challenge, challenge, second_key
from wealtharena.promotion.matching import WARM_UP, matched
from wealtharena.promotion.simulation.paths import YEAR, accounts
from wealtharena.promotion.simulation.scenarios import Scenario
from wealtharena.promotion.spa import superiority
from wealtharena.promotion.spending import Look, look
from wealtharena.promotion.states import service
from wealtharena.promotion.takeover import takeover
from wealtharena.settings import PromotionSettings

KNOWN_BEFORE = 126
"""Sessions before the first night that tell how volatile the accounts are."""
_WORLDS_AT_ONCE = 500
_MAX_DRAWDOWN = 0.40
_FIRST_DAY = date(2001, 1, 1)


@dataclass(frozen=True, slots=True)
class Years:
    """What the gate did in each of N simulated worlds; sessions count from 1, -1 for never.

    Attributes:
        sessions: nights that each world was watched.
        lane: (N,) lane that took over, -1 for none.
        promoted: (N,) session of the takeover.
        confirmed: (N,) session of the confirmation.
        rolled_back: (N,) session of the return of the champion before.
    """

    sessions: int
    lane: NDArray[np.int64]
    promoted: NDArray[np.int64]
    confirmed: NDArray[np.int64]
    rolled_back: NDArray[np.int64]


def simulate(
    scenario: Scenario,
    worlds: int,
    sessions: int,
    rules: PromotionSettings,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Years:
    """Watches ``worlds`` agents for ``sessions`` nights each; their histories are drawn when the gate asks for them.

    The first takeover of a world is followed to the end. Worlds come in chunks with random numbers of their own: the
    first thousand are the same however many follow.

    Args:
        progress: is told the number of worlds done since it was told last.
    """
    rows: list[tuple[int, int, int, int]] = []
    for chunk, first in enumerate(range(0, worlds, _WORLDS_AT_ONCE)):
        many = min(_WORLDS_AT_ONCE, worlds - first)
        random = np.random.default_rng([seed, chunk])
        returns = accounts(scenario, _WORLDS_AT_ONCE, KNOWN_BEFORE + sessions, random)[:many]
        evidence = challenge(returns[:, 1:], returns[:, :1], KNOWN_BEFORE, rules)
        opened = second_key(evidence, rules)
        for world in range(many):
            history = _History(scenario, returns[world, :, KNOWN_BEFORE:], rules, [seed, chunk, world])
            rows.append(_watch(_of(evidence, world), opened[world], history, rules))
        progress(many)
    lane, promoted, confirmed, rolled_back = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Years(sessions, lane, promoted, confirmed, rolled_back)


class _History:
    """The lanes' history, drawn on the first look: ten years, and each year of paper trading once it is complete."""

    def __init__(self, scenario: Scenario, paper: FloatArray, rules: PromotionSettings, seed: list[int]) -> None:
        self._scenario, self._paper, self._rules, self._seed = scenario, paper, rules, seed
        self._looks: list[Look] = []
        self._p_values: dict[int, FloatArray] = {}

    def level(self, night: int) -> float:
        """What tonight's look may spend."""
        tonight = look(_FIRST_DAY + timedelta(days=night * 365 // YEAR), str(night // YEAR), self._looks, self._error)
        if tonight not in self._looks:
            self._looks.append(tonight)
        return tonight.alpha

    def p_values(self, night: int) -> FloatArray:
        """(k,) of the first key; 0 where history counts for nothing because it was made to look good."""
        if not self._scenario.history_counts:
            return np.zeros(self._paper.shape[0] - 1)
        years = night // YEAR
        if years not in self._p_values:
            self._p_values[years] = self._tested(years)
        return self._p_values[years]

    @property
    def _error(self) -> float:
        return self._rules.error_per_year

    def _tested(self, years: int) -> FloatArray:
        random = np.random.default_rng([*self._seed, 1])
        drawn = accounts(self._scenario, 1, self._scenario.history_years * YEAR, random)[0]
        scaled = matched(np.hstack([drawn, self._paper[:, : years * YEAR]]))[:, WARM_UP:]
        return superiority(scaled[1:] - scaled[0], self._error / 12.0, seed=years).p_values


def _of(evidence: Challenge, index: int | tuple[int, ...]) -> Challenge:
    return Challenge(*(getattr(evidence, one.name)[index] for one in fields(evidence)))


def _watch(
    evidence: Challenge, opened: NDArray[np.bool_], history: _History, rules: PromotionSettings
) -> tuple[int, int, int, int]:
    """Lane, takeover, confirmation and return of the former champion in one world."""
    for night in np.flatnonzero(opened.any(axis=0)).tolist():
        lane = takeover(
            evidence.log_e[:, night], opened[:, night], partial(history.p_values, night), history.level(night)
        )
        if lane is not None:
            after = service(_of(evidence, (lane,)), night + 1, opened.shape[0], rules, _MAX_DRAWDOWN)
            return lane, night + 1, _session(after.confirmed), _session(after.rolled_back)
    return -1, -1, -1, -1


def _session(index: int) -> int:
    return index + 1 if index >= 0 else -1

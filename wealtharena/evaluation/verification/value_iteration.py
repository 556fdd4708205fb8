"""The best positions out of a few, under proportional costs, by value iteration on a grid."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.verification.markets import AutoregressiveReturns, MeanRevertingSpread
from wealtharena.evaluation.verification.worlds import SESSIONS_PER_YEAR

IndexArray = NDArray[np.int64]

_TOLERANCE = 1e-12
_MOST_SWEEPS = 5_000


@dataclass(frozen=True, eq=False)
class SwitchingSolution:
    """Which position to hold, given the state of the market and the position held.

    Attributes:
        states: (S,) grid of the feature.
        positions: (P,) that can be held.
        values: (S, P) relative value of holding position ``p`` from now on, before the cost of getting there.
        cost: one way, per unit of position.
        mean: gain per session, net.
        deviation: standard deviation of the gain per session.
    """

    states: FloatArray
    positions: FloatArray
    values: FloatArray
    cost: float
    mean: float
    deviation: float

    @property
    def sharpe(self) -> float:
        """Of the gain, per year of 252 sessions."""
        return float(np.sqrt(SESSIONS_PER_YEAR) * self.mean / self.deviation)

    def hold(self, feature: FloatArray) -> FloatArray:
        """Positions (T,) along a history (T,) of the feature, starting with nothing; row ``t`` uses rows up to ``t``.

        Between grid points the values are interpolated; beyond the grid its ends count.
        """
        values = np.column_stack([np.interp(feature, self.states, column) for column in self.values.T])
        choices = _best(values, self.positions, self.cost)
        held = int(np.argmin(np.abs(self.positions)))
        path = []
        for choice in choices.tolist():
            held = choice[held]
            path.append(held)
        taken: FloatArray = self.positions[path]
        return taken


@cache
def solve_autoregression(
    market: AutoregressiveReturns, cost: float, risk_aversion: float = 0.0, num_states: int = 201
) -> SwitchingSolution:
    """Positions -1, 0 and 1 by the last return (in volatilities), on a grid of 5 standard deviations each way.

    Args:
        risk_aversion: holding ``x`` counts as dearer by half of this times the variance of its return. 0 gives the
            largest mean; with 2, M1d has its largest Sharpe ratio.
    """
    states = np.linspace(-5.0, 5.0, num_states)
    noise = np.sqrt(1.0 - market.phi**2)
    transition = _normal_transition(states, market.phi * states, noise)
    expected = market.volatility * market.phi * states
    return _solve(
        states, transition, expected, market.volatility * noise, np.array([-1.0, 0.0, 1.0]), cost, risk_aversion
    )


@cache
def solve_foresight(phi: float, volatility: float, cost: float, num_states: int = 201) -> SwitchingSolution:
    """Positions -1, 0 and 1 by the next return (in volatilities), which is known, but none after it.

    Args:
        phi: autocorrelation of the returns; 0 for a martingale.
    """
    states = np.linspace(-5.0, 5.0, num_states)
    transition = _normal_transition(states, phi * states, np.sqrt(1.0 - phi**2))
    return _solve(states, transition, volatility * states, 0.0, np.array([-1.0, 0.0, 1.0]), cost)


@cache
def solve_spread(market: MeanRevertingSpread, cost: float, num_states: int = 161) -> SwitchingSolution:
    """Positions -1, -1/2, 0, 1/2 and 1 by the spread (in s.d.), on a grid of 4 standard deviations each way."""
    states = np.linspace(-4.0, 4.0, num_states)
    stay = 1.0 - market.reversion
    noise = np.sqrt(1.0 - stay**2)
    transition = _normal_transition(states, stay * states, noise)
    expected = -market.deviation * market.reversion * states
    return _solve(states, transition, expected, market.deviation * noise, np.linspace(-1.0, 1.0, 5), cost)


def _solve(
    states: FloatArray,
    transition: FloatArray,
    expected: FloatArray,
    noise: float,
    positions: FloatArray,
    cost: float,
    risk_aversion: float = 0.0,
) -> SwitchingSolution:
    """Relative value iteration for the largest mean gain per session.

    Args:
        transition: (S, S) probabilities of the next state.
        expected: (S,) return of the next session.
        noise: standard deviation of that return around it.
    """
    gains = expected[:, None] * positions[None, :] - 0.5 * risk_aversion * (noise * positions) ** 2
    switching = cost * np.abs(positions[:, None] - positions[None, :])
    relative = np.zeros(gains.shape)
    for _ in range(_MOST_SWEEPS):
        values = gains + transition @ relative
        updated = (values[:, None, :] - switching[None, :, :]).max(axis=2)
        change = updated - relative
        relative = updated - updated[0, 0]
        if np.ptp(change) < _TOLERANCE:
            break
    values = gains + transition @ relative
    choices = _best(values, positions, cost)
    held = positions[choices]
    net = expected[:, None] * held - switching[np.arange(len(positions))[None, :], choices]
    law = _stationary_law(transition, choices)
    mean = float((law * net).sum())
    variance = float((law * (net**2 + (noise * held) ** 2)).sum()) - mean**2
    return SwitchingSolution(states, positions, values, cost, mean, float(np.sqrt(variance)))


def _stationary_law(transition: FloatArray, choices: IndexArray) -> FloatArray:
    """(S, P) probabilities of the state and of the position held before the choice (S, P)."""
    taken = choices[:, :, None] == np.arange(choices.shape[1])
    law = np.full(choices.shape, 1.0 / choices.size)
    for _ in range(_MOST_SWEEPS):
        updated = transition.T @ np.einsum("sp,spa->sa", law, taken)
        moved = np.abs(updated - law).sum()
        law = updated
        if moved < _TOLERANCE:
            break
    return law


def _best(values: FloatArray, positions: FloatArray, cost: float) -> IndexArray:
    """(N, P) index of the position to take when position ``p`` is held; a tie keeps the position held."""
    num_positions = len(positions)
    choices = np.empty(values.shape, np.int64)
    for held in range(num_positions):
        worth = values - cost * np.abs(positions - positions[held])
        worth[:, held] += _TOLERANCE
        choices[:, held] = worth.argmax(axis=1)
    return choices


def _normal_transition(states: FloatArray, means: FloatArray, deviation: float) -> FloatArray:
    """(S, S) probabilities proportional to the Normal density at the grid points."""
    density = np.exp(-0.5 * ((states[None, :] - means[:, None]) / deviation) ** 2)
    transition: FloatArray = density / density.sum(axis=1, keepdims=True)
    return transition

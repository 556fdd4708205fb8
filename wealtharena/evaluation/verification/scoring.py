"""How an account on a verification market is scored, and how sure the score is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.verification.markets import M2
from wealtharena.evaluation.verification.trading import Trades
from wealtharena.evaluation.verification.worlds import PRICE_SCALE, SESSIONS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Measure:
    """A score of one account, from its gains per session in the units of the formulas.

    The kernel knows proportional costs only. M2's quadratic cost and its charge for risk are taken here, from the
    positions that the kernel held and the values that it traded (one asset).

    Attributes:
        statistic: ``sharpe`` per year of 252 sessions, or ``mean`` per session.
        full_position: the position of the formula that a weight of 1 stands for.
        quadratic_cost: ``Lambda``: trading ``dx`` costs ``Lambda / 2 dx**2``.
        risk_charge: holding ``x`` for a session costs ``risk_charge / 2 x**2``.
    """

    statistic: Literal["sharpe", "mean"]
    full_position: float = 1.0
    quadratic_cost: float = 0.0
    risk_charge: float = 0.0

    def gains(self, trades: Trades) -> FloatArray:
        """(T,) gain per session."""
        gains = trades.returns * (self.full_position / PRICE_SCALE)
        if self.quadratic_cost:
            gains = gains - 0.5 * self.quadratic_cost * (self.full_position * trades.turnover) ** 2
        if self.risk_charge:
            gains = gains - 0.5 * self.risk_charge * self.full_position**2 * (trades.weights**2).sum(axis=1)
        return gains

    def of_sums(self, total: FloatArray, squares: FloatArray, sessions: int) -> FloatArray:
        """The statistic from sums of gains and of their squares over ``sessions``; without any variance it is 0."""
        mean = total / sessions
        if self.statistic == "mean":
            return mean
        variance = squares / sessions - mean**2
        # A constant series leaves rounding errors behind; an account that never moved has no skill to show.
        moving = variance > 1e-12 * squares / sessions
        return math.sqrt(SESSIONS_PER_YEAR) * np.divide(
            mean, np.sqrt(variance, where=moving, out=np.ones_like(variance)), where=moving, out=np.zeros_like(mean)
        )


SHARPE = Measure("sharpe")
MEAN = Measure("mean")
UTILITY = Measure(
    "mean",
    full_position=M2.full_position,
    quadratic_cost=M2.quadratic_cost,
    risk_charge=M2.risk_aversion * M2.volatility**2,
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score and its standard error."""

    value: float
    standard_error: float


def score_of(measure: Measure, trades: Trades) -> float:
    """The score; 0 for an account that never moved."""
    gains = measure.gains(trades)
    return float(measure.of_sums(np.array(gains.sum()), np.array((gains**2).sum()), len(gains)))


def estimate(
    measure: Measure, trades: Trades, *, replicates: int = 400, block: float = 63.0, seed: int = 0
) -> Estimate:
    """The score with the standard error of a stationary bootstrap; see ``resampled_scores``."""
    scores = resampled_scores(measure, [trades], replicates=replicates, block=block, seed=seed)
    return Estimate(score_of(measure, trades), float(scores.std(ddof=1)))


def resampled_scores(
    measure: Measure, accounts: Sequence[Trades], *, replicates: int = 1_000, block: float = 63.0, seed: int = 0
) -> FloatArray:
    """Scores (replicates, N) of N accounts over the same resampled sessions.

    Politis and Romano (1994), "The stationary bootstrap": blocks that start anywhere, wrap around the end and have
    geometric lengths, the same blocks for every account, so that what moves all of them cancels in comparisons.

    Args:
        block: mean length of a block in sessions. It should exceed the memory of the gains; one too long costs little.
    """
    gains = np.stack([measure.gains(account) for account in accounts])
    sessions = gains.shape[1]
    sums = _running_sums(gains)
    squares = _running_sums(gains**2)
    generator = np.random.default_rng(seed)
    scores = np.empty((replicates, len(accounts)))
    for replicate in range(replicates):
        starts, ends = _blocks(sessions, block, generator)
        totals = [(running[:, ends] - running[:, starts]).sum(axis=1) for running in (sums, squares)]
        scores[replicate] = measure.of_sums(totals[0], totals[1], sessions)
    return scores


def _running_sums(values: FloatArray) -> FloatArray:
    """(N, 2T + 1) sums up to each session of (N, T) values followed by themselves, so that blocks can wrap around."""
    sums = np.cumsum(np.hstack([values, values]), axis=1)
    return np.hstack([np.zeros((len(values), 1)), sums])


def _blocks(sessions: int, block: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of random blocks that hold ``sessions`` sessions together."""
    lengths = np.zeros(0, np.int64)
    while lengths.sum() < sessions:
        more = generator.geometric(1.0 / block, size=int(sessions / block) + 8)
        lengths = np.concatenate([lengths, np.minimum(more, sessions)])
    ends = np.minimum(np.cumsum(lengths), sessions)
    lengths = np.diff(ends, prepend=0)
    starts = generator.integers(sessions, size=len(lengths))
    return starts, starts + lengths

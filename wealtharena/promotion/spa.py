"""Which of several accounts have a better history than the champion: Hansen's test for superior predictive ability.

Studentised statistic, consistent p-value and stationary bootstrap as in Hansen, "A test for superior predictive
ability" (2005); which accounts are better is found step by step, as in Romano and Wolf, "Stepwise multiple testing as
formalized data snooping" (2005): the p-value of the second-best is that of a test without the best, and never below it.

The bootstrap is sequential (Besag and Clifford, "Sequential Monte Carlo p-values", 1991): ``100 / level`` replicates
unless the answer is plain before. It ends when as many have reached the statistic as rule out p <= level, or ten more
than twice as many as p = level would give (a p <= level is missed so with a probability of 4e-6). It also ends after
``5 / level`` if not one reached it, which raises the size of the test by at most ``exp(-5) level / 5``, an eighth of a
per cent of it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from wealtharena.core.panel import FloatArray

_SAME = 1e-12
# SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
_STEP, _LOW = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFFFFFFFF)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class Superiority:
    """Outcome of the test of k accounts.

    Attributes:
        p_values: (k,) adjusted for the k accounts; 1 for one that never differs from the champion.
        statistics: (k,) studentised mean differences; NaN for one that never differs.
        replicates: that were drawn.
        block: mean length of a block.
        sessions: that were compared.
    """

    p_values: FloatArray
    statistics: FloatArray
    replicates: int
    block: float
    sessions: int


def superiority(differences: FloatArray, level: float, seed: int) -> Superiority:
    """Tests the hypothesis that no account has a positive mean difference.

    Args:
        differences: (k, n) returns of each account less those of the champion, volatility-matched, without NaN.
        level: p-value that has to be told from larger ones.
        seed: the same seed gives the same p-values.
    """
    count, sessions = differences.shape
    block = block_length(sessions)
    p_values, statistics = np.ones(count), np.full(count, np.nan)
    # Rounding leaves a little of two equal series.
    differing = np.flatnonzero(differences.std(axis=1) > _SAME) if sessions else np.array([], dtype=np.intp)
    errors = np.array([_standard_error(differences[lane], block) for lane in differing])
    statistics[differing] = differences[differing].mean(axis=1) / errors
    order = np.argsort(-statistics[differing], kind="stable")
    lanes = differing[order]
    # What has no better mean than the champion has nothing to prove, and comes after those that have.
    if not (statistics[lanes] > 0.0).any():
        return Superiority(p_values, statistics, 0, block, sessions)
    found, replicates = _p_values(
        np.ascontiguousarray(differences[lanes] / (errors[order, None] * sessions)),
        statistics[lanes],
        _centres(statistics[lanes], sessions),
        block,
        math.ceil(100.0 / level),
        math.ceil(5.0 / level),
        level,
        seed,
    )
    p_values[lanes] = np.where(statistics[lanes] > 0.0, np.maximum.accumulate(found), 1.0)
    return Superiority(p_values, statistics, int(replicates), block, sessions)


def block_length(sessions: int) -> float:
    """Mean length of a block: the cube root of the sessions (13.6 for ten years), the rate of the best choice."""
    return max(1.0, math.pow(sessions, 1.0 / 3.0))


def _centres(statistics: FloatArray, sessions: int) -> FloatArray:
    """What a replicate is measured from; an account that is plainly worse keeps its handicap ("consistent")."""
    plainly_worse = -math.sqrt(2.0 * math.log(math.log(max(sessions, 16))))
    return np.where(statistics < plainly_worse, 0.0, statistics)


def _standard_error(differences: FloatArray, block: float) -> float:
    """Of the mean, in closed form for the stationary bootstrap: Politis and Romano (1994), lemma 1.

    ``n var = c_0 + 2 sum_i (1 - i / n) q**i c_i`` with circular autocovariances c and ``q = 1 - 1 / block``.
    """
    around = differences - differences.mean()
    return math.sqrt(max(float(_long_run_variance(around, 1.0 - 1.0 / block)), 0.0) / around.size)


@njit(cache=True)
def _long_run_variance(around: FloatArray, stay: float) -> float:
    """``ahead`` is sum_i q**i x_{t+i}, ``later`` sum_i i q**i x_{t+i}: both follow from those of t + 1."""
    size = around.size
    ahead, later, variance = 0.0, 0.0, 0.0
    for step in range(2 * size - 1, -1, -1):
        following = around[(step + 1) % size]
        later = stay * (later + ahead + following)
        ahead = stay * (ahead + following)
        if step < size:
            value = around[step]
            variance += value * (value + 2.0 * (ahead - later / size))
    return variance / size


@njit(cache=True)
def _p_values(
    shares: FloatArray,
    statistics: FloatArray,
    centres: FloatArray,
    block: float,
    most: int,
    clear_at: int,
    level: float,
    seed: int,
) -> tuple[FloatArray, int]:
    """Step-down p-values of lanes in order of falling statistics, and the number of replicates.

    ``shares`` (k, n) sum up to the statistic of each lane. A block is a difference of two cumulative sums, so that a
    replicate takes n / block steps.
    """
    lanes, size = shares.shape
    summed = np.zeros((2 * size + 1, lanes))
    for t in range(2 * size):
        for lane in range(lanes):
            summed[t + 1, lane] = summed[t, lane] + shares[lane, t % size]
    hopeless = int(np.ceil(most * level))
    reached = np.zeros(lanes, dtype=np.int64)
    p_values = np.ones(lanes)
    active, drawn = lanes, 0
    log_stay = np.log(1.0 - 1.0 / block) if block > 1.0 else -np.inf
    total = np.empty(lanes)
    state = np.uint64(seed)
    while drawn < most and active > 0:
        drawn += 1
        total[:] = 0.0
        left = size
        while left > 0:
            state += _STEP
            bits = _mixed(state)
            start = int((bits >> np.uint64(32)) * np.uint64(size) >> np.uint64(32))
            length = min(left, 1 + int(np.log((np.float64(bits & _LOW) + 1.0) * 2.0**-32) / log_stay))
            for lane in range(lanes):
                total[lane] += summed[start + length, lane] - summed[start, lane]
            left -= length
        largest = 0.0
        for lane in range(lanes - 1, -1, -1):
            largest = max(largest, total[lane] - centres[lane])
            if lane < active and largest >= statistics[lane]:
                reached[lane] += 1
        for lane in range(active):
            if reached[lane] >= hopeless or reached[lane] >= 10.0 + 2.0 * level * drawn:
                # Besag and Clifford: the h-th exceedance at replicate l gives p = h / l. Those after it are no better.
                p_values[lane:] = reached[lane] / drawn
                active = lane
                break
        if drawn == clear_at and not reached[:active].any():
            break
    for lane in range(active):
        p_values[lane] = (reached[lane] + 1.0) / (drawn + 1.0)
    return p_values, drawn


@njit(cache=True)
def _mixed(state: np.uint64) -> np.uint64:
    """64 random bits of a state of SplitMix64."""
    bits = (state ^ (state >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))

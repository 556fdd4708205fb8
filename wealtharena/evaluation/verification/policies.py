"""Positions with a known score. Each is (T, A) weights decided after the close of ``t``, from a world.

Only those that say so read ``World.hidden``; the others see the panel's features alone.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.verification.markets import (
    AutoregressiveReturns,
    ForecastReturns,
    HiddenRegimes,
    MeanRevertingSpread,
)
from wealtharena.evaluation.verification.oracles import LinearRule
from wealtharena.evaluation.verification.value_iteration import solve_autoregression, solve_spread
from wealtharena.evaluation.verification.worlds import World

Positions = Callable[[World], FloatArray]

LINEAR_LIMIT = 8.0
"""A feature of this many standard deviations asks for a weight of 1; beyond, the kernel's limit cuts."""

HYSTERESIS = 0.15
"""Belief beyond which the position in M4 changes sides: the best by search, at 5 bp."""

ADJUSTMENT = 0.2
"""Share of the gap to the signals that M5's better rule closes in a session; the maximum, near 0.22, is flat."""

RESTRAINT = 2.0
"""Risk aversion of the three-position rule with the largest Sharpe ratio in M1d."""

_CARRY_GROSS = 40.0
"""Weights in M5 are signals over this number: their absolute sum stays below 1."""


def nothing(world: World) -> FloatArray:
    """Cash."""
    return np.zeros(world.panel.close.shape)


def hidden_sign(world: World) -> FloatArray:
    """The sign of what is hidden: the coin in M0, the regime in M4, tomorrow's news in M6."""
    return np.sign(world.hidden)


def feature_sign(world: World, direction: float = 1.0) -> FloatArray:
    """The sign of the first feature, or its opposite."""
    return np.sign(direction * _feature(world))


def linear(world: World, direction: float = 1.0) -> FloatArray:
    """Proportional to the first feature."""
    return direction / LINEAR_LIMIT * _feature(world)


def follow_forecast(
    world: World, market: ForecastReturns, derive: Callable[[ForecastReturns], LinearRule]
) -> FloatArray:
    """M2: the linear rule that ``derive`` finds for the market, starting with nothing."""
    rule = derive(market)
    inputs = np.vstack([np.zeros((1, 1)), rule.gain / (1.0 - rule.memory) * _feature(world)])
    return _exponential_mean(inputs, 1.0 - rule.memory)[1:] / market.full_position


def best_by_return(world: World, market: AutoregressiveReturns, cost: float, risk_aversion: float = 0.0) -> FloatArray:
    """M1c, M1d, M1e: the best of -1, 0 and 1, given the last return, under proportional costs."""
    return solve_autoregression(market, cost, risk_aversion).hold(_feature(world)[:, 0])[:, None]


def best_by_spread(world: World, market: MeanRevertingSpread, cost: float) -> FloatArray:
    """M3b: the best of five positions, given the spread, under proportional costs."""
    return solve_spread(market, cost).hold(_feature(world)[:, 0])[:, None]


def belief(world: World, market: HiddenRegimes) -> FloatArray:
    """M4: the expected regime of today, given all returns so far (the Bayes filter), in [-1, 1]."""
    ratios = np.exp(2.0 * market.drift / market.volatility * _feature(world)[:, 0]).tolist()
    up = 0.5
    path = []
    for ratio in ratios:
        prior = up * market.stay + (1.0 - up) * (1.0 - market.stay)
        up = prior * ratio / (prior * ratio + 1.0 - prior)
        path.append(2.0 * up - 1.0)
    return np.array(path)[:, None]


def belief_with_hysteresis(world: World, market: HiddenRegimes, threshold: float) -> FloatArray:
    """M4: -1 or 1 once the belief passes the threshold on that side, and held until it passes the other."""
    expected = belief(world, market)
    sides = np.where(np.abs(expected) > threshold, np.sign(expected), np.nan)
    held: FloatArray = pd.DataFrame(sides).ffill().fillna(0.0).to_numpy()
    return held


def carry(world: World, adjustment: float = 1.0) -> FloatArray:
    """M5: towards the signals less their mean over the assets, closing ``adjustment`` of the gap every session."""
    signals = _feature(world)
    aims = (signals - signals.mean(axis=1, keepdims=True)) / _CARRY_GROSS
    return _exponential_mean(aims, adjustment)


def _feature(world: World) -> FloatArray:
    return world.panel.features[:, :, 0].astype(np.float64)


def _exponential_mean(values: FloatArray, weight: float) -> FloatArray:
    if weight == 1.0:
        return values
    mean: FloatArray = pd.DataFrame(values).ewm(alpha=weight, adjust=False).mean().to_numpy()
    return mean

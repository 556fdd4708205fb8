"""Simulated accounts: fat tails, clustered volatility, correlated lanes."""

import numpy as np
from numba import njit

from wealtharena.core.panel import FloatArray
from wealtharena.promotion.simulation.scenarios import CANDIDATE_LANES, Scenario

YEAR = 252
_VOLATILITY = 0.01
_CHAMPION_SHARPE = 0.5
_FREEDOM = 5
# Logarithm of volatility: half-life of 34 sessions, standard deviation 0.35.
_PERSISTENCE, _SPREAD = 0.98, 0.35
_CRASH_SHARE, _CRASH_SIZE = 0.01, 6.0


def accounts(scenario: Scenario, worlds: int, sessions: int, random: np.random.Generator) -> FloatArray:
    """Daily excess returns of the champion and of its challengers.

    Lane k earns ``mu_k + sigma_t (rho z_0 + sqrt(1 - rho**2) z_k)`` with shocks z from Student's t with five degrees of
    freedom, scaled to a variance of 1, and a log-volatility that all share and that is an AR(1). ``E[sigma**2]`` is
    0.01**2, so that ``mu sqrt(252) / 0.01`` is the true annual Sharpe ratio and rho the true correlation.

    Returns:
        (worlds, 1 + lanes, sessions), the champion first.
    """
    lanes = 1 + CANDIDATE_LANES
    shocks: FloatArray = random.standard_t(_FREEDOM, size=(worlds, lanes, sessions))
    shocks *= np.sqrt((_FREEDOM - 2) / _FREEDOM)
    if scenario.crashes:
        shocks[:, 1:] = _with_crashes(shocks[:, 1:], scenario.correlation, random)
    drifts = _drifts(scenario)
    log_volatility = _autoregression(random.standard_normal((worlds, sessions)))
    _combine(shocks, log_volatility, drifts, scenario.correlation)
    return shocks


def _drifts(scenario: Scenario) -> FloatArray:
    gains = np.zeros(1 + CANDIDATE_LANES)
    gains[1:] = scenario.gain if scenario.everyone else 0.0
    gains[1] = scenario.gain
    return np.asarray((_CHAMPION_SHARPE + gains) / np.sqrt(YEAR))


def _with_crashes(shocks: FloatArray, correlation: float, random: np.random.Generator) -> FloatArray:
    """Adds crashes of six standard deviations of the difference to the champion, paid for by the other days."""
    size = _CRASH_SIZE * np.sqrt(2.0 * (1.0 - correlation)) / np.sqrt(1.0 - correlation**2)
    crash = random.random(shocks.shape) < _CRASH_SHARE
    return np.asarray(shocks - size * crash + size * _CRASH_SHARE)


@njit(cache=True)
def _autoregression(innovations: FloatArray) -> FloatArray:
    result = np.empty_like(innovations)
    scale = _SPREAD * np.sqrt(1.0 - _PERSISTENCE**2)
    for world in range(innovations.shape[0]):
        value = _SPREAD * innovations[world, 0]
        for t in range(innovations.shape[1]):
            value = _PERSISTENCE * value + scale * innovations[world, t]
            result[world, t] = value
    return result


@njit(cache=True)
def _combine(shocks: FloatArray, log_volatility: FloatArray, drifts: FloatArray, correlation: float) -> None:
    """Turns shocks into returns in place."""
    own = np.sqrt(1.0 - correlation**2)
    for world in range(shocks.shape[0]):
        for t in range(shocks.shape[2]):
            sigma = _VOLATILITY * np.exp(log_volatility[world, t] - _SPREAD**2)
            common = shocks[world, 0, t]
            for lane in range(shocks.shape[1]):
                shock = common if lane == 0 else correlation * common + own * shocks[world, lane, t]
                shocks[world, lane, t] = _VOLATILITY * drifts[lane] + sigma * shock

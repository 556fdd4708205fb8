"""Metrics of many simulated accounts at once; each is the one of ``wealtharena.evaluation.metrics``."""

import math

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics.observations import excess_returns
from wealtharena.evaluation.metrics.tail import DEFAULT_LEVEL

_NOISE = 1e-12


def path_figures(returns: FloatArray, cash_returns: FloatArray, annualisation: int) -> dict[str, FloatArray]:
    """Figures of N accounts, (N,) each, by name: ``total_return``, ``sharpe``, ``max_drawdown``,
    ``conditional_value_at_risk``, ``excess_return``.

    ``excess_return`` is the mean return above cash, a year. The Sharpe ratio of an account that does not move beside
    cash is NaN.

    Args:
        returns: (N, T) simple net returns without NaN, T at least 1.
        cash_returns: (N, T) or (T,) what cash earned.
        annualisation: sessions per year.
    """
    wealth = np.cumprod(1.0 + returns, axis=1, dtype=np.float64)
    excess = excess_returns(returns, np.broadcast_to(cash_returns, returns.shape)).reshape(returns.shape)
    return {
        "total_return": wealth[:, -1] - 1.0,
        "sharpe": _sharpe(excess, annualisation),
        "max_drawdown": _max_drawdown(wealth),
        "conditional_value_at_risk": _tail_mean(returns),
        "excess_return": excess.mean(axis=1) * annualisation,
    }


def returns_of(equity: FloatArray) -> FloatArray:
    """(N, T) simple returns of equity curves (N, T) that start from 1; 0 once nothing is left."""
    before = np.concatenate([np.ones((len(equity), 1)), equity[:, :-1]], axis=1)
    returns = np.zeros_like(equity)
    np.divide(equity - before, before, out=returns, where=before > 0.0)
    return returns


def _sharpe(excess: FloatArray, annualisation: int) -> FloatArray:
    if excess.shape[1] < 2:
        return np.full(len(excess), np.nan)
    moves = np.ptp(excess, axis=1) > _NOISE
    ratio: FloatArray = np.full(len(excess), np.nan)
    np.divide(excess.mean(axis=1), excess.std(axis=1, ddof=1), out=ratio, where=moves)
    ratio *= math.sqrt(annualisation)
    return ratio


def _max_drawdown(wealth: FloatArray) -> FloatArray:
    peak = np.maximum(np.maximum.accumulate(wealth, axis=1), 1.0)
    fall: FloatArray = (1.0 - wealth / peak).max(axis=1)
    return fall


def _tail_mean(returns: FloatArray) -> FloatArray:
    edge = np.quantile(returns, 1.0 - DEFAULT_LEVEL, axis=1, keepdims=True)
    worst = returns <= edge
    mean: FloatArray = -np.where(worst, returns, 0.0).sum(axis=1) / worst.sum(axis=1)
    return mean

"""What an agent has to beat: simple rules that need no training, under the same limits and costs."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray, MarketPanel, last_known
from wealtharena.execution import TradingRules, target_weights

Baseline = Callable[[MarketPanel, TradingRules], FloatArray]

# Moskowitz, Ooi and Pedersen (2012): each position is sized to 40 % volatility a year, forecast by an exponentially
# weighted variance with a centre of mass of 60 sessions.
_POSITION_VOLATILITY = 0.40
_VARIANCE_CENTRE_OF_MASS = 60
_MIN_RETURNS = 21


def equal_weight(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """All observed assets alike and fully invested, rebalanced every session: what a policy gets that always says 1.

    Targets (T, A) known at the close of ``t``.
    """
    return target_weights(np.ones(panel.observed.shape), panel.observed, rules)


def cash(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Nothing is held. Targets (T, A) of zero."""
    return np.zeros(panel.observed.shape)


def time_series_momentum(panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """Long what rose over the last year, short what fell (out, if ``long_only``), each sized by its volatility.

    ``sign(12-month return) x 40 % / volatility``, averaged over the assets that have both, then cut to the limits of
    ``rules``. Moskowitz, Ooi and Pedersen (2012), "Time series momentum", eq. 5, with daily instead of monthly
    rebalancing and without a riskless rate. Row ``t`` uses closes up to ``t`` only. An asset without a year of history,
    unobserved, or without 21 returns gets 0. The sign is that of the price difference, dividends included: prices
    may be negative.

    Targets (T, A) known at the close of ``t``.
    """
    signal = np.sign(_yearly_change(panel))
    volatility = _forecast_volatility(panel)
    usable = panel.observed & np.isfinite(signal) & (volatility > 0.0)
    sizes = np.divide(signal * _POSITION_VOLATILITY, volatility, out=np.zeros(signal.shape), where=usable)
    return _within_limits(sizes / np.maximum(usable.sum(axis=1, keepdims=True), 1), rules)


BASELINES: dict[str, Baseline] = {
    "equal_weight": equal_weight,
    "cash": cash,
    "time_series_momentum": time_series_momentum,
}


def _yearly_change(panel: MarketPanel) -> FloatArray:
    """(T, A) last known close less the one known a year of sessions before; NaN without a year of history."""
    last_close = last_known(panel.total_return_close)
    change = np.full(last_close.shape, np.nan)
    change[panel.annualisation :] = last_close[panel.annualisation :] - last_close[: -panel.annualisation]
    return change


def _forecast_volatility(panel: MarketPanel) -> FloatArray:
    """(T, A) annual volatility from returns between an asset's own bars; NaN until there are enough of them."""
    columns = [_own_returns(panel.total_return_close[:, asset]) for asset in range(len(panel.symbols))]
    returns = pd.DataFrame(np.column_stack(columns))
    weights = returns.ewm(com=_VARIANCE_CENTRE_OF_MASS, min_periods=_MIN_RETURNS, ignore_na=True)
    volatility: FloatArray = np.sqrt(weights.var(bias=True).to_numpy() * panel.annualisation)
    return volatility


def _own_returns(close: FloatArray) -> FloatArray:
    """(T,) simple return since the asset's previous bar; NaN without one and where a price is not positive."""
    returns = np.full(close.shape, np.nan)
    bars = np.flatnonzero(~np.isnan(close))
    before, after = close[bars[:-1]], close[bars[1:]]
    positive = (before > 0.0) & (after > 0.0)
    returns[bars[1:][positive]] = after[positive] / before[positive] - 1.0
    return returns


def _within_limits(weights: FloatArray, rules: TradingRules) -> FloatArray:
    floor = 0.0 if rules.long_only else -rules.max_weight
    capped = np.clip(weights, floor, rules.max_weight)
    gross = np.abs(capped).sum(axis=1, keepdims=True)
    scale = np.divide(rules.max_gross, gross, out=np.ones(gross.shape), where=gross > rules.max_gross)
    limited: FloatArray = capped * scale
    return limited

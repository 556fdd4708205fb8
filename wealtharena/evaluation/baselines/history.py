"""What prices have done by the close of each session, for rules that look back."""

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray, MarketPanel, last_known

MONTHS_PER_YEAR = 12

# Moskowitz, Ooi and Pedersen (2012): an exponentially weighted variance with a centre of mass of 60 sessions.
_VARIANCE_CENTRE_OF_MASS = 60
_MIN_RETURNS = 21


def sessions_of(months: int, panel: MarketPanel) -> int:
    """Sessions of so many months: 21 each, 30 in a market that never closes."""
    return panel.annualisation * months // MONTHS_PER_YEAR


def change_over(panel: MarketPanel, sessions: int) -> FloatArray:
    """(T, A) last known total-return close less the one known ``sessions`` before; NaN without that much history.

    A difference has a sign where a ratio has none: prices may be negative.
    """
    close = last_known(panel.total_return_close)
    change = np.full(close.shape, np.nan)
    change[sessions:] = close[sessions:] - close[: max(len(close) - sessions, 0)]
    return change


def return_over(panel: MarketPanel, sessions: int, skip: int = 0) -> FloatArray:
    """(T, A) total return over ``sessions``, of which the last ``skip`` are left out; NaN without that much history.

    NaN too where one of the two prices is not positive.
    """
    close = last_known(panel.total_return_close)
    close = np.where(close > 0.0, close, np.nan)
    result = np.full(close.shape, np.nan)
    count = max(len(close) - sessions, 0)
    result[sessions:] = close[sessions - skip : sessions - skip + count] / close[:count] - 1.0
    return result


def mean_close(panel: MarketPanel, sessions: int) -> FloatArray:
    """(T, A) mean of the last known total-return closes of ``sessions`` rows; NaN without that much history."""
    means: FloatArray = pd.DataFrame(last_known(panel.total_return_close)).rolling(sessions).mean().to_numpy()
    return means


def forecast_volatility(panel: MarketPanel) -> FloatArray:
    """(T, A) annual volatility from returns between an asset's own bars; NaN until there are 21 of them."""
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

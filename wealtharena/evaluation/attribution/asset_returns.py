"""Returns of a panel's assets, and which of them could be held."""

import numpy as np
import pandas as pd

from wealtharena.core.panel import BoolArray, FloatArray, MarketPanel, last_known
from wealtharena.evaluation.nights import DAYS_PER_YEAR, nights_of

STALE_SESSIONS = 7
"""Rows without a bar after which an asset counts as gone: holidays of its exchange are shorter."""


def asset_returns(panel: MarketPanel) -> FloatArray:
    """(T, A) total return from close to close with dividends and carry; 0 where no price is known or it is negative."""
    value = last_known(panel.total_return_close)
    returns = np.zeros(value.shape)
    known = (np.nan_to_num(value[:-1]) > 0.0) & (np.nan_to_num(value[1:]) > 0.0)
    np.divide(value[1:], value[:-1], out=returns[1:], where=known)
    returns[1:][known] -= 1.0
    if panel.carry is not None:
        nights = nights_of(panel)[1:, None]
        returns[1:] += np.nan_to_num(panel.carry[:-1]) * nights / DAYS_PER_YEAR
    return returns


def holdable(panel: MarketPanel) -> BoolArray:
    """(T, A) assets with a bar in the last ``STALE_SESSIONS`` rows, as known at the close of each."""
    has_bar = pd.DataFrame(~np.isnan(panel.close) & (np.nan_to_num(panel.close) > 0.0))
    recent: BoolArray = has_bar.rolling(STALE_SESSIONS, min_periods=1).max().to_numpy() > 0.0
    return recent & ~np.logical_or.accumulate(panel.delisted, axis=0)

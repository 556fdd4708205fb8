"""Bars that move further than the market moves: the jump test and what is measured for it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.checks import MAX_REVERSAL, log_prices
from wealtharena.settings import CurationSettings

_SIGMA_WINDOW = 63
_SIGMA_MIN_RETURNS = 21


@dataclass(frozen=True)
class Moves:
    """Adjusted log moves of one symbol's bars from the close before; NaN where a price is unknown or not positive.

    Attributes:
        close, overnight: to the close and to the open.
        limit: from where a move counts as a jump, see ``jump_limit``.
    """

    close: FloatArray
    overnight: FloatArray
    limit: FloatArray

    @property
    def jumps(self) -> BoolArray:
        """Bars whose close or open is further from the close before than the limit."""
        with np.errstate(invalid="ignore"):
            # The open counts only where the close confirms half of its move: a lone bad open is an outlier, no jump.
            confirmed = (np.abs(self.overnight) > self.limit) & (np.abs(self.close) > 0.5 * self.limit)
            jumped: BoolArray = (np.abs(self.close) > self.limit) | confirmed
        return jumped

    def open_outliers(self, reversal: float) -> BoolArray:
        """Opens that leap and of whose leap the close of the same bar takes back ``reversal`` or more."""
        with np.errstate(invalid="ignore", divide="ignore"):
            taken_back = (self.overnight - self.close) / self.overnight
            lone: BoolArray = np.abs(self.overnight) > self.limit
            return lone & (taken_back >= reversal) & (taken_back <= MAX_REVERSAL)


def moves_of(bars: pd.DataFrame, factor: FloatArray, settings: CurationSettings) -> Moves:
    """Moves of one symbol's bars, in date order, adjusted by ``factor``."""
    adjusted = bars[["symbol"]].assign(close=bars["close"] * factor)
    close, opened = log_prices(adjusted["close"]), log_prices(bars["open"] * factor)
    before = np.concatenate(([np.nan], close[:-1]))
    return Moves(close - before, opened - before, jump_limit(adjusted, settings))


def jump_limit(rows: pd.DataFrame, settings: CurationSettings) -> FloatArray:
    """Log distance from which a bar counts as a jump: the threshold, or ``jump_sigmas`` trailing deviations if more.

    The deviation is that of the last 63 clipped close-to-close returns before the bar; with fewer than 21 of them the
    threshold alone decides.

    Args:
        rows: bars of any number of symbols, by symbol and date.
    """
    same = rows["symbol"].eq(rows["symbol"].shift()).to_numpy()
    close = log_prices(rows["close"])
    returns = np.where(same, np.diff(close, prepend=np.nan), np.nan)
    clipped = pd.Series(np.clip(returns, -settings.jump_threshold, settings.jump_threshold), index=rows.index)
    rolling = clipped.groupby(rows["symbol"], sort=False).rolling(_SIGMA_WINDOW, min_periods=_SIGMA_MIN_RETURNS)
    sigma = np.concatenate(([np.nan], rolling.std().to_numpy(np.float64)[:-1]))
    known = np.where(same & np.isfinite(sigma), sigma, 0.0)
    limit: FloatArray = np.maximum(settings.jump_threshold, settings.jump_sigmas * known)
    return limit

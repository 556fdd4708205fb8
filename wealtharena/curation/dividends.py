"""What dividends do to prices before them, from the dividends that a vendor tells or from its adjusted close."""

import numpy as np
import pandas as pd

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.quarantine import Quarantine

# A payment above half of the price is a wrong unit far more often than a liquidation.
_LARGEST_SHARE = 0.5
# Where prices came in hundredths, a payment below this share of the price may have come in whole units.
_SMALLEST_SHARE_OF_MINOR = 0.0005


def dividend_factor(bars: pd.DataFrame, split_factor: FloatArray) -> FloatArray:
    """Factor per bar that makes prices before each dividend comparable with those after it; 1 at the last bar.

    Each dividend D multiplies all prices before its ex-date by 1 - D / C, with C the close of the bar before on the
    same share basis: the multiplier of CRSP, which Yahoo's adjusted close follows as well
    (https://help.yahoo.com/kb/SLN28256.html). A vendor that tells no dividends at all is taken by its adjusted close;
    without that there is no adjustment. A vendor's adjusted close is not used beside told dividends, because it is
    rewritten over the whole past at each payment and stored rows keep the one of their day.

    Args:
        bars: one symbol in date order: ``close``, ``adj_close``, ``dividend`` (NaN: none told).
        split_factor: factor of the corporate actions of each bar.
    """
    if bars["dividend"].notna().any():
        return _from_dividends(bars, split_factor)
    return _from_adjusted_close(bars)


def withhold_bad_dividends(bars: pd.DataFrame, split_factor: FloatArray, quarantine: Quarantine) -> pd.DataFrame:
    """Bars with impossible dividends as NaN: negative, infinite, or in another unit than the prices."""
    dividend = bars["dividend"].to_numpy(np.float64)
    if not (np.nan_to_num(dividend) != 0.0).any():
        return bars
    share = _shares_of_price(bars, split_factor)
    with np.errstate(invalid="ignore"):
        impossible: BoolArray = (dividend < 0.0) | np.isinf(dividend)
        large = ~impossible & (share > _LARGEST_SHARE)
        small = bars["minor_unit"].to_numpy(np.bool_) & (share > 0.0) & (share < _SMALLEST_SHARE_OF_MINOR)
    for bad, why in (
        (impossible, "is negative or infinite"),
        (large, f"is more than {_LARGEST_SHARE:.0%} of the price before"),
        (small, "is so small beside a price in hundredths that it may be in whole units"),
    ):
        quarantine.add(bars[bad], "bad_dividend", "dividend", f"the dividend {why}; cell withheld")
    return bars.assign(dividend=np.where(impossible | large | small, np.nan, dividend))


def _shares_of_price(bars: pd.DataFrame, split_factor: FloatArray) -> FloatArray:
    """Dividend over the close of the bar before, on one share basis; 0 where there is none or nothing before it."""
    dividend = np.nan_to_num(bars["dividend"].to_numpy(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    close = bars["close"].to_numpy(np.float64) * split_factor
    before = np.concatenate(([np.nan], close[:-1]))
    paid = (dividend > 0.0) & (before > 0.0)
    share: FloatArray = np.where(paid, dividend * split_factor / np.where(paid, before, 1.0), 0.0)
    return share


def _from_dividends(bars: pd.DataFrame, split_factor: FloatArray) -> FloatArray:
    steps = 1.0 - _shares_of_price(bars, split_factor)
    # The factor of a bar is the product of the steps after it.
    after: FloatArray = np.append(np.cumprod(steps[:0:-1])[::-1], 1.0)
    return after


def _from_adjusted_close(bars: pd.DataFrame) -> FloatArray:
    """Adjusted close over close, 1 at the last bar; ones for a symbol without adjusted close.

    Where the adjusted close is missing or impossible the ratio of the bar before holds; at the start, of the bar after.
    """
    close, adjusted = bars["close"].to_numpy(np.float64), bars["adj_close"].to_numpy(np.float64)
    usable = np.isfinite(adjusted) & (adjusted > 0.0) & (close > 0.0)
    if not usable.any():
        return np.ones(len(bars))
    known = np.flatnonzero(usable)
    source = np.maximum(np.searchsorted(known, np.arange(len(bars)), side="right") - 1, 0)
    ratio: FloatArray = (adjusted[known] / close[known])[source]
    basis: FloatArray = ratio / ratio[-1]
    return basis

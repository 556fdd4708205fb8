"""Rules that every raw bar must pass; what breaks one is withheld and recorded, never repaired."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import BAR_COLUMNS, Instrument
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.quarantine import Quarantine

MAX_REVERSAL = 2.0
"""A move back that is larger than twice the leap is another leap."""

# Pence for pounds; and how far (log) a day's own move may be from that.
_UNIT_FACTOR = 100.0
_UNIT_SLACK = 0.22
# Futures can settle below zero; the price of a share, a coin or a currency cannot.
_MAY_BE_NEGATIVE = {AssetClass.COMMODITIES}


def order_rows(raw: pd.DataFrame, as_of: date, quarantine: Quarantine) -> pd.DataFrame:
    """Rows up to ``as_of`` by symbol and date, one per date: the first one that the vendor sent."""
    rows = raw.reset_index(drop=True)
    undated = rows["session_date"].isna()
    quarantine.add(rows[undated], "no_date", "session_date", "the row has no date; row withheld")
    # Rows after as_of are not even recorded: what is known on a day must not depend on them.
    rows = rows[~undated & (rows["session_date"] <= pd.Timestamp(as_of))]
    rows = rows.sort_values(["symbol", "session_date"], kind="stable", ignore_index=True)
    repeated = rows.duplicated(["symbol", "session_date"])
    if not repeated.any():
        return rows
    equal = rows.duplicated(["symbol", *BAR_COLUMNS])
    quarantine.add(
        rows[repeated & equal], "duplicate", "session_date", "the row repeats another of this date; row withheld"
    )
    quarantine.add(
        rows[repeated & ~equal],
        "duplicate_conflict",
        "close",
        "the first row of this date says otherwise and stands; row withheld",
    )
    return rows[~repeated].reset_index(drop=True)


def withhold_closed_days(
    rows: pd.DataFrame, instruments: Mapping[str, Instrument], quarantine: Quarantine
) -> pd.DataFrame:
    """Without the rows on days when the symbol's exchange was closed."""
    if rows.empty:
        return rows
    exchange = rows["symbol"].map({symbol: item.exchange for symbol, item in instruments.items()})
    stray: BoolArray = np.zeros(len(rows), dtype=np.bool_)
    first, last = rows["session_date"].min().date(), rows["session_date"].max().date()
    for name in sorted(exchange.unique()):
        own = (exchange == name).to_numpy(np.bool_)
        closed = ~rows["session_date"].isin(exchange_sessions(name, first, last)).to_numpy(np.bool_)
        stray |= own & closed
        reason = f"{name} had no session on this day; row withheld"
        quarantine.add(rows[own & stray], "not_a_session", "close", reason)
    return rows[~stray].reset_index(drop=True)


def withhold_bad_closes(
    rows: pd.DataFrame, instruments: Mapping[str, Instrument], threshold: float, quarantine: Quarantine
) -> pd.DataFrame:
    """Without the rows whose close is missing, impossible, or far outside the range that the row itself gives."""
    close = rows["close"].to_numpy(np.float64)
    negative_allowed = _negative_allowed(rows, instruments)
    missing: BoolArray = ~np.isfinite(close) | (close == 0.0)
    impossible = (close < 0.0) & ~negative_allowed
    quarantine.add(rows[missing], "no_close", "close", "the close is empty, zero or not finite; row withheld")
    reason = "the price of this class must be above 0; row withheld"
    quarantine.add(rows[impossible], "non_positive_close", "close", reason)
    distance = _distance_outside_range(rows)
    outside = ~missing & ~impossible & (distance > threshold)
    reason = f"the close lies more than {threshold:g} (log) outside low and high of its row; row withheld"
    quarantine.add(rows[outside], "close_outside_range", "close", reason)
    return rows[~(missing | impossible | outside)].reset_index(drop=True)


def withhold_bad_cells(
    rows: pd.DataFrame, instruments: Mapping[str, Instrument], quarantine: Quarantine
) -> tuple[pd.DataFrame, dict[str, BoolArray]]:
    """Rows with impossible open, high, low and volume as NaN, and where that was done per column.

    Where a vendor has nothing but a close (``close_only``) nothing is withheld: there is nothing.
    """
    rows = rows.copy()
    negative_allowed = _negative_allowed(rows, instruments)
    close_only = rows[["open", "high", "low"]].isna().all(axis=1).to_numpy(np.bool_)
    withheld: dict[str, BoolArray] = {"close_only": close_only}
    for column in ("open", "high", "low"):
        values = rows[column].to_numpy(np.float64)
        bad = (~np.isfinite(values) | (values == 0.0) | ((values < 0.0) & ~negative_allowed)) & ~close_only
        reason = f"the {column} is empty, zero or impossible; cell withheld, close kept"
        quarantine.add(rows[bad], f"no_{column}", column, reason)
        rows[column] = np.where(bad, np.nan, values)
        withheld[f"no_{column}"] = bad
    volume = rows["volume"].to_numpy(np.float64)
    bad = (volume < 0.0) | np.isinf(volume)
    quarantine.add(rows[bad], "bad_volume", "volume", "the volume is negative or infinite; cell withheld")
    volume = np.where(bad, np.nan, volume)
    # A symbol that never shows volume (currencies) has none: its zeros are not days without trade.
    has_volume = pd.Series(volume > 0.0).groupby(rows["symbol"].to_numpy()).transform("any").to_numpy(np.bool_)
    rows["volume"] = np.where(has_volume, volume, np.nan)
    return rows, withheld


def withhold_glitches(
    rows: pd.DataFrame,
    jump_limit: FloatArray,
    reversal: float,
    quarantine: Quarantine,
) -> pd.DataFrame:
    """Without bars that leap away and back: a wrong unit or a misprint, not a market.

    The whole range of such a bar lies beyond ``jump_limit`` (log, per row) from the close before and from the range of
    the bar after, and the next close takes back at least ``reversal`` of the leap and at most twice of it. A squeeze
    that was traded through (NG=F, January 2022) starts near the close before and stays. A symbol's last bar, which no
    other follows yet, is withheld only where its unit shows: about 100 times the close before, or a hundredth of it,
    and no told split. After a bar that is withheld it is the leap back, and stays.
    """
    close = log_prices(rows["close"])
    low = log_prices(rows[["open", "high", "low", "close"]].min(axis=1))
    high = log_prices(rows[["open", "high", "low", "close"]].max(axis=1))
    same_before = rows["symbol"].eq(rows["symbol"].shift()).to_numpy(np.bool_)
    same_after = rows["symbol"].eq(rows["symbol"].shift(-1)).to_numpy(np.bool_)
    before, after = _shifted(close, 1), _shifted(close, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        leap = close - before
        taken_back = (close - after) / leap
        clear_before = same_before & (np.maximum(low - before, before - high) > jump_limit)
        clear_after = same_after & (np.maximum(low - _shifted(high, -1), _shifted(low, -1) - high) > jump_limit)
        glitch: BoolArray = clear_before & clear_after & (taken_back >= reversal) & (taken_back <= MAX_REVERSAL)
        last: BoolArray = clear_before & ~same_after & (np.abs(np.abs(leap) - np.log(_UNIT_FACTOR)) < _UNIT_SLACK)
    told_split = (rows["split"].notna() & (rows["split"] != 1.0)).to_numpy(np.bool_)
    after_withheld = np.append(False, glitch[:-1])[: len(glitch)]
    last &= ~told_split & ~after_withheld
    for bad, what in (
        (glitch, f"the bar leaps by more than its jump limit and the next close takes back {reversal:.0%} or more"),
        (last, "the last bar is about 100 times the close before, or a hundredth of it, and no other follows yet"),
    ):
        quarantine.add(rows[bad], "glitch", "close", f"{what}; row withheld")
    return rows[~(glitch | last)].reset_index(drop=True)


def log_prices(prices: "pd.Series[float]") -> FloatArray:
    """Natural logarithms; NaN where a price is not positive."""
    values = prices.to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0.0, np.log(np.where(values > 0.0, values, 1.0)), np.nan)


def _negative_allowed(rows: pd.DataFrame, instruments: Mapping[str, Instrument]) -> BoolArray:
    allowed = {symbol: item.asset_class in _MAY_BE_NEGATIVE for symbol, item in instruments.items()}
    return rows["symbol"].map(allowed).to_numpy(np.bool_)


def _distance_outside_range(rows: pd.DataFrame) -> FloatArray:
    """Log distance of the close from [low, high] (in either order); 0 where one of the three is not positive."""
    close, low, high = (log_prices(rows[name]) for name in ("close", "low", "high"))
    bottom, top = np.minimum(low, high), np.maximum(low, high)
    return np.nan_to_num(np.maximum(np.maximum(bottom - close, close - top), 0.0), nan=0.0)


def _shifted(values: FloatArray, steps: int) -> FloatArray:
    result = np.full(len(values), np.nan)
    if steps > 0:
        result[steps:] = values[:-steps]
    else:
        result[:steps] = values[-steps:]
    return result

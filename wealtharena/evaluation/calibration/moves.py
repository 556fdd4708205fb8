"""Daily bars of several assets, cut into the moves that stylised facts and fits are made of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import DateArray, FloatArray

MIN_SESSIONS = 500
# A longer gap is a suspension or a hole in the data; what lies between its ends is no overnight move.
_LONGEST_GAP_DAYS = 10
_NO_RETURN_FLAG = "unexplained_jump"
_ROUNDING = 1e-6
_PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Moves:
    """T sessions x A assets; NaN where an asset has no usable bar.

    Attributes:
        dates: (T,) ``datetime64[D]``, ascending: the sessions of any asset.
        symbols: A names, sorted; groups: the group (asset class, sector) of each.
        overnight: (T, A) log return from the last close to the open; NaN also where that is no return: at the first
            bar, after a gap of more than ten days, at a jump that nobody can explain.
        day: (T, A) log return from open to close.
        up, down: (T, A) logarithm of how far the high lies above open and close, and the low below them; at least 0.
        volume: (T, A) traded units; NaN for assets without volume and where none is told.
    """

    dates: DateArray
    symbols: tuple[str, ...]
    groups: tuple[str, ...]
    overnight: FloatArray
    day: FloatArray
    up: FloatArray
    down: FloatArray
    volume: FloatArray

    @cached_property
    def returns(self) -> FloatArray:
        """(T, A) log return from close to close."""
        total: FloatArray = self.overnight + self.day
        return total

    @cached_property
    def days_per_session(self) -> float:
        """Calendar days from one row to the next, on average."""
        span = (self.dates[-1] - self.dates[0]) / np.timedelta64(1, "D")
        return float(span) / max(len(self.dates) - 1, 1)

    def only(self, symbols: Collection[str]) -> "Moves":
        """These assets alone, on the sessions on which one of them has a bar."""
        columns = np.flatnonzero([symbol in symbols for symbol in self.symbols])
        rows = np.isfinite(self.day[:, columns]).any(axis=1)
        chosen = np.ix_(rows, columns)
        return Moves(
            self.dates[rows],
            tuple(self.symbols[column] for column in columns),
            tuple(self.groups[column] for column in columns),
            *(part[chosen] for part in (self.overnight, self.day, self.up, self.down, self.volume)),
        )


def moves_of(bars: pd.DataFrame, groups: Mapping[str, str]) -> Moves:
    """Moves of daily bars; symbols without ``MIN_SESSIONS`` usable bars are left out.

    Args:
        bars: ``symbol``, ``session_date``, four prices and ``volume``, one row per symbol and session; core bars or the
            simulator's. ``adj_factor`` (1 if missing) makes closes comparable; rows that are not ``tradable``, with a
            price that is missing or not positive are left out; ``flags`` with ``unexplained_jump`` mark a return that
            is none.
        groups: the group of each symbol.

    Raises:
        DataWindowError: no symbol has bars enough.
    """
    rows = bars.sort_values(["symbol", "session_date"], kind="stable").reset_index(drop=True)
    usable = (rows[_PRICES] > 0.0).all(axis=1)
    if "tradable" in rows:
        usable &= rows["tradable"]
    rows = rows[usable]
    counts = rows.groupby("symbol")["session_date"].transform("size")
    rows = rows[counts >= MIN_SESSIONS].reset_index(drop=True)
    if rows.empty:
        raise DataWindowError(f"a calibration needs a symbol with at least {MIN_SESSIONS} usable bars, got none")
    index = rows[["session_date", "symbol"]]
    wide = {
        name: index.assign(value=values).pivot_table("value", "session_date", "symbol", dropna=False)
        for name, values in _parts(rows).items()
    }
    symbols = tuple(str(symbol) for symbol in wide["day"].columns)
    return Moves(
        wide["day"].index.to_numpy().astype("datetime64[D]"),
        symbols,
        tuple(groups[symbol] for symbol in symbols),
        *(wide[name].to_numpy(np.float64) for name in ("overnight", "day", "up", "down", "volume")),
    )


def _parts(rows: pd.DataFrame) -> "dict[str, pd.Series[float]]":
    logs: pd.DataFrame = rows[_PRICES].apply(np.log)
    if "adj_factor" in rows:
        logs = logs.add(np.log(rows["adj_factor"]), axis=0)
    by_symbol = rows["symbol"]
    before = logs["close"].groupby(by_symbol).shift()
    gap = rows["session_date"].groupby(by_symbol).diff() > pd.Timedelta(days=_LONGEST_GAP_DAYS)
    flagged = rows["flags"].str.contains(_NO_RETURN_FLAG, regex=False) if "flags" in rows else False
    body_high, body_low = logs[["open", "close"]].max(axis=1), logs[["open", "close"]].min(axis=1)
    up, down = logs["high"] - body_high, body_low - logs["low"]
    return {
        "overnight": (logs["open"] - before).mask(gap | flagged),
        "day": logs["close"] - logs["open"],
        # A millionth is rounding; more is a range that cannot be right.
        "up": up.clip(lower=0.0).mask(up < -_ROUNDING),
        "down": down.clip(lower=0.0).mask(down < -_ROUNDING),
        "volume": rows["volume"].mask(rows["volume"] <= 0.0),
    }

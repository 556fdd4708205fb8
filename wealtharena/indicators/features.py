"""All features of one asset class, bar by bar, each row from what was known after its own close."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.indicators.catalogue import INDICATORS
from wealtharena.indicators.cross_section import CROSS_SECTIONS
from wealtharena.indicators.indicator import BAR_INPUTS, FEATURE_LIMIT, evaluate
from wealtharena.indicators.macro import compute_macro_features
from wealtharena.indicators.windows import VOLATILITY_WINDOW, log_return

KEY_COLUMNS = ("symbol", "session_date", "observed", "dollar_volume", "volatility")
DOLLAR_VOLUME_WINDOW = 21
MIN_VOLATILITY_RETURNS = 21


def compute_features(
    bars: pd.DataFrame,
    macro: pd.DataFrame | None,
    indicator_names: Sequence[str],
    *,
    sectors: Mapping[str, str] | None = None,
    include_macro: bool = True,
) -> pd.DataFrame:
    """Features of the symbols of one asset class.

    Args:
        bars: core bars of the class (see the column list of the core layer), one row per symbol and session.
        macro: core macro observations, or None.
        indicator_names: keys of ``INDICATORS`` and ``CROSS_SECTIONS``, in the order of the result's columns.
        sectors: sector per symbol; a symbol that is not named has none.
        include_macro: appends ``macro_<series>``, the same for all symbols on a date.

    Returns:
        One row per bar, sorted by symbol and session: ``symbol``, ``session_date``, ``observed`` (the close exists, is
        above 0, and every indicator has its lookback), ``dollar_volume`` (mean traded value of the last 21 bars; NaN
        without volume), ``volatility`` (standard deviation of the last 63 daily log returns, per day; NaN before there
        are 21) as float64, then the features as float32: finite, 0 where not observed.

    Raises:
        SettingsError: a name is in neither table.
    """
    base_names = _base_indicators(indicator_names)
    bars = bars.sort_values(["symbol", "session_date"], kind="stable").reset_index(drop=True)
    columns = _per_symbol(bars, base_names)
    columns |= _across_symbols(bars, columns, indicator_names, sectors or {})
    matrix = (
        np.column_stack([columns[name] for name in indicator_names]) if indicator_names else np.zeros((len(bars), 0))
    )
    observed = columns["has_close"].astype(np.bool_) & np.isfinite(matrix).all(axis=1)
    values = np.where(observed[:, None], matrix, 0.0).astype(np.float32)
    features = pd.DataFrame(values, columns=list(indicator_names))
    if include_macro and macro is not None and len(macro):
        features = pd.concat([features, _macro_rows(macro, bars["session_date"], observed)], axis=1)
    keys = pd.DataFrame(
        {
            "symbol": bars["symbol"],
            "session_date": bars["session_date"],
            "observed": observed,
            "dollar_volume": columns["dollar_volume"],
            "volatility": columns["volatility"],
        }
    )
    return pd.concat([keys, features], axis=1)


def _base_indicators(names: Sequence[str]) -> list[str]:
    bases = [CROSS_SECTIONS[name].base if name in CROSS_SECTIONS else name for name in names]
    for name in bases:
        if name not in INDICATORS:
            raise SettingsError(unknown_name("indicator", name, [*INDICATORS, *CROSS_SECTIONS]))
    return sorted(set(bases))


def _per_symbol(bars: pd.DataFrame, names: Sequence[str]) -> dict[str, FloatArray]:
    factor = bars["adj_factor"].to_numpy(np.float64)
    raw = {name: bars[name].to_numpy(np.float64) for name in ("open", "high", "low", "close", "volume")}
    inputs = {name: raw[name] * factor for name in ("open", "high", "low", "close")}
    inputs["traded_value"] = raw["close"] * raw["volume"]
    outputs = {name: np.full(len(bars), np.nan) for name in (*names, "has_close", "dollar_volume", "volatility")}
    symbols = bars["symbol"].to_numpy(object)
    borders = np.flatnonzero(symbols[1:] != symbols[:-1]) + 1
    for first, last in pairwise([0, *borders, len(bars)]):
        own = _in_units_of_first_close({name: inputs[name][first:last] for name in BAR_INPUTS})
        for name in names:
            outputs[name][first:last] = evaluate(INDICATORS[name], own)
        outputs["has_close"][first:last] = own["close"] > 0.0
        outputs["dollar_volume"][first:last] = _dollar_volume(own["traded_value"])
        outputs["volatility"][first:last] = _volatility(own["close"])
    return outputs


def _in_units_of_first_close(bars: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    # The unit changes with every later split and dividend, and TA-Lib knows absolute tolerances.
    close = np.where(np.isfinite(bars["close"]), bars["close"], np.nan)
    first = close[close > 0.0][:1]
    unit = first[0] if len(first) else 1.0
    scaled = {name: bars[name] / unit for name in ("open", "high", "low")}
    return {**scaled, "close": close / unit, "traded_value": bars["traded_value"]}


def _dollar_volume(traded_value: FloatArray) -> FloatArray:
    usable = np.where(np.isfinite(traded_value) & (traded_value >= 0.0), traded_value, np.nan)
    return pd.Series(usable).rolling(DOLLAR_VOLUME_WINDOW, min_periods=1).mean().to_numpy(np.float64)


def _volatility(close: FloatArray) -> FloatArray:
    usable = close > 0.0
    result = np.full(len(close), np.nan)
    if usable.sum() > 1:
        returns = pd.Series(log_return(close[usable], 1))
        rolling = returns.rolling(VOLATILITY_WINDOW, min_periods=MIN_VOLATILITY_RETURNS)
        result[usable] = rolling.std().to_numpy(np.float64)
    return pd.Series(result).ffill().to_numpy(np.float64)


def _across_symbols(
    bars: pd.DataFrame, columns: Mapping[str, FloatArray], names: Sequence[str], sectors: Mapping[str, str]
) -> dict[str, FloatArray]:
    rows, dates = pd.factorize(bars["session_date"], sort=True)
    places, symbols = pd.factorize(bars["symbol"], sort=True)
    sector_of = [sectors.get(symbol, "") for symbol in symbols]
    there = np.where(columns["has_close"] > 0.0, 0.0, np.nan)
    result = {}
    for name in names:
        if name in CROSS_SECTIONS:
            section = CROSS_SECTIONS[name]
            grid = np.full((len(dates), len(symbols)), np.nan)
            grid[rows, places] = columns[section.base] + there
            compared = section.function(grid, sector_of)[rows, places]
            result[name] = np.clip(compared, -FEATURE_LIMIT, FEATURE_LIMIT)
    return result


def _macro_rows(macro: pd.DataFrame, session_date: "pd.Series[pd.Timestamp]", observed: BoolArray) -> pd.DataFrame:
    rows, dates = pd.factorize(session_date, sort=True)
    features = compute_macro_features(macro, pd.DatetimeIndex(dates))
    values = np.where(observed[:, None], features.to_numpy(np.float32)[rows], np.float32(0.0))
    return pd.DataFrame(values.astype(np.float32), columns=features.columns)

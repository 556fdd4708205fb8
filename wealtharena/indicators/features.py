"""All features of one asset class, bar by bar, each row from what was known after its own close."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray
from wealtharena.core.rates import CurrencyRates
from wealtharena.indicators.calendar import CALENDAR, calendar_feature
from wealtharena.indicators.carry import carry_rates
from wealtharena.indicators.catalogue import INDICATORS
from wealtharena.indicators.cross_section import CROSS_SECTIONS
from wealtharena.indicators.indicator import FEATURE_LIMIT, bounded, evaluate_unbounded, usable_bars
from wealtharena.indicators.intermediates import shared_intermediates
from wealtharena.indicators.macro import compute_macro_features
from wealtharena.indicators.windows import VOLATILITY_WINDOW, daily_returns, moving_sum, return_deviation

KEY_COLUMNS = ("symbol", "session_date", "observed", "dollar_volume", "volatility")
DOLLAR_VOLUME_WINDOW = 21
MIN_VOLATILITY_RETURNS = 21

_BAR_COLUMNS = ("open", "high", "low", "close", "volume", "adj_factor")

IntArray = NDArray[np.intp]


def compute_features(
    bars: pd.DataFrame,
    macro: pd.DataFrame | None,
    indicator_names: Sequence[str],
    *,
    sectors: Mapping[str, str] | None = None,
    include_macro: bool = True,
    rates: CurrencyRates | None = None,
) -> pd.DataFrame:
    """Features of the symbols of one asset class.

    Args:
        bars: core bars of the class (see the column list of the core layer), one row per symbol and session.
        macro: core macro observations, or None.
        indicator_names: keys of ``INDICATORS``, ``CROSS_SECTIONS`` and ``CALENDAR``, in the order of the result's
            columns.
        sectors: sector per symbol; a symbol that is not named has none.
        include_macro: appends ``macro_<series>``, the same for all symbols on a date.
        rates: whose rate each macro series is, for the carry of currency pairs; it is 0 where a rate is not known.

    Returns:
        One row per bar, sorted by symbol and session: ``symbol``, ``session_date``, ``observed`` (the close exists, is
        above 0, and every indicator has its lookback), ``dollar_volume`` (mean traded value of the last 21 bars; NaN
        without volume), ``volatility`` (standard deviation of the last 63 daily log returns, per day; NaN before there
        are 21) as float64, then the features as float32: finite, 0 where not observed.

    Raises:
        SettingsError: a name is in none of the tables, or there twice.
    """
    base_names = _base_indicators(indicator_names)
    bars, borders, symbols = _by_symbol(bars)
    result = _Columns.empty(len(bars), indicator_names)
    inputs = {name: bars[name].to_numpy(np.float64) for name in _BAR_COLUMNS}
    symbol_of_row = np.repeat(np.arange(len(symbols)), np.diff(borders)[: len(symbols)])
    if uses_carry(indicator_names):
        inputs["carry"] = _carry(bars["session_date"], symbol_of_row, symbols, macro, rates or CurrencyRates())
    for first, last in pairwise(borders.tolist()):
        _fill_symbol(result, slice(first, last), base_names, inputs)
    if result.bases:
        sector_of = [(sectors or {}).get(symbol, "") for symbol in symbols]
        _fill_cross_sections(result, bars["session_date"], symbol_of_row, sector_of)
    _fill_calendar(result, bars["session_date"])
    unobserved = np.flatnonzero(~result.observed)
    for values in result.features:
        values[unobserved] = 0.0
    tables = [_key_columns(bars, result), pd.DataFrame(result.features.T, columns=list(indicator_names), copy=False)]
    if include_macro and macro is not None and len(macro):
        left_out = rates.carry_only if rates else ()
        tables.append(_macro_rows(macro, bars["session_date"], result.observed, left_out))
    return pd.concat(tables, axis=1)


def uses_carry(indicator_names: Sequence[str]) -> bool:
    """Whether any of these features is made of interest rates.

    Raises:
        SettingsError: a name is in none of the tables, or there twice.
    """
    return any("carry" in INDICATORS[name].inputs for name in _base_indicators(indicator_names))


@dataclass(frozen=True, slots=True)
class _Columns:
    """The result, one value per row of the bars, filled symbol by symbol.

    Attributes:
        place: index in ``features`` per name.
        features: (F, n) float32, the features in their order; 0 where not observed.
        bases: (n,) float64 per indicator that a cross-section compares; NaN where the close is not above 0.
        observed: (n,) the close is above 0 and every feature has a value.
        dollar_volume: (n,).
        volatility: (n,).
    """

    place: dict[str, int]
    features: Float32Array
    bases: dict[str, FloatArray]
    observed: BoolArray
    dollar_volume: FloatArray
    volatility: FloatArray

    @classmethod
    def empty(cls, rows: int, names: Sequence[str]) -> "_Columns":
        return cls(
            place={name: index for index, name in enumerate(names)},
            features=np.empty((len(names), rows), np.float32),
            bases={CROSS_SECTIONS[name].base: np.empty(rows) for name in names if name in CROSS_SECTIONS},
            observed=np.empty(rows, np.bool_),
            dollar_volume=np.empty(rows),
            volatility=np.empty(rows),
        )


def _base_indicators(names: Sequence[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise SettingsError(f"indicators: each may be named once, got {', '.join(names)}")
    bases = [CROSS_SECTIONS[name].base if name in CROSS_SECTIONS else name for name in names if name not in CALENDAR]
    for name in bases:
        if name not in INDICATORS:
            raise SettingsError(unknown_name("indicator", name, [*INDICATORS, *CROSS_SECTIONS, *CALENDAR]))
    return sorted(set(bases))


def _by_symbol(bars: pd.DataFrame) -> tuple[pd.DataFrame, IntArray, list[str]]:
    """The bars by symbol and session, the row at which each symbol begins and the number of rows, and the symbols."""
    borders, symbols = _symbol_runs(bars)
    dates = bars["session_date"].to_numpy()
    falls = np.flatnonzero(dates[1:] < dates[:-1]) + 1
    # Core tables are read in this order; a sort copies millions of rows.
    if not (all(left < right for left, right in pairwise(symbols)) and np.isin(falls, borders).all()):
        bars = bars.sort_values(["symbol", "session_date"], kind="stable")
        borders, symbols = _symbol_runs(bars)
    return bars.reset_index(drop=True), borders, symbols


def _symbol_runs(bars: pd.DataFrame) -> tuple[IntArray, list[str]]:
    names = bars["symbol"].array
    changes = np.asarray(names[1:] != names[:-1], np.bool_)
    borders = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(bars)]])
    return borders, list(bars["symbol"].iloc[borders[:-1]]) if len(bars) else []


def _fill_symbol(result: _Columns, rows: slice, names: Sequence[str], columns: Mapping[str, FloatArray]) -> None:
    bars = _in_units_of_first_close({name: values[rows] for name, values in columns.items()})
    total = np.zeros(rows.stop - rows.start)
    with shared_intermediates():
        has_close = usable_bars(("close",), bars)
        for name in names:
            values, missing = evaluate_unbounded(INDICATORS[name], bars)
            if name in result.place:
                _write_bounded(values, missing, result.features[result.place[name], rows], total)
            if name in result.bases:
                result.bases[name][rows] = np.where(has_close, bounded(values, missing), np.nan)
        result.dollar_volume[rows] = _dollar_volume(bars["traded_value"])
        result.volatility[rows] = _volatility(bars["close"], has_close)
    result.observed[rows] = has_close & np.isfinite(total)


@njit(cache=True)
def _write_bounded(values: FloatArray, missing: int, feature: Float32Array, total: FloatArray) -> None:
    """``bounded`` and its conversion in one go; ``total`` becomes NaN where a value is missing."""
    feature[:missing], total[:missing] = np.nan, np.nan
    written, summed, given = feature[missing:], total[missing:], values[missing:]
    for place in range(len(given)):
        value = given[place]
        value = -FEATURE_LIMIT if value < -FEATURE_LIMIT else FEATURE_LIMIT if value > FEATURE_LIMIT else value
        written[place] = value
        summed[place] += value


def _in_units_of_first_close(bars: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    # The unit changes with every later split and dividend, and TA-Lib knows absolute tolerances.
    unit = _first_price(bars["close"] * bars["adj_factor"])
    scaled = {name: _scaled(bars[name], bars["adj_factor"], unit) for name in ("open", "high", "low", "close")}
    others = {"carry": bars["carry"]} if "carry" in bars else {}
    return {**scaled, **others, "traded_value": bars["close"] * bars["volume"]}


def _first_price(prices: FloatArray) -> float:
    usable = (prices > 0.0) & (prices < np.inf)
    return float(prices[usable.argmax()]) if usable.any() else 1.0


@njit(cache=True)
def _scaled(prices: FloatArray, factor: FloatArray, unit: float) -> FloatArray:
    result = np.empty(len(prices))
    for place in range(len(prices)):
        result[place] = prices[place] * factor[place] / unit
    return result


def _dollar_volume(traded_value: FloatArray) -> FloatArray:
    usable = np.isfinite(traded_value) & (traded_value >= 0.0)
    if usable.all():
        mean = _sum_of_last(traded_value, DOLLAR_VOLUME_WINDOW)
        mean /= np.minimum(np.arange(1.0, len(mean) + 1.0), DOLLAR_VOLUME_WINDOW)
        return mean
    total = _sum_of_last(np.where(usable, traded_value, 0.0), DOLLAR_VOLUME_WINDOW)
    known = _sum_of_last(usable.astype(np.float64), DOLLAR_VOLUME_WINDOW)
    return np.where(known > 0.0, total / np.maximum(known, 1.0), np.nan)


def _volatility(close: FloatArray, usable: BoolArray) -> FloatArray:
    prices = close if usable.all() else close[usable]
    deviation = np.full(len(prices), np.nan)
    deviation[1:] = return_deviation(prices, VOLATILITY_WINDOW)
    deviation[1:VOLATILITY_WINDOW] = _deviation_so_far(daily_returns(prices)[: VOLATILITY_WINDOW - 1])
    if len(prices) == len(close):
        return deviation
    result = np.full(len(close), np.nan)
    result[usable] = deviation
    return pd.Series(result).ffill().to_numpy(np.float64)


def _deviation_so_far(returns: FloatArray) -> FloatArray:
    count = np.arange(1.0, len(returns) + 1.0)
    squares = np.cumsum(returns * returns) - np.cumsum(returns) ** 2 / count
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 1.0, 1.0))
    return np.where(count >= MIN_VOLATILITY_RETURNS, deviation, np.nan)


def _sum_of_last(values: FloatArray, window: int) -> FloatArray:
    """Sum of the last ``window`` values, at the start of as many as there are."""
    total: FloatArray = moving_sum(values, window)
    total[: window - 1] = np.cumsum(values[: window - 1])
    return total


def _carry(
    session_date: "pd.Series[pd.Timestamp]",
    symbol_of_row: IntArray,
    symbols: Sequence[str],
    macro: pd.DataFrame | None,
    rates: CurrencyRates,
) -> FloatArray:
    rows, dates = pd.factorize(session_date, sort=True)
    grid = carry_rates(pd.DatetimeIndex(dates).to_numpy("datetime64[D]"), symbols, macro, rates)
    return np.nan_to_num(grid[rows, symbol_of_row], nan=0.0)


def _fill_cross_sections(
    result: _Columns, session_date: "pd.Series[pd.Timestamp]", symbol_of_row: IntArray, sector_of: Sequence[str]
) -> None:
    rows, dates = pd.factorize(session_date, sort=True)
    for name, index in result.place.items():
        if name in CROSS_SECTIONS:
            section = CROSS_SECTIONS[name]
            grid = np.full((len(dates), len(sector_of)), np.nan)
            grid[rows, symbol_of_row] = result.bases[section.base]
            compared = section.function(grid, sector_of)[rows, symbol_of_row]
            result.features[index] = np.clip(compared, -FEATURE_LIMIT, FEATURE_LIMIT)
            result.observed[:] &= np.isfinite(compared)


def _fill_calendar(result: _Columns, session_date: "pd.Series[pd.Timestamp]") -> None:
    names = [name for name in result.place if name in CALENDAR]
    if names:
        rows, dates = pd.factorize(session_date, sort=True)
        for name in names:
            result.features[result.place[name]] = calendar_feature(name, pd.DatetimeIndex(dates))[rows]


def _key_columns(bars: pd.DataFrame, result: _Columns) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": bars["symbol"],
            "session_date": bars["session_date"],
            "observed": result.observed,
            "dollar_volume": result.dollar_volume,
            "volatility": result.volatility,
        },
        copy=False,
    )


def _macro_rows(
    macro: pd.DataFrame, session_date: "pd.Series[pd.Timestamp]", observed: BoolArray, left_out: Collection[str]
) -> pd.DataFrame:
    rows, dates = pd.factorize(session_date, sort=True)
    features = compute_macro_features(macro, pd.DatetimeIndex(dates), left_out)
    values = np.where(observed[:, None], features.to_numpy(np.float32)[rows], np.float32(0.0))
    return pd.DataFrame(values.astype(np.float32), columns=features.columns)

"""Random core-layer tables with the dirt of real data: gaps, late listings, missing highs, non-positive closes."""

import numpy as np
import pandas as pd

from wealtharena.core.rates import CurrencyRates

SECTORS = {"AAA": "energy", "BBB": "energy", "CCC": "health", "DDD": "", "EEE": "health"}
PAIRS = {"AAA": "EURUSD=X", "BBB": "AUDUSD=X", "CCC": "USDJPY=X", "DDD": "AUDNZD=X", "EEE": "CUR02.SIM"}
"""The same symbols under names that carry is known of; nothing is published of the New Zealand dollar."""
RATES = CurrencyRates(
    {"USD": "FEDFUNDS", "EUR": "ECBDFR", "AUD": "IR3AU", "JPY": "IR3JP"}, frozenset({"ECBDFR", "IR3AU", "IR3JP"})
)
GAPS = {"AAA": (330, 331), "BBB": (345,), "EEE": (350, 351, 352)}


def synthetic_bars(seed: int, sessions: int = 380) -> pd.DataFrame:
    """Five symbols; ``DDD`` lists late, some bars are missing, one lacks high and low, one has a negative close."""
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2015-01-05", periods=sessions).as_unit("us")
    frames = []
    for symbol in SECTORS:
        frame = _one_symbol(rng, symbol, dates)
        frame = frame.drop(index=[day for day in GAPS.get(symbol, ()) if day < sessions])
        frames.append(frame.iloc[60:] if symbol == "DDD" else frame)
    bars = pd.concat(frames, ignore_index=True)
    # Row 340 of AAA, which has lost two rows before it, and row 355 of CCC.
    bars.loc[(bars["symbol"] == "AAA") & (bars["session_date"] == dates[340]), ["open", "high", "low"]] = np.nan
    bars.loc[(bars["symbol"] == "CCC") & (bars["session_date"] == dates[355]), "close"] = -1.0
    return bars


def paired_bars(seed: int, sessions: int = 380) -> pd.DataFrame:
    """The same bars under the names of ``PAIRS``."""
    bars = synthetic_bars(seed, sessions)
    return bars.assign(symbol=bars["symbol"].map(PAIRS).astype(bars["symbol"].dtype))


def synthetic_macro(seed: int, periods: int = 500) -> pd.DataFrame:
    """A daily series known the day after, and a monthly one that is released late and revised two months later."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2014-06-02", periods=periods).as_unit("us")
    daily = _series("DGS10", days, 2.0 + np.cumsum(rng.normal(0, 0.05, periods)), days + pd.Timedelta(days=1))
    months = pd.date_range("2012-01-01", periods=54, freq="MS").as_unit("us")
    first = 5.0 + np.cumsum(rng.normal(0, 0.1, len(months)))
    released = _series("UNRATE", months, first, months + pd.Timedelta(days=36))
    revised = _series("UNRATE", months, first + rng.normal(0, 0.1, len(months)), months + pd.Timedelta(days=97))
    return pd.concat([daily, released, revised], ignore_index=True)


def synthetic_rates(seed: int) -> pd.DataFrame:
    """Interest rates in per cent: daily ones, a weekly one, and monthly ones that are out late, one of them revised."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2014-06-02", periods=560).as_unit("us")
    weeks = pd.date_range("2014-06-06", periods=112, freq="W-FRI").as_unit("us")
    months = pd.date_range("2013-01-01", periods=43, freq="MS").as_unit("us")
    published = [("ECBDFR", days, 1), ("IR3JP", days, 1), ("SIM_CARRY", weeks, 3), ("FEDFUNDS", months, 36)]
    tables = []
    for name, dates, lag_days in published:
        value = 2.0 + np.cumsum(rng.normal(0, 0.1, len(dates)))
        tables.append(_series(name, dates, value, dates + pd.Timedelta(days=lag_days)))
    level = 3.0 + np.cumsum(rng.normal(0, 0.2, len(months)))
    first = _series("IR3AU", months, level, months + pd.Timedelta(days=75))
    revised = _series("IR3AU", months, level + 0.1, months + pd.Timedelta(days=120))
    return pd.concat([*tables, first, revised], ignore_index=True)


def synthetic_inputs(seed: int, bars: int = 400) -> dict[str, np.ndarray]:
    """The inputs of an indicator for one symbol, all finite."""
    frame = _one_symbol(np.random.default_rng(seed), "X", pd.bdate_range("2015-01-05", periods=bars).as_unit("us"))
    inputs = {name: frame[name].to_numpy(np.float64, copy=True) for name in ("open", "high", "low", "close")}
    carry = np.random.default_rng(seed + 1_000).normal(0.01, 0.02, bars)
    return {**inputs, "traded_value": inputs["close"] * frame["volume"].to_numpy(np.float64), "carry": carry}


def coverage(delisted: dict[str, str] | None = None) -> pd.DataFrame:
    """Coverage table in which the named symbols have ended."""
    last = [pd.Timestamp((delisted or {}).get(symbol, "NaT")) for symbol in SECTORS]
    return pd.DataFrame({"symbol": list(SECTORS), "delisted_on": pd.Series(last, dtype="datetime64[us]")})


def _one_symbol(rng: np.random.Generator, symbol: str, dates: pd.DatetimeIndex) -> pd.DataFrame:
    count = len(dates)
    volatility = 0.012 * np.exp(np.cumsum(rng.normal(0, 0.03, count)))
    close = 50.0 * np.exp(np.cumsum(rng.normal(0, 1, count) * volatility))
    opened = close * np.exp(rng.normal(0, 0.5, count) * volatility)
    reach = np.abs(rng.normal(0, 0.5, (2, count))) * volatility
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session_date": dates,
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(reach[0]),
            "low": np.minimum(opened, close) * np.exp(-reach[1]),
            "close": close,
            "volume": np.round(np.exp(13 + 0.4 * rng.normal(0, 1, count))),
            "adj_factor": np.where(np.arange(count) < count // 2, 0.5, 1.0),
            "tradable": True,
            "flags": "",
        }
    )


def _series(name: str, reference: pd.DatetimeIndex, value: np.ndarray, available: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"series": name, "reference_date": reference, "value": value, "available_date": available})

"""Plain OHLCV frames as a market panel, for predictions outside the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import CurationError
from wealtharena.core.panel import MarketPanel
from wealtharena.indicators import compute_features
from wealtharena.markets import MARKETS, assemble_panel
from wealtharena.settings import Settings

OhlcvData = pd.DataFrame | Mapping[str, pd.DataFrame]

_PRICES = ("open", "high", "low", "close")
_DATE_NAMES = ("session_date", "date", "datetime", "timestamp")


@dataclass(frozen=True)
class Context:
    """What the agent's market looked like in training besides prices.

    Attributes:
        macro: core macro observations (``series``, ``reference_date``, ``value``, ``available_date``), needed by models
            that observe ``macro_…`` features.
        sectors: sector per symbol.
    """

    macro: pd.DataFrame | None = None
    sectors: Mapping[str, str] | None = None


def panel_from_frames(asset_class: AssetClass, data: OhlcvData, context: Context) -> MarketPanel:
    """The panel of daily bars, with the features of the asset class.

    Args:
        asset_class: whose indicators and costs apply.
        data: a long frame with a column ``symbol``, or one frame per symbol. Columns, in any case: a date (or a date
            index), ``open``, ``high``, ``low``, ``close``, ``volume`` (may be missing), and optionally ``adj_factor``
            or ``adj_close``; without them prices count as adjusted. Dates with a time zone are taken as local dates.
        context: macro series and sectors.

    Raises:
        CurationError: a column is missing, holds something else than numbers, or a symbol has two bars for one day.
    """
    bars = _bars(data)
    features = compute_features(bars, context.macro, MARKETS[asset_class].indicators, sectors=context.sectors)
    coverage = pd.DataFrame({"symbol": bars["symbol"].unique(), "delisted_on": pd.NaT})
    return assemble_panel(asset_class, features, bars, coverage, Settings())


def _bars(data: OhlcvData) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        long = _with_date_column(data, "data")
        if "symbol" not in long.columns:
            raise CurationError(f"data must have a column 'symbol', got {', '.join(map(str, data.columns))}")
    else:
        frames = [_with_date_column(frame, name).assign(symbol=name) for name, frame in sorted(data.items())]
        if not frames:
            raise CurationError("data must hold at least one symbol, got none")
        long = pd.concat(frames, ignore_index=True)
    missing = [name for name in _PRICES if name not in long.columns]
    if missing:
        raise CurationError(f"data must have the columns {', '.join(_PRICES)}, missing {', '.join(missing)}")
    bars = pd.DataFrame({"symbol": long["symbol"].astype(str), "session_date": _dates(long["session_date"])})
    for name in (*_PRICES, "volume"):
        bars[name] = _numbers(long, name) if name in long.columns else np.nan
    bars["adj_factor"] = _adjustment(long, bars["close"])
    bars["tradable"] = bars["open"] > 0.0
    bars["flags"] = ""
    bars = bars.sort_values(["symbol", "session_date"], kind="stable", ignore_index=True)
    twice = bars[bars.duplicated(["symbol", "session_date"])]
    if len(twice):
        row = twice.iloc[0]
        raise CurationError(f"{row['symbol']}: must have one bar per day, got two on {row['session_date']:%Y-%m-%d}")
    return bars


def _with_date_column(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    lower = frame.rename(columns={column: str(column).strip().lower().replace(" ", "_") for column in frame.columns})
    known = [column for column in _DATE_NAMES if column in lower.columns]
    if known:
        return lower.rename(columns={known[0]: "session_date"})
    if isinstance(lower.index, pd.DatetimeIndex):
        return lower.assign(session_date=lower.index).reset_index(drop=True)
    raise CurationError(f"{name}: must have a date index or one of the columns {', '.join(_DATE_NAMES)}")


def _dates(values: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    try:
        dates = pd.to_datetime(values)
    except (ValueError, TypeError) as error:
        raise CurationError(f"session_date must hold dates: {error}") from None
    if dates.isna().any():
        raise CurationError(f"session_date must hold dates, got {int(dates.isna().sum())} empty ones")
    return dates.dt.tz_localize(None).dt.normalize().astype("datetime64[us]")


def _numbers(long: pd.DataFrame, name: str) -> "pd.Series[float]":
    try:
        return pd.to_numeric(long[name]).astype(np.float64)
    except (ValueError, TypeError) as error:
        raise CurationError(f"{name} must hold numbers: {error}") from None


def _adjustment(long: pd.DataFrame, close: "pd.Series[float]") -> "pd.Series[float]":
    if "adj_factor" in long.columns:
        return _numbers(long, "adj_factor")
    if "adj_close" in long.columns:
        return _numbers(long, "adj_close") / close
    return pd.Series(1.0, index=long.index)

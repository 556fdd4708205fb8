"""Plain OHLCV frames, as a user has them at hand, as a market panel: what is given counts as clean."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import CurationError
from wealtharena.core.panel import MarketPanel
from wealtharena.indicators import CROSS_SECTIONS, INDICATORS, compute_features
from wealtharena.markets.catalogue import MARKETS
from wealtharena.markets.panel import assemble_panel
from wealtharena.settings import Settings
from wealtharena.vendors import currency_rates

MarketData = MarketPanel | pd.DataFrame | Mapping[str, pd.DataFrame]

_PRICES = ("open", "high", "low", "close")
_DATE_NAMES = ("session_date", "date", "datetime", "timestamp")
_ONLY_SYMBOL = "ASSET"
_LOOKBACK_SHARE = 1 / 3

logger = logging.getLogger(__name__)


def panel_from_frames(
    asset_class: AssetClass,
    data: MarketData,
    settings: Settings,
    indicators: Sequence[str] | None = None,
    *,
    macro: pd.DataFrame | None = None,
    sectors: Mapping[str, str] | None = None,
) -> MarketPanel:
    """The panel of daily bars with features of the asset class.

    Args:
        asset_class: whose indicators and costs apply.
        data: a panel, which is returned as it is; a long frame with a column ``symbol``; a frame of one symbol (named
            ``ASSET``); or one frame per symbol. Columns, in any case: a date (or a date index), ``open``, ``high``,
            ``low``, ``close``, and optionally ``volume`` and ``adj_factor`` or ``adj_close``; without these two,
            prices count as adjusted. Dates with a time zone are taken as local dates.
        settings: for costs.
        indicators: names of the features; by default those of the class whose lookback fits into a third of the data.
        macro: core macro observations, if they are features too; cash then earns interest.
        sectors: sector per symbol.

    Raises:
        CurationError: a column is missing, holds something else than numbers, or a symbol has two bars for one day.
        SettingsError: there is no indicator of that name.
    """
    if isinstance(data, MarketPanel):
        return data
    bars = bars_from_frames(data)
    names = usable_indicators(bars, asset_class) if indicators is None else tuple(indicators)
    rates = None if macro is None else currency_rates(settings)
    features = compute_features(bars, macro, names, sectors=sectors, rates=rates)
    coverage = pd.DataFrame({"symbol": bars["symbol"].unique(), "delisted_on": pd.NaT})
    return assemble_panel(asset_class, features, bars, coverage, settings, macro=macro, rates=rates)


def usable_indicators(bars: pd.DataFrame, asset_class: AssetClass) -> tuple[str, ...]:
    """Indicators of a class whose lookback leaves two thirds of the sessions to trade."""
    limit = bars["session_date"].nunique() * _LOOKBACK_SHARE
    wanted = MARKETS[asset_class].indicators
    usable = tuple(name for name in wanted if _lookback_bars(name) <= limit)
    if len(usable) < len(wanted):
        short = ", ".join(name for name in wanted if name not in usable)
        logger.warning("%s: too few sessions for %s; they are left out", asset_class, short)
    return usable


def bars_from_frames(data: pd.DataFrame | Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Core bars sorted by symbol and session; see ``panel_from_frames``."""
    long = _long_frame(data)
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


def _long_frame(data: pd.DataFrame | Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        long = _with_date_column(data, "data")
        return long if "symbol" in long.columns else long.assign(symbol=_ONLY_SYMBOL)
    frames = [_with_date_column(frame, name).assign(symbol=name) for name, frame in sorted(data.items())]
    if not frames:
        raise CurationError("data must hold at least one symbol, got none")
    return pd.concat(frames, ignore_index=True)


def _lookback_bars(name: str) -> int:
    base = CROSS_SECTIONS[name].base if name in CROSS_SECTIONS else name
    return INDICATORS[base].lookback_bars


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

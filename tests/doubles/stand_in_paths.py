"""Makes the bars of the stand-in's world from a seed. A longer path begins with the shorter one, bit for bit."""

import zlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.signal import lfilter

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument


@dataclass(frozen=True)
class Path:
    """Daily bars of one instrument as they were traded; every array has one entry per session.

    Attributes:
        days: session dates (datetime64[D]), ascending.
        open, high, low, close: prices in the instrument's currency (float64).
        volume: shares or contracts; dollars for coins; 0 for currencies.
        dividend: cash per share that goes ex on the session, on the session's own share count.
        split: new shares per old from the session on, 1 where there is none.
    """

    days: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    dividend: np.ndarray
    split: np.ndarray


@dataclass(frozen=True)
class _Character:
    volatility: float
    prices: tuple[float, float]
    volume: float
    splits_per_session: float = 0.0
    pays: float = 0.0


_CHARACTERS = {
    AssetClass.STOCKS: _Character(0.014, (12.0, 240.0), 4e6, 1 / 3000, 0.7),
    AssetClass.ETFS: _Character(0.009, (30.0, 300.0), 6e6, 1 / 6000, 1.0),
    AssetClass.REITS: _Character(0.011, (15.0, 120.0), 2e6, 1 / 6000, 1.0),
    AssetClass.CRYPTO: _Character(0.026, (0.5, 20_000.0), 8e8),
    AssetClass.CURRENCIES: _Character(0.0045, (0.6, 1.6), 0.0),
    AssetClass.COMMODITIES: _Character(0.013, (3.0, 1_800.0), 1e5),
}
_LEVELS = {
    "BTC-USD": 42_000.0, "ETH-USD": 2_600.0, "SOL-USD": 90.0, "BNB-USD": 350.0, "XRP-USD": 0.7, "DOGE-USD": 0.15,
    "EURUSD=X": 1.1, "GBPUSD=X": 1.28, "AUDUSD=X": 0.7, "NZDUSD=X": 0.64, "JPY=X": 130.0, "USDJPY=X": 130.0,
    "EURJPY=X": 145.0, "GC=F": 1_900.0, "SI=F": 24.0, "CL=F": 72.0, "BZ=F": 77.0, "NG=F": 3.2, "HG=F": 3.9,
}  # fmt: skip
"""First prices of some well-known symbols, so that a person who watches is not puzzled; others are drawn."""
_RATIOS = (2.0, 3.0, 4.0, 1.5)
_SESSIONS_BETWEEN_DIVIDENDS = 63
_MEMORY = 0.9985


def price_decimals(instrument: Instrument, around: float) -> int:
    """Digits after the point with which an instrument of this price level is quoted."""
    if instrument.asset_class is AssetClass.CURRENCIES:
        return 3 if around > 20.0 else 5
    if instrument.asset_class is AssetClass.CRYPTO:
        return 2 if around > 200.0 else 6
    return 2 if around > 10.0 else 4


def make_path(
    instrument: Instrument, name: str, seed: int, start: date, end: date, added_splits: dict[date, float]
) -> Path:
    """Bars of one instrument from ``start`` to ``end``.

    Args:
        name: what the path is drawn from together with ``seed``; a renamed instrument keeps its old one.
        added_splits: further splits, ratio by first session on the new share count.
    """
    character = _CHARACTERS[instrument.asset_class]
    days = exchange_sessions(instrument.exchange, start, end).to_numpy().astype("datetime64[D]")
    root = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    start_rng, price_rng, event_rng = (np.random.default_rng(child) for child in root.spawn(3))
    level = _LEVELS.get(name, float(np.exp(start_rng.uniform(*np.log(character.prices)))))
    pays, first_dividend = start_rng.random() < character.pays, int(start_rng.integers(_SESSIONS_BETWEEN_DIVIDENDS))
    shocks = price_rng.standard_normal((len(days), 5))
    split = _splits(days, event_rng, level, shocks, character, added_splits)
    values = _values(instrument, level, shocks, character.volatility)
    shares = np.cumprod(split)
    decimals = price_decimals(instrument, level)
    open_, high, low, close = (np.maximum(np.round(part / shares, decimals), 10.0**-decimals) for part in values)
    if instrument.asset_class is AssetClass.CRYPTO:  # trading never stops: a day opens at the last close
        open_[1:] = close[:-1]
        high, low = np.maximum(high, open_), np.minimum(low, open_)
    dividend = np.zeros(len(days))
    if pays:
        paying = np.arange(first_dividend, len(days), _SESSIONS_BETWEEN_DIVIDENDS)
        paying = paying[(paying > 0) & (split[paying] == 1.0)]
        dividend[paying] = np.round(0.006 * close[paying - 1], 4)
    volume = np.round(character.volume * np.exp(0.4 * shocks[:, 4]) * shares)
    return Path(days, open_, high, low, close, volume, dividend, split)


def _values(
    instrument: Instrument, level: float, shocks: np.ndarray, volatility: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    close = level * np.exp(_wander(volatility * shocks[:, 0]))
    before = np.concatenate([[level], close[:-1]])
    gap = 0.0 if instrument.asset_class is AssetClass.CRYPTO else 0.3 * volatility
    open_ = before * np.exp(gap * shocks[:, 1])
    high = np.maximum(open_, close) * np.exp(0.5 * volatility * np.abs(shocks[:, 2]))
    low = np.minimum(open_, close) * np.exp(-0.5 * volatility * np.abs(shocks[:, 3]))
    return open_, high, low, close


def _wander(shocks: np.ndarray) -> np.ndarray:
    """Running sum that is pulled back a little: prices stay near the level at which a person expects them."""
    wandered: np.ndarray = lfilter([1.0], [1.0, -_MEMORY], shocks)
    return wandered


def _splits(
    days: np.ndarray,
    rng: np.random.Generator,
    level: float,
    shocks: np.ndarray,
    character: _Character,
    added: dict[date, float],
) -> np.ndarray:
    draws = rng.random((len(days), 2))
    rough = level * np.exp(_wander(character.volatility * shocks[:, 0]))
    split = np.ones(len(days))
    held = 1.0
    for at in np.flatnonzero(draws[:, 0] < character.splits_per_session):
        price = rough[at] / held
        ratio = _RATIOS[int(draws[at, 1] * len(_RATIOS))] if price > 40.0 else 0.2 if price < 12.0 else 1.0
        split[at] = ratio
        held *= ratio
    for day, ratio in added.items():
        split[days == np.datetime64(day, "D")] = ratio
    return split

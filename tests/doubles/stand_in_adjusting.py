"""Prices on another footing: adjusted for splits and dividends, in single precision, rounded."""

from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
from stand_in_paths import Path

PRICES = ("open", "high", "low", "close")
AnyPath = TypeVar("AnyPath", bound=Path)


def cut(path: AnyPath, rows: np.ndarray | slice) -> AnyPath:
    """The sessions of a path that a mask, index or slice selects."""
    return type(path)(*(getattr(path, item.name)[rows] for item in fields(path)))


def split_adjusted(path: Path) -> Path:
    """A path on the share count of its last session: prices, dividends and volume."""
    shares = np.cumprod(path.split)
    later = shares[-1] / shares if len(shares) else shares
    prices = {name: getattr(path, name) / later for name in (*PRICES, "dividend")}
    return replace(path, **prices, volume=np.round(path.volume * later))


def dividend_adjusted(adjusted: Path) -> np.ndarray:
    """Adjusted closes: before each ex date the closes shrink by the dividend's share of the last close before it."""
    factors = np.ones(len(adjusted.close))
    factors[1:] = 1.0 - adjusted.dividend[1:] / adjusted.close[:-1]
    later = np.cumprod(factors[::-1])[::-1]
    return adjusted.close * np.concatenate([later[1:], [1.0]])[: len(adjusted.close)]


def as_float32(path: Path) -> Path:
    """Prices as Yahoo keeps them: single precision."""
    return replace(path, **{name: as_float32_values(getattr(path, name)) for name in PRICES})


def as_float32_values(values: np.ndarray) -> np.ndarray:
    """Numbers of single precision, widened."""
    return values.astype(np.float32).astype(np.float64)


def rounded(path: Path, decimals: int) -> Path:
    """Prices and dividends with at most that many digits after the point."""
    return replace(path, **{name: np.round(getattr(path, name), decimals) for name in (*PRICES, "dividend")})


def coins(path: Path) -> np.ndarray:
    """Volume of a coin in coins, with eight digits, from its volume in dollars."""
    return np.round(path.volume / path.close, 8)

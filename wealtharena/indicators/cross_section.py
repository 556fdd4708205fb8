"""Features that compare the symbols of one asset class on one date, computed from those that are there on that date."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray


@dataclass(frozen=True, slots=True)
class CrossSection:
    """A comparison of the symbols of a class on each date.

    Attributes:
        name: key in ``CROSS_SECTIONS`` and name of the feature.
        base: indicator that is compared.
        function: takes the base as (T, A) float64, NaN where a symbol has no value, and the A sectors; returns (T, A),
            NaN where the base is NaN. Row ``t`` may depend on row ``t`` only.
        description: formula, one line.
        group: what kind of indicator it is.
    """

    name: str
    base: str
    function: Callable[[FloatArray, Sequence[str]], FloatArray]
    description: str
    group: str


def rank(values: FloatArray, sectors: Sequence[str]) -> FloatArray:
    """Rank within the class, −1 (lowest) … 1 (highest), ties averaged; 0 for a symbol on its own."""
    del sectors
    ranks = pd.DataFrame(values).rank(axis=1, method="average").to_numpy()
    others = np.isfinite(values).sum(axis=1, keepdims=True) - 1
    return np.where(np.isnan(values), np.nan, 2.0 * (ranks - 1.0) / np.maximum(others, 1) - np.sign(others))


def relative_to_class(values: FloatArray, sectors: Sequence[str]) -> FloatArray:
    """Value less the mean of the class."""
    del sectors
    return values - _row_mean(values)


def sector_relative_to_class(values: FloatArray, sectors: Sequence[str]) -> FloatArray:
    """Mean of the symbol's sector less the mean of the class; 0 where the sector is not known."""
    result = np.where(np.isnan(values), np.nan, 0.0)
    class_mean = _row_mean(values)
    for sector in sorted(set(sectors) - {""}):
        members = np.array([name == sector for name in sectors])
        strength = _row_mean(values[:, members]) - class_mean
        result[:, members] += strength
    return result


def class_mean(values: FloatArray, sectors: Sequence[str]) -> FloatArray:
    """Mean of the class, the same for all symbols."""
    del sectors
    return np.where(np.isnan(values), np.nan, _row_mean(values))


CROSS_SECTIONS: dict[str, CrossSection] = {
    "momentum_rank": CrossSection(
        "momentum_rank",
        "return_63",
        rank,
        "Rank of return_63 within the class, −1 … 1 (Jegadeesh and Titman 1993).",
        "momentum",
    ),
    "momentum_12_1_rank": CrossSection(
        "momentum_12_1_rank", "momentum_12_1", rank, "Rank of momentum_12_1 within the class, −1 … 1.", "momentum"
    ),
    "reversal_rank": CrossSection(
        "reversal_rank", "return_5", rank, "Rank of return_5 within the class, −1 … 1.", "mean reversion"
    ),
    "volatility_rank": CrossSection(
        "volatility_rank", "volatility_21", rank, "Rank of volatility_21 within the class, −1 … 1.", "volatility"
    ),
    "carry_rank": CrossSection(
        "carry_rank", "carry", rank, "Rank of carry within the class, −1 … 1 (Lustig et al. 2011).", "carry"
    ),
    "relative_strength_63": CrossSection(
        "relative_strength_63",
        "return_63",
        relative_to_class,
        "return_63 less its mean over the class.",
        "sector strength",
    ),
    "relative_strength_21": CrossSection(
        "relative_strength_21",
        "return_21",
        relative_to_class,
        "return_21 less its mean over the class.",
        "sector strength",
    ),
    "sector_strength_63": CrossSection(
        "sector_strength_63",
        "return_63",
        sector_relative_to_class,
        "Mean of return_63 over the symbol's sector less the mean over the class; 0 without a sector.",
        "sector strength",
    ),
    "market_return_63": CrossSection(
        "market_return_63", "return_63", class_mean, "Mean of return_63 over the class.", "momentum"
    ),
    "market_return_5": CrossSection(
        "market_return_5", "return_5", class_mean, "Mean of return_5 over the class.", "momentum"
    ),
}


def _row_mean(values: FloatArray) -> FloatArray:
    present = np.isfinite(values)
    # Added up from left to right, so that a column of a symbol that is not there changes no digit.
    total = np.cumsum(np.where(present, values, 0.0), axis=1)[:, -1:]
    return np.asarray(total / np.maximum(present.sum(axis=1, keepdims=True), 1), dtype=np.float64)

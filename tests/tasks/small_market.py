"""Markets of two assets whose prices are given, and nothing else."""

from typing import Any

import numpy as np

from wealtharena.core import MarketPanel
from wealtharena.core.panel import AssetCosts

MONDAY = np.datetime64("2026-01-05")


def small_panel(closes: np.ndarray[Any, Any] | None = None) -> MarketPanel:
    """Closes (T, 2) from Monday on, by default three that are all the same; trading is free and never scarce.

    Opens are the closes before: what was decided at a close fills at the same price.
    """
    closes = np.full((3, 2), 10.0) if closes is None else closes
    bars = np.ones(closes.shape, bool)
    return MarketPanel(
        dates=MONDAY + np.arange(len(closes)),
        symbols=("AAA", "BBB"),
        feature_names=("f",),
        features=np.zeros((*closes.shape, 1), np.float32),
        open=np.vstack([closes[:1], closes[:-1]]),
        close=closes,
        tradable=bars,
        observed=bars,
        delisted=~bars,
        dollar_volume=np.full(closes.shape, 1e12),
        volatility=np.full(closes.shape, 0.01),
        costs=AssetCosts.flat(2, 0.0),
        annualisation=252,
    )

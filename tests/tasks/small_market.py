"""A market of three sessions, for jobs that are not run."""

import numpy as np

from wealtharena.core import MarketPanel
from wealtharena.core.panel import AssetCosts


def small_panel() -> MarketPanel:
    """Two assets whose price never changes."""
    prices = np.full((3, 2), 10.0)
    bars = np.ones(prices.shape, bool)
    return MarketPanel(
        dates=np.datetime64("2026-01-05") + np.arange(3),
        symbols=("AAA", "BBB"),
        feature_names=("f",),
        features=np.zeros((3, 2, 1), np.float32),
        open=prices,
        close=prices,
        tradable=bars,
        observed=bars,
        delisted=~bars,
        dollar_volume=prices,
        volatility=prices,
        costs=AssetCosts.flat(2, 0.0),
        annualisation=252,
    )

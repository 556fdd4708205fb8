"""Small hand-made and random markets for the environments."""

import numpy as np

from wealtharena.core.panel import MarketPanel
from wealtharena.execution import TradingRules

FREE = TradingRules(
    long_only=False,
    max_weight=1.0,
    max_gross=1.0,
    concentration=2.0,
    delisting_haircut=0.3,
    borrow_per_session=0.0,
    risk_aversion=2.0,
)


def random_panel(sessions: int = 60, assets: int = 4, features: int = 3, seed: int = 0, warmup: int = 5) -> MarketPanel:
    """Prices with gaps and warm-up rows in which nothing is observed yet."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (sessions, assets)), axis=0))
    open_ = close * np.exp(rng.normal(0.0, 0.01, (sessions, assets)))
    gap = rng.random((sessions, assets)) < 0.05
    close[gap], open_[gap] = np.nan, np.nan
    observed = ~gap
    observed[:warmup] = False
    values = rng.normal(size=(sessions, assets, features)).astype(np.float32)
    return MarketPanel(
        dates=np.datetime64("2024-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k}" for k in range(assets)),
        feature_names=tuple(f"f{k}" for k in range(features)),
        features=np.where(observed[:, :, None], values, np.float32(0.0)),
        open=open_,
        close=close,
        tradable=~gap,
        observed=observed,
        delisted=np.zeros((sessions, assets), bool),
        dollar_volume=np.full((sessions, assets), 1e8),
        volatility=np.full((sessions, assets), 0.02),
        one_way_cost=np.full(assets, 0.001),
        annualisation=252,
    )


def priced_panel(prices: list[list[float]], features: int = 1) -> MarketPanel:
    """Open equals close; everything observed and tradable; feature ``f`` of row ``t`` and asset ``a`` is 100 t + a."""
    close = np.asarray(prices, float)
    sessions, assets = close.shape
    everything = np.ones((sessions, assets), bool)
    grid = 100.0 * np.arange(sessions)[:, None] + np.arange(assets)
    return MarketPanel(
        dates=np.datetime64("2024-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k}" for k in range(assets)),
        feature_names=tuple(f"f{k}" for k in range(features)),
        features=np.repeat(grid[:, :, None], features, axis=2).astype(np.float32),
        open=close.copy(),
        close=close.copy(),
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full((sessions, assets), 1e8),
        volatility=np.full((sessions, assets), 0.02),
        one_way_cost=np.zeros(assets),
        annualisation=252,
    )

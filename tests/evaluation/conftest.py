"""Small hand-made markets."""

from collections.abc import Callable

import numpy as np
import pytest

from wealtharena.core.panel import AssetCosts, FloatArray, MarketPanel
from wealtharena.execution import TradingRules

PanelFactory = Callable[..., MarketPanel]


def build_panel(
    close: FloatArray, start: str = "2020-01-01", annualisation: int = 252, **changes: object
) -> MarketPanel:
    """Panel in which every asset opens where it closed the session before; NaN closes are missing bars."""
    close = np.asarray(close, dtype=np.float64)
    sessions, assets = close.shape
    bars = ~np.isnan(close)
    opening = np.vstack([close[:1], close[:-1]])
    values: dict[str, object] = {
        "dates": np.datetime64(start, "D") + np.arange(sessions),
        "symbols": tuple(f"A{index:02d}" for index in range(assets)),
        "feature_names": ("trend",),
        "features": np.zeros((sessions, assets, 1), dtype=np.float32),
        "open": np.where(bars, opening, np.nan),
        "close": close,
        "tradable": bars & (np.nan_to_num(opening) > 0),
        "observed": bars,
        "delisted": np.zeros_like(bars),
        "dollar_volume": np.full(close.shape, np.nan),
        "volatility": np.full(close.shape, 0.01),
        "costs": AssetCosts.flat(assets, 0.0),
        "annualisation": annualisation,
    }
    return MarketPanel(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def make_panel() -> PanelFactory:
    return build_panel


@pytest.fixture(scope="session")
def random_walk() -> MarketPanel:
    """Three martingales of 600 sessions, 1 % a day."""
    shocks = np.random.default_rng(3).normal(0.0, 0.01, size=(600, 3))
    return build_panel(100.0 * np.exp(np.cumsum(shocks, axis=0)))


@pytest.fixture(scope="session")
def rules() -> TradingRules:
    return TradingRules.unlimited(concentration=2.0, delisting_haircut=0.3)

"""Simulated worlds in the product's own form: a panel that the execution kernel trades, and what nobody in it knows."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from wealtharena.core.panel import AssetCosts, FloatArray, MarketPanel

SESSIONS_PER_YEAR = 252
PRICE_SCALE = 0.01
"""Prices move, and trades cost, one hundredth of what the formulas say.

The formulas add up gains per unit of position; the kernel trades weights of an equity that grows, and a weight drifts
with the price. Both differences are of the order of one session's return next to 1. Sharpe ratios and all ratios of
scores stay the same if returns and costs shrink together, so with 1 bp a day instead of 1 % the differences vanish.
"""

_FIRST_DATE = np.datetime64("1900-01-01", "D")


class Draw(NamedTuple):
    """One history of T sessions and A assets, in the units of the formulas (before ``PRICE_SCALE``).

    Attributes:
        returns: (T, A) earned by a position of 1 from the open to the close of session ``t``.
        features: (T, A, F) known after the close of ``t``, of order 1.
        hidden: (T, A) what no agent may see; see the market.
    """

    returns: FloatArray
    features: FloatArray
    hidden: FloatArray


class MarketModel(Protocol):
    """The random law of a market."""

    feature_names: ClassVar[tuple[str, ...]]

    @property
    def volatility(self) -> float:
        """Standard deviation of one asset's return per session."""
        ...

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        """A stationary history."""
        ...


@dataclass(frozen=True)
class World:
    """One simulated history.

    Attributes:
        panel: T sessions; the decision after the close of row ``t`` earns the return of row ``t + 1``.
        hidden: (T, A) what no agent may see: the regime, the coin of a random trader, a feature before its release.
    """

    panel: MarketPanel
    hidden: FloatArray


def draw_world(model: MarketModel, one_way_cost: float, generator: np.random.Generator, num_years: float) -> World:
    """A history of ``num_years`` years of 252 sessions, after one session that only informs the first decision.

    Args:
        one_way_cost: fraction of traded value, in the units of the formulas.
    """
    draw = model.draw(generator, 1 + round(num_years * SESSIONS_PER_YEAR))
    return World(_panel(draw, model, one_way_cost), draw.hidden)


def _panel(draw: Draw, model: MarketModel, one_way_cost: float) -> MarketPanel:
    """Every session opens where the one before closed, so a fill at the open after a decision misses nothing."""
    num_sessions, num_assets = draw.returns.shape
    close = np.cumprod(1.0 + PRICE_SCALE * draw.returns, axis=0, dtype=np.float64)
    everywhere = np.ones(close.shape, np.bool_)
    return MarketPanel(
        dates=_FIRST_DATE + np.arange(num_sessions),
        symbols=tuple(f"V{asset:02d}" for asset in range(num_assets)),
        feature_names=model.feature_names,
        features=draw.features.astype(np.float32),
        open=np.vstack([np.ones((1, num_assets)), close[:-1]]),
        close=close,
        tradable=everywhere,
        observed=everywhere,
        delisted=~everywhere,
        dollar_volume=np.full(close.shape, np.nan),
        volatility=np.full(close.shape, PRICE_SCALE * model.volatility),
        costs=AssetCosts.flat(num_assets, PRICE_SCALE * one_way_cost),
        annualisation=SESSIONS_PER_YEAR,
    )

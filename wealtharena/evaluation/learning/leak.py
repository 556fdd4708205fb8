"""The next return leaked as a feature: what every algorithm that learns at all must find."""

from dataclasses import replace
from functools import partial

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.verification.catalogue import VerificationMarket, verification_market
from wealtharena.evaluation.verification.markets import AutoregressiveReturns, Martingale
from wealtharena.evaluation.verification.scoring import MEAN
from wealtharena.evaluation.verification.value_iteration import solve_foresight
from wealtharena.evaluation.verification.worlds import World

LEAKED_FEATURE = "leaked_return"

LEAKY_MARKETS = ("M0", "M1", "M1c", "M1d", "M1e")
"""Markets of one asset whose next return is all that the future holds, so that its oracle is known."""


def with_leak(world: World) -> World:
    """The same history with one more feature: the return of the next session over its volatility, 0 in the last row."""
    panel = world.panel
    leaked = np.vstack([_scaled_returns(world)[1:], np.zeros((1, len(panel.symbols)))])
    return replace(
        world,
        panel=replace(
            panel,
            feature_names=(*panel.feature_names, LEAKED_FEATURE),
            features=np.concatenate([panel.features, leaked[:, :, None].astype(np.float32)], axis=2),
        ),
    )


def leaky_market(name: str) -> VerificationMarket:
    """The market for a trader who knows the next return: the best of -1, 0 and 1 under the market's cost.

    Args:
        name: one of ``LEAKY_MARKETS``.
    """
    market = verification_market(name)
    model = market.model
    assert isinstance(model, Martingale | AutoregressiveReturns)  # noqa: S101 - see LEAKY_MARKETS
    phi = model.phi if isinstance(model, AutoregressiveReturns) else 0.0
    oracle = partial(_best_by_foresight, phi=phi, volatility=model.volatility, cost=market.one_way_cost)
    return replace(market, oracle=oracle, measure=MEAN, target="share", ceiling=None)


def _best_by_foresight(world: World, phi: float, volatility: float, cost: float) -> FloatArray:
    """Positions (T, 1) from the leaked feature alone; nothing is known after the last session."""
    foreseen = world.panel.features[:, 0, world.panel.feature_names.index(LEAKED_FEATURE)].astype(np.float64)
    return solve_foresight(phi, volatility, cost).hold(foreseen)[:, None]


def _scaled_returns(world: World) -> FloatArray:
    panel = world.panel
    scaled: FloatArray = (panel.close / panel.open - 1.0) / panel.volatility
    return scaled

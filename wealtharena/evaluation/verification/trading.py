"""Weights on a world through the execution kernel: the one place where the verification markets meet it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.envs.simulation import SimulationPath, run_weights
from wealtharena.evaluation.verification.worlds import World
from wealtharena.execution import TradingRules


@dataclass(frozen=True, eq=False)
class Trades:
    """What the kernel reports of an account, on one world or on several one after the other.

    Attributes:
        returns: (T,) simple returns per session, net of proportional costs, at the scale of the panel's prices.
        turnover: (T,) traded value over equity at the open.
        weights: (T, A) held at the close.
    """

    returns: FloatArray
    turnover: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, paths: Sequence[SimulationPath]) -> Self:
        """Paths of ``trade`` or of ``wealtharena.envs.simulation.run_policy``, joined in their order."""
        return cls(
            np.concatenate([path.returns for path in paths]),
            np.concatenate([path.turnover for path in paths]),
            np.concatenate([path.weights for path in paths]),
        )


def trading_rules() -> TradingRules:
    """Rules that never bind: long and short, a weight of 1 for a score of 1 in one asset, absolute sum at most 1."""
    return TradingRules.unlimited()


def trade(world: World, weights: FloatArray, *, costless: bool = False) -> SimulationPath:
    """One account that follows weights (T, A) decided after the closes of the panel's T rows; the last is not traded.

    Weights stay at their targets: the kernel also trades back what a session's return has moved. At the scale of the
    panel's prices that is about a ten-thousandth of the position.
    """
    multiplier = 0.0 if costless else 1.0
    last_row = len(world.panel.dates) - 1
    return run_weights(weights[:-1], world.panel, 1, last_row, trading_rules(), cost_multiplier=multiplier)

"""A simulated market with fitted constants: the embedded simulator's generator, without anything to learn."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.evaluation.calibration.moves import Moves, moves_of
from wealtharena.vendors.simulated_models import AssetModel, ClassModel, WorldModel
from wealtharena.vendors.simulated_paths import simulate_bars, simulate_world


@dataclass(frozen=True)
class FittedMarket:
    """Constants of a simulated market.

    Attributes:
        world: what all groups share.
        classes: per group of assets.
        assets: per symbol, in symbol order; each holds the model of its group.
    """

    world: WorldModel
    classes: Mapping[str, ClassModel]
    assets: Mapping[str, AssetModel]

    def as_json(self) -> dict[str, Any]:
        """Plain figures, to be written down."""
        names = {model.code: name for name, model in self.classes.items()}
        assets = {
            symbol: {
                "group": names[asset.model.code],
                "daily_volatility": asset.daily_volatility,
                "mean_return": asset.mean_return,
                "volume": asset.volume,
            }
            for symbol, asset in self.assets.items()
        }
        classes = {name: asdict(model) for name, model in self.classes.items()}
        return {"world": asdict(self.world), "classes": classes, "assets": assets}


def simulate_moves(fitted: FittedMarket, like: Moves, seed: int) -> Moves:
    """Moves of a simulated market on the sessions that each asset of ``like`` has; equal seeds give equal moves."""
    days = pd.DatetimeIndex(like.dates)
    world = simulate_world(seed, days[0].date(), days[-1].date(), fitted.world)
    rows = ((like.dates - world.days[0]) / np.timedelta64(1, "D")).astype(np.intp)
    frames = []
    for column, symbol in enumerate(like.symbols):
        open_days = np.zeros(len(world.days), dtype=np.bool_)
        open_days[rows[np.isfinite(like.day[:, column])]] = True
        bars = simulate_bars(world, seed, 0.0, fitted.assets[symbol], open_days)
        frames.append(bars.assign(symbol=symbol))
    return moves_of(pd.concat(frames, ignore_index=True), dict(zip(like.symbols, like.groups, strict=True)))

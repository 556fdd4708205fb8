"""Costs of a panel's assets from the settings."""

from collections.abc import Sequence

import numpy as np

from wealtharena.core.panel import AssetCosts, FloatArray
from wealtharena.settings.models import CostSettings, TradeCosts

_BPS = 1e4


def asset_costs(costs: CostSettings, exchanges: Sequence[str | None]) -> AssetCosts:
    """Costs of each asset: those of its exchange where ``costs`` names it, else those of the class.

    Args:
        exchanges: calendar name per asset (``XASX`` …); None where it is not known.
    """
    own: list[TradeCosts] = [costs.exchanges.get(exchange or "", costs) for exchange in exchanges]

    def column(name: str, scale: float = 1.0) -> FloatArray:
        return np.array([getattr(cost, name) / scale for cost in own], dtype=np.float64)

    return AssetCosts(
        commission=column("commission_bps", _BPS),
        commission_per_unit=column("commission_per_unit"),
        min_commission=column("min_commission"),
        half_spread=column("half_spread_bps", _BPS),
        spread_volatility=column("spread_volatility"),
        impact=column("impact"),
        max_participation=column("max_participation"),
        borrow=column("borrow_bps_per_year", _BPS),
        holding=column("holding_bps_per_year", _BPS),
    )

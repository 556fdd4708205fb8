"""Listed companies: momentum."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.spec import MarketSpec

STOCKS = MarketSpec(
    asset_class=AssetClass.STOCKS,
    agent="stocks",
    style="momentum",
    rule="cross_sectional_momentum",
    indicators=(
        "return_1",
        "return_5",
        "return_21",
        "return_63",
        "return_126",
        "momentum_12_1",
        "distance_ma_50",
        "distance_ma_200",
        "drawdown_252",
        "rsi_14",
        "volatility_21",
        "volatility_ratio_21_63",
        "volume_z_63",
        "momentum_rank",
        "momentum_12_1_rank",
        "reversal_rank",
        "volatility_rank",
        "sector_strength_63",
        "market_return_63",
    ),
)

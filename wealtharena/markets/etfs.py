"""Exchange-traded funds: rotation between sectors and regions by relative strength."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.spec import MarketSpec

ETFS = MarketSpec(
    asset_class=AssetClass.ETFS,
    agent="etfs",
    style="sector rotation",
    rule="sector_momentum",
    indicators=(
        "return_5",
        "return_21",
        "return_63",
        "return_126",
        "momentum_12_1",
        "distance_ma_50",
        "distance_ma_200",
        "drawdown_252",
        "macd_line",
        "volatility_21",
        "volatility_ratio_21_63",
        "volume_trend_5_63",
        "relative_strength_21",
        "relative_strength_63",
        "momentum_rank",
        "volatility_rank",
        "sector_strength_63",
        "market_return_63",
    ),
)

"""Commodity futures: trend in both directions."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.spec import MarketSpec

COMMODITIES = MarketSpec(
    asset_class=AssetClass.COMMODITIES,
    agent="commodities",
    style="trend",
    rule="moving_average_trend",
    indicators=(
        "return_5",
        "return_21",
        "return_63",
        "return_126",
        "momentum_12_1",
        "distance_ma_20",
        "distance_ma_50",
        "distance_ma_200",
        "macd_line",
        "macd_histogram",
        "adx_14",
        "directional_14",
        "aroon_25",
        "skew_63",
        "volatility_21",
        "volatility_ratio_21_63",
        "obv_21",
        "momentum_rank",
        "market_return_63",
    ),
)

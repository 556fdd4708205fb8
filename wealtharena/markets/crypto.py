"""Crypto currencies: volatility, every day of the week."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.spec import MarketSpec

CRYPTO = MarketSpec(
    asset_class=AssetClass.CRYPTO,
    agent="crypto",
    style="volatility",
    rule="volatility_targeted_trend",
    indicators=(
        "return_1",
        "return_5",
        "return_21",
        "return_63",
        "distance_ma_20",
        "distance_ma_50",
        "efficiency_21",
        "rsi_2",
        "bollinger_20",
        "volatility_21",
        "volatility_ratio_21_63",
        "volatility_z_126",
        "atr_ratio_14_126",
        "range_volatility_21",
        "downside_63",
        "volume_z_63",
        "momentum_rank",
        "volatility_rank",
        "market_return_63",
    ),
    annualisation=365,
)

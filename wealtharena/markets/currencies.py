"""Currency pairs: carry and trend. There is no central market, hence no volume.

Carry: ridge regression on 12 simulated worlds, correlation with the next session's return out of sample, 0.052 with it
and 0.045 without.
"""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.spec import MarketSpec

CURRENCIES = MarketSpec(
    asset_class=AssetClass.CURRENCIES,
    agent="currencies",
    style="carry and trend",
    rule="carry",
    indicators=(
        "return_1",
        "return_5",
        "return_21",
        "return_63",
        "return_126",
        "momentum_12_1",
        "distance_ma_50",
        "distance_ma_200",
        "efficiency_21",
        "aroon_25",
        "rsi_14",
        "volatility_21",
        "volatility_ratio_21_63",
        "autocorrelation_63",
        "carry",
        "momentum_rank",
        "momentum_12_1_rank",
        "sector_strength_63",
        "market_return_63",
    ),
    has_volume=False,
)

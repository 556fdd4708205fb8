"""Listed real estate: mean reversion, and rates through the macro features."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.spec import MarketSpec

REITS = MarketSpec(
    asset_class=AssetClass.REITS,
    agent="reits",
    style="mean reversion and rates",
    rule="short_term_reversal",
    indicators=(
        "return_1",
        "return_5",
        "return_21",
        "return_63",
        "overnight_gap",
        "rsi_2",
        "rsi_14",
        "bollinger_20",
        "stochastic_14",
        "cci_20",
        "close_location_5",
        "distance_ma_20",
        "distance_ma_200",
        "autocorrelation_63",
        "volatility_21",
        "volume_z_63",
        "signed_volume_5",
        "reversal_rank",
        "market_return_5",
    ),
    observes_macro=True,
)

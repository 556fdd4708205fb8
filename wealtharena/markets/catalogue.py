"""The table of asset classes. A new one is a file and a line here."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.markets.commodities import COMMODITIES
from wealtharena.markets.crypto import CRYPTO
from wealtharena.markets.currencies import CURRENCIES
from wealtharena.markets.etfs import ETFS
from wealtharena.markets.reits import REITS
from wealtharena.markets.spec import MarketSpec
from wealtharena.markets.stocks import STOCKS

MARKETS: dict[AssetClass, MarketSpec] = {
    AssetClass.STOCKS: STOCKS,
    AssetClass.CRYPTO: CRYPTO,
    AssetClass.ETFS: ETFS,
    AssetClass.CURRENCIES: CURRENCIES,
    AssetClass.REITS: REITS,
    AssetClass.COMMODITIES: COMMODITIES,
}

"""The six asset classes that WealthArena trades, one agent each."""

from enum import StrEnum

META_AGENT = "meta"
"""The agent beside those of the classes: it spreads the capital over them."""


class AssetClass(StrEnum):
    """A group of instruments that share a calendar family, a cost model and one agent."""

    STOCKS = "stocks"
    CRYPTO = "crypto"
    ETFS = "etfs"
    CURRENCIES = "currencies"
    REITS = "reits"
    COMMODITIES = "commodities"

"""Names shared by every package: no I/O, no third-party service."""

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    Outcome,
    PriceBasis,
    Vendor,
)
from wealtharena.core.panel import MarketPanel
from wealtharena.core.receipts import CheckpointRef, TableRef

__all__ = [
    "BAR_COLUMNS",
    "MACRO_COLUMNS",
    "AssetClass",
    "CheckpointRef",
    "FetchRequest",
    "FetchResult",
    "Instrument",
    "MarketPanel",
    "Outcome",
    "PriceBasis",
    "TableRef",
    "Vendor",
]

"""Asset classes and the panels that environments and backtests read."""

from wealtharena.markets.catalogue import MARKETS
from wealtharena.markets.joined import join_panels, joined_symbol
from wealtharena.markets.panel import assemble_panel
from wealtharena.markets.spec import MarketSpec

__all__ = ["MARKETS", "MarketSpec", "assemble_panel", "join_panels", "joined_symbol"]

"""A simulated market for trying an environment out: demo data, no real prices."""

from datetime import date
from functools import cache

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest
from wealtharena.core.panel import MarketPanel
from wealtharena.curation import curate_bars
from wealtharena.indicators import compute_features
from wealtharena.markets import MARKETS, assemble_panel
from wealtharena.settings.models import Settings
from wealtharena.vendors import SimulatorVendor

DEMO_END = date(2023, 12, 29)


def demo_panel(asset_class: AssetClass, settings: Settings | None = None, end: date = DEMO_END) -> MarketPanel:
    """Panel of the market simulator's symbols of one class, by way of curation and features, without macro series.

    Args:
        settings: for the simulator, curation and costs; the defaults if empty.
        end: last session; the first is ``settings.vendors.simulator.start``.
    """
    settings = settings or Settings()
    vendor = SimulatorVendor(settings.vendors.simulator)
    instruments = vendor.instruments([asset_class])
    requests = [FetchRequest(instrument, settings.vendors.simulator.start, end) for instrument in instruments]
    results = list(vendor.fetch_bars(requests))
    frames = [result.frame.assign(symbol=result.symbol, vendor=vendor.name) for result in results]
    raw = pd.concat(frames, ignore_index=True)
    price_basis = {result.symbol: result.price_basis for result in results}
    curated = curate_bars(raw, instruments, price_basis, settings.curation, end, known_actions=())
    sectors = {instrument.symbol: instrument.sector for instrument in instruments}
    features = compute_features(curated.bars, None, MARKETS[asset_class].indicators, sectors=sectors)
    exchanges = {instrument.symbol: instrument.exchange for instrument in instruments}
    return assemble_panel(
        asset_class,
        features,
        curated.bars,
        curated.coverage,
        settings,
        actions=curated.actions,
        exchanges=exchanges,
    )


@cache
def shared_demo_panel(asset_class: AssetClass) -> MarketPanel:
    """``demo_panel`` of the default settings, made once per process: environments on it share their arrays."""
    return demo_panel(asset_class)

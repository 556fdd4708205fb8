"""Real bars from a folder of files, curated as the nightly run curates them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError, VendorRejected
from wealtharena.core.market_data import FetchRequest, Instrument, Outcome
from wealtharena.curation import curate_bars, load_known_actions, merge_vendors
from wealtharena.settings import CONFIG_FOLDER, Settings
from wealtharena.vendors import FilesVendor, load_universe


@dataclass(frozen=True)
class RealBars:
    """Core bars of the chosen instruments.

    Attributes:
        bars: ``CORE_COLUMNS`` of every class.
        classes: asset class of each symbol.
        groups: what each symbol shares its swings with: its sector if there is but one class, else class and exchange.
    """

    bars: pd.DataFrame
    classes: dict[str, str]
    groups: dict[str, str]

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Symbols by asset class."""
        found: dict[str, tuple[str, ...]] = {}
        for symbol in sorted(self.classes):
            found[self.classes[symbol]] = (*found.get(self.classes[symbol], ()), symbol)
        return found


def load_real_bars(
    settings: Settings, asset_classes: Sequence[AssetClass], exchanges: Sequence[str], start: date, end: date
) -> RealBars:
    """Bars from ``start`` to ``end`` of the files under ``vendors.files.root``.

    Args:
        exchanges: calendars or venues (``XASX``, ``ASX``); empty: all.

    Raises:
        DataWindowError: no file holds a bar of these classes and exchanges.
        VendorRejected: the folder or a file cannot be read.
    """
    vendor = FilesVendor(settings.vendors.files, settings.curation.stale_sessions)
    known = {item.symbol: item for item in load_universe(CONFIG_FOLDER / settings.vendors.universe).listings}
    wanted = {name.upper() for name in exchanges}
    parts, classes, sectors, places = [], {}, {}, {}
    for asset_class in asset_classes:
        chosen = [
            item
            for item in vendor.instruments([asset_class])
            if not wanted or {item.exchange, _listed(known, item).venue} & wanted
        ]
        if not chosen:
            continue
        parts.append(_curated(vendor, settings, chosen, start, end))
        for item in chosen:
            classes[item.symbol] = str(asset_class)
            sectors[item.symbol] = _listed(known, item).sector or "other"
            places[item.symbol] = f"{asset_class} {item.exchange}"
    bars = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if bars.empty:
        where = f" on {', '.join(exchanges)}" if exchanges else ""
        raise DataWindowError(
            f"{settings.vendors.files.root}: there must be bars of {', '.join(map(str, asset_classes))}{where} "
            f"from {start} to {end}, got none"
        )
    return RealBars(bars, classes, sectors if len(set(classes.values())) == 1 else places)


def _listed(known: dict[str, Instrument], item: Instrument) -> Instrument:
    return known.get(item.symbol, item)


def _curated(
    vendor: FilesVendor, settings: Settings, instruments: Sequence[Instrument], start: date, end: date
) -> pd.DataFrame:
    results = list(vendor.fetch_bars([FetchRequest(item, start, end) for item in instruments]))
    for result in results:
        if result.outcome is Outcome.REJECTED:
            raise VendorRejected(result.reason)
    rows = [
        item.frame.assign(symbol=item.symbol, price_basis=str(item.price_basis), currency=item.currency)
        for item in results
        if item.outcome is Outcome.ROWS
    ]
    if not rows:
        return pd.DataFrame()
    raw = pd.concat(rows, ignore_index=True).assign(vendor=vendor.name)
    merged = merge_vendors(raw, instruments, (vendor.name,), settings.vendors.cross_check_tolerance)
    actions = load_known_actions(CONFIG_FOLDER / settings.curation.corporate_actions)
    return curate_bars(merged.bars, instruments, merged.price_basis, settings.curation, end, actions).bars

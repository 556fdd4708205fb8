"""Indicators of each class, stored, and the version of the market that they make up."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.collection import STAGE as COLLECT
from tasks.collection import CollectionReceipt
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from wealtharena.core import AssetClass, MarketPanel, TableRef
from wealtharena.indicators import CALENDAR, compute_features, uses_carry
from wealtharena.markets import MARKETS, assemble_panel
from wealtharena.vendors import MACRO, currency_rates

STAGE = "features"


@dataclass(frozen=True)
class FeaturesReceipt:
    """The market of one class as its agent sees it.

    Attributes:
        features, bars, coverage: table versions that the panel is assembled from.
        data_version: content hash of the panel.
        sessions: number of sessions.
        symbols: number of symbols.
    """

    features: TableRef
    bars: TableRef
    coverage: TableRef
    data_version: str
    sessions: int
    symbols: int


def classes_to_compute(night: Night) -> list[AssetClass]:
    """Classes of the night that were collected."""
    collected = finished(night, COLLECT, CollectionReceipt)
    return [name for name in night.asset_classes if str(name) in collected]


@stage_task("compute-class-features", "features {asset_class}")
def compute_class_features(night: Night, asset_class: AssetClass) -> FeaturesReceipt:
    """Computes the features of one class, unless the same data were seen before."""
    collected = finished(night, COLLECT, CollectionReceipt)
    names = _feature_names(night, asset_class)
    inputs = {
        "bars": collected[str(asset_class)].core.content_hash,
        "coverage": collected[str(asset_class)].tables["coverage"].content_hash,
        "macro": collected[MACRO].core.content_hash if _reads_macro(night, asset_class, collected) else "",
        "macro_features": _uses_macro(night, asset_class, collected),
        "rates": _rates_as_told(night) if _reads_macro(night, asset_class, collected) else [],
        "indicators": names,
        "costs": night.settings.costs[asset_class].model_dump(mode="json"),
    }
    receipt = once(
        night, STAGE, str(asset_class), inputs, lambda: _compute(night, asset_class, collected), FeaturesReceipt
    )
    tell(ProgressEvent(STAGE, str(asset_class), 1, 1, f"{receipt.sessions} sessions x {receipt.symbols} symbols"))
    return receipt


def load_panel(night: Night, asset_class: AssetClass) -> MarketPanel:
    """The panel that this night's features receipt describes."""
    receipt = finished(night, STAGE, FeaturesReceipt)[str(asset_class)]
    warehouse = night.warehouse
    return assemble_panel(
        asset_class,
        warehouse.read(receipt.features.name, version=receipt.features.version),
        warehouse.read(receipt.bars.name, version=receipt.bars.version),
        warehouse.read(
            receipt.coverage.name, version=receipt.coverage.version, where={"asset_class": str(asset_class)}
        ),
        night.settings,
    )


def _compute(night: Night, asset_class: AssetClass, collected: Mapping[str, CollectionReceipt]) -> FeaturesReceipt:
    warehouse, own = night.warehouse, collected[str(asset_class)]
    bars = warehouse.read(own.core.name, version=own.core.version)
    members = warehouse.read("core_market__instruments", where={"asset_class": str(asset_class)})
    reads_macro = _reads_macro(night, asset_class, collected)
    macro = warehouse.read(collected[MACRO].core.name, version=collected[MACRO].core.version) if reads_macro else None
    features = compute_features(
        bars,
        macro,
        _feature_names(night, asset_class),
        sectors=dict(zip(members["symbol"], members["sector"], strict=True)),
        include_macro=_uses_macro(night, asset_class, collected),
        rates=currency_rates(night.settings),
    )
    table = warehouse.write(f"out_{asset_class}__features", features)
    coverage = own.tables["coverage"]
    covered = warehouse.read(coverage.name, version=coverage.version, where={"asset_class": str(asset_class)})
    panel = assemble_panel(asset_class, features, bars, covered, night.settings)
    return FeaturesReceipt(table, own.core, coverage, panel.content_hash, len(panel.dates), len(panel.symbols))


def _feature_names(night: Night, asset_class: AssetClass) -> tuple[str, ...]:
    return MARKETS[asset_class].indicators + (tuple(CALENDAR) if night.settings.features.calendar else ())


def _reads_macro(night: Night, asset_class: AssetClass, collected: Mapping[str, CollectionReceipt]) -> bool:
    needed = uses_carry(_feature_names(night, asset_class)) or _uses_macro(night, asset_class, collected)
    return needed and MACRO in collected


def _rates_as_told(night: Night) -> list[object]:
    rates = currency_rates(night.settings)
    return [dict(rates.series), sorted(rates.carry_only)]


def _uses_macro(night: Night, asset_class: AssetClass, collected: Mapping[str, CollectionReceipt]) -> bool:
    return night.settings.features.macro and MARKETS[asset_class].observes_macro and MACRO in collected

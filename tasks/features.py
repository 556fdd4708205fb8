"""Indicators of each class, stored, and the version of the market that they make up."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import pandas as pd

from tasks.collection import STAGE as COLLECT
from tasks.collection import CollectionReceipt
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from wealtharena.core import AssetClass, MarketPanel, TableRef
from wealtharena.indicators import compute_features
from wealtharena.markets import MARKETS, assemble_panel
from wealtharena.vendors import MACRO, currency_rates

STAGE = "features"
_OWN_TABLES = ("coverage", "actions", "instruments")

# Every stage after this one reads the same few markets, several times each.
_kept: dict[AssetClass, tuple[str, MarketPanel]] = {}
_loading = {asset_class: Lock() for asset_class in AssetClass}


@dataclass(frozen=True)
class FeaturesReceipt:
    """The market of one class as its agent sees it.

    Attributes:
        features, bars, coverage, actions, instruments, macro: table versions that the panel is assembled from; there
            may be no macro series.
        data_version: content hash of the panel.
        sessions: number of sessions.
        symbols: number of symbols.
    """

    features: TableRef
    bars: TableRef
    coverage: TableRef
    actions: TableRef
    instruments: TableRef
    macro: TableRef | None
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
    own = collected[str(asset_class)]
    inputs = {
        "bars": own.core.content_hash,
        **{name: own.tables[name].content_hash for name in _OWN_TABLES},
        "macro": collected[MACRO].core.content_hash if MACRO in collected else "",
        "macro_features": _uses_macro(night, asset_class, collected),
        "rates": _rates_as_told(night),
        "cash_series": night.settings.execution.cash_series,
        "indicators": _feature_names(night, asset_class),
        "costs": night.settings.costs[asset_class].model_dump(mode="json"),
    }
    receipt = once(
        night, STAGE, str(asset_class), inputs, lambda: _compute(night, asset_class, collected), FeaturesReceipt
    )
    tell(ProgressEvent(STAGE, str(asset_class), 1, 1, f"{receipt.sessions} sessions x {receipt.symbols} symbols"))
    return receipt


def load_panel(night: Night, asset_class: AssetClass) -> MarketPanel:
    """The panel that this night's features receipt describes; the last one of each class is kept in memory.

    It must not be written to.
    """
    receipt = finished(night, STAGE, FeaturesReceipt)[str(asset_class)]
    with _loading[asset_class]:
        kept = _kept.get(asset_class)
        if kept is None or kept[0] != receipt.data_version:
            kept = receipt.data_version, _load(night, asset_class, receipt)
            _kept[asset_class] = kept
        return kept[1]


def load_bars(night: Night, asset_class: AssetClass) -> tuple[pd.DataFrame, dict[str, str]]:
    """The bars behind the panel of ``load_panel``, and the sector of each symbol."""
    receipt = finished(night, STAGE, FeaturesReceipt)[str(asset_class)]
    members = _read_own(night, receipt.instruments, asset_class)
    return _read(night, receipt.bars), dict(zip(members["symbol"], members["sector"], strict=True))


def _load(night: Night, asset_class: AssetClass, receipt: FeaturesReceipt) -> MarketPanel:
    features, bars = _read(night, receipt.features), _read(night, receipt.bars)
    tables = {name: _read_own(night, getattr(receipt, name), asset_class) for name in _OWN_TABLES}
    macro = None if receipt.macro is None else _read(night, receipt.macro)
    return _assemble(night, asset_class, features, bars, tables, macro)


def _compute(night: Night, asset_class: AssetClass, collected: Mapping[str, CollectionReceipt]) -> FeaturesReceipt:
    own = collected[str(asset_class)]
    bars = _read(night, own.core)
    refs = {name: own.tables[name] for name in _OWN_TABLES}
    tables = {name: _read_own(night, ref, asset_class) for name, ref in refs.items()}
    macro_ref = collected[MACRO].core if MACRO in collected else None
    macro = None if macro_ref is None else _read(night, macro_ref)
    features = compute_features(
        bars,
        macro,
        _feature_names(night, asset_class),
        sectors=dict(zip(tables["instruments"]["symbol"], tables["instruments"]["sector"], strict=True)),
        include_macro=_uses_macro(night, asset_class, collected),
        rates=currency_rates(night.settings),
    )
    table = night.warehouse.write(f"out_{asset_class}__features", features)
    panel = _assemble(night, asset_class, features, bars, tables, macro)
    return FeaturesReceipt(
        features=table,
        bars=own.core,
        **refs,
        macro=macro_ref,
        data_version=panel.content_hash,
        sessions=len(panel.dates),
        symbols=len(panel.symbols),
    )


def _assemble(
    night: Night,
    asset_class: AssetClass,
    features: pd.DataFrame,
    bars: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    macro: pd.DataFrame | None,
) -> MarketPanel:
    members = tables["instruments"]
    return assemble_panel(
        asset_class,
        features,
        bars,
        tables["coverage"],
        night.settings,
        actions=tables["actions"],
        exchanges=dict(zip(members["symbol"], members["exchange"], strict=True)),
        macro=macro,
        rates=currency_rates(night.settings),
    )


def _read(night: Night, ref: TableRef) -> pd.DataFrame:
    return night.warehouse.read(ref.name, version=ref.version)


def _read_own(night: Night, ref: TableRef, asset_class: AssetClass) -> pd.DataFrame:
    return night.warehouse.read(ref.name, version=ref.version, where={"asset_class": str(asset_class)})


def _feature_names(night: Night, asset_class: AssetClass) -> tuple[str, ...]:
    return MARKETS[asset_class].feature_names(night.settings.features.calendar)


def _rates_as_told(night: Night) -> list[object]:
    rates = currency_rates(night.settings)
    return [dict(rates.series), sorted(rates.carry_only)]


def _uses_macro(night: Night, asset_class: AssetClass, collected: Mapping[str, CollectionReceipt]) -> bool:
    return night.settings.features.macro and MARKETS[asset_class].observes_macro and MACRO in collected

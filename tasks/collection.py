"""Fetch and curate: from a vendor to the core layer, one task per asset class."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import record
from tasks.retries import vendor_task
from wealtharena.core import AssetClass, FetchRequest, TableRef, Vendor
from wealtharena.curation import curate_bars, curate_macro, load_known_actions
from wealtharena.settings import CONFIG_FOLDER
from wealtharena.vendors import collection, make_vendor

STAGE = "collect"
MACRO = "macro"


@dataclass(frozen=True)
class CollectionReceipt:
    """What was stored of one asset class or of the macro series.

    Attributes:
        core: the curated table.
        symbols: number of symbols with curated rows.
        missing: reason per symbol that has no rows.
        problems: input that a person should mend, e.g. text in a price column.
        tables: other tables written, by what they hold.
    """

    core: TableRef
    symbols: int
    missing: dict[str, str]
    problems: tuple[str, ...]
    tables: dict[str, TableRef] = field(default_factory=dict)


@vendor_task("collect-class", "collect {asset_class}")
def collect_class(night: Night, asset_class: AssetClass) -> CollectionReceipt:
    """Fetches and curates one class; everything is stored before too little coverage is complained about."""
    settings, warehouse = night.settings, night.warehouse
    vendor = make_vendor(settings)
    instruments = vendor.instruments([asset_class])
    request = FetchRequest(tuple(item.symbol for item in instruments), settings.run.history_start, night.as_of)
    collected = collection.collect_bars(vendor, request, _bar(str(asset_class), len(instruments)))
    actions = load_known_actions(CONFIG_FOLDER / settings.curation.corporate_actions)
    curated = curate_bars(collected.frame, instruments, collected.price_basis, settings.curation, night.as_of, actions)
    raw = collection.raw_bar_rows(collected, asset_class, vendor.name, night.run_id, datetime.now(UTC))
    part = str(asset_class)
    tables = {
        "raw": warehouse.write(f"raw_{vendor.name}__daily_bars", raw),
        "outcomes": _store_outcomes(night, vendor, part, collected),
        "instruments": warehouse.write("core_market__instruments", collection.instrument_rows(instruments), part),
        "quarantine": warehouse.write(
            "core_quality__quarantine", curated.quarantine_rows(part, collected.unparsed), part
        ),
        "actions": warehouse.write("core_market__corporate_actions", curated.actions.assign(asset_class=part), part),
        "coverage": warehouse.write("core_market__coverage", curated.coverage.assign(asset_class=part), part),
    }
    core = warehouse.write(f"core_{part}__daily_bars", curated.bars)
    missing = collection.missing_symbols(collected, curated.symbols)
    collection.require_coverage(asset_class, len(instruments), missing, settings.vendors.min_coverage)
    receipt = CollectionReceipt(core, len(instruments) - len(missing), missing, collection.problems(collected), tables)
    record(night, STAGE, part, receipt, CollectionReceipt)
    return receipt


@vendor_task("collect-macro", "collect macro")
def collect_macro(night: Night) -> CollectionReceipt:
    """Fetches and curates the macro series; a source without any is no failure."""
    settings, warehouse = night.settings, night.warehouse
    vendor = make_vendor(settings)
    names = vendor.macro_series()
    request = FetchRequest(tuple(names), settings.run.history_start, night.as_of)
    collected = collection.collect_macro(vendor, request, _bar(MACRO, len(names)))
    curated = curate_macro(collected.frame, settings.features.macro_lag_days, night.as_of)
    raw = collection.raw_macro_rows(collected, vendor.name, night.run_id, datetime.now(UTC))
    tables = {
        "raw": warehouse.write(f"raw_{vendor.name}__macro", raw),
        "outcomes": _store_outcomes(night, vendor, MACRO, collected),
        "quarantine": warehouse.write(
            "core_quality__quarantine", curated.quarantine_rows(MACRO, collected.unparsed), MACRO
        ),
    }
    core = warehouse.write("core_macro__observations", curated.observations)
    missing = collection.missing_symbols(collected, curated.series)
    receipt = CollectionReceipt(core, len(names) - len(missing), missing, collection.problems(collected), tables)
    record(night, STAGE, MACRO, receipt, CollectionReceipt)
    return receipt


def _store_outcomes(night: Night, vendor: Vendor, group: str, collected: collection.Collected) -> TableRef:
    rows = collected.outcomes.assign(run_id=night.run_id, night=night.night_id, vendor=vendor.name, asset_class=group)
    return night.warehouse.write("core_quality__outcomes", rows)


def _bar(item: str, total: int) -> Callable[[str], None]:
    """Counts symbols for the progress display."""
    arrived: list[str] = []

    def advance(symbol: str) -> None:
        arrived.append(symbol)
        tell(ProgressEvent(STAGE, item, len(arrived), total, symbol if len(arrived) < total else f"{total} symbols"))

    return advance

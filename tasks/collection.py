"""Fetch and curate: from the vendors to the core layer, one task per asset class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from tasks.answers import BARS, FETCHES, MACRO_DATA, REFUSED, raw_table, successful
from tasks.fetching import Fetched, fetch_bars, fetch_macro
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import record
from tasks.retries import vendor_task
from tasks.turns import own_turn
from tasks.vendor_desk import catalogue_of
from wealtharena.core import AssetClass, TableRef
from wealtharena.core.market_data import Instrument
from wealtharena.curation import (
    CuratedBars,
    Merged,
    curate_bars,
    curate_macro,
    load_known_actions,
    merge_vendors,
    visible_bars,
    visible_macro,
)
from wealtharena.settings import CONFIG_FOLDER
from wealtharena.vendors import MACRO, intake, outcomes, publication_lags, vendor_order
from wealtharena.vendors.collection import instrument_rows

STAGE = "collect"


@dataclass(frozen=True)
class CollectionReceipt:
    """What was stored of one asset class or of the macro series.

    Attributes:
        core: the curated table.
        symbols: number of symbols with curated rows.
        missing: reason per symbol that has no rows.
        problems: input that a person should mend, e.g. text in a price column.
        tables: other tables written, by what they hold.
        notes: what a person may want to know: vendors left out, histories that were rewritten, symbols not up to date.
        raw_versions: version of each raw table that the curated rows were made from.
    """

    core: TableRef
    symbols: int
    missing: dict[str, str]
    problems: tuple[str, ...]
    tables: dict[str, TableRef] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    raw_versions: dict[str, int] = field(default_factory=dict)


@vendor_task("collect-class", "collect {asset_class}")
def collect_class(night: Night, asset_class: AssetClass) -> CollectionReceipt:
    """Fetches and curates one class; everything is stored before too little coverage is complained about."""
    group = str(asset_class)
    instruments = catalogue_of(night).instruments([asset_class])
    bar = _Bar(group, [item.symbol for item in instruments])
    with own_turn(night, group) as turn:
        fetched = fetch_bars(turn, asset_class, instruments, bar.arrived)
        receipt = _curate_class(night, asset_class, instruments, fetched)
    bar.finish(receipt)
    record(night, STAGE, group, receipt, CollectionReceipt)
    return receipt


@vendor_task("collect-macro", "collect macro")
def collect_macro(night: Night) -> CollectionReceipt:
    """Fetches and curates the macro series; a source without any is no failure."""
    names = catalogue_of(night).macro_series()
    bar = _Bar(MACRO, names)
    with own_turn(night, MACRO) as turn:
        fetched = fetch_macro(turn, names, bar.arrived)
        receipt = _curate_macro(night, names, fetched)
    bar.finish(receipt)
    record(night, STAGE, MACRO, receipt, CollectionReceipt)
    return receipt


def _curate_class(
    night: Night, asset_class: AssetClass, instruments: Sequence[Instrument], fetched: Fetched
) -> CollectionReceipt:
    group, settings, warehouse = str(asset_class), night.settings, night.warehouse
    symbols = [item.symbol for item in instruments]
    fetches = _good_fetches(night, group)
    history = _history(night, group, BARS, {"symbol": symbols})
    visible = visible_bars(history, fetches, instruments, night.as_of, _known_at(night))
    merged = merge_vendors(visible, instruments, vendor_order(settings, group), settings.vendors.cross_check_tolerance)
    actions = load_known_actions(CONFIG_FOLDER / settings.curation.corporate_actions)
    curated = curate_bars(merged.bars, instruments, merged.price_basis, settings.curation, night.as_of, actions)
    ended = outcomes.final_outcomes(fetched.answers, visible, "session_date", _nobody(fetched))
    refused = _refused(night, group, fetches, symbols)
    tables = _write_class(night, group, instruments, ended, merged, curated, refused)
    core = warehouse.write(f"core_{group}__daily_bars", curated.bars)
    missing = outcomes.missing_symbols(ended, curated.symbols)
    undelivered = outcomes.undelivered_symbols(ended)
    listed = {item.symbol for item in instruments if item.last_day is None}
    lacking = {symbol: reason for symbol, reason in (missing | undelivered).items() if symbol in listed}
    outcomes.require_coverage(asset_class, len(listed), lacking, settings.vendors.min_coverage)
    late = [f"{symbol} is not up to date: {reason}" for symbol, reason in undelivered.items() if symbol not in missing]
    problems = (*outcomes.rejected_symbols(ended), *outcomes.unreadable_cells(refused))
    notes = (*dict.fromkeys(fetched.notes), *late, *_later_knowledge(night, history, visible))
    versions = _raw_versions(night, group, BARS)
    return CollectionReceipt(core, len(curated.symbols), missing, problems, tables, notes, versions)


def _write_class(
    night: Night,
    group: str,
    instruments: Sequence[Instrument],
    ended: pd.DataFrame,
    merged: Merged,
    curated: CuratedBars,
    refused: pd.DataFrame,
) -> dict[str, TableRef]:
    warehouse = night.warehouse
    quarantine = curated.quarantine_rows(group, pd.concat([merged.quarantine, refused]))
    return {
        "outcomes": _store_outcomes(night, group, ended),
        "instruments": warehouse.write("core_market__instruments", instrument_rows(instruments), group),
        "quarantine": warehouse.write("core_quality__quarantine", quarantine, group),
        "disagreements": warehouse.write(
            "core_quality__disagreements", merged.disagreements.assign(asset_class=group), group
        ),
        "actions": warehouse.write("core_market__corporate_actions", curated.actions.assign(asset_class=group), group),
        "coverage": warehouse.write("core_market__coverage", curated.coverage.assign(asset_class=group), group),
    }


def _curate_macro(night: Night, names: Sequence[str], fetched: Fetched) -> CollectionReceipt:
    warehouse = night.warehouse
    fetches = _good_fetches(night, MACRO)
    history = _history(night, MACRO, MACRO_DATA, {"series": list(names)})
    visible = visible_macro(history, fetches, night.as_of, _known_at(night)).rename(columns={"series": "symbol"})
    curated = curate_macro(visible, publication_lags(night.settings), night.as_of)
    ended = outcomes.final_outcomes(fetched.answers, visible, "reference_date", _nobody(fetched))
    refused = _refused(night, MACRO, fetches, names)
    tables = {
        "outcomes": _store_outcomes(night, MACRO, ended),
        "quarantine": warehouse.write("core_quality__quarantine", curated.quarantine_rows(MACRO, refused), MACRO),
    }
    core = warehouse.write("core_macro__observations", curated.observations)
    missing = outcomes.missing_symbols(ended, curated.series)
    problems = (*outcomes.rejected_symbols(ended), *outcomes.unreadable_cells(refused))
    undelivered = outcomes.undelivered_symbols(ended)
    late = [f"{symbol} is not up to date: {reason}" for symbol, reason in undelivered.items() if symbol not in missing]
    versions, notes = _raw_versions(night, MACRO, MACRO_DATA), (*fetched.notes, *late)
    return CollectionReceipt(core, len(curated.series), missing, problems, tables, notes, versions)


def _known_at(night: Night) -> datetime:
    """Moment of the night's knowledge; for the latest night everything that is stored by now."""
    return night.known_at or datetime.now(UTC)


def _history(night: Night, group: str, dataset: str, where: dict[str, list[str]]) -> pd.DataFrame:
    """Every stored version of the raw rows of a group, of all its vendors."""
    warehouse = night.warehouse
    names = [raw_table(name, dataset) for name in vendor_order(night.settings, group)]
    parts = [warehouse.read(name, where=where, history=True) for name in names if warehouse.exists(name)]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else warehouse.read_or_empty(names[0], where=where)


def _good_fetches(night: Night, group: str) -> pd.DataFrame:
    return successful(night.warehouse.read_or_empty(FETCHES, where={"group": group}))


def _refused(night: Night, group: str, fetches: pd.DataFrame, symbols: Sequence[str]) -> pd.DataFrame:
    rows = night.warehouse.read_or_empty(REFUSED, where={"group": group, "symbol": list(symbols)})
    in_use = rows["vendor"].isin(vendor_order(night.settings, group))
    return intake.current_refused(rows[in_use & (rows["known_at"] <= _known_at(night))], fetches)


def _raw_versions(night: Night, group: str, dataset: str) -> dict[str, int]:
    names = [raw_table(name, dataset) for name in vendor_order(night.settings, group)]
    return {name: night.warehouse.version(name) for name in names if night.warehouse.exists(name)}


def _store_outcomes(night: Night, group: str, ended: pd.DataFrame) -> TableRef:
    rows = ended.assign(run_id=night.run_id, night=night.night_id, asset_class=group)
    return night.warehouse.write("core_quality__outcomes", rows)


def _nobody(fetched: Fetched) -> str:
    return "no vendor can be asked" + (f": {'; '.join(fetched.notes)}" if fetched.notes else "")


def _later_knowledge(night: Night, history: pd.DataFrame, visible: pd.DataFrame) -> tuple[str, ...]:
    """Says that a past-dated run leaves out what became known after it."""
    if night.known_at is None or history.empty or visible.empty:
        return ()
    later = int((history["known_at"] > visible["known_at"].max()).sum())
    hint = "run.known_at=now reads them"
    return (f"{later} rows became known after {visible['known_at'].max():%Y-%m-%d %H:%M} and are not read ({hint})",)[
        : later > 0
    ]


class _Bar:
    """Counts symbols for the progress display."""

    def __init__(self, item: str, symbols: Sequence[str]) -> None:
        self._item, self._waiting, self._total = item, set(symbols), len(symbols)

    def arrived(self, symbol: str) -> None:
        """An answer about a symbol; the work is not done before ``finish``: another vendor may be asked as well."""
        self._waiting.discard(symbol)
        done = self._total - max(len(self._waiting), 1)
        tell(ProgressEvent(STAGE, self._item, done, self._total, symbol))

    def finish(self, receipt: CollectionReceipt) -> None:
        """Everything is stored."""
        tell(ProgressEvent(STAGE, self._item, self._total, self._total, f"{receipt.symbols} symbols"))

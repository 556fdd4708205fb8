"""`wealtharena data check`: whether the stored data fit together, and what a person should look at."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.answers import BARS, FETCHES, raw_table, successful
from tasks.standing import ClassStanding, class_standings, collected_warehouse
from warehouse import Journal, Warehouse
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import CurationError, WarehouseError
from wealtharena.curation.schemas import require_core_bars
from wealtharena.settings import Settings

MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class DataFinding:
    """One thing that was checked; ``ok`` is False where something has to be mended."""

    name: str
    ok: bool
    found: str


def check_data(settings: Settings, now: datetime) -> list[DataFinding]:
    """Every check, the structural ones first.

    Raises:
        WarehouseError: nothing was collected yet.
    """
    warehouse = collected_warehouse(settings)
    checks: dict[str, Callable[[], list[DataFinding]]] = {
        "tables": lambda: [_tables_open(warehouse)],
        "ledger and raw tables": lambda: [_ledger_is_stored(warehouse)],
        "curated bars": lambda: [_core_keeps_its_schema(warehouse)],
        "curated bars and raw rows": lambda: [_core_comes_from_raw(warehouse)],
        "journal": lambda: [_nothing_waits(settings)],
        "coverage": lambda: [_coverage(item, settings.vendors.min_coverage) for item in class_standings(settings, now)],
        "quarantine": lambda: [_quarantine(warehouse)],
        "marked bars": lambda: [_flags(warehouse)],
        "vendors' disagreements": lambda: [_disagreements(warehouse)],
    }
    return [finding for name, check in checks.items() for finding in _findings(name, check)]


def _findings(name: str, check: Callable[[], list[DataFinding]]) -> list[DataFinding]:
    """What a check finds; a table that it cannot read is a finding too, and the others are checked all the same."""
    try:
        return check()
    except WarehouseError as error:
        return [DataFinding(name, False, str(error))]


def _tables_open(warehouse: Warehouse) -> DataFinding:
    summaries = warehouse.describe()
    return DataFinding("tables", True, f"{len(summaries)} tables, {sum(item.rows for item in summaries):,} rows")


def _ledger_is_stored(warehouse: Warehouse) -> DataFinding:
    """The last day that a vendor told of a symbol is stored."""
    fetches = successful(warehouse.read(FETCHES))
    fetches = fetches[fetches["rows"] > 0]
    lost = []
    for (vendor, dataset), own in fetches.groupby(["vendor", "dataset"], sort=True):
        key, day = ("symbol", "session_date") if dataset == BARS else ("series", "reference_date")
        table = raw_table(str(vendor), str(dataset))
        stored = warehouse.read_or_empty(table, columns=[key, day])
        ends = {str(symbol): last for symbol, last in stored.groupby(key)[day].max().items()}
        for symbol, last in own.groupby("symbol")["last_date"].max().items():
            if str(symbol) not in ends or ends[str(symbol)] < last:
                lost.append(f"{vendor} {symbol}")
    text = f"{len(fetches)} answers, all stored" if not lost else f"no rows of {_named(lost)}"
    return DataFinding("ledger and raw tables", not lost, text)


def _core_keeps_its_schema(warehouse: Warehouse) -> DataFinding:
    count = 0
    for name in _collected_classes(warehouse):
        bars = warehouse.read(f"core_{name}__daily_bars")
        count += len(bars)
        try:
            require_core_bars(bars)
        except CurationError as error:
            return DataFinding("curated bars", False, f"{name}: {error}")
    return DataFinding("curated bars", True, f"{count:,} bars keep their schema")


def _core_comes_from_raw(warehouse: Warehouse) -> DataFinding:
    """Every curated bar has a raw row of its vendor, symbol and session."""
    orphans = []
    keys = ["symbol", "session_date"]
    for name in _collected_classes(warehouse):
        bars = warehouse.read(f"core_{name}__daily_bars", columns=[*keys, "vendor"])
        for vendor, own in bars.groupby("vendor", sort=True):
            raw = warehouse.read_or_empty(raw_table(str(vendor), BARS), columns=keys)
            found = own[keys].merge(raw, on=keys, how="left", indicator=True)
            orphans += [f"{row[0]} {row[1]:%Y-%m-%d}" for row in found[found["_merge"] == "left_only"][keys].to_numpy()]
    return DataFinding(
        "curated bars and raw rows",
        not orphans,
        "every bar has its raw row" if not orphans else f"{len(orphans)} bars without raw row: {_named(orphans)}",
    )


def _nothing_waits(settings: Settings) -> DataFinding:
    folder = settings.home / "journal"
    groups = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    waiting = {name: len(Journal(folder / name).entries()) for name in groups}
    count = sum(waiting.values())
    text = f"{count} answers of a run that was ended wait; the next collection stores them" if count else "empty"
    return DataFinding("journal", True, text)


def _coverage(item: ClassStanding, min_coverage: float) -> DataFinding:
    ok = item.coverage >= min_coverage or item.name not in list(AssetClass)
    text = (
        f"{item.with_data} of {item.symbols} symbols, last session {item.last_session or 'none'}, {item.behind} behind"
    )
    lacking = {**item.missing, **item.stale}
    return DataFinding(
        f"coverage of {item.name}", ok, f"{text}; lacking {_named(sorted(lacking))}" if lacking else text
    )


def _quarantine(warehouse: Warehouse) -> DataFinding:
    rules = Counter(warehouse.read_or_empty("core_quality__quarantine")["rule"].tolist())
    return DataFinding(
        "quarantine", True, ", ".join(f"{rule} {count}" for rule, count in rules.most_common()) or "empty"
    )


def _flags(warehouse: Warehouse) -> DataFinding:
    flags: Counter[str] = Counter()
    for name in _collected_classes(warehouse):
        marked = warehouse.read(f"core_{name}__daily_bars", columns=["flags"])["flags"]
        flags.update(flag for text in marked[marked != ""].tolist() for flag in text.split(";"))
    return DataFinding(
        "marked bars", True, ", ".join(f"{flag} {count}" for flag, count in flags.most_common()) or "none"
    )


def _disagreements(warehouse: Warehouse) -> DataFinding:
    rows = warehouse.read_or_empty("core_quality__disagreements")
    symbols = sorted(map(str, rows["symbol"].unique()))
    text = f"{len(rows)} prices of {_named(symbols)} differ between vendors" if len(rows) else "none"
    return DataFinding("vendors' disagreements", True, text)


def _collected_classes(warehouse: Warehouse) -> list[str]:
    return [str(name) for name in AssetClass if warehouse.exists(f"core_{name}__daily_bars")]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more

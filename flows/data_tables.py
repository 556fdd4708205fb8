"""Prints what `wealtharena data` and `wealtharena warehouse` found or did."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

from flows import terminal
from tasks import data_checks, standing, upkeep
from wealtharena.settings import Settings


def print_data_status(settings: Settings, now: datetime, gaps: int, as_json: bool) -> None:
    """Coverage per class, missing and stale symbols with reasons, the largest gaps, the vendors' quotas."""
    classes = standing.class_standings(settings, now)
    vendors = standing.vendor_standings(settings, now)
    largest = standing.largest_gaps(settings, gaps)
    _print_classes(classes)
    _print_reasons("No data", {name: item.missing for name, item in _by_name(classes)})
    _print_reasons("Not brought up to date in the last run", {name: item.stale for name, item in _by_name(classes)})
    if largest:
        _print_records("Most missing sessions", largest, right=("missing",))
    columns = ["vendor", "requests left", "last answer", "remark"]
    rows = [[item.name, _windows(item.left), item.last_asked or "never", item.remark] for item in vendors]
    terminal.print_table("Vendors", columns, rows)
    if as_json:
        found = {"classes": [asdict(item) | {"coverage": item.coverage} for item in classes]}
        terminal.print_json(found | {"gaps": largest, "vendors": [asdict(item) for item in vendors]})


def print_history(settings: Settings, symbol: str, day: date | None, limit: int, as_json: bool) -> None:
    """Answers about a symbol and later changes, or every version of one bar."""
    if day is not None:
        versions = standing.versions_of(settings, symbol, day)
        _print_records(f"{symbol} on {day}: every version", versions)
        if as_json:
            terminal.print_json({"symbol": symbol, "session": day, "versions": versions})
        return
    fetches, revisions = standing.fetches_of(settings, symbol), standing.revisions_of(settings, symbol)
    _print_records(f"{symbol}: answers, the latest last", fetches[-limit:], right=("rows", "epoch"))
    _print_records(f"{symbol}: values that were changed later", revisions[-limit:])
    hidden = max(len(revisions) - limit, 0)
    if hidden:
        terminal.console.print(f"… {hidden} earlier changes (--limit, --json)")
    if as_json:
        terminal.print_json({"symbol": symbol, "fetches": fetches, "revisions": revisions})


def print_checks(settings: Settings, now: datetime, as_json: bool) -> bool:
    """What was checked and what it showed; whether nothing has to be mended."""
    findings = data_checks.check_data(settings, now)
    rows = [["ok" if item.ok else "MEND", item.name, item.found] for item in findings]
    terminal.print_table("Data check", ["", "what", "found"], rows)
    healthy = all(item.ok for item in findings)
    if as_json:
        terminal.print_json({"ok": healthy, "findings": [asdict(item) for item in findings]})
    return healthy


def print_maintenance(settings: Settings, now: datetime, as_json: bool) -> None:
    """Files and bytes per table, before and after."""
    with terminal.progress_bars(verbose=False):
        report = upkeep.maintain(settings, now)
    _print_records("Maintained", report, right=("files before", "files after", "MB before", "MB after"))
    if as_json:
        terminal.print_json({"tables": report})


def print_backup(settings: Settings, folder: Path, as_json: bool) -> None:
    """Tables that were copied, with their version."""
    with terminal.progress_bars(verbose=False):
        report = upkeep.backup(settings, folder)
    _print_records(f"Backup in {folder}", report, right=("version", "files", "MB"))
    if as_json:
        terminal.print_json({"folder": str(folder), "tables": report})


def print_restore(settings: Settings, folder: Path, as_json: bool) -> None:
    """Tables that were put in place, with their version."""
    with terminal.progress_bars(verbose=False):
        report = upkeep.restore(settings, folder)
    _print_records(f"Restored from {folder}", report, right=("version", "of the backup"))
    if as_json:
        terminal.print_json({"folder": str(folder), "tables": report})


def _print_classes(classes: Sequence[standing.ClassStanding]) -> None:
    columns = [
        "class",
        "symbols",
        "coverage",
        "last session",
        "behind",
        "missing sessions",
        "quarantined",
        "rows by vendor",
    ]
    rows = [
        [
            item.name,
            f"{item.with_data}/{item.symbols}",
            f"{item.coverage:.0%}",
            item.last_session,
            str(item.behind),
            str(item.gaps),
            str(item.quarantined),
            ", ".join(f"{name} {count}" for name, count in item.vendors.items()),
        ]
        for item in classes
    ]
    terminal.print_table("Collected data", columns, rows, right=tuple(columns[1:3] + columns[4:7]))


def _by_name(classes: Sequence[standing.ClassStanding]) -> list[tuple[str, standing.ClassStanding]]:
    return [(item.name, item) for item in classes]


def _print_reasons(title: str, reasons: dict[str, dict[str, str]]) -> None:
    rows = [[name, symbol, reason] for name, own in reasons.items() for symbol, reason in sorted(own.items())]
    if rows:
        terminal.print_table(title, ["class", "symbol", "reason"], rows)


def _print_records(title: str, records: Sequence[dict[str, Any]], right: tuple[str, ...] = ()) -> None:
    columns = list(records[0]) if records else ["(none)"]
    rows = [["" if row[name] is None else str(row[name]) for name in columns] for row in records]
    terminal.print_table(title, columns, rows, right=right)


def _windows(left: dict[str, int]) -> str:
    longer = ", ".join(f"{count} per {name}" for name, count in left.items() if name != "second")
    return longer or ("paced by the second" if left else "not limited")

"""Tidies, backs up and restores the warehouse, and tells the terminal how far it is."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks.progress import ProgressEvent, tell
from tasks.receipts import TABLE
from warehouse import TABLES, Warehouse, backups, upkeep
from wealtharena.agents.specs import AGENTS
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker

Row = dict[str, Any]
_MEGABYTE = 1e6


def maintain(settings: Settings, now: datetime) -> list[Row]:
    """Merges small files and removes old versions; those that models in service were made from stay readable."""
    warehouse = _warehouse(settings)
    keep = _versions_in_service(settings, warehouse)
    report = upkeep.maintain(warehouse, settings.warehouse.keep_days, keep, now, _bar("maintain"))
    return [
        {
            "table": item.table,
            "files before": item.files_before,
            "files after": item.files_after,
            "MB before": _megabytes(item.bytes_before),
            "MB after": _megabytes(item.bytes_after),
            "readable versions": _spans(item.readable_versions),
        }
        for item in report
    ]


def backup(settings: Settings, folder: Path) -> list[Row]:
    """Copies every table at its present version."""
    report = backups.backup(_warehouse(settings), folder, _bar("backup"))
    return [
        {"table": item.table, "version": item.version, "files": item.files, "MB": _megabytes(item.bytes)}
        for item in report
    ]


def restore(settings: Settings, folder: Path) -> list[Row]:
    """Puts a backup's contents in place of the tables'."""
    report = backups.restore(folder, _warehouse(settings), _bar("restore"))
    return [
        {
            "table": item.table,
            "version": item.version,
            "of the backup": item.backup_version,
            "rows": "restored" if item.changed else "were equal",
        }
        for item in report
    ]


def _warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings.home / "warehouse")


def _versions_in_service(settings: Settings, warehouse: Warehouse) -> dict[str, set[int]]:
    """Table versions that the nights of champions, former champions and challengers were made from."""
    if not warehouse.exists(TABLE):
        return {}
    registry = ModelRegistry(Tracker(settings))
    nights = {info.tags.get("night", "") for agent in AGENTS for info in registry.in_service(agent)}
    keep: dict[str, set[int]] = defaultdict(set)
    for text in warehouse.read(TABLE, where={"night": sorted(nights)}, columns=["receipt"])["receipt"]:
        for table, version in _named_versions(json.loads(text) if text else {}):
            keep[table].add(version)
    return dict(keep)


def _named_versions(receipt: Any) -> Iterator[tuple[str, int]]:
    """Tables and versions that a receipt names anywhere."""
    if isinstance(receipt, list):
        for item in receipt:
            yield from _named_versions(item)
    if not isinstance(receipt, dict):
        return
    if receipt.get("name") in TABLES and isinstance(receipt.get("version"), int):
        yield receipt["name"], receipt["version"]
    for name, item in receipt.items():
        if name in TABLES and isinstance(item, int):
            yield name, item
        yield from _named_versions(item)


def _bar(act: str) -> Callable[[str, int, int], None]:
    def advance(table: str, done: int, total: int) -> None:
        tell(ProgressEvent("warehouse", act, done, total, table))

    return advance


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:.1f}"


def _spans(versions: tuple[int, ...]) -> str:
    """Numbers with runs joined: 1–3, 7."""
    spans: list[list[int]] = []
    for version in versions:
        if spans and version == spans[-1][1] + 1:
            spans[-1][1] = version
        else:
            spans.append([version, version])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)

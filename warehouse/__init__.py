"""ACID tables of everything the product stores: Delta Lake files, queried with DuckDB."""

from warehouse.backups import TableBackup, TableRestored, backup, restore
from warehouse.journal import Journal, JournalEntry
from warehouse.store import TableSummary, Warehouse
from warehouse.tables import TABLES, TableSpec
from warehouse.upkeep import Upkeep, maintain

__all__ = [
    "TABLES",
    "Journal",
    "JournalEntry",
    "TableBackup",
    "TableRestored",
    "TableSpec",
    "TableSummary",
    "Upkeep",
    "Warehouse",
    "backup",
    "maintain",
    "restore",
]

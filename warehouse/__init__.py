"""ACID tables of everything the product stores: Delta Lake files, queried with DuckDB."""

from warehouse.store import TableSummary, Warehouse
from warehouse.tables import TABLES, TableSpec

__all__ = ["TABLES", "TableSpec", "TableSummary", "Warehouse"]

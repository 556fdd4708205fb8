"""SQL over tables with DuckDB as the engine: in memory, reading only."""

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from warehouse.tables import TABLES
from wealtharena.core.errors import WarehouseError

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
# Nothing leaves memory: no files, no network, no Python variables of this process, and no way to undo that.
_LOCKED = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def run_query(query: str, datasets: Mapping[str, pads.Dataset]) -> pa.Table:
    """Result of one reading statement over ``datasets`` (warehouse tables by name).

    Raises:
        WarehouseError: the query is not a single reading statement, or DuckDB refuses it.
    """
    with duckdb.connect(":memory:") as connection:
        _refuse_other_than_reading(connection, query)
        for name, dataset in datasets.items():
            _add_views(connection, name, dataset)
        for setting in _LOCKED:
            connection.execute(setting)
        try:
            return connection.sql(query).to_arrow_table()
        except duckdb.Error as error:
            raise WarehouseError(_explain(error, list(datasets))) from None


def _refuse_other_than_reading(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise WarehouseError(_one_line(error)) from None
    if len(statements) != 1:
        raise WarehouseError(f"a query must be one statement, got {len(statements)}")
    if statements[0].type not in _READING:
        raise WarehouseError(f"a query may only read (SELECT …), got {statements[0].type.name}")


def _add_views(connection: duckdb.DuckDBPyConnection, name: str, dataset: pads.Dataset) -> None:
    spec = TABLES[name]
    if spec.mode != "append_new":
        connection.register(name, dataset)
        return
    connection.register(f"{name}__history", dataset)
    key = ", ".join(spec.key)
    connection.execute(
        f"CREATE VIEW {name} AS SELECT * FROM {name}__history "  # noqa: S608 names come from TABLES
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC) = 1"
    )


def _explain(error: duckdb.Error, existing: list[str]) -> str:
    missing = re.search(r"Table with name (\S+) does not exist", str(error))
    if missing is None:
        return _one_line(error)
    name = missing.group(1)
    if name in TABLES:
        return f"table {name} has never been written to; there are: {', '.join(existing) or 'none'}"
    return f"unknown table {name!r}; there are: {', '.join(existing) or 'none'}"


def _one_line(error: duckdb.Error) -> str:
    return " ".join(str(error).split())

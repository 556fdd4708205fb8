"""The warehouse: atomic writes, reads as of a version or a moment, references, SQL."""

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from warehouse.rows import (
    changed_rows,
    content_hash,
    fit_rows,
    newest_rows,
    refuse_older_knowledge,
    sort_rows,
    without_keys_of,
)
from warehouse.slices import filter_expression, partition_filter, slice_predicate, slices_of
from warehouse.tables import TABLES, TableSpec
from wealtharena.core import TableRef
from wealtharena.core.errors import WarehouseError, unknown_name

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 60
"""Attempts to commit while other processes write to the same table."""
MAX_WAIT_SECONDS = 0.5
MAX_FILES = 50
"""Files of a table that grows by appending, above which they are merged into one."""

_STORAGE_ERRORS = (DeltaError, pa.ArrowException, OSError)
# Every commit carries this application id, so that of two commits that began from the same version the second one
# fails and is redone on top of the first: read, compare and write act as one step, without a lock.
_APPLICATION = "wealtharena"
# Models name the versions that they were trained on: the log must never forget one.
_CONFIGURATION: dict[str, str | None] = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}


_writing = {name: Lock() for name in TABLES}


class TableSummary(NamedTuple):
    """One line about a table."""

    table: str
    rows: int
    version: int


class Warehouse:
    """The tables under one folder. Cheap to make; safe to use from several processes and threads at once."""

    def __init__(self, root: Path) -> None:
        """``root`` need not exist yet.

        Raises:
            WarehouseError: the path holds a character that Delta Lake cannot address.
        """
        self.root = root.resolve()
        if set("%[]") & set(str(self.root)):
            raise WarehouseError(f"the warehouse folder may not contain %, [ or ], got {self.root}")

    def write(self, table: str, frame: pd.DataFrame | pa.Table, partition: str = "") -> TableRef:
        """Stores ``frame`` in one atomic step, as the table's mode says.

        A write that changes nothing makes no new version. In a ``replace`` table, ``partition`` names the slice that
        is replaced; without it, every slice that ``frame`` has rows of, or the whole of an unpartitioned table.

        Args:
            table: name in ``TABLES``.
            frame: rows in any order; its columns must be those of the table.
            partition: values of ``partition_by`` joined by ``/``: of the first column, or of all.

        Returns:
            Reference to the partition, or to the whole table if none was named.

        Raises:
            WarehouseError: unknown table, rows that break a rule (see ``fit_rows``), or no commit because other
                processes kept committing first.
        """
        spec = _spec(table)
        rows = fit_rows(spec, frame)
        outside = rows.filter(~partition_filter(spec, partition)) if partition else rows.slice(0, 0)
        if outside.num_rows:
            raise WarehouseError(f"table {table}: {outside.num_rows} rows do not belong to partition {partition}")
        # Threads of one process queue up instead of undoing one another's commits; other processes are met below.
        with _writing[table]:
            for attempt in range(MAX_ATTEMPTS):
                try:
                    return self._write_once(spec, rows, partition)
                except CommitFailedError:
                    wait = min(0.01 * 2**attempt, MAX_WAIT_SECONDS) * (0.5 + secrets.randbelow(1000) / 1000)
                    logger.debug("table %s was changed by another writer, once more in %.2f s", table, wait)
                    time.sleep(wait)
                except _STORAGE_ERRORS as error:
                    raise _failure(spec, "written", error) from None
        raise WarehouseError(f"table {table}: other writers committed first in {MAX_ATTEMPTS} attempts")

    def read(
        self,
        table: str,
        *,
        partition: str = "",
        columns: Sequence[str] | None = None,
        where: Mapping[str, object] | None = None,
        version: int | None = None,
        as_known_at: datetime | None = None,
    ) -> pd.DataFrame:
        """Rows in key order; days as ``datetime64[us]`` at midnight, missing numbers as NaN.

        Args:
            table: name in ``TABLES``.
            partition: as in ``write``.
            columns: columns in the order wanted; all by default.
            where: column to value, or to a list of values of which one must match.
            version: Delta version to read; the latest by default.
            as_known_at: only for ``append_new`` tables: what was known at this moment (with time zone).

        Raises:
            WarehouseError: unknown table, column or version, or nothing was ever written to the table.
        """
        spec = _spec(table)
        table_then = self._open(spec, version)
        return _to_pandas(_plain_rows(spec, table_then, partition, columns, where or {}, as_known_at))

    def read_or_empty(self, table: str, *, where: Mapping[str, object] | None = None) -> pd.DataFrame:
        """As ``read``, but no rows where nothing was ever written."""
        if self.exists(table):
            return self.read(table, where=where)
        return _to_pandas(_spec(table).schema.empty_table())

    def exists(self, table: str) -> bool:
        """Whether the table was ever written to."""
        return bool(DeltaTable.is_deltatable(str(self._path(_spec(table)))))

    def ref(self, table: str, partition: str = "", where: Mapping[str, object] | None = None) -> TableRef:
        """Reference to what a plain ``read`` with the same arguments gives.

        Raises:
            WarehouseError: as for ``read``.
        """
        spec = _spec(table)
        current = self._open(spec)
        return _reference(spec, current, partition, _plain_rows(spec, current, partition, where=where or {}))

    def sql(self, query: str) -> pa.Table:
        """Result of one SELECT (or DESCRIBE, SHOW, EXPLAIN) in DuckDB's SQL over all tables that exist.

        An ``append_new`` table shows the newest version of each row; ``<table>__history`` shows all of them.

        Raises:
            WarehouseError: the query is not a single reading statement, or DuckDB refuses it.
        """
        existing = [spec for spec in TABLES.values() if self.exists(spec.name)]
        # Imported here: DuckDB's bindings complain at exit in processes that ran Prefect flows.
        from warehouse.queries import run_query

        return run_query(query, {spec.name: self._open(spec).to_pyarrow_dataset() for spec in existing})

    def describe(self) -> list[TableSummary]:
        """Rows (of a plain read) and version of every table that exists, in the order of ``TABLES``."""
        return [self._summary(spec) for spec in TABLES.values() if self.exists(spec.name)]

    def _summary(self, spec: TableSpec) -> TableSummary:
        table = self._open(spec)
        return TableSummary(spec.name, _plain_rows(spec, table, columns=spec.key).num_rows, table.version())

    def _path(self, spec: TableSpec) -> Path:
        return self.root / spec.name

    def _open(self, spec: TableSpec, version: int | None = None) -> DeltaTable:
        path = str(self._path(spec))
        if not DeltaTable.is_deltatable(path):
            raise WarehouseError(f"table {spec.name} has never been written to under {self.root}")
        try:
            table = DeltaTable(path)
            if version is not None and not 0 <= version <= table.version():
                raise WarehouseError(f"table {spec.name} has versions 0 to {table.version()}, got {version}")
            return table if version is None else DeltaTable(path, version=version)
        except DeltaError as error:
            raise _failure(spec, "read", error) from None

    def _write_once(self, spec: TableSpec, rows: pa.Table, partition: str) -> TableRef:
        if not self.exists(spec.name):
            self._create(spec, rows)
            return _reference(spec, self._open(spec, 0), partition, rows)
        table = self._open(spec)
        if spec.mode != "replace" or spec.partition_by:
            self._refuse_other_columns(spec, table)
        if spec.mode == "replace":
            _replace(spec, table, rows, partition)
        else:
            _grow(spec, table, rows)
        is_all_of_it = spec.mode == "replace" and (partition or not spec.partition_by)
        return _reference(spec, table, partition, rows if is_all_of_it else _plain_rows(spec, table, partition))

    def _refuse_other_columns(self, spec: TableSpec, table: DeltaTable) -> None:
        stored = [field.name for field in table.schema().fields]
        if stored != spec.schema.names:
            raise WarehouseError(
                f"table {spec.name} must have the columns {', '.join(spec.schema.names)}, but another release wrote "
                f"{', '.join(stored)}; move {self._path(spec)} away to begin anew"
            )

    def _create(self, spec: TableSpec, rows: pa.Table) -> None:
        path = self._path(spec)
        path.mkdir(parents=True, exist_ok=True)
        try:
            write_deltalake(
                path,
                rows,
                mode="error",
                partition_by=list(spec.partition_by[:1]) or None,
                configuration=_CONFIGURATION,
                description=spec.description,
                writer_properties=WriterProperties(compression="ZSTD"),
                # Without a version to start from, Delta Lake would commit on top of another process's creation.
                commit_properties=_commit_properties(0, max_commit_retries=0),
            )
        except DeltaError as error:
            if DeltaTable.is_deltatable(str(path)):
                raise CommitFailedError(str(error)) from None
            raise


def _spec(table: str) -> TableSpec:
    if table not in TABLES:
        raise WarehouseError(unknown_name("table", table, TABLES))
    return TABLES[table]


def _plain_rows(
    spec: TableSpec,
    table: DeltaTable,
    partition: str = "",
    columns: Sequence[str] | None = None,
    where: Mapping[str, object] = MappingProxyType({}),
    as_known_at: datetime | None = None,
) -> pa.Table:
    dataset = table.to_pyarrow_dataset()
    known: list[str] = dataset.schema.names
    wanted = known if columns is None else list(columns)
    for name in (*wanted, *where):
        if name not in known:
            raise WarehouseError(unknown_name(f"column of table {spec.name}", name, known))
    versioned = spec.mode == "append_new"
    # Only the key may be filtered on before the newest version of each row is chosen.
    early = {name: value for name, value in where.items() if name in spec.key or not versioned}
    late = {name: value for name, value in where.items() if name not in early}
    scanned = {*wanted, *spec.key, *late, *(("known_at",) if versioned else ())}
    condition = filter_expression(spec, dataset.schema, early) & partition_filter(spec, partition)
    condition = condition & _known_by(spec, as_known_at)
    try:
        rows = dataset.to_table(columns=[name for name in known if name in scanned], filter=condition)
    except _STORAGE_ERRORS as error:
        raise _failure(spec, "read", error) from None
    rows = newest_rows(spec, rows) if versioned else sort_rows(rows, spec.key)
    return rows.filter(filter_expression(spec, dataset.schema, late)).select(wanted)


def _replace(spec: TableSpec, table: DeltaTable, rows: pa.Table, partition: str) -> None:
    written = slices_of(spec, rows, partition)
    if spec.partition_by and not written:
        return
    condition = slice_predicate(written)
    stored = table.to_pyarrow_dataset()
    if set(stored.schema.names) == set(rows.column_names):
        before = sort_rows(stored.to_table(filter=condition.expression), spec.key)
        is_changed = content_hash(spec, before) != content_hash(spec, rows)
    else:
        is_changed = True
    if is_changed:
        _commit(table, rows, mode="overwrite", predicate=condition.sql)


def _grow(spec: TableSpec, table: DeltaTable, rows: pa.Table) -> None:
    stored = table.to_pyarrow_dataset().to_table()
    current = newest_rows(spec, stored) if spec.mode == "append_new" else stored
    changed = changed_rows(spec, current, rows)
    if not changed.num_rows:
        return
    if spec.mode == "append_new":
        refuse_older_knowledge(spec, current, changed)
        kept = stored
    else:
        kept = without_keys_of(spec, stored, changed).cast(stored.schema)
    if kept.num_rows == stored.num_rows and len(table.file_uris()) < MAX_FILES:
        _commit(table, changed, mode="append")
    else:
        _commit(table, sort_rows(pa.concat_tables([kept, changed.cast(stored.schema)]), spec.key), mode="overwrite")


def _commit(table: DeltaTable, rows: pa.Table, **how: Any) -> None:
    if how["mode"] == "overwrite" and how.get("predicate") is None:
        how["schema_mode"] = "overwrite"
    write_deltalake(
        table,
        rows,
        writer_properties=WriterProperties(compression="ZSTD"),
        commit_properties=_commit_properties(table.version() + 1),
        **how,
    )


def _commit_properties(version: int, max_commit_retries: int | None = None) -> CommitProperties:
    transactions = [Transaction(_APPLICATION, version)]
    return CommitProperties(app_transactions=transactions, max_commit_retries=max_commit_retries)


def _known_by(spec: TableSpec, moment: datetime | None) -> pads.Expression:
    if moment is None:
        return pc.scalar(True)
    if spec.mode != "append_new":
        raise WarehouseError(f"table {spec.name} keeps no `known_at`; read an earlier `version` instead")
    if moment.tzinfo is None:
        raise WarehouseError(f"`as_known_at` must have a time zone, got {moment}")
    return pc.field("known_at") <= pa.scalar(moment, spec.schema.field("known_at").type)


def _reference(spec: TableSpec, table: DeltaTable, partition: str, rows: pa.Table) -> TableRef:
    return TableRef(spec.name, table.version(), partition, rows.num_rows, content_hash(spec, rows))


def _to_pandas(rows: pa.Table) -> pd.DataFrame:
    for index, field in enumerate(rows.schema):
        if pa.types.is_date(field.type):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.timestamp("us")))
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def _failure(spec: TableSpec, verb: str, error: Exception) -> WarehouseError:
    return WarehouseError(f"table {spec.name} could not be {verb}: {' '.join(str(error).split())}")

"""The warehouse: atomic writes, reads as of a version or a moment, references, SQL."""

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from warehouse.changes import grow_rows, merge_where_many_files, replace_rows
from warehouse.delta import (
    STORAGE_ERRORS,
    create_table,
    dataset_of,
    failure,
    is_table,
    open_table,
    refuse_other_columns,
)
from warehouse.log import read_log
from warehouse.rows import content_hash, fit_rows, newest_rows, sort_rows
from warehouse.slices import filter_expression, not_before_expression, partition_filter
from warehouse.tables import TABLES, TableSpec
from wealtharena.core import TableRef
from wealtharena.core.errors import WarehouseError, unknown_name

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 60
"""Attempts to commit while other processes write to the same table."""
MAX_WAIT_SECONDS = 0.5

_NOTHING: Mapping[str, object] = MappingProxyType({})
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
        is replaced; without it, every slice that ``frame`` has rows of, or the whole of an unpartitioned table. In a
        table divided by year, only the years that ``frame`` has rows of are read, and only those that change written.

        Args:
            table: name in ``TABLES``.
            frame: rows in any order; its columns must be those of the table.
            partition: values of ``partition_by`` joined by ``/``: of the first column, or of all.

        Returns:
            ``replace`` tables: reference to the partition, or to the whole table if none was named. Tables that
            grow (``append_new``, ``upsert``): reference to the rows of ``frame``, stored now or earlier, at a version
            that holds them; the rest of the table is not read for it.

        Raises:
            WarehouseError: unknown table, rows that break a rule (see ``fit_rows``), no commit because other
                processes kept committing first, or storage that failed, such as a full disk: the table then holds
                what it held before.
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
                except STORAGE_ERRORS as error:
                    raise failure(spec, "written", error, self._path(spec)) from None
        raise WarehouseError(f"table {table}: other writers committed first in {MAX_ATTEMPTS} attempts")

    def read(
        self,
        table: str,
        *,
        partition: str = "",
        columns: Sequence[str] | None = None,
        where: Mapping[str, object] | None = None,
        not_before: Mapping[str, object] | None = None,
        version: int | None = None,
        as_known_at: datetime | None = None,
        history: bool = False,
    ) -> pd.DataFrame:
        """Rows in key order; days as ``datetime64[us]`` at midnight, missing numbers as NaN.

        Args:
            table: name in ``TABLES``.
            partition: as in ``write``.
            columns: columns in the order wanted; all by default.
            where: column to value, or to a list of values of which one must match.
            not_before: column to its least value; rows without a value are left out. On ``year_of`` of the table, files
                of earlier years are not opened.
            version: Delta version to read; the latest by default.
            as_known_at: only for ``append_new`` tables: what was known at this moment (with time zone).
            history: only for ``append_new`` tables: every version of each row, oldest first, not the newest alone.

        Raises:
            WarehouseError: unknown table, column or version, nothing was ever written to the table, or the version's
                files were removed by maintenance.
        """
        spec = _spec(table)
        asked = _Asked(partition, columns, where or {}, not_before or {}, as_known_at, history)
        try:
            return _to_pandas(_plain_rows(spec, self._open(spec, version), asked))
        except STORAGE_ERRORS as error:
            raise self._unreadable(spec, version, error) from None

    def read_or_empty(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, object] | None = None,
        not_before: Mapping[str, object] | None = None,
        as_known_at: datetime | None = None,
        history: bool = False,
    ) -> pd.DataFrame:
        """As ``read``, but no rows where nothing was ever written."""
        if self.exists(table):
            return self.read(
                table, columns=columns, where=where, not_before=not_before, as_known_at=as_known_at, history=history
            )
        empty = _spec(table).schema.empty_table()
        return _to_pandas(empty if columns is None else empty.select(list(columns)))

    def exists(self, table: str) -> bool:
        """Whether the table was ever written to."""
        return is_table(self._path(_spec(table)))

    def version(self, table: str) -> int:
        """Latest version of a table.

        Raises:
            WarehouseError: unknown table, or nothing was ever written to it.
        """
        return int(self._open(_spec(table)).version())

    def ref(self, table: str, partition: str = "", where: Mapping[str, object] | None = None) -> TableRef:
        """Reference to what a plain ``read`` with the same arguments gives.

        Raises:
            WarehouseError: as for ``read``.
        """
        spec = _spec(table)
        current = self._open(spec)
        asked = _Asked(partition=partition, where=where or {})
        try:
            return _reference(spec, current, partition, _plain_rows(spec, current, asked))
        except STORAGE_ERRORS as error:
            raise self._unreadable(spec, None, error) from None

    def sql(self, query: str) -> pa.Table:
        """Result of one SELECT (or DESCRIBE, SHOW, EXPLAIN) in DuckDB's SQL over all tables that exist.

        An ``append_new`` table shows the newest version of each row; ``<table>__history`` shows all of them.

        Raises:
            WarehouseError: the query is not a single reading statement, or DuckDB refuses it.
        """
        existing = [spec for spec in TABLES.values() if self.exists(spec.name)]
        # Imported here: DuckDB's bindings complain at exit in processes that ran Prefect flows.
        from warehouse.queries import run_query

        return run_query(query, {spec.name: dataset_of(spec, self._open(spec)) for spec in existing})

    def describe(self) -> list[TableSummary]:
        """Rows (of a plain read) and version of every table that exists, in the order of ``TABLES``.

        Raises:
            WarehouseError: the files of a table cannot be read.
        """
        return [self._summary(spec) for spec in TABLES.values() if self.exists(spec.name)]

    def _summary(self, spec: TableSpec) -> TableSummary:
        table = self._open(spec)
        try:
            if spec.mode == "append_new":
                rows = _plain_rows(spec, table, _Asked(columns=spec.key)).num_rows
            else:
                rows = table.count()
        except STORAGE_ERRORS as error:
            raise self._unreadable(spec, None, error) from None
        return TableSummary(spec.name, rows, table.version())

    def _path(self, spec: TableSpec) -> Path:
        return self.root / spec.name

    def _open(self, spec: TableSpec, version: int | None = None) -> DeltaTable:
        return open_table(spec, self._path(spec), version)

    def _write_once(self, spec: TableSpec, rows: pa.Table, partition: str) -> TableRef:
        grows = spec.mode != "replace"
        if not self.exists(spec.name):
            create_table(spec, self._path(spec), rows)
            return _reference(spec, self._open(spec, 0), partition, rows)
        table = self._open(spec)
        if grows or spec.partition_by or spec.year_of:
            refuse_other_columns(spec, table, self._path(spec))
        if grows:
            grow_rows(spec, table, rows)
        else:
            replace_rows(spec, table, rows, partition)
        is_all_of_it = grows or partition or not spec.partition_by
        ref = _reference(spec, table, partition, rows if is_all_of_it else _plain_rows(spec, table, _Asked(partition)))
        if grows:
            merge_where_many_files(spec, table, self._path(spec))
        return ref

    def _unreadable(self, spec: TableSpec, version: int | None, error: Exception) -> WarehouseError:
        path = self._path(spec)
        log = read_log(spec, path)
        if version in (None, log.latest) or all((path / file.path).exists() for file in log.files_of(version or 0)):
            return failure(spec, "read", error, path)
        return WarehouseError(
            f"table {spec.name}: files of version {version} were removed by maintenance, which keeps the versions of "
            f"the last `keep_days` days and those that receipts and models name"
        )


class _Asked(NamedTuple):
    """Arguments of a read."""

    partition: str = ""
    columns: Sequence[str] | None = None
    where: Mapping[str, object] = _NOTHING
    not_before: Mapping[str, object] = _NOTHING
    as_known_at: datetime | None = None
    history: bool = False


def _spec(table: str) -> TableSpec:
    if table not in TABLES:
        raise WarehouseError(unknown_name("table", table, TABLES))
    return TABLES[table]


def _plain_rows(spec: TableSpec, table: DeltaTable, asked: _Asked) -> pa.Table:
    dataset = dataset_of(spec, table)
    known: list[str] = dataset.schema.names
    wanted = known if asked.columns is None else list(asked.columns)
    for name in (*wanted, *asked.where, *asked.not_before):
        if name not in known:
            raise WarehouseError(unknown_name(f"column of table {spec.name}", name, known))
    if asked.history and spec.mode != "append_new":
        raise WarehouseError(f"table {spec.name} keeps no `history` of its rows; read an earlier `version` instead")
    chooses = spec.mode == "append_new" and not asked.history
    # Only the key may be filtered on before the newest version of each row is chosen.
    early = set(spec.key if chooses else known)
    late = {*asked.where, *asked.not_before} - early
    condition = partition_filter(spec, asked.partition) & _known_by(spec, asked.as_known_at)
    condition = condition & _conditions(spec, dataset.schema, asked, early)
    order = (*spec.key, "known_at") if spec.mode == "append_new" else spec.key
    scanned = {*wanted, *order, *late}
    rows = dataset.to_table(columns=[name for name in known if name in scanned], filter=condition)
    rows = newest_rows(spec, rows) if chooses else sort_rows(rows, order)
    if late:
        rows = rows.filter(_conditions(spec, dataset.schema, asked, late))
    return rows.select(wanted)


def _conditions(spec: TableSpec, schema: pa.Schema, asked: _Asked, names: set[str]) -> pads.Expression:
    """Those conditions of ``asked`` that are on columns among ``names``."""
    where = {name: value for name, value in asked.where.items() if name in names}
    least = {name: value for name, value in asked.not_before.items() if name in names}
    return filter_expression(spec, schema, where) & not_before_expression(spec, schema, least)


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

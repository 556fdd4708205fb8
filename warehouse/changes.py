"""What a write changes: only rows that differ are committed, and only the years that they lie in are read."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from warehouse.delta import (
    STORAGE_ERRORS,
    commit,
    dataset_of,
    files_per_year,
    merge_files,
    part_predicate,
    why_storage_failed,
    years_of,
)
from warehouse.rows import (
    changed_rows,
    content_columns,
    content_hash,
    newest_rows,
    refuse_older_knowledge,
    sort_rows,
    without_keys_of,
)
from warehouse.slices import slice_predicate, slices_of
from warehouse.tables import TableSpec

logger = logging.getLogger(__name__)

MAX_FILES = 50
"""Files of a year (of a table that is not divided) that grows by appending, above which they are merged into one."""


def replace_rows(spec: TableSpec, table: DeltaTable, rows: pa.Table, partition: str) -> None:
    """Exchanges the slices that ``rows`` belong to, if their content differs, in one commit."""
    if spec.year_of:
        _replace_years(spec, table, rows)
        return
    written = slices_of(spec, rows, partition)
    if spec.partition_by and not written:
        return
    condition = slice_predicate(written)
    stored = dataset_of(spec, table)
    if set(stored.schema.names) == set(rows.column_names):
        before = sort_rows(stored.to_table(filter=condition.expression), spec.key)
        is_changed = content_hash(spec, before) != content_hash(spec, rows)
    else:
        is_changed = True
    if is_changed:
        commit(spec, table, rows, mode="overwrite", predicate=condition.sql)


def grow_rows(spec: TableSpec, table: DeltaTable, rows: pa.Table) -> None:
    """Adds those of ``rows`` that are new or changed; an ``upsert`` table loses the rows that they exchange."""
    stored = _rows_of_equal_key(spec, table, rows)
    current = newest_rows(spec, stored) if spec.mode == "append_new" else stored
    changed = changed_rows(spec, current, rows)
    if not changed.num_rows:
        return
    if spec.mode == "append_new":
        refuse_older_knowledge(spec, current, changed)
    elif without_keys_of(spec, stored, changed).num_rows < stored.num_rows:
        _exchange(spec, table, changed)
        return
    commit(spec, table, changed, mode="append")


def merge_where_many_files(spec: TableSpec, table: DeltaTable, path: Path) -> None:
    """Merges the files of each year that has more than ``MAX_FILES``; what cannot be merged now stays as it is."""
    for year, files in sorted(files_per_year(table).items(), key=str):
        if files <= MAX_FILES:
            continue
        try:
            merge_files(spec, table, year)
        except CommitFailedError:
            logger.debug("table %s: files stay unmerged, another writer came first", spec.name)
            return
        except STORAGE_ERRORS as error:
            logger.warning("table %s: files stay unmerged: %s", spec.name, why_storage_failed(error, path))
            return


def _replace_years(spec: TableSpec, table: DeltaTable, rows: pa.Table) -> None:
    on_disk = {year for year in files_per_year(table) if year is not None}
    numbers = pc.year(rows[spec.year_of])
    changed: list[int] = []
    for year in sorted({*on_disk, *years_of(spec, rows)}):
        before = sort_rows(dataset_of(spec, table, [year]).to_table(), spec.key)
        if content_hash(spec, before) != content_hash(spec, rows.filter(pc.equal(numbers, year))):
            changed.append(year)
    if changed:
        written = rows.filter(pc.is_in(numbers, value_set=pa.array(changed, pa.int64())))
        commit(spec, table, written, mode="overwrite", predicate=part_predicate(spec, changed))


def _rows_of_equal_key(spec: TableSpec, table: DeltaTable, rows: pa.Table) -> pa.Table:
    """Stored rows among which are all those with a key of ``rows``; only the columns that a comparison needs."""
    name = spec.key[0]
    condition = pc.field(name).isin(pc.unique(rows[name]))
    years = years_of(spec, rows) if spec.year_of else None
    if years:
        ends = pc.min_max(rows[spec.year_of])
        condition &= (pc.field(spec.year_of) >= ends["min"]) & (pc.field(spec.year_of) <= ends["max"])
    moment = ["known_at"] if spec.mode == "append_new" else []
    columns = list(dict.fromkeys([*content_columns(spec, spec.schema.names), *moment]))
    return dataset_of(spec, table, years).to_table(columns=columns, filter=condition)


def _exchange(spec: TableSpec, table: DeltaTable, changed: pa.Table) -> None:
    years = years_of(spec, changed) if spec.year_of else None
    kept = without_keys_of(spec, dataset_of(spec, table, years).to_table(), changed)
    both = sort_rows(pa.concat_tables([kept.cast(changed.schema), changed]), spec.key)
    commit(spec, table, both, mode="overwrite", predicate=years and part_predicate(spec, years))

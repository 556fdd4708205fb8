"""Delta Lake files of one table: opening, scanning, committing, merging, and what their failures mean in words."""

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from warehouse.log import commit_path
from warehouse.rows import sort_rows
from warehouse.tables import TableSpec
from wealtharena.core.errors import WarehouseError

STORAGE_ERRORS = (DeltaError, pa.ArrowException, OSError)
YEAR = "partition_year"
"""Column that divides a table with ``year_of`` on disk; readers never see it."""
# Every commit carries this application id, so that of two commits that began from the same version the second one
# fails and is redone on top of the first: read, compare and write act as one step, without a lock.
APPLICATION = "wealtharena"

Part = int | str
"""A year, or a value of the first column of ``partition_by``."""

# Models name the versions that they were trained on: the log must never forget one.
_CONFIGURATION: dict[str, str | None] = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}
# Rows lie in key order: small row groups let a scan for a few symbols leave out the others.
_FORMAT = WriterProperties(compression="ZSTD", max_row_group_size=128 * 1024)
_YEAR_FOLDER = re.compile(rf"/{YEAR}=(\d+)/")
# Delta Lake colours its messages for a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_FULL = ("no space left on device", "os error 28", "errno 28", "file too large", "os error 27", "errno 27", "quota exc")


def is_table(path: Path) -> bool:
    """Whether a table was ever written there: its log, which is never cleaned, begins with version 0.

    Asked before every read, and many times as fast as ``DeltaTable.is_deltatable``.
    """
    return commit_path(path, 0).is_file()


def open_table(spec: TableSpec, path: Path, version: int | None = None) -> DeltaTable:
    """The table at a version, the latest by default.

    Raises:
        WarehouseError: nothing was ever written, there is no such version, or the log cannot be read.
    """
    if not is_table(path):
        raise WarehouseError(f"table {spec.name} has never been written to under {path.parent}")
    try:
        table = DeltaTable(path)
        if version is not None and not 0 <= version <= table.version():
            raise WarehouseError(f"table {spec.name} has versions 0 to {table.version()}, got {version}")
        return table if version is None else DeltaTable(path, version=version)
    except DeltaError as error:
        raise failure(spec, "read", error, path) from None


def dataset_of(spec: TableSpec, table: DeltaTable, parts: Sequence[Part] | None = None) -> pads.Dataset:
    """Rows of ``table`` with the columns that readers see; conditions on the key leave out whole files.

    Args:
        parts: only the files of these parts; all by default.
    """
    # The time of a write shall depend on the parts that it touches, so other files are not even described to Arrow.
    chosen = None if parts is None else [(disk_partition(spec)[0], "in", [str(part) for part in parts])]
    dataset = table.to_pyarrow_dataset(file_pruning_predicate=chosen)
    hidden = dataset.schema.get_field_index(YEAR) if spec.year_of else -1
    return dataset if hidden < 0 else dataset.replace_schema(dataset.schema.remove(hidden))


def create_table(spec: TableSpec, path: Path, rows: pa.Table) -> None:
    """Version 0 with ``rows``.

    Raises:
        CommitFailedError: another process created the table first.
    """
    path.mkdir(parents=True, exist_ok=True)
    try:
        write_deltalake(
            path,
            _with_year(spec, rows),
            mode="error",
            partition_by=disk_partition(spec) or None,
            configuration=_CONFIGURATION,
            description=spec.description,
            writer_properties=_FORMAT,
            # Without a version to start from, Delta Lake would commit on top of another process's creation.
            commit_properties=commit_properties(0, max_commit_retries=0),
        )
    except DeltaError as error:
        if is_table(path):
            raise CommitFailedError(str(error)) from None
        raise


def commit(spec: TableSpec, table: DeltaTable, rows: pa.Table, **how: Any) -> None:
    """The next version of ``table``, in one atomic step.

    Args:
        how: ``mode`` and ``predicate`` of ``write_deltalake``.
    """
    if how["mode"] == "overwrite" and how.get("predicate") is None:
        how["schema_mode"] = "overwrite"
    write_deltalake(
        table,
        _with_year(spec, rows),
        writer_properties=_FORMAT,
        commit_properties=commit_properties(table.version() + 1),
        **how,
    )


def commit_properties(version: int, max_commit_retries: int | None = None) -> CommitProperties:
    """Properties of the commit that makes ``version``."""
    transactions = [Transaction(APPLICATION, version)]
    return CommitProperties(app_transactions=transactions, max_commit_retries=max_commit_retries)


def merge_files(spec: TableSpec, table: DeltaTable, part: Part | None) -> None:
    """Rewrites the rows of a part (of the whole table: None) as few files in key order, as a new version."""
    order = (*spec.key, "known_at") if spec.mode == "append_new" else spec.key
    parts = None if part is None else [part]
    rows = sort_rows(dataset_of(spec, table, parts).to_table(), order)
    commit(spec, table, rows, mode="overwrite", predicate=parts and part_predicate(spec, parts))


def refuse_other_columns(spec: TableSpec, table: DeltaTable, path: Path) -> None:
    """Raises a WarehouseError if the table has not the columns, or the division into parts, of ``spec``."""
    stored = [field.name for field in table.schema().fields]
    needed = [*spec.schema.names, *([YEAR] if spec.year_of else [])]
    is_known = stored == needed or (spec.extra_columns is not None and stored[: len(needed)] == needed)
    if not is_known or table.metadata().partition_columns != disk_partition(spec):
        raise WarehouseError(
            f"table {spec.name} must have the columns {', '.join(needed)}, but another release wrote "
            f"{', '.join(stored)}; move {path} away to begin anew"
        )


def disk_partition(spec: TableSpec) -> list[str]:
    """Column that divides the files into parts; none if all lie side by side."""
    return [YEAR] if spec.year_of else list(spec.partition_by[:1])


def files_per_year(table: DeltaTable) -> Counter[int | None]:
    """Number of files by year; under None those of a table that is not divided by year."""
    found = (_YEAR_FOLDER.search(uri) for uri in table.file_uris())
    return Counter(int(match.group(1)) if match else None for match in found)


def years_of(spec: TableSpec, rows: pa.Table) -> list[int]:
    """Years that ``rows`` belong to, ascending."""
    return sorted(pc.unique(pc.year(rows[spec.year_of])).to_pylist())


def part_predicate(spec: TableSpec, parts: Sequence[Part]) -> str:
    """Condition of ``commit`` that holds for the rows of these parts."""
    # Values that name a part were checked when they were written: nothing in them can end the quotes.
    values = (str(part) if spec.year_of else f"'{part}'" for part in parts)
    return f"{disk_partition(spec)[0]} IN ({', '.join(values)})"


def failure(spec: TableSpec, verb: str, error: Exception, path: Path) -> WarehouseError:
    """What to raise when storage failed; a full disk is told with the room that is left."""
    return WarehouseError(f"table {spec.name} could not be {verb}: {why_storage_failed(error, path)}")


def why_storage_failed(error: Exception, folder: Path) -> str:
    """One line on a failure of storage under ``folder``."""
    text = " ".join(_COLOURS.sub("", str(error)).split())
    if not any(words in text.lower() for words in _FULL):
        return text
    present = next(place for place in (folder, *folder.parents) if place.exists())
    return f"no space left on device (folder {folder}, {shutil.disk_usage(present).free // 2**20} MB free)"


def _with_year(spec: TableSpec, rows: pa.Table) -> pa.Table:
    if not spec.year_of:
        return rows
    return rows.append_column(pa.field(YEAR, pa.int32()), pc.year(rows[spec.year_of]).cast(pa.int32()))

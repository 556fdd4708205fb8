"""Upkeep of the warehouse: small files are merged, and files that only forgotten versions need are removed."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake.exceptions import CommitFailedError

from warehouse.delta import STORAGE_ERRORS, failure, merge_files, open_table, refuse_other_columns
from warehouse.log import TableLog, read_log
from warehouse.store import Warehouse
from warehouse.tables import TABLES, TableSpec
from wealtharena.core.errors import WarehouseError, unknown_name

logger = logging.getLogger(__name__)

SMALL_BYTES = 32 * 2**20
"""Files below this size are worth merging."""
MIN_AGE = timedelta(hours=1)
"""However few days are kept: so long may a reader take with a version that is no longer the latest."""
ABANDONED_AFTER = timedelta(days=1)
"""Files that no version names are leftovers of killed writers once they are this old."""
_MERGE_ATTEMPTS = 3

OnTable = Callable[[str, int, int], None]
"""Called with the name of a table, the number of tables done before it and the number of all."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What maintenance did to one table.

    Attributes:
        table: its name.
        files_before, files_after: data files on disk, those of old versions included.
        bytes_before, bytes_after: their size.
        readable_versions: versions that can still be read, oldest first.
    """

    table: str
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    readable_versions: tuple[int, ...]


def maintain(
    warehouse: Warehouse,
    keep_days: int,
    keep_versions: Mapping[str, set[int]],
    now: datetime,
    on_table: OnTable | None = None,
) -> list[Upkeep]:
    """Merges small files of every table and removes what only versions need that are neither young nor kept.

    A version is kept if it was the latest one at any time of the last ``keep_days`` days (at least of the last hour),
    or if ``keep_versions`` names it. Readers and writers may work meanwhile: a file is removed only if no kept version
    needs it, and a writer that commits first wins over a merge. The log of versions stays as it is.

    Args:
        keep_days: 0 or more.
        keep_versions: table to versions that receipts and models name; versions that were never made are ignored.
        now: present moment, with time zone.

    Raises:
        WarehouseError: unknown table, negative ``keep_days``, or files that cannot be read, written or removed.
    """
    _refuse_senseless(keep_days, keep_versions, now)
    specs = [spec for spec in TABLES.values() if warehouse.exists(spec.name)]
    oldest = now - max(timedelta(days=keep_days), MIN_AGE)
    done: list[Upkeep] = []
    for number, spec in enumerate(specs):
        if on_table is not None:
            on_table(spec.name, number, len(specs))
        path = warehouse.root / spec.name
        try:
            done.append(_maintain_table(spec, path, oldest, keep_versions.get(spec.name, set()), now))
        except STORAGE_ERRORS as error:
            raise failure(spec, "maintained", error, path) from None
    return done


def data_files(folder: Path) -> dict[str, Path]:
    """Data files of a table on disk by their path relative to its folder, unfinished ones included."""
    found = (path for path in folder.rglob("*.parquet*") if "_delta_log" not in path.relative_to(folder).parts)
    return {path.relative_to(folder).as_posix(): path for path in found}


def _refuse_senseless(keep_days: int, keep_versions: Mapping[str, set[int]], now: datetime) -> None:
    if keep_days < 0:
        raise WarehouseError(f"`keep_days` must not be negative, got {keep_days}")
    if now.tzinfo is None:
        raise WarehouseError(f"`now` must have a time zone, got {now}")
    for name in keep_versions:
        if name not in TABLES:
            raise WarehouseError(unknown_name("table", name, TABLES))


def _maintain_table(spec: TableSpec, path: Path, oldest: datetime, keep: set[int], now: datetime) -> Upkeep:
    before = _sizes(path)
    _merge_small_files(spec, path)
    log = read_log(spec, path)
    _remove_unneeded(path, log, log.versions_since(oldest) | keep, now)
    after = _sizes(path)
    gone = {file.path for file in log.files} - set(after)
    return Upkeep(
        table=spec.name,
        files_before=len(before),
        files_after=len(after),
        bytes_before=sum(before.values()),
        bytes_after=sum(after.values()),
        readable_versions=log.readable(gone),
    )


def _merge_small_files(spec: TableSpec, path: Path) -> None:
    """Merges each part of the table (year, slice) that has more than one small file."""
    log = read_log(spec, path)
    small: dict[str, int] = defaultdict(int)
    for file in log.files_of(log.latest):
        small[file.part] += file.bytes < SMALL_BYTES
    for part in sorted(part for part, files in small.items() if files > 1):
        for _ in range(_MERGE_ATTEMPTS):
            try:
                table = open_table(spec, path)
                refuse_other_columns(spec, table, path)
                merge_files(spec, table, part or None)
                break
            except CommitFailedError:
                logger.debug("table %s: another writer came before the merge of %s", spec.name, part)


def _remove_unneeded(path: Path, log: TableLog, versions: set[int], now: datetime) -> None:
    needed, tracked = log.needed(versions), {file.path for file in log.files}
    for name, file in data_files(path).items():
        if name in needed:
            continue
        # A file that no version names may belong to a writer that has not committed yet.
        if name in tracked or _modified(file) < now - ABANDONED_AFTER:
            file.unlink(missing_ok=True)


def _sizes(path: Path) -> dict[str, int]:
    return {name: file.stat().st_size for name, file in data_files(path).items()}


def _modified(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)

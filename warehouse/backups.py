"""Backups of the warehouse, taken and put back while runs write."""

import json
import logging
import os
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from warehouse.delta import (
    STORAGE_ERRORS,
    commit_properties,
    disk_partition,
    failure,
    open_table,
    refuse_other_columns,
    why_storage_failed,
)
from warehouse.log import DataFile, read_log
from warehouse.store import Warehouse
from warehouse.tables import TABLES, TableSpec
from warehouse.upkeep import OnTable
from wealtharena.core.errors import WarehouseError
from wealtharena.core.hashing import hash_file

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
FORMAT = 1
_ATTEMPTS = 60
_RESTORED = re.compile(r"restored-[0-9a-f]{12}-")
_LOG_FILE = re.compile(r"\d{20}\.(json|checkpoint.*\.parquet)")


@dataclass(frozen=True, slots=True)
class TableBackup:
    """One table of a backup.

    Attributes:
        table: its name.
        version: the version that was the latest one.
        readable_versions: versions that can be read from it, oldest first.
        files: number of files, the log included.
        bytes: their size.
    """

    table: str
    version: int
    readable_versions: tuple[int, ...]
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TableRestored:
    """One table after a restore.

    Attributes:
        table: its name.
        backup_version: version of the backup whose rows it holds now.
        version: version of the warehouse that holds them.
        changed: False if the warehouse held exactly these files already.
    """

    table: str
    backup_version: int
    version: int
    changed: bool


def backup(warehouse: Warehouse, folder: Path, on_table: OnTable | None = None) -> list[TableBackup]:
    """Copies every table at its present version, with all older versions that can still be read.

    Each table is one whole version; of two tables, the one whose rows name versions of the other is never the newer
    one. The copy grows beside ``folder`` under another name and takes its place when it is complete.

    Args:
        folder: a new or empty folder outside the warehouse.

    Raises:
        WarehouseError: the folder is not empty or inside the warehouse, there is nothing to back up, or a file could
            not be read or written; nothing is left behind then.
    """
    target = folder.resolve()
    _refuse_target(warehouse, target)
    versions = _present_versions(warehouse)
    if not versions:
        raise WarehouseError(f"there is nothing to back up: no table under {warehouse.root}")
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(6)}.unfinished")
    try:
        tables: dict[str, dict[str, object]] = {}
        done: list[TableBackup] = []
        for number, name in enumerate(versions):
            if on_table is not None:
                on_table(name, number, len(versions))
            done.append(_copy_table(TABLES[name], warehouse.root / name, unfinished / name, versions[name]))
            tables[name] = asdict(done[-1]) | {"files": _hashes(unfinished / name)}
        manifest = json.dumps({"format": FORMAT, "tables": tables}, indent=1)
        (unfinished / MANIFEST).write_text(manifest, encoding="utf-8")
        _sync(unfinished / MANIFEST)
        unfinished.rename(target)
    except STORAGE_ERRORS as error:
        raise WarehouseError(f"backup could not be written: {why_storage_failed(error, target)}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return done


def restore(folder: Path, warehouse: Warehouse, on_table: OnTable | None = None) -> list[TableRestored]:
    """Puts the contents of a backup in place of the tables' present contents.

    Where a table does not exist, it is copied with its history. Where it does, the rows of the backup become its next
    version in one atomic step, beside whatever readers and writers do, and its own history stays. Tables that the
    backup does not know stay as they are.

    Raises:
        WarehouseError: the backup is incomplete or altered (then nothing was changed), another release wrote one of the
            tables, or a file could not be written.
    """
    source = folder.resolve()
    tables = _checked_manifest(source)
    for name in tables:
        _refuse_other_release(TABLES[name], source, warehouse)
    done: list[TableRestored] = []
    for number, (name, version) in enumerate(tables.items()):
        if on_table is not None:
            on_table(name, number, len(tables))
        spec, path = TABLES[name], warehouse.root / name
        try:
            if warehouse.exists(name):
                done.append(_commit_contents(spec, source / name, path, version))
            else:
                _put_in_place(source / name, path)
                done.append(TableRestored(name, version, version, changed=True))
        except STORAGE_ERRORS as error:
            raise failure(spec, "restored", error, path) from None
    return done


def _refuse_target(warehouse: Warehouse, target: Path) -> None:
    if target == warehouse.root or warehouse.root in target.parents:
        raise WarehouseError(f"a backup must lie outside the warehouse {warehouse.root}, got {target}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise WarehouseError(f"a backup needs a new or empty folder, got {target}")


def _present_versions(warehouse: Warehouse) -> dict[str, int]:
    # Rows of later layers and receipts name versions of earlier ones: looked at first, they name nothing newer.
    names = [name for name in reversed(TABLES) if warehouse.exists(name)]
    versions = {name: open_table(TABLES[name], warehouse.root / name).version() for name in names}
    return dict(reversed(versions.items()))


def _copy_table(spec: TableSpec, source: Path, target: Path, version: int) -> TableBackup:
    log = read_log(spec, source, up_to=version)
    needed = {file.path for file in log.files_of(version)}
    gone: set[str] = set()
    for file in log.files:
        # Maintenance may remove files of old versions meanwhile, never those of the present one.
        if file.path in needed or (source / file.path).exists():
            _copy(source / file.path, target / file.path, gone if file.path not in needed else None, file.path)
        else:
            gone.add(file.path)
    for path in _log_files(source, version):
        _copy(path, target / path.relative_to(source))
    sizes = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    return TableBackup(spec.name, version, log.readable(gone), len(sizes), sum(sizes))


def _log_files(folder: Path, version: int) -> list[Path]:
    """Commits and checkpoints up to a version."""
    found = (path for path in (folder / "_delta_log").iterdir() if _LOG_FILE.fullmatch(path.name))
    return sorted(path for path in found if int(path.name.partition(".")[0]) <= version)


def _copy(source: Path, target: Path, gone: set[str] | None = None, name: str = "") -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
        _sync(target)
    except FileNotFoundError:
        if gone is None:
            raise
        gone.add(name)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def _checked_manifest(source: Path) -> dict[str, int]:
    """Versions of the backup's tables by name."""
    try:
        manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        versions = {name: int(table["version"]) for name, table in manifest["tables"].items()}
        expected = {
            f"{name}/{file}": digest
            for name, table in manifest["tables"].items()
            for file, digest in table["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WarehouseError(f"{source} is no backup: {MANIFEST}: {' '.join(str(error).split())}") from None
    if manifest.get("format") != FORMAT or set(versions) - set(TABLES):
        raise WarehouseError(f"backup {source} was made by another release")
    found = {name: digest for name, digest in _hashes(source).items() if name != MANIFEST}
    for name in sorted({*found, *expected}):
        if name not in found:
            raise WarehouseError(f"backup {source} is incomplete: {name} is missing")
        if found[name] != expected.get(name):
            raise WarehouseError(f"backup {source} was altered: {name} is not what was backed up")
    return versions


def _refuse_other_release(spec: TableSpec, source: Path, warehouse: Warehouse) -> None:
    refuse_other_columns(spec, open_table(spec, source / spec.name), source / spec.name)
    if warehouse.exists(spec.name):
        refuse_other_columns(spec, open_table(spec, warehouse.root / spec.name), warehouse.root / spec.name)


def _put_in_place(source: Path, path: Path) -> None:
    if path.exists() and any(path.iterdir()):
        raise WarehouseError(
            f"{path} holds files that are no table, as a killed writer leaves them; move it away first"
        )
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}.unfinished")
    try:
        shutil.copytree(source, unfinished)
        unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _commit_contents(spec: TableSpec, source: Path, path: Path, version: int) -> TableRestored:
    """Makes the files of a backup the next version of a table."""
    wanted, present = read_log(spec, source), read_log(spec, path)
    files = wanted.files_of(wanted.latest)
    if _first_names(files) == _first_names(present.files_of(present.latest)):
        return TableRestored(spec.name, version, present.latest, changed=False)
    adding = [_add_action(spec, file) for file in files]
    try:
        for file, action in zip(files, adding, strict=True):
            _copy(source / file.path, path / action.path)
    except OSError:
        for action in adding:
            (path / action.path).unlink(missing_ok=True)
        raise
    made = _overwrite(spec, path, adding, DeltaTable(source).schema())
    return TableRestored(spec.name, version, made, changed=True)


def _first_names(files: list[DataFile]) -> set[str]:
    """Paths as they were before any restore: every write names its files anew, so equal names hold equal rows."""
    return {_RESTORED.sub("", file.path) for file in files}


def _add_action(spec: TableSpec, file: DataFile) -> AddAction:
    # Under a new name: one that the table had before could not be added again.
    place = Path(file.path)
    return AddAction(
        path=(place.parent / f"restored-{secrets.token_hex(6)}-{place.name}").as_posix(),
        size=file.bytes,
        partition_values=dict.fromkeys(disk_partition(spec), file.part),
        modification_time=0,
        data_change=True,
        stats=file.stats,
    )


def _overwrite(spec: TableSpec, path: Path, adding: list[AddAction], schema: Schema) -> int:
    """Replaces all files of a table in one commit; returns the version that it made."""
    for _ in range(_ATTEMPTS):
        table = open_table(spec, path)
        made = table.version() + 1
        try:
            table.create_write_transaction(
                [*adding],
                mode="overwrite",
                schema=schema,
                partition_by=disk_partition(spec),
                commit_properties=commit_properties(made),
            )
        except CommitFailedError:
            logger.debug("table %s was changed by another writer, restored once more", spec.name)
        else:
            return made
    raise WarehouseError(f"table {spec.name}: other writers committed first in {_ATTEMPTS} attempts")

"""A journal of rows that were received and not yet stored: one file per answer, written first."""

import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from warehouse.delta import why_storage_failed
from wealtharena.core.errors import WarehouseError

logger = logging.getLogger(__name__)

_METADATA = b"wealtharena"
_ENTRY = re.compile(r"(\d{12})-[0-9a-f]{12}\.arrow")
_UNFINISHED = re.compile(r"\.(\d+)-[0-9a-f]{12}\.unfinished")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One answer as it was appended.

    Attributes:
        path: its file.
        metadata: what was noted with the rows.
        rows: the rows, with the columns and types that they were appended with.
    """

    path: Path
    metadata: dict[str, Any]
    rows: pa.Table


class Journal:
    """Entries under one folder, in the order of writing.

    An entry is there as a whole or not at all, and once ``append`` returns it outlives the process, however that ends.
    It is not forced to disk, which would cost more than the rest of an answer together: what a failing machine takes
    with it is asked of the vendor again. Several processes may append at once; whoever reads and discards must be the
    only one to do so.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` need not exist yet."""
        self.folder = folder

    def append(self, metadata: Mapping[str, Any], rows: pa.Table | pd.DataFrame) -> Path:
        """Writes one entry and returns its file.

        Args:
            metadata: anything that JSON can hold.
            rows: any columns; no rows is fine too.

        Raises:
            WarehouseError: the file could not be written, as on a full disk; no part of it stays behind.
        """
        unfinished = self.folder / f".{os.getpid()}-{secrets.token_hex(6)}.unfinished"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(unfinished, _as_table(rows), json.dumps(dict(metadata)))
            path = self._put_last(unfinished)
        except (OSError, pa.ArrowException) as error:
            _remove(unfinished)
            reason = why_storage_failed(error, self.folder)
            raise WarehouseError(f"journal entry could not be written: {reason}") from None
        return path

    def entries(self) -> list[JournalEntry]:
        """Every entry, oldest first. What a killed process left half-written is removed.

        A damaged entry, as a machine that lost its power may leave, is renamed to ``*.damaged`` and named in a warning:
        it was never stored, so its answer is asked for again.
        """
        if not self.folder.exists():
            return []
        for path in self.folder.iterdir():
            if _is_abandoned(path):
                logger.info("journal: %s was left half-written by a process that is gone; removed", path.name)
                _remove(path)
        return [entry for path in self._paths() if (entry := _read(path)) is not None]

    def discard(self, entries: Iterable[JournalEntry]) -> None:
        """Removes entries that are stored elsewhere by now; those already gone are fine.

        Raises:
            WarehouseError: a file could not be removed.
        """
        try:
            for entry in entries:
                entry.path.unlink(missing_ok=True)
        except OSError as error:
            raise WarehouseError(f"journal entry could not be removed: {' '.join(str(error).split())}") from None

    def _paths(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if _ENTRY.fullmatch(path.name))

    def _put_last(self, unfinished: Path) -> Path:
        """Gives the file its final name, which sorts behind all others."""
        found = (_ENTRY.fullmatch(path.name) for path in self.folder.iterdir())
        number = max((int(match.group(1)) for match in found if match), default=0) + 1
        path = self.folder / f"{number:012d}-{secrets.token_hex(6)}.arrow"
        unfinished.rename(path)
        return path


def _as_table(rows: pa.Table | pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, preserve_index=False) if isinstance(rows, pd.DataFrame) else rows


def _write(path: Path, rows: pa.Table, metadata: str) -> None:
    schema = rows.schema.with_metadata({_METADATA: metadata.encode()})
    with path.open("wb") as stream, pa.ipc.new_file(stream, schema) as writer:
        writer.write_table(rows.cast(schema))


def _read(path: Path) -> JournalEntry | None:
    try:
        with pa.ipc.open_file(path.read_bytes()) as reader:
            rows = reader.read_all()
        rows.validate(full=True)
        metadata = json.loads((rows.schema.metadata or {})[_METADATA])
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        aside = path.with_suffix(".damaged")
        path.rename(aside)
        logger.warning("journal entry %s is damaged (%s): set aside", aside, " ".join(str(error).split()))
        return None
    return JournalEntry(path, metadata, rows.replace_schema_metadata(None))


def _is_abandoned(path: Path) -> bool:
    match = _UNFINISHED.fullmatch(path.name)
    return match is not None and not _is_running(int(match.group(1)))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("journal: %s could not be removed: %s", path, error)

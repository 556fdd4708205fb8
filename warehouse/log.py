"""What a table's transaction log says: which version came when, and in which versions each file lives."""

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from warehouse.tables import TableSpec
from wealtharena.core.errors import WarehouseError


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows.

    Attributes:
        path: relative to the table's folder.
        bytes: its size.
        part: year or slice whose rows it holds, ``""`` in a table without parts.
        stats: what Delta Lake noted about its columns, as JSON.
        since: first version that it belongs to.
        until: first version that it no longer belongs to; None while it is part of the table.
    """

    path: str
    bytes: int
    part: str
    stats: str
    since: int
    until: int | None = None

    def lives_in(self, version: int) -> bool:
        """Whether reading ``version`` needs this file."""
        return self.since <= version and (self.until is None or version < self.until)


@dataclass(frozen=True, slots=True)
class TableLog:
    """Every version of a table and every file that it ever had.

    Attributes:
        versions: moment of each version, the oldest first.
        files: in the order in which they were added.
    """

    versions: tuple[datetime, ...]
    files: tuple[DataFile, ...]

    @property
    def latest(self) -> int:
        """Number of the last version."""
        return len(self.versions) - 1

    def files_of(self, version: int) -> list[DataFile]:
        """Files that reading ``version`` needs."""
        return [file for file in self.files if file.lives_in(version)]

    def versions_since(self, moment: datetime) -> set[int]:
        """Versions that were the latest one at ``moment`` or later."""
        return {number for number in range(self.latest) if self.versions[number + 1] > moment} | {self.latest}

    def needed(self, versions: Iterable[int]) -> set[str]:
        """Paths of the files that reading any of ``versions`` needs."""
        ordered = sorted({*versions} & {*range(len(self.versions))})
        first = ((file, bisect_left(ordered, file.since)) for file in self.files)
        return {file.path for file, place in first if place < len(ordered) and file.lives_in(ordered[place])}

    def readable(self, gone: Collection[str]) -> tuple[int, ...]:
        """Versions whose files are all there, where those of ``gone`` are not."""
        lost = [0] * (len(self.versions) + 1)
        for file in self.files:
            if file.path in gone:
                lost[file.since] += 1
                lost[len(self.versions) if file.until is None else file.until] -= 1
        return tuple(version for version, missing in enumerate(accumulate(lost[:-1])) if not missing)


def read_log(spec: TableSpec, folder: Path, up_to: int | None = None) -> TableLog:
    """Log of the table in ``folder``, up to a version or to the last one.

    Raises:
        WarehouseError: a commit is missing or cannot be read.
    """
    moments: list[datetime] = []
    living: dict[str, DataFile] = {}
    ended: list[DataFile] = []
    for version, path in enumerate(_commits(folder)):
        if up_to is not None and version > up_to:
            break
        actions = _actions(spec, path)
        moments.append(_moment(path, actions))
        removed = {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
        ended += [replace(living.pop(path), until=version) for path in sorted(removed & set(living))]
        added = [_data_file(action["add"], version) for action in actions if "add" in action]
        living |= {file.path: file for file in added}
    files = sorted([*ended, *living.values()], key=lambda file: (file.since, file.path))
    return TableLog(tuple(moments), tuple(files))


def commit_path(folder: Path, version: int) -> Path:
    """File of the commit that made ``version``."""
    return folder / "_delta_log" / f"{version:020d}.json"


def _commits(folder: Path) -> Iterable[Path]:
    version = 0
    while (path := commit_path(folder, version)).exists():
        yield path
        version += 1


def _actions(spec: TableSpec, path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise WarehouseError(f"table {spec.name} could not be read: {path.name}: {error}") from None


def _data_file(add: dict[str, Any], version: int) -> DataFile:
    part = next(iter((add.get("partitionValues") or {}).values()), None)
    return DataFile(unquote(add["path"]), int(add["size"]), part or "", add.get("stats") or "{}", version)


def _moment(path: Path, actions: list[dict[str, Any]]) -> datetime:
    stamps = [action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action]
    milliseconds = stamps[0] if stamps else path.stat().st_mtime * 1000
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

"""How often a vendor may be asked: one SQLite file for all processes, which outlives them."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from wealtharena.core.errors import VendorError, VendorRateLimited
from wealtharena.settings import AccessSettings
from wealtharena.vendors.context import VendorContext

FILE_NAME = "quotas.sqlite"
_DAY_S = 86_400.0
_LONGEST_WINDOW_S = 30 * _DAY_S
_LOCK_TIMEOUT_S = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (vendor TEXT NOT NULL, moment REAL NOT NULL);
CREATE INDEX IF NOT EXISTS requests_by_vendor ON requests (vendor, moment);
CREATE TABLE IF NOT EXISTS blocks (vendor TEXT PRIMARY KEY, until REAL NOT NULL, reason TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``count`` requests in any ``seconds`` seconds."""

    name: str
    count: int
    seconds: float


class Quota:
    """The requests that one vendor still grants.

    A request is counted before it is sent and stays counted whatever becomes of it. Windows slide: a request frees
    its place 24 hours later, not at midnight.
    """

    def __init__(self, vendor: str, access: AccessSettings, context: VendorContext) -> None:
        self._vendor = vendor
        self._windows = _windows(access)
        self._max_wait_s = access.max_wait_s
        self._context = context
        self._path = context.home / FILE_NAME
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> None:
        """Waits until one more request is granted, and counts it.

        Raises:
            VendorRateLimited: the wait would be longer than ``max_wait_s``; nothing was counted.
            VendorError: the quota file cannot be read or written.
        """
        with self._lock, self._database() as database:
            wait_s = self._reserve(database)
        if wait_s > 0.0:
            self._context.sleep(wait_s)

    def block_until(self, moment: datetime, reason: str) -> None:
        """Lets no process ask the vendor before ``moment``; an earlier block that lasts longer stands."""
        with self._lock, self._database() as database:
            database.execute(
                "INSERT INTO blocks VALUES (?, ?, ?) ON CONFLICT (vendor) DO UPDATE "
                "SET until = excluded.until, reason = excluded.reason WHERE excluded.until > blocks.until",
                (self._vendor, moment.timestamp(), reason),
            )

    def blocked_until(self) -> tuple[datetime, str] | None:
        """Until when the vendor is left alone, and why; None if it may be asked."""
        with self._lock, self._database() as database:
            until, reason = self._block(database)
        return (datetime.fromtimestamp(until, UTC), reason) if until > self._context.clock() else None

    def left(self) -> dict[str, int]:
        """Requests left in each window that is limited: ``second``, ``minute``, ``day``, ``month``."""
        now = self._context.clock()
        with self._lock, self._database() as database:
            return {window.name: max(0, window.count - self._used(database, window, now)) for window in self._windows}

    def _reserve(self, database: sqlite3.Connection) -> float:
        """Counts a request at the first moment at which it is granted; returns the wait until then in seconds."""
        until, reason = self._block(database)
        if not self._windows and until <= 0.0:
            return 0.0  # Nothing to count and nothing to wait for: no write.
        database.execute("BEGIN IMMEDIATE")
        now = self._context.clock()
        until, reason = self._block(database)
        granted = max([now, until, *(self._free_at(database, window) for window in self._windows)])
        if granted - now > self._max_wait_s:
            raise VendorRateLimited(self._refusal(granted, until, reason), datetime.fromtimestamp(granted, UTC))
        if self._windows:
            database.execute("INSERT INTO requests VALUES (?, ?)", (self._vendor, granted))
            oldest = now - max(window.seconds for window in self._windows)
            database.execute("DELETE FROM requests WHERE vendor = ? AND moment < ?", (self._vendor, oldest))
        return granted - now

    def _free_at(self, database: sqlite3.Connection, window: Window) -> float:
        """When the window has room for one more: as soon as its ``count``-th newest request has left it."""
        row = database.execute(
            "SELECT moment FROM requests WHERE vendor = ? ORDER BY moment DESC LIMIT 1 OFFSET ?",
            (self._vendor, window.count - 1),
        ).fetchone()
        return row[0] + window.seconds if row else 0.0

    def _used(self, database: sqlite3.Connection, window: Window, now: float) -> int:
        query = "SELECT count(*) FROM requests WHERE vendor = ? AND moment > ?"
        return int(database.execute(query, (self._vendor, now - window.seconds)).fetchone()[0])

    def _block(self, database: sqlite3.Connection) -> tuple[float, str]:
        row = database.execute("SELECT until, reason FROM blocks WHERE vendor = ?", (self._vendor,)).fetchone()
        return (row[0], row[1]) if row else (0.0, "")

    def _refusal(self, granted: float, until: float, reason: str) -> str:
        moment = f"{datetime.fromtimestamp(granted, UTC):%Y-%m-%d %H:%M:%S} UTC"
        if until == granted:
            return f"{self._vendor}: {reason}; it is left alone until {moment}"
        used = ", ".join(f"{window.count} per {window.name}" for window in self._windows)
        return f"{self._vendor}: the quota ({used}) is used up until {moment}"

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = _open(self._path)
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()
        except (sqlite3.Error, OSError) as error:
            raise VendorError(f"{self._path}: the quota file must be readable and writable, got: {error}") from None


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    # SQLite does not wait when two processes switch a new file to WAL at once.
    with FileLock(path.with_suffix(".lock")):
        # A killed process loses nothing in this mode; only a power failure may take the last requests' counts with it.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    return connection


def _windows(access: AccessSettings) -> tuple[Window, ...]:
    windows = []
    if access.max_per_second is not None:
        count = max(1, int(access.max_per_second))
        windows.append(Window("second", count, count / access.max_per_second))
    for name, limit, seconds in (
        ("minute", access.max_per_minute, 60.0),
        ("day", access.max_per_day, _DAY_S),
        ("month", access.max_per_month, _LONGEST_WINDOW_S),
    ):
        if limit is not None:
            windows.append(Window(name, limit, seconds))
    return tuple(windows)

"""Collections of one group take turns: the second finds stored what the first has fetched."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.night import Night
from wealtharena.core.errors import WarehouseError

logger = logging.getLogger(__name__)


@contextmanager
def own_turn(night: Night, group: str) -> Iterator[Night]:
    """Waits until no other process on this home folder collects the group; a process that dies ends its turn.

    Yields:
        The night as its answers are to be stored: where the last turn was of the same night and was killed, under that
        run's identity, so that both count as the one run that they would have been.

    Raises:
        WarehouseError: the folder cannot be written to, as on a full disk.
    """
    folder = night.settings.home / "locks"
    lock, unfinished = FileLock(folder / f"collect-{group}.lock"), folder / f"collect-{group}.run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _wait_for(lock, group)
        run_id = _interrupted_run(unfinished, night.night_id) or night.run_id
        unfinished.write_text(json.dumps({"night": night.night_id, "run_id": run_id}), encoding="utf-8")
    except OSError as error:
        lock.release()
        raise WarehouseError(f"{folder}: the turn of {group} could not be noted: {error}") from None
    try:
        yield night.model_copy(update={"run_id": run_id})
        unfinished.unlink()
    finally:
        lock.release()


def _wait_for(lock: FileLock, group: str) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info("%s is being collected by another run: waiting for its end", group)
        lock.acquire()


def _interrupted_run(path: Path, night_id: str) -> str:
    """Run of this night that did not come to its end; ``""`` if there is none."""
    try:
        left = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(left["run_id"]) if left["night"] == night_id else ""

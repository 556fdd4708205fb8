"""What a training keeps beside its results until it is done: points to go on from, and a mark that it has ended.

``<output>-work/`` holds ``points/<failures>-<iteration>/``, each an RLlib checkpoint (``rllib/``) with the job's own
state (``state.json``), and ``finished.json`` once the results are written. A point appears whole or not at all: it is
written under another name, brought to the disk and renamed. ``sums.json`` in it carries the SHA-256 of every file and
the fingerprint of the job; nothing is unpickled before they hold, and what does not fit the job is removed. One process
works in the folder at a time: a lock that dies with its holder keeps a killed training's last gasps from the next one.
"""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from wealtharena.core.hashing import hash_file
from wealtharena.training.result import CurveRow, TrainingJob

logger = logging.getLogger(__name__)

KEPT_POINTS = 2
CHECKPOINT_FOLDER = "rllib"

_STATE_FILE = "state.json"
_SUMS_FILE = "sums.json"
_FINISHED_FILE = "finished.json"
_LOCK_FILE = "lock"
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Best:
    """The evaluation that did best so far.

    Attributes:
        iteration: from 1.
        sharpe: on the validation window; NaN where undefined.
        point: name of the point made there.
        weights_hash: SHA-256 of the module's parameters.
    """

    iteration: int
    sharpe: float
    point: str
    weights_hash: str


@dataclass(frozen=True)
class TrainingState:
    """What a training remembers besides the algorithm.

    Attributes:
        curve: one row per iteration so far.
        best: None before the first evaluation.
        failures: reason per attempt that failed.
        seconds: wall time so far, of all processes that worked on it; of no influence on the results.
        warm_start: what became of the policy to begin with, in words.
    """

    curve: tuple[CurveRow, ...] = ()
    best: Best | None = None
    failures: tuple[str, ...] = ()
    seconds: float = 0.0
    warm_start: str = ""

    @property
    def iteration(self) -> int:
        """Iterations that are done."""
        return len(self.curve)

    @property
    def point_name(self) -> str:
        """Name of a point made now; names sort by age."""
        return f"{len(self.failures):03d}-{self.iteration:08d}"

    @property
    def evaluations_since_best(self) -> int:
        """Evaluations that did not do better than the best one, since it."""
        since = self.curve[self.best.iteration :] if self.best else self.curve
        return sum(row.validation_sharpe is not None for row in since)

    def with_row(self, row: CurveRow) -> "TrainingState":
        """After one more iteration."""
        return replace(self, curve=(*self.curve, row))


@dataclass(frozen=True, slots=True)
class Point:
    """A verified point: folder of RLlib's checkpoint, and the state that goes with it."""

    checkpoint: Path
    state: TrainingState


class WorkFolder:
    """The work folder of one training, held by this process (see ``hold``)."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self._points = folder / "points"
        self._fingerprint = fingerprint

    def write_point(self, state: TrainingState, save: Callable[[Path], None]) -> None:
        """Keeps a point; the oldest ones go, except those that hold the best policy of a younger one.

        Args:
            state: as of now; the point bears its ``point_name``.
            save: writes the algorithm's checkpoint to a folder.
        """

        def fill(folder: Path) -> None:
            save(folder / CHECKPOINT_FOLDER)
            (folder / _STATE_FILE).write_text(_state_text(state))

        _write_whole(self._points / state.point_name, fill, self._fingerprint)
        self._prune()

    def latest_point(self) -> Point | None:
        """The youngest point that is whole and of this very job; those that are not are removed."""
        for folder in reversed(self._folders()):
            point = self._verified(folder)
            if point is not None:
                return point
            shutil.rmtree(folder, ignore_errors=True)
        return None

    def best_point(self, state: TrainingState) -> Point | None:
        """The point made when the best policy so far was found; None if there is none yet."""
        return None if state.best is None else self._verified(self._points / state.best.point)

    def mark_finished(self, state: TrainingState, results: Path) -> None:
        """Notes that the training is done and which bytes it left in ``results``; its points go."""
        content = {"fingerprint": self._fingerprint, "state": _state_text(state), "sums": _sums(results)}
        _sync_tree(results)
        _write_synced(self.folder / _FINISHED_FILE, json.dumps(content))
        shutil.rmtree(self._points, ignore_errors=True)

    def finished_state(self, results: Path) -> TrainingState | None:
        """The final state, if this very job was finished and ``results`` holds what it left, byte for byte."""
        content = _read_json(self.folder / _FINISHED_FILE)
        if content.get("fingerprint") != self._fingerprint or content.get("sums") != _sums(results):
            return None
        return _state_of(content["state"])

    def discard(self) -> None:
        """Removes the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _verified(self, folder: Path) -> Point | None:
        """The point in a folder; None unless it and the point of its best policy are intact."""
        state = self._intact_state(folder)
        if state is None:
            return None
        best = state.best
        if best is not None and best.point != folder.name and self._intact_state(self._points / best.point) is None:
            return None
        return Point(folder / CHECKPOINT_FOLDER, state)

    def _intact_state(self, folder: Path) -> TrainingState | None:
        content = _read_json(folder / _SUMS_FILE)
        if content.get("fingerprint") != self._fingerprint or content.get("sums") != _sums(folder):
            return None
        return _state_of((folder / _STATE_FILE).read_text())

    def _folders(self) -> list[Path]:
        """Points by age; remains of writers that were killed go."""
        self._points.mkdir(parents=True, exist_ok=True)
        for path in self._points.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(path, ignore_errors=True)
        return sorted(path for path in self._points.iterdir() if path.is_dir())

    def _prune(self) -> None:
        kept = self._folders()[-KEPT_POINTS:]
        needed = {path.name for path in kept}
        for path in kept:
            best = _state_of((path / _STATE_FILE).read_text()).best
            needed |= {best.point} if best else set()
        for path in self._folders():
            if path.name not in needed:
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def hold(folder: Path, fingerprint: str) -> Iterator[WorkFolder]:
    """The work folder, made if missing; waits until no other process works in it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK_FILE).open("a") as lock:
            _lock(lock.fileno(), folder)
            # Whoever held it before may have discarded the folder, and the lock with it.
            if _is_file_of(lock.fileno(), folder / _LOCK_FILE):
                yield WorkFolder(folder, fingerprint)
                return


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.warning("%s: another process trains here; waiting until it ends", folder)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def discard_work(job: TrainingJob) -> None:
    """Removes what a training keeps beside its results, once no other process works there."""
    if job.work_dir.exists():
        with hold(job.work_dir, "") as work:
            work.discard()


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write_whole(folder: Path, fill: Callable[[Path], None], fingerprint: str) -> None:
    """Makes ``folder`` appear with all that ``fill`` writes, its sums included, or not at all."""
    unfinished = folder.with_name(f"{_UNFINISHED}{folder.name}")
    for path in (unfinished, folder):
        shutil.rmtree(path, ignore_errors=True)
    unfinished.mkdir(parents=True)
    fill(unfinished)
    (unfinished / _SUMS_FILE).write_text(json.dumps({"fingerprint": fingerprint, "sums": _sums(unfinished)}))
    _sync_tree(unfinished)
    unfinished.rename(folder)
    _sync(folder.parent)


def _write_synced(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{_UNFINISHED}{path.name}")
    unfinished.write_text(text)
    _sync(unfinished)
    unfinished.replace(path)
    _sync(path.parent)


def _sync_tree(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for name in files:
            _sync(Path(root, name))
        _sync(Path(root))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder by relative path, the list of sums itself left out."""
    files = (Path(root, name) for root, _, names in os.walk(folder) for name in names)
    relative = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: hash_file(path) for name, path in sorted(relative.items()) if name != _SUMS_FILE}


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is none to be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _state_text(state: TrainingState) -> str:
    # Python's own JSON keeps every bit of a float, and NaN apart from null.
    return json.dumps(asdict(state))


def _state_of(text: str) -> TrainingState:
    content: Mapping[str, Any] = json.loads(text)
    known = {entry.name: content[entry.name] for entry in fields(TrainingState)}
    best = known["best"]
    return TrainingState(
        **known
        | {
            "curve": tuple(CurveRow(**row) for row in known["curve"]),
            "best": None if best is None else Best(**best),
            "failures": tuple(known["failures"]),
        }
    )

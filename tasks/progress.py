"""Progress of long work, told to whoever listens: the terminal's bars, or nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """How far a piece of work is.

    Attributes:
        stage: stage of the night (``collect``, ``train`` …).
        item: what is worked on (an asset class, an agent).
        done: finished units.
        total: units in all; 0 if unknown.
        note: short text shown beside the bar.
    """

    stage: str
    item: str
    done: float
    total: float
    note: str = ""


Listener = Callable[[ProgressEvent], None]

_listeners: list[Listener] = []
_lock = Lock()


def listen(listener: Listener) -> None:
    """Calls ``listener`` for every event of this process; it must return quickly and not raise."""
    with _lock:
        _listeners.append(listener)


def unlisten(listener: Listener) -> None:
    """Ends what ``listen`` began."""
    with _lock:
        _listeners.remove(listener)


def tell(event: ProgressEvent) -> None:
    """Tells every listener; safe from any thread."""
    with _lock:
        for listener in _listeners:
            listener(event)

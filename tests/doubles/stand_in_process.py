"""The stand-in in a process of its own: a measurement of clients in this one then does not pay for the server."""

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any, Self

from stand_in import StandIn, environment_at, settings_at
from stand_in_faults import FaultPlan
from stand_in_world import World


class StandInProcess:
    """Serves a copy of a world, Yahoo's charts rendered ahead; what was asked is told by ``{url}/_log``.

    Enter it under ``if __name__ == "__main__"`` or from pytest: the process is spawned.
    """

    def __init__(self, world: World, faults: FaultPlan | None = None) -> None:
        self._given = (world, faults)

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._control, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, *self._given), daemon=True)
        self._process.start()
        other.close()  # so that a child that dies is noticed instead of waited for
        self.url: str = self._control.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._control.close()
        self._process.join()

    def settings(self) -> dict[str, Any]:
        """See ``StandIn.settings``."""
        return settings_at(self.url)

    def environment(self) -> dict[str, str]:
        """See ``StandIn.environment``."""
        return environment_at(self.url)


def _serve(control: Connection, world: World, faults: FaultPlan | None) -> None:
    with StandIn(world, faults) as stand_in:
        stand_in.warm()
        control.send(stand_in.url)
        control.poll(None)  # until the other end is closed

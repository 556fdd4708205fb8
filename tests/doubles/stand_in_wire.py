"""Requests and answers of the stand-in, before and after HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from stand_in_faults import Fault
from stand_in_world import World

JSON = "application/json"
XML = "text/xml; charset=utf-8"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


class Recorded(NamedTuple):
    """One request that arrived, in the order of the answers; ``status`` 0: the connection was broken off."""

    vendor: str
    path: str
    query: dict[str, str]
    symbol: str
    status: int


@dataclass(frozen=True)
class Ask:
    """A request as a vendor sees it.

    Attributes:
        path: below the vendor's base URL, without its host.
        query: parameters; of repeated ones the last.
        headers: names in lower case.
        now: the vendor's clock (aware).
    """

    vendor: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    now: datetime


@dataclass(frozen=True)
class Reply:
    """An answer, whole and in order."""

    body: bytes
    content_type: str = JSON
    status: int = 200
    headers: tuple[tuple[str, str], ...] = field(default=())


class VendorFormat(Protocol):
    """How one vendor is asked and answers."""

    def symbol_of(self, world: World, ask: Ask) -> str:
        """The world's name of what is asked for; ``""`` for cookies, lists and the like."""

    def answer(self, world: World, ask: Ask, symbol: str, spoils: tuple[Fault, ...]) -> Reply:
        """The healthy answer, with the rows of it spoiled by data faults."""

    def refuse(self, ask: Ask, fault: Fault) -> Reply:
        """What the vendor says instead, in its own words."""

"""Planned faults of the stand-in: which vendor fails, for which symbol, at which request, and how."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from stand_in_world import World


class Kind(StrEnum):
    """What goes wrong."""

    TOO_MANY_REQUESTS = "too_many_requests"
    SERVER_ERROR = "server_error"
    UNAVAILABLE_HTML = "unavailable_html"
    HTML = "html"
    EMPTY_BODY = "empty_body"
    TRUNCATED = "truncated"
    RESET = "reset"
    HANG = "hang"
    SLOW_DRIP = "slow_drip"
    EMPTY_RESULT = "empty_result"
    UNKNOWN_SYMBOL = "unknown_symbol"
    BAD_KEY = "bad_key"
    WILL_BE_RIGHT_BACK = "will_be_right_back"
    INVALID_CRUMB = "invalid_crumb"
    DAY_QUOTA = "day_quota"
    PER_SECOND = "per_second"
    PER_MINUTE_NOTE = "per_minute_note"
    PREMIUM = "premium"
    NAN_ROW = "nan_row"
    DUPLICATE = "duplicate"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    HIGH_BELOW_LOW = "high_below_low"
    NEGATIVE = "negative"
    GLITCH = "glitch"
    FUTURE_ROW = "future_row"
    PARTIAL_BAR = "partial_bar"
    OUT_OF_ORDER = "out_of_order"


DATA_KINDS = frozenset(
    {
        Kind.NAN_ROW, Kind.DUPLICATE, Kind.CONFLICTING_DUPLICATE, Kind.HIGH_BELOW_LOW, Kind.NEGATIVE, Kind.GLITCH,
        Kind.FUTURE_ROW, Kind.PARTIAL_BAR, Kind.OUT_OF_ORDER,
    }
)  # fmt: skip
"""Faults that spoil rows of an answer which otherwise arrives whole."""
CONNECTION_KINDS = frozenset({Kind.TRUNCATED, Kind.RESET, Kind.HANG, Kind.SLOW_DRIP})
"""Faults of the connection: the answer is right, its delivery is not."""


@dataclass(frozen=True)
class Fault:
    """One planned fault; what is left out matches everything.

    Attributes:
        kind: what goes wrong.
        vendor, symbol: whom it strikes; the symbol as the world calls it (``""`` in a request for a cookie or a list).
        where: strikes only requests whose path and query hold this text (``getcrumb``, ``period1``, ``/ohlc``).
        first: strikes the first so many matching requests of each symbol; 0 for no such limit.
        nth: strikes these matching requests of each symbol, counted from 1; empty for no such limit.
        share: strikes this share of the symbols, chosen by the plan's seed.
        probability: strikes a matching request with this probability, drawn from the plan's seed.
        retry_after: seconds of the Retry-After header, None for no header.
        seconds: how long a connection hangs, or how long it takes to drip.
        day: the session whose bar is spoiled; None: the last but two of the answer.
    """

    kind: Kind
    vendor: str | None = None
    symbol: str | None = None
    where: str = ""
    first: int = 0
    nth: tuple[int, ...] = ()
    share: float = 1.0
    probability: float = 1.0
    retry_after: int | None = None
    seconds: float = 30.0
    day: date | None = None

    @property
    def lasts(self) -> bool:
        """Whether asking again never helps."""
        return self.first == 0 and not self.nth and self.probability >= 1.0

    def describe(self) -> str:
        """The fault in words."""
        when = "always"
        if self.first:
            when = f"the first {self.first}"
        elif self.nth:
            when = "request " + ", ".join(map(str, self.nth))
        parts = [f"{self.kind}", f"vendor {self.vendor or 'any'}", f"symbol {self.symbol or 'any'}", when]
        if self.where:
            parts.append(f"where {self.where!r}")
        if self.share < 1.0:
            parts.append(f"{self.share:.0%} of the symbols")
        if self.probability < 1.0:
            parts.append(f"with probability {self.probability:g}")
        if self.retry_after is not None:
            parts.append(f"Retry-After {self.retry_after} s")
        if self.day is not None:
            parts.append(f"on {self.day}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Change:
    """A change of the world in the middle of a run: just before the ``nth`` request for a symbol at a vendor.

    ``name`` is a method of ``World``, ``arguments`` what it is called with.
    """

    vendor: str
    symbol: str
    nth: int
    name: str
    arguments: tuple[object, ...]

    @classmethod
    def retroactive_split(cls, vendor: str, symbol: str, nth: int, day: date, ratio: float) -> Self:
        """A split on a past ``day`` that the vendor applies to the whole history from the ``nth`` request on."""
        return cls(vendor, symbol, nth, "add_split", (symbol, day, ratio))

    @classmethod
    def revised_macro(cls, series: str, nth: int, reference_date: date, value: float, released: date) -> Self:
        """Another value of a past reference date, published on the day ``released``."""
        return cls("fred", series, nth, "revise_macro", (series, reference_date, value, released))

    @classmethod
    def changed_symbol(cls, vendor: str, old: str, nth: int, new: str) -> Self:
        """The vendors know ``old`` as ``new`` from the ``nth`` request on."""
        return cls(vendor, old, nth, "rename", (old, new))

    def describe(self) -> str:
        """The change in words."""
        given = ", ".join(map(str, self.arguments))
        return f"{self.name}({given}) before request {self.nth} for {self.symbol} at vendor {self.vendor}"


class FaultPlan:
    """Faults, changes of the world, and the seed of what is drawn for them.

    The same requests meet the same faults, whatever the order of the symbols. Of the faults that stop an answer the
    first of the list that is due strikes; all that spoil rows do.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0, changes: Iterable[Change] = ()) -> None:
        self.faults, self.seed, self.changes = tuple(faults), seed, tuple(changes)
        self._counts: dict[tuple[int, str, str], int] = {}
        self._asked: dict[tuple[str, str], int] = {}
        self._lock = Lock()

    @classmethod
    def mild(cls, seed: int = 0) -> Self:
        """A night like many: a vendor stumbles now and then, and recovers; bars under way are shown."""
        return cls(_mild(), seed)

    @classmethod
    def storm(cls, seed: int = 0, seconds: float = 30.0) -> Self:
        """Every fault at every vendor: most symbols recover when they are asked again, some never do.

        Args:
            seconds: how long a connection hangs or drips; take it longer than the client's timeout.
        """
        return cls(_storm(seconds), seed)

    def __getstate__(self) -> dict[str, object]:
        return {"faults": self.faults, "seed": self.seed, "changes": self.changes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def change(self, world: "World", vendor: str, symbol: str) -> None:
        """Counts a request and makes the changes that are due before it."""
        with self._lock:
            count = self._asked[(vendor, symbol)] = self._asked.get((vendor, symbol), 0) + 1
        for change in self.changes:
            if (change.vendor, change.symbol, change.nth) == (vendor, symbol, count):
                getattr(world, change.name)(*change.arguments)

    def strike(self, vendor: str, symbol: str, target: str) -> tuple[Fault, ...]:
        """Faults that this request meets; counts it.

        Args:
            target: path and query of the request.
        """
        met: list[Fault] = []
        for at, fault in enumerate(self.faults):
            if not self._concerns(at, fault, vendor, symbol) or fault.where not in target:
                continue
            with self._lock:
                count = self._counts[(at, vendor, symbol)] = self._counts.get((at, vendor, symbol), 0) + 1
            if self._due(at, fault, vendor, symbol, count):
                met.append(fault)
        return tuple(met)

    def affecting(self, vendor: str, symbol: str) -> tuple[Fault, ...]:
        """Faults that a symbol may meet at a vendor, the path left aside."""
        return tuple(fault for at, fault in enumerate(self.faults) if self._concerns(at, fault, vendor, symbol))

    def hopeless(self, vendor: str, symbol: str) -> bool:
        """Whether the vendor never delivers the symbol, however often it is asked."""
        return any(fault.lasts and fault.kind not in DATA_KINDS for fault in self.affecting(vendor, symbol))

    def spoils(self, vendor: str, symbol: str) -> bool:
        """Whether rows of the symbol arrive spoiled."""
        return any(fault.kind in DATA_KINDS for fault in self.affecting(vendor, symbol))

    def describe(self) -> str:
        """The plan in words, one fault a line."""
        return "\n".join(item.describe() for item in (*self.faults, *self.changes)) or "no faults"

    def _concerns(self, at: int, fault: Fault, vendor: str, symbol: str) -> bool:
        if fault.vendor not in {None, vendor} or fault.symbol not in {None, symbol}:
            return False
        return fault.share >= 1.0 or self._draw(at, vendor, symbol, 0) < fault.share

    def _due(self, at: int, fault: Fault, vendor: str, symbol: str, count: int) -> bool:
        if fault.first and count > fault.first:
            return False
        if fault.nth and count not in fault.nth:
            return False
        return fault.probability >= 1.0 or self._draw(at, vendor, symbol, count) < fault.probability

    def _draw(self, at: int, vendor: str, symbol: str, count: int) -> float:
        text = f"{self.seed}/{at}/{vendor}/{symbol}/{count}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2.0**64


def _mild() -> list[Fault]:
    return [
        Fault(Kind.PARTIAL_BAR, "yahoo"),
        Fault(Kind.TOO_MANY_REQUESTS, "yahoo", where="chart", first=1, share=0.05),
        Fault(Kind.SERVER_ERROR, "yahoo", where="chart", first=1, share=0.05),
        Fault(Kind.PER_SECOND, "alpha_vantage", first=1, share=0.3),
        Fault(Kind.SERVER_ERROR, "fred", first=1, share=0.1),
        Fault(Kind.TOO_MANY_REQUESTS, "coingecko", first=1, share=0.3, retry_after=1),
    ]


_TRANSIENT = (
    (Kind.SERVER_ERROR, 2, 0.12),
    (Kind.UNAVAILABLE_HTML, 2, 0.08),
    (Kind.HTML, 1, 0.08),
    (Kind.EMPTY_BODY, 1, 0.05),
    (Kind.TRUNCATED, 1, 0.08),
    (Kind.RESET, 1, 0.08),
    (Kind.EMPTY_RESULT, 1, 0.06),
    (Kind.HANG, 1, 0.03),
    (Kind.SLOW_DRIP, 1, 0.03),
)
_SPOILING = (
    (Kind.NAN_ROW, 0.05),
    (Kind.DUPLICATE, 0.05),
    (Kind.CONFLICTING_DUPLICATE, 0.04),
    (Kind.HIGH_BELOW_LOW, 0.04),
    (Kind.NEGATIVE, 0.03),
    (Kind.GLITCH, 0.04),
    (Kind.FUTURE_ROW, 0.05),
    (Kind.OUT_OF_ORDER, 0.05),
)
_BAR_VENDORS = ("yahoo", "alpha_vantage", "coingecko", "rest")


def _storm(seconds: float) -> list[Fault]:
    faults = [
        Fault(Kind.TOO_MANY_REQUESTS, "yahoo", where="getcrumb", first=1),
        Fault(Kind.WILL_BE_RIGHT_BACK, "yahoo", where="chart", first=1, share=0.05),
        Fault(Kind.INVALID_CRUMB, "yahoo", where="chart", first=1, share=0.05),
        Fault(Kind.PER_SECOND, "alpha_vantage", first=1, share=0.2),
        Fault(Kind.PER_MINUTE_NOTE, "alpha_vantage", first=1, share=0.1),
        Fault(Kind.PREMIUM, "alpha_vantage", share=0.05),
        Fault(Kind.SERVER_ERROR, share=0.04),
        Fault(Kind.UNAVAILABLE_HTML, share=0.03),
    ]
    for vendor, where in (("yahoo", "chart"), ("alpha_vantage", ""), ("fred", ""), ("coingecko", ""), ("rest", "")):
        faults.append(Fault(Kind.TOO_MANY_REQUESTS, vendor, where=where, first=2, share=0.08, retry_after=1))
        faults.append(Fault(Kind.TOO_MANY_REQUESTS, vendor, where=where, first=2, share=0.08))
        faults += [
            Fault(kind, vendor, where=where, first=first, share=share, seconds=seconds)
            for kind, first, share in _TRANSIENT
        ]
    faults.append(Fault(Kind.PARTIAL_BAR, "yahoo"))
    faults += [Fault(kind, vendor, share=share) for vendor in _BAR_VENDORS for kind, share in _SPOILING]
    return faults

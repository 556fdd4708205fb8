"""What a vendor is asked for and what it answers, in the same shape for every vendor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

import pandas as pd

from wealtharena.core.asset_class import AssetClass

BAR_COLUMNS = ("session_date", "open", "high", "low", "close", "adj_close", "volume")
MACRO_COLUMNS = ("reference_date", "value", "available_date")
ALL_QUARANTINED = "every row went to quarantine"
"""Why a symbol is missing although its vendor delivered rows."""


class Outcome(StrEnum):
    """How the collection of one symbol ended; stored for every symbol and run."""

    ROWS = "rows"
    EMPTY = "empty"
    UNKNOWN_SYMBOL = "unknown_symbol"
    RATE_LIMITED = "rate_limited"
    VENDOR_FAILURE = "vendor_failure"
    REJECTED = "rejected"


class PriceBasis(StrEnum):
    """What a vendor's open, high, low and close are adjusted for."""

    AS_TRADED = "as_traded"
    SPLIT_ADJUSTED = "split_adjusted"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol.

    Attributes:
        symbol: Yahoo style (``BHP.AX``, ``BTC-USD``, ``EURUSD=X``, ``GC=F``), unique over all classes.
        asset_class: the class whose agent trades it.
        exchange: exchange_calendars name (``XASX``, ``XNYS``, ``24/7``, ``24/5``).
        currency: ISO code of the price.
        sector: sector or ``""``.
    """

    symbol: str
    asset_class: AssetClass
    exchange: str
    currency: str = "USD"
    sector: str = ""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Daily bars or macro observations of some symbols, first and last day included."""

    symbols: tuple[str, ...]
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class FetchResult:
    """A vendor's answer for one symbol.

    Attributes:
        symbol: as asked.
        outcome: ``ROWS`` exactly when ``frame`` has rows.
        reason: why there are no rows, in words for a person; ``""`` with rows.
        frame: ``BAR_COLUMNS`` or ``MACRO_COLUMNS`` as the vendor sent them, uncurated: dates as ``datetime64[us]``
            at midnight, numbers as float64, NaN where the vendor has none. Rows that could not be parsed are not
            here but in ``unparsed``.
        unparsed: (row label, column, text) of cells that are not numbers or dates; their rows go to quarantine.
        price_basis: see ``PriceBasis``; macro series carry ``AS_TRADED``.
        payload_hash: SHA-256 of the bytes that the vendor sent.
    """

    symbol: str
    outcome: Outcome
    reason: str
    frame: pd.DataFrame
    payload_hash: str
    price_basis: PriceBasis = PriceBasis.AS_TRADED
    unparsed: tuple[tuple[str, str, str], ...] = field(default=())


class Vendor(Protocol):
    """A source of market data. One file per vendor; the only place that knows the vendor's format."""

    name: str

    def instruments(self, asset_classes: Sequence[AssetClass]) -> list[Instrument]:
        """Every instrument of these classes that the vendor knows of, in symbol order."""

    def macro_series(self) -> list[str]:
        """Names of the macro series that the vendor has, sorted; empty if it has none."""

    def latest_session(self, asset_classes: Sequence[AssetClass], today: date, min_coverage: float) -> date:
        """Last day, not after ``today``, up to which every class is covered for ``min_coverage`` of its symbols.

        Raises:
            VendorUnavailable, VendorRejected: the source cannot be read at all.
        """

    def fetch_bars(self, request: FetchRequest) -> Iterator[FetchResult]:
        """One result per symbol, as each one arrives. Raises only when the source as a whole is out of reach."""

    def fetch_macro(self, request: FetchRequest) -> Iterator[FetchResult]:
        """One result per series, as each one arrives."""

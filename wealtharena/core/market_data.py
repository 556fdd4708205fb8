"""What a vendor is asked for and what it answers, in the same shape for every vendor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Protocol

import pandas as pd

from wealtharena.core.asset_class import AssetClass

BAR_COLUMNS = ("session_date", "open", "high", "low", "close", "adj_close", "volume", "dividend", "split")
"""Columns of a vendor's daily bars. ``dividend``: cash per share that goes ex on the session, on the basis of the row's
prices; ``split``: new shares per old from the session on (1 where there is none). NaN: the vendor does not tell."""
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
        name: of the company, fund, coin or contract.
        venue: where it is listed, as people call it (``ASX``, ``NYSE``, ``NASDAQ``).
        first_day: first day on which it could be traded; None: not known.
        last_day: last day of its listing; None while it is listed.
        aliases: (vendor, that vendor's name for it) where the vendor does not call it ``symbol``.
    """

    symbol: str
    asset_class: AssetClass
    exchange: str
    currency: str = "USD"
    sector: str = ""
    name: str = ""
    venue: str = ""
    first_day: date | None = None
    last_day: date | None = None
    aliases: tuple[tuple[str, str], ...] = ()

    def called_by(self, vendor: str) -> str:
        """What a vendor calls this instrument."""
        return dict(self.aliases).get(vendor, self.symbol)


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Daily bars of one instrument, first and last day included."""

    instrument: Instrument
    start: date
    end: date

    @property
    def symbol(self) -> str:
        """Symbol of the instrument."""
        return self.instrument.symbol


@dataclass(frozen=True, slots=True)
class MacroRequest:
    """Observations of one macro series.

    Attributes:
        symbol: name of the series.
        start, end: first and last reference date, both included.
        with_vintages: every value that was ever published, each with its release date; otherwise today's values.
        known_from: with vintages, only those that were published on this day or later; None for all.
    """

    symbol: str
    start: date
    end: date
    with_vintages: bool = False
    known_from: date | None = None


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
        payload_hash: SHA-256 of what the vendor sent.
        request: what was asked, for a person, without any secret.
        currency: unit of the prices as the vendor calls it (``GBp`` is a hundredth of ``GBP``); ``""``: not told.
    """

    symbol: str
    outcome: Outcome
    reason: str
    frame: pd.DataFrame
    payload_hash: str
    price_basis: PriceBasis = PriceBasis.AS_TRADED
    unparsed: tuple[tuple[str, str, str], ...] = field(default=())
    request: str = ""
    currency: str = ""


class Vendor(Protocol):
    """A source of market data. One file per vendor; the only place that knows the vendor's format."""

    name: str
    is_local: bool
    """Whether asking costs nothing: such a vendor is asked for the whole history each time."""

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """One result per request, as each one arrives. Raises only when the source as a whole is out of reach."""

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """One result per series, as each one arrives."""


class Catalogue(Protocol):
    """What there is to collect."""

    def instruments(self, asset_classes: Sequence[AssetClass]) -> list[Instrument]:
        """Every instrument of these classes, in symbol order."""

    def macro_series(self) -> list[str]:
        """Names of the macro series, sorted; empty if there are none."""

    def latest_session(self, asset_classes: Sequence[AssetClass], today: date, min_coverage: float) -> date:
        """Last day, not after ``today``, up to which every class is covered for ``min_coverage`` of its symbols.

        Raises:
            VendorUnavailable, VendorRejected: the source cannot be read at all.
        """

"""Gathers a vendor's answers into frames and one outcome per symbol, whatever the vendor is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    Outcome,
    PriceBasis,
    Vendor,
)

OUTCOME_COLUMNS = ("symbol", "outcome", "reason", "rows", "first_date", "last_date")
UNPARSED_COLUMNS = ("symbol", "session_date", "rule", "column", "value", "reason")


@dataclass(frozen=True)
class Collected:
    """What a vendor delivered for a group of symbols.

    Attributes:
        frame: ``symbol``, ``payload_hash``, ``price_basis`` and the vendor columns; sorted by symbol and date.
        outcomes: one row per symbol asked, ``OUTCOME_COLUMNS``.
        unparsed: one row per cell that is no number or date, in the columns of the quarantine table.
        price_basis: how each symbol's prices are adjusted.
    """

    frame: pd.DataFrame
    outcomes: pd.DataFrame
    unparsed: pd.DataFrame
    price_basis: dict[str, PriceBasis]


def collect_bars(vendor: Vendor, request: FetchRequest, on_symbol: Callable[[str], None]) -> Collected:
    """Daily bars of every symbol of the request; ``on_symbol`` is called as each one arrives."""
    return _gather(vendor.fetch_bars(request), request, BAR_COLUMNS, on_symbol)


def collect_macro(vendor: Vendor, request: FetchRequest, on_symbol: Callable[[str], None]) -> Collected:
    """Macro observations of every series of the request."""
    return _gather(vendor.fetch_macro(request), request, MACRO_COLUMNS, on_symbol)


def _gather(
    results: Iterable[FetchResult], request: FetchRequest, columns: tuple[str, ...], on_symbol: Callable[[str], None]
) -> Collected:
    frames, outcomes, unparsed = [], [], []
    price_basis: dict[str, PriceBasis] = {}
    date_column = columns[0]
    for result in results:
        outcomes.append(_outcome(result, date_column))
        unparsed += [_unparsed(result.symbol, *cell) for cell in result.unparsed]
        price_basis[result.symbol] = result.price_basis
        if result.outcome is Outcome.ROWS:
            frames.append(
                result.frame[list(columns)].assign(
                    symbol=result.symbol, payload_hash=result.payload_hash, price_basis=str(result.price_basis)
                )
            )
        on_symbol(result.symbol)
    answered = {row[0] for row in outcomes}
    outcomes += [
        (symbol, str(Outcome.VENDOR_FAILURE), "the vendor gave no answer for this symbol", 0, None, None)
        for symbol in request.symbols
        if symbol not in answered
    ]
    empty = pd.DataFrame(columns=[*columns, "symbol", "payload_hash", "price_basis"])
    frame = pd.concat(frames, ignore_index=True) if frames else empty
    return Collected(
        frame.sort_values(["symbol", date_column], kind="stable", ignore_index=True),
        pd.DataFrame(sorted(outcomes, key=lambda row: row[0]), columns=list(OUTCOME_COLUMNS)),
        pd.DataFrame(unparsed, columns=list(UNPARSED_COLUMNS)),
        price_basis,
    )


def _outcome(result: FetchResult, date_column: str) -> tuple[str, str, str, int, date | None, date | None]:
    if result.frame.empty:
        return result.symbol, str(result.outcome), result.reason, 0, None, None
    days = result.frame[date_column]
    return result.symbol, str(result.outcome), result.reason, len(days), days.min().date(), days.max().date()


def _unparsed(symbol: str, label: str, column: str, text: str) -> tuple[str, pd.Timestamp | None, str, str, str, str]:
    day = pd.to_datetime(label, errors="coerce")
    reason = f"{column} must be a number, got {text!r}" if column != "date" else f"date must be ISO, got {text!r}"
    return symbol, None if pd.isna(day) else day, "not_a_number", column, text, reason

"""Gathers a vendor's answers into frames and one outcome per symbol, whatever the vendor is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError
from wealtharena.core.market_data import (
    ALL_QUARANTINED,
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    Outcome,
    PriceBasis,
    Vendor,
)

MAX_REASONS = 5
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


def raw_bar_rows(
    collected: Collected, asset_class: AssetClass, vendor: str, run_id: str, known_at: datetime
) -> pd.DataFrame:
    """Rows of ``raw_<vendor>__daily_bars``; of several rows with one date the first stands, the rest is curation's."""
    rows = collected.frame.dropna(subset=["session_date"]).drop_duplicates(["symbol", "session_date"])
    return rows.assign(asset_class=str(asset_class), vendor=vendor, run_id=run_id, known_at=known_at)


def raw_macro_rows(collected: Collected, vendor: str, run_id: str, known_at: datetime) -> pd.DataFrame:
    """Rows of ``raw_<vendor>__macro``."""
    rows = collected.frame.dropna(subset=["reference_date"]).drop_duplicates(["symbol", "reference_date"])
    rows = rows.rename(columns={"symbol": "series"}).drop(columns="price_basis")
    return rows.assign(vendor=vendor, run_id=run_id, known_at=known_at)


def instrument_rows(instruments: Sequence[Instrument]) -> pd.DataFrame:
    """Rows of ``core_market__instruments``."""
    return pd.DataFrame([asdict(item) | {"asset_class": str(item.asset_class)} for item in instruments])


def problems(collected: Collected) -> tuple[str, ...]:
    """Input that a person should mend: what the vendor rejected, and per symbol the first cell that is no number."""
    rejected = collected.outcomes[collected.outcomes["outcome"] == str(Outcome.REJECTED)]
    texts = [f"{symbol}: {reason}" for symbol, reason in zip(rejected["symbol"], rejected["reason"], strict=True)]
    cells = collected.unparsed
    for symbol, reasons in cells.groupby("symbol", sort=True)["reason"]:
        more = f", and {len(reasons) - 1} more like it" if len(reasons) > 1 else ""
        texts.append(f"{symbol}: {reasons.iloc[0]}{more}")
    return tuple(texts)


def missing_symbols(collected: Collected, curated: Sequence[str]) -> dict[str, str]:
    """Reason per symbol that was asked for and is not among those with ``curated`` rows."""
    present = set(curated)
    return {
        symbol: reason or ALL_QUARANTINED
        for symbol, reason in zip(collected.outcomes["symbol"], collected.outcomes["reason"], strict=True)
        if symbol not in present
    }


def require_coverage(asset_class: AssetClass, asked: int, missing: Mapping[str, str], min_coverage: float) -> None:
    """Raises a DataWindowError that names the missing symbols if too few of a class have data."""
    share = 1.0 - len(missing) / asked if asked else 0.0
    if share < min_coverage:
        # Where nothing came, one reason as a rule is the reason of all.
        shown = MAX_REASONS if share else 1
        reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(missing.items())[:shown])
        more = f" and {len(missing) - shown} more" if len(missing) > shown else ""
        raise DataWindowError(
            f"{asset_class}: vendors.min_coverage asks for {min_coverage:.0%} of {asked} symbols, got {share:.0%} "
            f"({reasons or 'the source has no symbol of this class'}{more})"
        )


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
        pd.DataFrame(outcomes, columns=list(OUTCOME_COLUMNS)).sort_values("symbol", kind="stable", ignore_index=True),
        pd.DataFrame(unparsed, columns=list(UNPARSED_COLUMNS)),
        price_basis,
    )


def _outcome(result: FetchResult, date_column: str) -> tuple[str, str, str, int, date | None, date | None]:
    if result.frame.empty:
        return result.symbol, str(result.outcome), result.reason, 0, None, None
    days = result.frame[date_column]
    return result.symbol, str(result.outcome), result.reason, len(days), days.min().date(), days.max().date()


def _unparsed(symbol: str, label: str, column: str, text: str) -> tuple[str, pd.Timestamp | None, str, str, str, str]:
    # A label begins with the row's date, unless it is the date that cannot be read.
    day = pd.to_datetime(label[:10], format="%Y-%m-%d", errors="coerce")
    rule = "a number" if column not in ("date", "available_date") else "an ISO date"
    reason = f"{column} must be {rule}, got {text!r} at {label}"
    return symbol, None if pd.isna(day) else day, "not_a_number", column, text, reason

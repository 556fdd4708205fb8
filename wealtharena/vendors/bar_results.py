"""Results of vendors that are asked over HTTP: which days can be asked for, and answers in the common shape."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from wealtharena.core.calendars import exchange_sessions, last_closed_session
from wealtharena.core.hashing import hash_json
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    MacroRequest,
    Outcome,
    PriceBasis,
)
from wealtharena.vendors.failures import Failure

_PRICES = ["open", "high", "low", "close"]
_MISSING = ("", "nan", "none", "null", "n/a", "-", ".")
UnparsedCell = tuple[str, str, str]


def last_day_to_ask(request: FetchRequest, now: datetime) -> date | Failure:
    """Last day of a request whose session had closed by ``now``; ``EMPTY`` if the request has no such session."""
    exchange = request.instrument.exchange
    end = min(request.end, last_closed_session(exchange, now))
    if len(exchange_sessions(exchange, request.start, end)):
        return end
    reason = f"no session of {exchange} that had closed from {request.start} to {request.end}"
    return Failure(Outcome.EMPTY, reason)


def with_bars(
    request: FetchRequest,
    frame: pd.DataFrame,
    bodies: Sequence[bytes],
    asked: str,
    currency: str = "",
    unparsed: tuple[UnparsedCell, ...] = (),
    price_basis: PriceBasis = PriceBasis.AS_TRADED,
) -> FetchResult:
    """Bars as the result of a request.

    Args:
        frame: from `bar_frame`, not empty.
        bodies: the answers' bodies, in order.
        asked: what was asked, without any secret.
    """
    return FetchResult(
        request.symbol,
        Outcome.ROWS,
        "",
        frame,
        _hash_of(bodies),
        price_basis,
        unparsed,
        request=asked,
        currency=currency,
    )


def without_bars(
    request: FetchRequest,
    failure: Failure,
    bodies: Sequence[bytes] = (),
    asked: str = "",
    unparsed: tuple[UnparsedCell, ...] = (),
) -> FetchResult:
    """A failure as the result of a request.

    Args:
        bodies: of what the vendor answered; empty where it was not asked or did not answer.
        asked: what was asked, without any secret; ``""``: nothing.
    """
    return FetchResult(
        request.symbol,
        failure.outcome,
        failure.reason,
        pd.DataFrame(columns=list(BAR_COLUMNS)),
        _hash_of(bodies) if bodies else hash_json([request.symbol, failure.outcome]),
        unparsed=unparsed,
        request=asked,
    )


def no_macro(vendor: str, requests: Iterable[MacroRequest]) -> Iterator[FetchResult]:
    """Answers of a vendor that is not asked for macro series: every one is unknown to it."""
    for request in requests:
        yield FetchResult(
            request.symbol,
            Outcome.UNKNOWN_SYMBOL,
            f"{vendor} is asked for no macro series",
            pd.DataFrame(columns=list(MACRO_COLUMNS)),
            hash_json([vendor, request.symbol]),
        )


def nothing_readable(unparsed: Sequence[UnparsedCell]) -> Failure:
    """Where not one row of an answer can be read."""
    label, column, text = unparsed[0]
    return Failure(Outcome.REJECTED, f"no row can be read; the first, {label}, has {text!r} as {column}")


def bar_frame(columns: pd.DataFrame, start: date, end: date) -> pd.DataFrame:
    """``BAR_COLUMNS`` from ``start`` to ``end``, sorted; repeated days stay in the vendor's order.

    A last bar without any price is left out: the vendor does not have it yet.

    Args:
        columns: ``session_date`` and whichever of ``BAR_COLUMNS`` the vendor tells; the others become NaN.
    """
    frame = columns.reindex(columns=list(BAR_COLUMNS))
    frame = frame.astype({"session_date": "datetime64[us]"} | dict.fromkeys(BAR_COLUMNS[1:], "float64"))
    frame = frame[frame["session_date"].between(pd.Timestamp(start), pd.Timestamp(end))]
    frame = frame.sort_values("session_date", kind="stable", ignore_index=True)
    if len(frame) and bool(np.isnan(frame[_PRICES].to_numpy()[-1]).all()):
        return frame.iloc[:-1]
    return frame


def number(value: object) -> float | None:
    """A JSON value or text as a number, NaN where the vendor has none ("None", "NaN", ".", null); None: no number."""
    if value is None or str(value).strip().lower() in _MISSING:
        return float("nan")
    if isinstance(value, bool) or "_" in str(value):
        return None
    try:
        return float(str(value))
    except ValueError:
        return None


def _hash_of(bodies: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(bodies)).hexdigest()

"""Which sessions of each instrument are there, and which instruments stopped trading for good."""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from wealtharena.core.calendars import ended_alone, exchange_sessions
from wealtharena.core.market_data import Instrument

COVERAGE_COLUMNS = (
    "symbol",
    "first_session",
    "last_session",
    "expected_sessions",
    "observed_sessions",
    "missing_sessions",
    "delisted_on",
)


def coverage_of(
    bars: pd.DataFrame, instruments: Sequence[Instrument], stale_sessions: int, as_of: date
) -> pd.DataFrame:
    """One row per instrument of one asset class, those without bars included.

    ``expected_sessions`` counts the exchange's sessions from the first bar to ``as_of``, or to the last bar of an
    instrument that was delisted; ``delisted_on`` is that last bar's date, else NaT. Delisted is what the universe says
    was (its ``last_day`` has passed) and what stopped alone (see ``ended_alone``).
    """
    exchanges = {instrument.symbol: instrument.exchange for instrument in instruments}
    days = {str(symbol): part for symbol, part in bars.groupby("symbol")["session_date"]}
    ended = ended_alone(
        {symbol: part.iloc[-1].date() for symbol, part in days.items()}, exchanges, stale_sessions, as_of
    )
    last_days = {item.symbol: item.last_day for item in instruments if item.last_day and item.last_day <= as_of}
    ended |= {symbol: days[symbol].iloc[-1].date() for symbol in sorted(last_days) if symbol in days}
    rows: list[tuple[str, date | None, date | None, int, int, int, date | None]] = []
    for symbol in sorted(exchanges):
        if symbol not in days:
            rows.append((symbol, None, None, 0, 0, 0, None))
            continue
        first, last, observed = days[symbol].iloc[0].date(), days[symbol].iloc[-1].date(), len(days[symbol])
        expected = len(exchange_sessions(exchanges[symbol], first, ended.get(symbol, as_of)))
        rows.append((symbol, first, last, expected, observed, expected - observed, ended.get(symbol)))
    dates = dict.fromkeys(("first_session", "last_session", "delisted_on"), "datetime64[us]")
    counts = dict.fromkeys(("expected_sessions", "observed_sessions", "missing_sessions"), "int64")
    return pd.DataFrame(rows, columns=list(COVERAGE_COLUMNS)).astype({**dates, **counts})

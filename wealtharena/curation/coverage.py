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
    instrument that was delisted; ``delisted_on`` is that last bar's date, else NaT (see ``ended_alone``).
    """
    exchanges = {instrument.symbol: instrument.exchange for instrument in instruments}
    spans = bars.groupby("symbol")["session_date"].agg(["min", "max", "size"])
    last_bars = {str(symbol): row["max"].date() for symbol, row in spans.iterrows()}
    ended = ended_alone(last_bars, exchanges, stale_sessions, as_of)
    rows = []
    for symbol in sorted(exchanges):
        if symbol not in last_bars:
            rows.append((symbol, pd.NaT, pd.NaT, 0, 0, 0, pd.NaT))
            continue
        first, last, observed = spans.loc[symbol, ["min", "max", "size"]]
        expected = len(exchange_sessions(exchanges[symbol], first.date(), ended.get(symbol, as_of)))
        delisted_on = pd.Timestamp(ended[symbol]) if symbol in ended else pd.NaT
        rows.append((symbol, first, last, expected, int(observed), expected - int(observed), delisted_on))
    dates = dict.fromkeys(("first_session", "last_session", "delisted_on"), "datetime64[us]")
    counts = dict.fromkeys(("expected_sessions", "observed_sessions", "missing_sessions"), "int64")
    return pd.DataFrame(rows, columns=list(COVERAGE_COLUMNS)).astype({**dates, **counts})

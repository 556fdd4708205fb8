"""What was known when: of all stored versions, those that a night may see."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument, Outcome

_SUCCESSES = (str(Outcome.ROWS), str(Outcome.EMPTY))
# No exchange closes for longer than this.
_LONGEST_BREAK = timedelta(days=31)


def visible_bars(
    history: pd.DataFrame, fetches: pd.DataFrame, instruments: Sequence[Instrument], as_of: date, known_at: datetime
) -> pd.DataFrame:
    """The bars that were known of each vendor and symbol, whatever was stored since.

    A symbol is seen as of ``known_at``, or, where it was not yet collected up to ``as_of`` at that moment, as of the
    end of the first run that did so. Of the rows up to ``as_of`` that were known by then those of a vendor's latest
    epoch count, and of each session the newest version.

    Args:
        history: every stored version of the raw rows of a class: at least ``vendor``, ``symbol``, ``session_date``,
            ``epoch``, ``known_at`` (with time zone); rows of symbols without instrument are left out.
        fetches: the ledger: ``dataset``, ``symbol``, ``requested_to``, ``outcome``, ``run_id``, ``known_at``.
        as_of: last session; ``known_at``: moment of the knowledge, with time zone.

    Returns:
        One row per vendor, symbol and session, in that order, with all columns of ``history``.
    """
    needed = {item.symbol: _last_session(item, as_of) for item in instruments}
    known = history[(history["session_date"] <= pd.Timestamp(as_of)) & history["symbol"].isin(needed)]
    cuts = _cuts(fetches[fetches["dataset"] == "bars"], needed, known_at)
    known = known[_known_by_cut(known["symbol"], known["known_at"], cuts)]
    return _newest_versions(known)


def visible_macro(history: pd.DataFrame, fetches: pd.DataFrame, as_of: date, known_at: datetime) -> pd.DataFrame:
    """The macro observations that were known of each series, every version of them with its ``known_at``.

    A series is seen as of the same moment as a symbol by ``visible_bars``.

    Args:
        history: every stored version of the raw rows: at least ``series``, ``reference_date``, ``known_at``.
        fetches: as for ``visible_bars``; ``symbol`` is the series.
    """
    known = history[history["reference_date"] <= pd.Timestamp(as_of)]
    needed = dict.fromkeys(map(str, known["series"].unique()), pd.Timestamp(as_of))
    cuts = _cuts(fetches[fetches["dataset"] == "macro"], needed, known_at)
    return known[_known_by_cut(known["series"], known["known_at"], cuts)].reset_index(drop=True)


def _last_session(instrument: Instrument, as_of: date) -> pd.Timestamp:
    """Last session up to ``as_of`` on which the instrument was listed."""
    last_day = min(as_of, instrument.last_day or as_of)
    sessions = exchange_sessions(instrument.exchange, last_day - _LONGEST_BREAK, last_day)
    return pd.Timestamp(sessions[-1]) if len(sessions) else pd.Timestamp(last_day)


def _cuts(fetches: pd.DataFrame, needed: Mapping[str, pd.Timestamp], known_at: datetime) -> dict[str, pd.Timestamp]:
    """Moment of the knowledge per symbol.

    A run may ask several times for a symbol (another vendor, a history that was rewritten): its last answer counts.
    """
    good = fetches[fetches["outcome"].isin(_SUCCESSES) & fetches["symbol"].isin(needed)]
    covering = good[good["requested_to"] >= good["symbol"].map(dict(needed))].sort_values("known_at", kind="stable")
    first_run = covering.groupby("symbol")["run_id"].first()
    own = good[good["run_id"] == good["symbol"].map(first_run)]
    ends = own.groupby("symbol")["known_at"].max()
    moment = pd.Timestamp(known_at)
    return {symbol: max(moment, ends[symbol]) if symbol in ends.index else moment for symbol in needed}


def _known_by_cut(
    symbols: "pd.Series[str]", known_at: "pd.Series[pd.Timestamp]", cuts: Mapping[str, pd.Timestamp]
) -> NDArray[np.bool_]:
    codes, names = pd.factorize(symbols)
    cut = np.array([_microseconds(cuts[str(name)]) for name in names], dtype=np.int64)
    moments = known_at.astype("datetime64[us, UTC]").astype("int64").to_numpy()
    early: NDArray[np.bool_] = moments <= cut[codes] if len(codes) else np.zeros(0, dtype=np.bool_)
    return early


def _microseconds(moment: pd.Timestamp) -> int:
    return int(moment.tz_convert("UTC").as_unit("us").asm8.astype(np.int64))


def _newest_versions(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each vendor and symbol the latest epoch, and in it of each session the newest version."""
    vendors, _ = pd.factorize(rows["vendor"], sort=True)
    symbols, names = pd.factorize(rows["symbol"], sort=True)
    sources = vendors * max(len(names), 1) + symbols
    epochs = rows["epoch"].to_numpy(np.int64)
    latest = pd.Series(epochs).groupby(sources).transform("max").to_numpy()
    rows, sources = rows[epochs == latest], sources[epochs == latest]
    sessions = rows["session_date"].to_numpy("datetime64[us]").astype(np.int64)
    moments = rows["known_at"].astype("datetime64[us, UTC]").astype("int64").to_numpy()
    order = np.lexsort((-moments, sessions, sources))
    places = np.column_stack([sources[order], sessions[order]])
    is_newest = np.append(True, (places[1:] != places[:-1]).any(axis=1))[: len(order)]
    newest: pd.DataFrame = rows.iloc[order[is_newest]].reset_index(drop=True)
    return newest

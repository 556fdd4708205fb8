"""What is to be asked of a vendor, as the ledger of its answers tells. Pure: no clock, no file, no vendor."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import FetchRequest, Instrument, MacroRequest, Outcome
from wealtharena.vendors.universe_tables import Rename

BARS, MACRO = "bars", "macro"
_ANSWERED = (str(Outcome.ROWS), str(Outcome.EMPTY))
# Release days are those of the publisher's zone, and a figure may reach a vendor some days late.
VINTAGE_OVERLAP = timedelta(days=7)
# Series without vintages cost one request however far back it reaches; annual revisions are seen.
REFERENCE_OVERLAP = timedelta(days=400)
# Longest closure of an exchange, in days per session of overlap.
_DAYS_PER_SESSION = 7


@dataclass(frozen=True, slots=True)
class PlannedRequest(FetchRequest):
    """A request and what its answer means for what is stored.

    Attributes:
        history_from: first day of the history that is wanted of the vendor.
        is_whole: it reaches back to that day, so that its answer can replace all that is stored.
        is_local: what the answer lacks does not exist; other vendors may just be late, or not reach back so far.
    """

    history_from: date
    is_whole: bool = False
    is_local: bool = False

    def whole(self) -> "PlannedRequest":
        """The same request for the whole history."""
        return replace(self, start=self.history_from, is_whole=True)


@dataclass(frozen=True, slots=True)
class _Covered:
    """First and last day that the present epoch of a symbol is stored for."""

    start: date
    end: date


def plan_bars(
    instruments: Sequence[Instrument],
    ledger: pd.DataFrame,
    vendor: str,
    start: date,
    as_of: date,
    overlap_sessions: int,
    is_local: bool,
    renames: Sequence[Rename] = (),
) -> list[PlannedRequest]:
    """Requests for the bars that are missing, at most one per instrument, in the order of the instruments.

    Nothing stored: the whole range of its listing. Stored up to some session: from ``overlap_sessions`` stored ones on,
    if the exchange had a session since. Stored from a later day than ``start`` asks for: the whole range again. An
    ``empty`` answer covers the days that it was asked for; one with rows covers up to its last row, so that a bar that
    had not come yet is asked for again.

    Args:
        ledger: ``core_quality__fetches``; rows of other vendors and data sets are left out.
        is_local: asking costs nothing: always the whole range.
        renames: former names; a vendor that files the days of a former name apart is asked for own days only.
    """
    covered = {} if is_local else _covered_bars(ledger, vendor)
    planned = []
    for instrument in instruments:
        named, first = _own_days(instrument, vendor, start, as_of, renames)
        whole = replace(whole_history(named, first, as_of), is_local=is_local)
        request = _missing(whole, covered.get(instrument.symbol), overlap_sessions)
        if request is not None:
            planned.append(request)
    return planned


def whole_history(instrument: Instrument, start: date, as_of: date) -> PlannedRequest:
    """All bars of an instrument from ``start`` to ``as_of`` while it was listed."""
    first = max(start, instrument.first_day or start)
    return PlannedRequest(instrument, first, min(as_of, instrument.last_day or as_of), first, is_whole=True)


def plan_macro(
    names: Sequence[str],
    with_vintages: Collection[str],
    ledger: pd.DataFrame,
    vendor: str,
    start: date,
    as_of: date,
    is_local: bool,
) -> list[MacroRequest]:
    """Requests for the observations that are missing, at most one per series, in the order of ``names``.

    Series with vintages are asked for what was published since the last answer, others for the observations since the
    last one stored, both with an overlap. A series that was asked for up to ``as_of`` before is up to date.

    Args:
        names: of the series; with_vintages: those whose vendor tells release days.
        ledger, is_local: as for ``plan_bars``.
    """
    answered = _answered(ledger, vendor, MACRO) if not is_local else ledger.iloc[:0]
    rows = {str(name): own for name, own in answered.groupby("symbol", sort=False)}
    planned = []
    for name in names:
        whole = MacroRequest(name, start, as_of, with_vintages=name in with_vintages)
        own = rows.get(name)
        if own is None or _day(own["requested_from"].min()) > start:
            planned.append(whole)
        elif _day(own["requested_to"].max()) < as_of:
            planned.append(_newer(whole, own))
    return planned


def cross_check(instruments: Sequence[Instrument], night: date, count: int) -> list[Instrument]:
    """``count`` instruments that another vendor is asked about as well: each listed one in turn, night by night."""
    listed = [item for item in instruments if _is_listed(item, night)]
    listed.sort(key=lambda item: item.symbol)
    count = min(count, len(listed))
    # Weekdays are counted, not days: a multiple of seven symbols would have some that always fall on a weekend.
    first = int(np.busday_count("2000-01-03", night)) * count
    return [listed[(first + step) % len(listed)] for step in range(count)]


def _missing(whole: PlannedRequest, covered: _Covered | None, overlap_sessions: int) -> PlannedRequest | None:
    if whole.end < whole.start:
        return None
    if covered is None or whole.start < covered.start:
        return whole
    exchange = whole.instrument.exchange
    if not len(exchange_sessions(exchange, covered.end + timedelta(days=1), whole.end)):
        return None
    reach = covered.end - timedelta(days=_DAYS_PER_SESSION * overlap_sessions)
    stored = exchange_sessions(exchange, max(reach, covered.start), covered.end)[-overlap_sessions:]
    first = _day(stored[0]) if len(stored) else covered.end
    # A listing that ended early may leave no more than the overlap.
    return replace(whole, start=max(first, whole.start), is_whole=first <= whole.start)


def _covered_bars(ledger: pd.DataFrame, vendor: str) -> dict[str, _Covered]:
    """What is stored of each symbol in its present epoch."""
    rows = _answered(ledger, vendor, BARS)
    rows = rows[rows["epoch"] == rows.groupby("symbol")["epoch"].transform("max")]
    is_empty = rows["outcome"] == str(Outcome.EMPTY)
    ends = rows["last_date"].where(~is_empty, rows["requested_to"])
    rows = rows.assign(end=ends).dropna(subset=["end"])
    spans = rows.groupby("symbol", sort=False).agg(start=("requested_from", "min"), end=("end", "max"))
    found = zip(spans.index, spans["start"], spans["end"], strict=True)
    return {str(symbol): _Covered(_day(first), _day(last)) for symbol, first, last in found}


def _answered(ledger: pd.DataFrame, vendor: str, dataset: str) -> pd.DataFrame:
    """Rows of the ledger whose vendor stood by its answer, days as ``datetime64[us]``."""
    own = (ledger["vendor"] == vendor) & (ledger["dataset"] == dataset) & ledger["outcome"].isin(_ANSWERED)
    days = ("requested_from", "requested_to", "first_date", "last_date")
    rows = ledger[own]
    return rows.assign(**{name: pd.to_datetime(rows[name]).astype("datetime64[us]") for name in days})


def _newer(whole: MacroRequest, answered: pd.DataFrame) -> MacroRequest:
    if whole.with_vintages:
        known = max(
            min(_day(asked_to), _day(moment))
            for asked_to, moment in zip(answered["requested_to"], answered["known_at"], strict=True)
        )
        return replace(whole, known_from=known - VINTAGE_OVERLAP)
    last = answered["last_date"].max()
    return whole if pd.isna(last) else replace(whole, start=max(whole.start, _day(last) - REFERENCE_OVERLAP))


def _own_days(
    instrument: Instrument, vendor: str, start: date, as_of: date, renames: Sequence[Rename]
) -> tuple[Instrument, date]:
    """The instrument as the vendor calls it on ``as_of``, and the first day that the vendor files under that name."""
    for rename in renames:
        if rename.symbol == instrument.symbol and vendor in rename.vendors:
            if as_of <= rename.last_day:
                return replace(instrument, aliases=((vendor, rename.former), *_others(instrument, vendor))), start
            start = max(start, rename.last_day + timedelta(days=1))
    return instrument, start


def _others(instrument: Instrument, vendor: str) -> tuple[tuple[str, str], ...]:
    return tuple(alias for alias in instrument.aliases if alias[0] != vendor)


def _is_listed(instrument: Instrument, day: date) -> bool:
    return (instrument.first_day or day) <= day <= (instrument.last_day or day)


def _day(value: Any) -> date:
    return pd.Timestamp(value).date()

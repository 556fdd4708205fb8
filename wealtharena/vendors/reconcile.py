"""Compares a vendor's answer with what is stored of the symbol: what is new, what was revised, what was rewritten."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.market_data import BAR_COLUMNS, FetchResult, Outcome, PriceBasis
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.settings import VendorsSettings
from wealtharena.vendors.intake import unique_rows
from wealtharena.vendors.plan import PlannedRequest

COLUMNS = BAR_COLUMNS[1:]
PRICES = ("open", "high", "low", "close")
ADJ_CLOSE, CLOSE, SPLIT = (COLUMNS.index(name) for name in ("adj_close", "close", "split"))
VOLUME_TOLERANCE = 1e-3
"""Relative difference up to which two volumes count as the same: late trades and rounding."""
REWRITTEN_SHARE = 0.5
"""Share of the overlap above which changed prices are a rewritten history, no revisions of single bars."""
SPLIT_TOLERANCE = 0.01
"""Relative distance from a split's ratio up to which a change of the closes fits it."""

LARGE_MOVE = 0.05
"""Logarithmic change of a stored close from which it is taken for a split's, not for a correction."""

DayArray = NDArray[np.datetime64]


class VerdictKind(StrEnum):
    """What an answer means for what is stored."""

    SAME = "same"
    APPEND = "append"
    REVISIONS = "revisions"
    RELOAD = "reload"


@dataclass(frozen=True)
class Verdict:
    """What is to be done with an answer.

    Attributes:
        kind: ``SAME``: nothing to store. ``APPEND``: sessions that were not stored. ``REVISIONS``: also other figures
            of stored sessions. ``RELOAD``: the history was rewritten and counts as a new epoch.
        rows: rows to store, ``BAR_COLUMNS`` by date. Where a figure differs by noise only, or the vendor left it out,
            the stored one stands. Empty for a ``RELOAD`` that is not whole.
        problems: what does not fit together, for a person.
        is_whole: the answer is the whole history; a ``RELOAD`` that is not has to be asked for it.
    """

    kind: VerdictKind
    rows: pd.DataFrame
    problems: tuple[str, ...] = ()
    is_whole: bool = False


def reconcile(
    stored: pd.DataFrame | None, result: FetchResult, request: PlannedRequest, settings: VendorsSettings
) -> Verdict:
    """The verdict on an answer.

    Args:
        stored: newest version of the symbol's rows in its present epoch, at least those of the days asked for: columns
            of the raw table. None or no rows: nothing is stored.
        result: bars; other outcomes than rows change nothing.
        request: what was asked.
        settings: for ``revision_tolerance``.
    """
    if (stored is None or stored.empty) and _is_ready(result, request):
        return Verdict(VerdictKind.APPEND, result.frame, (), request.is_whole)
    old = _stored_bars(stored, request)
    if result.outcome is not Outcome.ROWS:
        gone = (_gone(len(old.days)),) if len(old.days) and request.is_local and request.is_whole else ()
        return Verdict(VerdictKind.SAME, result.frame.iloc[:0], gone, request.is_whole)
    new = _arrived(_bars(unique_rows(result)), request)
    seen = _Comparison(old, new, settings.revision_tolerance)
    problems = _split_problems(seen, result)
    if len(old.days) and _is_rewritten(seen, result, request, stored):
        rows = new if request.is_whole else new.only(np.zeros(len(new.days), dtype=bool))
        return Verdict(VerdictKind.RELOAD, rows.frame(), problems, request.is_whole)
    revised, added = seen.revised(), new.only(~np.isin(new.days, old.days))
    kind = VerdictKind.APPEND if len(added.days) else VerdictKind.SAME
    kind = VerdictKind.REVISIONS if len(revised.days) else kind
    return Verdict(kind, revised.and_also(added).frame(), problems, request.is_whole)


@dataclass(frozen=True)
class _Bars:
    """Rows in order of their days: days (N,) ``datetime64[us]``; figures (N, 8) in the order of ``COLUMNS``.

    One such pair is compared per symbol and night: plain arrays take a tenth of the time that frames take.
    """

    days: DayArray
    figures: FloatArray

    def only(self, rows: BoolArray) -> "_Bars":
        return _Bars(self.days[rows], self.figures[rows])

    def and_also(self, other: "_Bars") -> "_Bars":
        days, values = np.concatenate([self.days, other.days]), np.concatenate([self.figures, other.figures])
        order = np.argsort(days, kind="stable")
        return _Bars(days[order], values[order])

    def frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.figures, columns=list(COLUMNS))
        frame.insert(0, BAR_COLUMNS[0], self.days)
        return frame


class _Comparison:
    """Stored and new figures of the sessions that both have.

    Attributes:
        old, new: all bars; days: (D,) sessions that both have; before, after: (D, 8) their stored and new figures.
        differs: (D, 8) which figures differ by more than noise, the adjusted close left aside: each dividend changes
            all of its past.
    """

    def __init__(self, old: _Bars, new: _Bars, tolerance: float) -> None:
        self.old, self.new = old, new
        self.days, in_old, in_new = np.intersect1d(old.days, new.days, assume_unique=True, return_indices=True)
        self.before, self.after = old.figures[in_old], new.figures[in_new]
        limits = np.array([VOLUME_TOLERANCE if name == "volume" else tolerance for name in COLUMNS])
        self.differs = _differs(self.before, self.after, limits)
        self.differs[:, ADJ_CLOSE] = False

    @cached_property
    def repriced(self) -> int:
        """Number of sessions with another price."""
        return int(np.count_nonzero(self.differs[:, : len(PRICES)].any(axis=1)))

    @cached_property
    def ratio(self) -> FloatArray:
        """(D,) new close over the stored one."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.after[:, CLOSE] / self.before[:, CLOSE])

    @cached_property
    def new_splits(self) -> dict[np.datetime64, float]:
        """Ratios, by day, of the splits that the answer tells of and the stored rows do not."""
        told = self.new.figures[:, SPLIT]
        events = np.flatnonzero(np.isfinite(told) & (told != 1.0))
        if not len(events):
            return {}
        known = dict(zip(self.days, self.before[:, SPLIT], strict=True))
        found = ((self.new.days[row], float(told[row])) for row in events)
        return {day: split for day, split in found if not np.isclose(known.get(day, np.nan), split, SPLIT_TOLERANCE)}

    def revised(self) -> _Bars:
        """New rows of the sessions that changed, with the stored figures wherever these still hold."""
        rows = np.asarray(self.differs.any(axis=1))
        values = np.where(self.differs, self.after, self.before)
        values[:, ADJ_CLOSE] = self.after[:, ADJ_CLOSE]
        return _Bars(self.days[rows], values[rows])


def _is_ready(result: FetchResult, request: PlannedRequest) -> bool:
    """Whether an answer's rows can be stored as they are: one per date, in order, with a last close."""
    if result.outcome is not Outcome.ROWS:
        return False
    days, closes = result.frame["session_date"], result.frame["close"]
    in_order = bool(days.is_monotonic_increasing and days.is_unique) and not days.hasnans
    return in_order and (request.is_local or not np.isnan(closes.iloc[-1]))


def _stored_bars(stored: pd.DataFrame | None, request: PlannedRequest) -> _Bars:
    """Stored rows of the days asked for."""
    if stored is None or stored.empty:
        return _Bars(np.empty(0, dtype="datetime64[us]"), np.empty((0, len(COLUMNS))))
    bars = _bars(stored)
    return bars.only((bars.days >= np.datetime64(request.start)) & (bars.days <= np.datetime64(request.end)))


def _bars(rows: pd.DataFrame) -> _Bars:
    days = rows[BAR_COLUMNS[0]].to_numpy().astype("datetime64[us]")
    values = np.column_stack([rows[name].to_numpy(dtype=np.float64) for name in COLUMNS])
    order = np.argsort(days, kind="stable")
    return _Bars(days[order], values[order])


def _arrived(bars: _Bars, request: PlannedRequest) -> _Bars:
    """Bars up to the last that has a close: a blank last bar has not come yet. A file's blank is a blank."""
    closed = np.flatnonzero(~np.isnan(bars.figures[:, CLOSE]))
    if request.is_local or not len(closed):
        return bars
    return _Bars(bars.days[: closed[-1] + 1], bars.figures[: closed[-1] + 1])


def _differs(before: FloatArray, after: FloatArray, limits: FloatArray) -> BoolArray:
    """Whether figures differ by more than noise; a blank tells nothing, a figure in place of a blank does."""
    gap = np.abs(after - before) > limits * np.maximum(np.abs(before), np.abs(after))
    return np.asarray(~np.isnan(after) & (np.isnan(before) | gap))


def _is_rewritten(seen: _Comparison, result: FetchResult, request: PlannedRequest, stored: pd.DataFrame | None) -> bool:
    adjusted = result.price_basis is PriceBasis.SPLIT_ADJUSTED
    if not len(seen.days):
        # Without a common session nobody can tell whether both are on one basis.
        return adjusted or request.is_local
    if stored is not None and _unit_changed(stored, result):
        return True
    if seen.repriced > REWRITTEN_SHARE * len(seen.days):
        return True
    if adjusted and (seen.new_splits or _is_partly_rescaled(seen)):
        return True
    return request.is_whole and _lacks_sessions(seen, request)


def _unit_changed(stored: pd.DataFrame, result: FetchResult) -> bool:
    """Whether prices come in another currency, or on another basis, than the stored ones."""
    basis, currency = str(stored["price_basis"].iloc[-1]), str(stored["currency"].iloc[-1])
    return basis != str(result.price_basis) or (bool(currency and result.currency) and currency != result.currency)


def _is_partly_rescaled(seen: _Comparison) -> bool:
    """Whether several closes moved by one large factor while others did not: a split that is being applied."""
    ratio = seen.ratio[np.isfinite(seen.ratio) & (seen.ratio > 0.0)]
    moved = ratio[np.abs(np.log(ratio)) > LARGE_MOVE]
    return len(moved) > 1 and bool(np.ptp(moved) <= SPLIT_TOLERANCE * moved.max())


def _lacks_sessions(seen: _Comparison, request: PlannedRequest) -> bool:
    """Whether stored sessions are gone. A live vendor may reach less far back or be late; its gaps do count."""
    missing = np.setdiff1d(seen.old.days, seen.new.days, assume_unique=True)
    if not request.is_local:
        missing = missing[(missing > seen.new.days[0]) & (missing < seen.new.days[-1])]
    return len(missing) > 0


def _split_problems(seen: _Comparison, result: FetchResult) -> tuple[str, ...]:
    """What does not fit between the splits that a split-adjusted answer tells of and how its closes moved."""
    known = np.isfinite(seen.ratio) & (seen.ratio != 0.0)
    if result.price_basis is not PriceBasis.SPLIT_ADJUSTED or not known.any():
        return ()
    days, ratio = seen.days[known], seen.ratio[known]
    if not seen.new_splits:
        return _unexplained(ratio, seen)
    texts = (_misapplied(day, seen.new_splits, days, ratio) for day in seen.new_splits)
    return tuple(text for text in texts if text)


def _unexplained(ratio: FloatArray, seen: _Comparison) -> tuple[str, ...]:
    tells = bool(np.isfinite(seen.new.figures[:, SPLIT]).any())
    if not tells or np.ptp(ratio) > SPLIT_TOLERANCE * np.abs(ratio).max():
        return ()
    factor = float(np.median(ratio))
    if factor > 0.0 and abs(np.log(factor)) <= LARGE_MOVE:
        return ()
    return (f"the closes of {len(ratio)} stored sessions changed by the factor {factor:.6g}, and no split is told of",)


def _misapplied(day: np.datetime64, splits: dict[np.datetime64, float], days: DayArray, ratio: FloatArray) -> str:
    """What is wrong with the closes before a split, ``""`` if all of them moved by the splits that come after them."""
    later = np.array([np.prod([split for other, split in splits.items() if other > session]) for session in days])
    earlier = days < day
    wrong = earlier & (np.abs(ratio * later - 1.0) > SPLIT_TOLERANCE)
    if not wrong.any():
        return ""
    return (
        f"split of {splits[day]:g} for 1 on {pd.Timestamp(day).date()}: the closes before it must change by the factor "
        f"{1 / splits[day]:.6g}, {np.count_nonzero(wrong)} of {np.count_nonzero(earlier)} do not "
        f"(factors {ratio[earlier].min():.6g} to {ratio[earlier].max():.6g})"
    )


def _gone(count: int) -> str:
    return f"the source has none of the {count} stored sessions any more; they stand"

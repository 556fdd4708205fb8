"""Brings the raw tables of a class up to date: asks the vendors for what is missing, and names what failed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pandas as pd

from tasks.answers import BARS, FETCHES, MACRO_DATA, Answer, AnswerBook, raw_table, successful
from tasks.night import Night
from tasks.vendor_desk import catalogue_of, left_out, vendor_of, vendors_of
from wealtharena.core import AssetClass, Vendor
from wealtharena.core.market_data import FetchRequest, FetchResult, Instrument, Outcome
from wealtharena.vendors import Universe
from wealtharena.vendors.intake import Origin, unique_rows
from wealtharena.vendors.outcomes import Standing, standing_answers
from wealtharena.vendors.plan import PlannedRequest, cross_check, plan_bars, plan_macro
from wealtharena.vendors.reconcile import VerdictKind, reconcile
from wealtharena.vendors.universe_tables import Rename

Tell = Callable[[str], None]


@dataclass
class Fetched:
    """What became of each symbol tonight.

    Attributes:
        answers: per symbol, in order, the vendors that were asked with their answers, and those of which nothing was
            missing with what they told before.
        notes: what a person may want to know: vendors left out, splits that do not fit, histories that were rewritten.
    """

    answers: dict[str, list[tuple[str, FetchResult | Standing]]]
    notes: list[str] = field(default_factory=list)


def fetch_bars(night: Night, asset_class: AssetClass, instruments: Sequence[Instrument], on_symbol: Tell) -> Fetched:
    """Asks each vendor of the class, in order, for what the one before could not deliver.

    The second vendor is asked about a few more symbols each night (``vendors.cross_check_symbols``), so that two
    sources can be compared.
    """
    group = str(asset_class)
    fetched = Fetched({item.symbol: [] for item in instruments}, list(left_out(night, group)))
    wanted = [item for item in instruments if not _ended_before(night, item, fetched)]
    book = AnswerBook(night, group)
    for rank, name in enumerate(vendors_of(night, group)):
        count = night.settings.vendors.cross_check_symbols if rank == 1 else 0
        sample = cross_check(instruments, night.as_of, count)
        asked = [item for item in instruments if item in wanted or item in sample]
        if not asked:
            continue
        with vendor_of(night, name) as vendor:
            for answer in _answers(night, vendor, group, asked, fetched.notes):
                book.keep(answer)
                fetched.answers[answer.result.symbol].append((name, answer.result))
                on_symbol(answer.result.symbol)
        book.store()
        _add_standing(fetched, night, name, _ledger(night, name, BARS, group), [item.symbol for item in asked])
        wanted = [item for item in wanted if not _is_served(fetched.answers[item.symbol], name)]
    return fetched


def fetch_macro(night: Night, names: Sequence[str], on_symbol: Tell) -> Fetched:
    """Asks the vendors of the macro series, in order, for what the one before could not deliver."""
    fetched = Fetched({name: [] for name in names}, list(left_out(night, MACRO_DATA)))
    wanted = list(names)
    book = AnswerBook(night, MACRO_DATA)
    for name in vendors_of(night, MACRO_DATA):
        if not wanted:
            break
        with vendor_of(night, name) as vendor:
            for answer in _macro_answers(night, vendor, wanted):
                book.keep(answer)
                fetched.answers[answer.result.symbol].append((name, answer.result))
                on_symbol(answer.result.symbol)
        book.store()
        _add_standing(fetched, night, name, _ledger(night, name, MACRO_DATA, MACRO_DATA), wanted)
        wanted = [series for series in wanted if not _is_served(fetched.answers[series], name)]
    return fetched


def _ended_before(night: Night, item: Instrument, fetched: Fetched) -> bool:
    """Whether a listing ended before the days that are collected; that it has no bars then needs no vendor's word."""
    start = night.settings.run.history_start
    if item.last_day is None or item.last_day >= start:
        return False
    reason = f"its listing ended on {item.last_day}, before the first day that is collected ({start})"
    fetched.answers[item.symbol].append(("", Standing(Outcome.EMPTY, reason)))
    return True


def _add_standing(fetched: Fetched, night: Night, vendor: str, ledger: pd.DataFrame, asked: Sequence[str]) -> None:
    """Adds what a vendor told before of the symbols about which it needed not be asked."""
    current = [symbol for symbol in asked if all(name != vendor for name, _ in fetched.answers[symbol])]
    for symbol, standing in standing_answers(successful(ledger), current, night.night_id).items():
        fetched.answers[symbol].append((vendor, standing))


def _is_served(answers: Sequence[tuple[str, FetchResult | Standing]], vendor: str) -> bool:
    """Whether a vendor had a symbol's bars, or needed not be asked for any."""
    own = [result for name, result in answers if name == vendor]
    return not own or isinstance(own[-1], Standing) or own[-1].outcome is Outcome.ROWS


def _answers(
    night: Night, vendor: Vendor, group: str, instruments: Sequence[Instrument], notes: list[str]
) -> Iterator[Answer]:
    """Answers of one vendor, each with the rows that the raw table lacks."""
    settings, start, end = night.settings.vendors, night.settings.run.history_start, night.as_of
    ledger = _ledger(night, vendor.name, BARS, group)
    epochs = _epochs(ledger)
    overlap = settings.overlap_sessions
    plan = plan_bars(instruments, ledger, vendor.name, start, end, overlap, vendor.is_local, _renames(night))
    asked = {request.symbol: request for request in plan}
    stored = _stored_rows(night, vendor, plan, epochs)
    to_reload: list[PlannedRequest] = []
    for result in vendor.fetch_bars(plan):
        request = asked[result.symbol]
        verdict = reconcile(stored.get(result.symbol), result, request, settings)
        notes += [f"{vendor.name}, {result.symbol}: {text}" for text in verdict.problems]
        if verdict.kind is VerdictKind.RELOAD and not verdict.is_whole:
            to_reload.append(request.whole())
            continue
        epoch = epochs.get(result.symbol, 0) + (verdict.kind is VerdictKind.RELOAD)
        yield _answer(night, vendor, group, request, result, epoch, verdict.rows)
    whole = {request.symbol: request for request in to_reload}
    for result in vendor.fetch_bars(to_reload):
        notes.append(f"{vendor.name}, {result.symbol}: its history was rewritten and was asked for anew")
        epoch = epochs.get(result.symbol, 0) + 1
        yield _answer(night, vendor, group, whole[result.symbol], result, epoch, unique_rows(result))


def _macro_answers(night: Night, vendor: Vendor, names: Sequence[str]) -> Iterator[Answer]:
    """Answers of one vendor; the raw table tells new vintages and values from old ones itself."""
    start, end = night.settings.run.history_start, night.as_of
    ledger = _ledger(night, vendor.name, MACRO_DATA, MACRO_DATA)
    plan = plan_macro(names, _with_vintages(night, names), ledger, vendor.name, start, end, vendor.is_local)
    asked = {request.symbol: request for request in plan}
    for result in vendor.fetch_macro(plan):
        origin = Origin(vendor.name, MACRO_DATA, 0, night.run_id, datetime.now(UTC))
        yield Answer(MACRO_DATA, asked[result.symbol], result, origin, unique_rows(result))


def _with_vintages(night: Night, names: Sequence[str]) -> set[str]:
    catalogue = catalogue_of(night)
    return {name for name in names if catalogue.macro(name).with_vintages} if isinstance(catalogue, Universe) else set()


def _answer(
    night: Night,
    vendor: Vendor,
    group: str,
    request: FetchRequest,
    result: FetchResult,
    epoch: int,
    rows: pd.DataFrame,
) -> Answer:
    origin = Origin(vendor.name, group, epoch, night.run_id, datetime.now(UTC))
    return Answer(BARS, request, result, origin, rows)


def _ledger(night: Night, vendor: str, dataset: str, group: str) -> pd.DataFrame:
    where = {"vendor": vendor, "dataset": dataset, "group": group}
    return night.warehouse.read_or_empty(FETCHES, where=where)


def _renames(night: Night) -> Sequence[Rename]:
    catalogue = catalogue_of(night)
    return catalogue.renames if isinstance(catalogue, Universe) else ()


def _epochs(ledger: pd.DataFrame) -> dict[str, int]:
    """How often each symbol's history was rewritten so far."""
    newest = successful(ledger).groupby("symbol")["epoch"].max()
    return {str(symbol): int(epoch) for symbol, epoch in newest.items()}


def _stored_rows(
    night: Night, vendor: Vendor, plan: Sequence[FetchRequest], epochs: Mapping[str, int]
) -> dict[str, pd.DataFrame]:
    """Stored rows per symbol that the answers overlap with, of the symbol's present epoch."""
    table = raw_table(vendor.name, BARS)
    if not plan or not night.warehouse.exists(table):
        return {}
    symbols = [request.symbol for request in plan]
    earliest = min(request.start for request in plan)
    rows = night.warehouse.read(table, where={"symbol": symbols}, not_before={"session_date": earliest})
    rows = rows[rows["epoch"] == rows["symbol"].map(epochs)]
    return {str(symbol): part.reset_index(drop=True) for symbol, part in rows.groupby("symbol")}

"""What is asked of a vendor: only what is missing, with an overlap, and never again what is stored."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument, MacroRequest
from wealtharena.vendors.plan import PlannedRequest, cross_check, plan_bars, plan_macro, whole_history
from wealtharena.vendors.universe_tables import Rename

START, AS_OF = date(2024, 1, 1), date(2026, 11, 19)  # a Thursday
KO = Instrument("KO", AssetClass.STOCKS, "XNYS", first_day=date(1962, 1, 2))
LEDGER_COLUMNS = (
    "vendor", "dataset", "symbol", "requested_from", "requested_to", "outcome", "rows", "first_date", "last_date",
    "epoch", "known_at",
)  # fmt: skip


def fetch(
    asked_from: date,
    asked_to: date,
    last: date | None,
    outcome: str = "rows",
    epoch: int = 0,
    vendor: str = "yahoo",
    dataset: str = "bars",
    symbol: str = "KO",
    known_at: datetime = datetime(2026, 11, 1, tzinfo=UTC),
) -> tuple[Any, ...]:
    first = asked_from if last else None
    return (vendor, dataset, symbol, asked_from, asked_to, outcome, int(last is not None), first, last, epoch, known_at)


def ledger(*rows: tuple[Any, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(LEDGER_COLUMNS))
    days = ("requested_from", "requested_to", "first_date", "last_date")
    return frame.assign(**{name: pd.to_datetime(frame[name]).astype("datetime64[us]") for name in days})


def plan(
    rows: pd.DataFrame,
    instrument: Instrument = KO,
    start: date = START,
    as_of: date = AS_OF,
    overlap: int = 5,
    is_local: bool = False,
    renames: tuple[Rename, ...] = (),
) -> PlannedRequest | None:
    found = plan_bars([instrument], rows, "yahoo", start, as_of, overlap, is_local, renames)
    return found[0] if found else None


def span(request: PlannedRequest | None) -> tuple[date, date] | None:
    return None if request is None else (request.start, request.end)


def test_of_a_symbol_of_which_nothing_is_stored_the_whole_listing_is_asked_for() -> None:
    request = plan(ledger())
    assert span(request) == (START, AS_OF)
    assert request is not None and request.is_whole and not request.is_local
    listed = Instrument("NEW", AssetClass.STOCKS, "XNYS", first_day=date(2025, 3, 3), last_day=date(2026, 2, 27))
    assert span(plan(ledger(), listed)) == (date(2025, 3, 3), date(2026, 2, 27))
    undated = Instrument("OLD", AssetClass.STOCKS, "XNYS")
    assert span(plan(ledger(), undated)) == (START, AS_OF)


def test_of_a_symbol_that_is_not_listed_between_start_and_as_of_nothing_is_asked_for() -> None:
    gone = Instrument("NCM.AX", AssetClass.STOCKS, "XASX", last_day=date(2023, 10, 26))
    later = Instrument("IPO", AssetClass.STOCKS, "XNYS", first_day=date(2026, 12, 1))
    assert plan(ledger(), gone) is None
    assert plan(ledger(), later) is None


def test_what_is_stored_is_asked_for_again_only_by_an_overlap_of_sessions() -> None:
    stored = ledger(fetch(START, date(2026, 11, 16), date(2026, 11, 16)))
    request = plan(stored)
    # The five stored sessions up to Monday 16 November.
    assert span(request) == (date(2026, 11, 10), AS_OF)
    assert request is not None and not request.is_whole
    assert span(plan(stored, overlap=1)) == (date(2026, 11, 16), AS_OF)


def test_no_session_since_the_last_stored_one_means_no_request() -> None:
    friday = ledger(fetch(START, date(2026, 11, 13), date(2026, 11, 13)))
    assert plan(friday, as_of=date(2026, 11, 15)) is None  # a Sunday
    assert plan(friday, as_of=date(2026, 11, 13)) is None
    assert plan(friday, as_of=date(2025, 6, 30)) is None  # a past-dated run
    assert span(plan(friday, as_of=date(2026, 11, 16))) == (date(2026, 11, 9), date(2026, 11, 16))
    # Coins trade at weekends.
    coin = Instrument("BTC-USD", AssetClass.CRYPTO, "24/7")
    stored = ledger(fetch(START, date(2026, 11, 13), date(2026, 11, 13), symbol="BTC-USD"))
    assert span(plan(stored, coin, as_of=date(2026, 11, 15))) == (date(2026, 11, 9), date(2026, 11, 15))


def test_after_its_last_day_a_symbol_is_not_asked_for_any_more() -> None:
    listed = Instrument("KO", AssetClass.STOCKS, "XNYS", last_day=date(2026, 11, 13))
    assert plan(ledger(fetch(START, AS_OF, date(2026, 11, 13))), listed) is None


def test_a_bar_that_had_not_come_yet_is_asked_for_again() -> None:
    # Asked up to Thursday, but Wednesday's was the last bar.
    late = ledger(fetch(START, AS_OF, date(2026, 11, 18)))
    assert span(plan(late)) == (date(2026, 11, 12), AS_OF)


def test_a_legitimately_empty_answer_covers_the_days_that_were_asked_for() -> None:
    rows = fetch(START, date(2026, 11, 11), date(2026, 11, 11))
    assert plan(ledger(rows, fetch(date(2026, 11, 5), AS_OF, None, "empty"))) is None
    assert plan(ledger(fetch(START, AS_OF, None, "empty"))) is None


@pytest.mark.parametrize("outcome", ["rate_limited", "vendor_failure", "unknown_symbol", "rejected"])
def test_an_answer_that_failed_stores_nothing(outcome: str) -> None:
    assert span(plan(ledger(fetch(START, AS_OF, None, outcome)))) == (START, AS_OF)
    rows = fetch(START, date(2026, 11, 16), date(2026, 11, 16))
    assert span(plan(ledger(rows, fetch(START, AS_OF, None, outcome)))) == (date(2026, 11, 10), AS_OF)


def test_an_earlier_start_than_before_asks_for_the_whole_range_again() -> None:
    stored = ledger(fetch(START, AS_OF, AS_OF))
    request = plan(stored, start=date(2020, 1, 1))
    assert span(request) == (date(2020, 1, 1), AS_OF)
    assert request is not None and request.is_whole
    assert plan(stored, start=date(2025, 1, 1)) is None
    # Not if the listing began in between.
    listed = Instrument("KO", AssetClass.STOCKS, "XNYS", first_day=START)
    assert plan(stored, listed, start=date(2020, 1, 1)) is None


def test_only_the_present_epoch_counts_as_stored() -> None:
    old = fetch(START, AS_OF, AS_OF)
    anew = fetch(date(2025, 1, 1), date(2026, 10, 30), date(2026, 10, 30), epoch=1)
    assert span(plan(ledger(old, anew), start=date(2025, 1, 1))) == (date(2026, 10, 26), AS_OF)
    assert span(plan(ledger(old, anew))) == (START, AS_OF)


def test_other_vendors_and_series_of_the_same_name_do_not_count() -> None:
    rows = ledger(fetch(START, AS_OF, AS_OF, vendor="rest"), fetch(START, AS_OF, AS_OF, dataset="macro"))
    assert span(plan(rows)) == (START, AS_OF)


def test_a_local_vendor_is_always_asked_for_everything() -> None:
    request = plan(ledger(fetch(START, AS_OF, AS_OF)), is_local=True)
    assert span(request) == (START, AS_OF)
    assert request is not None and request.is_whole and request.is_local


def test_an_overlap_that_reaches_the_first_day_is_the_whole_history() -> None:
    listed = Instrument("IPO", AssetClass.STOCKS, "XNYS", first_day=date(2026, 11, 16))
    request = plan(ledger(fetch(date(2026, 11, 16), date(2026, 11, 17), date(2026, 11, 17), symbol="IPO")), listed)
    assert span(request) == (date(2026, 11, 16), AS_OF)
    assert request is not None and request.is_whole


def test_a_vendor_that_files_former_names_apart_is_asked_for_own_days_only() -> None:
    meta = Instrument("META", AssetClass.STOCKS, "XNYS", first_day=date(2012, 5, 18), aliases=(("rest", "META.US"),))
    renames = (Rename("META", "FB", date(2022, 6, 8), ("yahoo",)),)
    start = date(2020, 1, 1)
    own = plan(ledger(), meta, start, renames=renames)
    assert span(own) == (date(2022, 6, 9), AS_OF)
    newer = plan(
        ledger(fetch(date(2022, 6, 9), AS_OF, date(2026, 11, 18), symbol="META")), meta, start, renames=renames
    )
    assert newer is not None and newer.start == date(2026, 11, 12)
    assert newer.whole() == own
    past = plan(ledger(), meta, start, date(2021, 6, 30), renames=renames)
    assert past is not None and span(past) == (start, date(2021, 6, 30))
    assert (past.symbol, past.instrument.called_by("yahoo"), past.instrument.called_by("rest")) == (
        "META", "FB", "META.US",
    )  # fmt: skip
    moved = (Rename("META", "FB", date(2022, 6, 8)),)
    assert span(plan(ledger(), meta, start, renames=moved)) == (start, AS_OF)


def test_requests_keep_the_order_of_the_instruments() -> None:
    names = ["ZZ", "AA", "MM"]
    found = plan_bars(
        [Instrument(name, AssetClass.ETFS, "XNYS") for name in names], ledger(), "rest", START, AS_OF, 5, False
    )
    assert [request.symbol for request in found] == names
    assert found[0] == whole_history(found[0].instrument, START, AS_OF)


@settings(max_examples=15)
@given(nights=st.lists(st.integers(0, 12), min_size=1, max_size=6), late=st.sets(st.integers(0, 5)))
def test_whatever_the_nights_every_session_is_asked_for_and_no_range_twice(nights: list[int], late: set[int]) -> None:
    """Nights come in any distance; in some the newest bar has not come yet. The vendor is asked as planned."""
    rows: list[tuple[Any, ...]] = []
    stored: set[pd.Timestamp] = set()
    night = date(2026, 6, 1)
    for number, gap in enumerate(nights):
        night += timedelta(days=gap)
        request = plan(ledger(*rows), start=date(2026, 1, 2), as_of=night)
        if request is not None:
            asked = exchange_sessions("XNYS", request.start, request.end)
            assert not set(asked) <= stored
            assert len(set(asked) & stored) <= 5
            delivered = asked[:-1] if number in late and len(asked) > 1 else asked
            rows.append(fetch(request.start, request.end, delivered[-1].date()))
            stored |= set(delivered)
            missing = set(exchange_sessions("XNYS", date(2026, 1, 2), night)) - stored
            assert missing <= set(asked[-1:])
            if not missing:
                assert plan(ledger(*rows), start=date(2026, 1, 2), as_of=night) is None


def macro(rows: pd.DataFrame, with_vintages: bool = True, is_local: bool = False) -> MacroRequest | None:
    names = {"UNRATE"} if with_vintages else set()
    found = plan_macro(["UNRATE"], names, rows, "fred", START, AS_OF, is_local)
    return found[0] if found else None


def observed(
    asked_from: date, asked_to: date, last: date | None, known: date, outcome: str = "rows"
) -> tuple[Any, ...]:
    moment = datetime(known.year, known.month, known.day, 3, tzinfo=UTC)
    return fetch(asked_from, asked_to, last, outcome, 0, "fred", "macro", "UNRATE", moment)


def test_a_series_is_asked_for_as_a_whole_first_and_then_for_what_was_published_since() -> None:
    assert macro(ledger()) == MacroRequest("UNRATE", START, AS_OF, with_vintages=True)
    stored = ledger(observed(START, date(2026, 11, 12), date(2026, 10, 1), date(2026, 11, 13)))
    assert macro(stored) == MacroRequest("UNRATE", START, AS_OF, with_vintages=True, known_from=date(2026, 11, 5))
    assert macro(ledger(observed(START, AS_OF, date(2026, 10, 1), date(2026, 11, 20)))) is None


def test_after_a_past_dated_run_nothing_that_was_published_since_its_date_is_missed() -> None:
    # Run in November 2026 up to June 2025: later observations were never asked for.
    stored = ledger(observed(START, date(2025, 6, 30), date(2025, 5, 1), date(2026, 11, 13)))
    request = macro(stored)
    assert request is not None and request.known_from is not None and request.known_from <= date(2025, 6, 30)


def test_a_series_without_vintages_is_asked_for_from_its_last_observation_with_a_long_overlap() -> None:
    stored = ledger(observed(START, date(2026, 11, 12), date(2026, 11, 10), date(2026, 11, 13)))
    request = macro(stored, with_vintages=False)
    assert request is not None and not request.with_vintages and request.known_from is None
    assert START < request.start <= date(2025, 11, 10)
    empty = ledger(observed(START, date(2026, 11, 12), None, date(2026, 11, 13), "empty"))
    assert macro(empty, with_vintages=False) == MacroRequest("UNRATE", START, AS_OF)


def test_failed_series_earlier_starts_and_local_series_are_asked_for_as_a_whole() -> None:
    whole = MacroRequest("UNRATE", START, AS_OF, with_vintages=True)
    assert macro(ledger(observed(START, AS_OF, None, date(2026, 11, 13), "vendor_failure"))) == whole
    assert macro(ledger(observed(date(2025, 1, 1), AS_OF, date(2026, 10, 1), date(2026, 11, 13)))) == whole
    assert macro(ledger(observed(START, AS_OF, date(2026, 10, 1), date(2026, 11, 13))), is_local=True) == whole


@pytest.mark.parametrize(("symbols", "count"), [(42, 1), (10, 3), (7, 1), (14, 2), (1, 1)])
def test_every_symbol_is_cross_checked_in_turn_on_weeknights(symbols: int, count: int) -> None:
    instruments = [Instrument(f"S{number:02d}", AssetClass.STOCKS, "XNYS") for number in range(symbols)]
    nights = exchange_sessions("24/5", date(2026, 1, 5), date(2026, 12, 31))[: 2 * symbols // count + 1]
    chosen = [item.symbol for night in nights for item in cross_check(instruments, night.date(), count)]
    assert len(chosen) == count * len(nights)
    often = pd.Series(chosen).value_counts()
    assert len(often) == symbols
    assert often.max() - often.min() <= 1


def test_cross_checks_are_the_same_in_every_run_and_leave_out_what_is_not_listed() -> None:
    gone = Instrument("AAA", AssetClass.STOCKS, "XNYS", last_day=date(2026, 11, 18))
    rest = [Instrument(name, AssetClass.STOCKS, "XNYS") for name in ("CCC", "BBB")]
    assert cross_check([gone, *rest], AS_OF, 1) == cross_check([*reversed(rest), gone], AS_OF, 1)
    assert [item.symbol for item in cross_check([gone, *rest], AS_OF, 5)] in (["BBB", "CCC"], ["CCC", "BBB"])
    assert cross_check([gone], AS_OF, 2) == []
    assert cross_check(rest, AS_OF, 0) == []

"""Which stored versions a night may see."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.curation import visible_bars, visible_macro

BHP = Instrument("BHP.AX", AssetClass.STOCKS, "XASX")
FRIDAY, MONDAY = "2020-03-06", "2020-03-09"
START = datetime(2020, 3, 1, tzinfo=UTC)


def moment(day: float) -> datetime:
    return START + timedelta(days=day)


def history(*rows: tuple[str, float, int, float], vendor: str = "yahoo", symbol: str = "BHP.AX") -> pd.DataFrame:
    """Stored versions from (session, close, epoch, day on which it became known)."""
    frame = pd.DataFrame(rows, columns=["session_date", "close", "epoch", "known_at"])
    frame["session_date"] = pd.to_datetime(frame["session_date"]).astype("datetime64[us]")
    frame["known_at"] = pd.to_datetime([moment(day) for day in frame["known_at"]]).astype("datetime64[us, UTC]")
    return frame.astype({"close": "float64", "epoch": "int64"}).assign(vendor=vendor, symbol=symbol)


def ledger(*rows: tuple[str, float, str], dataset: str = "bars", symbol: str = "BHP.AX") -> pd.DataFrame:
    """Fetches from (last day asked for, day of the answer, run); all of them successful."""
    frame = pd.DataFrame(rows, columns=["requested_to", "known_at", "run_id"]).astype({"run_id": "str"})
    frame["requested_to"] = pd.to_datetime(frame["requested_to"]).astype("datetime64[us]")
    frame["known_at"] = pd.to_datetime([moment(day) for day in frame["known_at"]], utc=True).astype(
        "datetime64[us, UTC]"
    )
    return frame.assign(dataset=dataset, symbol=symbol, outcome="rows")


def closes(
    stored: pd.DataFrame, fetches: pd.DataFrame, as_of: str, known_day: float, instrument: Instrument = BHP
) -> dict[str, float]:
    seen = visible_bars(stored, fetches, [instrument], date.fromisoformat(as_of), moment(known_day))
    return dict(zip(seen["session_date"].dt.strftime("%Y-%m-%d"), seen["close"], strict=True))


NOTHING_FETCHED = ledger()


def test_of_several_versions_the_newest_that_was_known_stands() -> None:
    stored = history((FRIDAY, 1.0, 0, 6), (FRIDAY, 1.1, 0, 8), (FRIDAY, 1.2, 0, 20), (MONDAY, 2.0, 0, 9))
    assert closes(stored, NOTHING_FETCHED, MONDAY, 7) == {FRIDAY: 1.0}
    assert closes(stored, NOTHING_FETCHED, MONDAY, 10) == {FRIDAY: 1.1, MONDAY: 2.0}
    assert closes(stored, NOTHING_FETCHED, FRIDAY, 30) == {FRIDAY: 1.2}


def test_all_columns_come_back_in_order_of_vendor_symbol_and_session() -> None:
    stored = pd.concat(
        [
            history((MONDAY, 2.0, 0, 1), (FRIDAY, 1.0, 0, 1)),
            history((FRIDAY, 9.0, 0, 1), vendor="alpha_vantage"),
            history((FRIDAY, 7.0, 0, 1), symbol="STRANGER"),
        ]
    )
    seen = visible_bars(stored, NOTHING_FETCHED, [BHP], date(2020, 3, 9), moment(10))
    assert list(seen.columns) == list(stored.columns) and seen["close"].tolist() == [9.0, 1.0, 2.0]
    assert len(visible_bars(stored.iloc[:0], NOTHING_FETCHED, [BHP], date(2020, 3, 9), moment(10))) == 0


def test_what_was_first_collected_later_is_seen_as_of_the_end_of_that_run() -> None:
    stored = history((FRIDAY, 1.0, 0, 100.1), (FRIDAY, 1.1, 0, 100.2), (FRIDAY, 1.2, 0, 101.0))
    fetches = ledger((FRIDAY, 100.1, "first"), (MONDAY, 100.2, "first"), (MONDAY, 101.0, "second"))
    assert closes(stored, fetches, FRIDAY, 8) == {FRIDAY: 1.1}
    assert closes(stored, fetches.iloc[1:], FRIDAY, 8) == {FRIDAY: 1.1}
    assert closes(stored, fetches.iloc[2:], FRIDAY, 8) == {FRIDAY: 1.2}


def test_a_vendor_that_delivers_later_changes_nothing_of_what_another_had_made_known() -> None:
    stand_in = history((FRIDAY, 1.0, 0, 100.0), vendor="alpha_vantage")
    preferred = history((FRIDAY, 5.0, 0, 102.0))
    fetches = ledger((FRIDAY, 100.0, "first"), (FRIDAY, 102.0, "second"))
    assert closes(pd.concat([stand_in, preferred]), fetches, FRIDAY, 8) == {FRIDAY: 1.0}


def test_answers_that_failed_or_did_not_reach_the_day_make_nothing_known() -> None:
    stored = history((FRIDAY, 1.0, 0, 100.0))
    failed = ledger((MONDAY, 100.0, "run")).assign(outcome="rate_limited")
    for fetches in (failed, ledger(("2020-03-05", 100.0, "run")), ledger((MONDAY, 100.0, "run"), dataset="macro")):
        assert closes(stored, fetches, FRIDAY, 8) == {}
    assert closes(stored, ledger((MONDAY, 100.0, "run")).assign(outcome="empty"), FRIDAY, 8) == {FRIDAY: 1.0}


def test_a_closed_day_and_a_listing_that_ended_need_no_answer() -> None:
    stored = history((FRIDAY, 1.0, 0, 100.0))
    assert closes(stored, ledger((FRIDAY, 100.0, "run")), "2020-03-08", 8) == {FRIDAY: 1.0}
    ended = Instrument("BHP.AX", AssetClass.STOCKS, "XASX", last_day=date(2020, 3, 6))
    assert closes(stored, ledger((FRIDAY, 100.0, "run")), "2021-06-30", 500, ended) == {FRIDAY: 1.0}
    assert closes(stored, ledger((FRIDAY, 600.0, "run")), "2021-06-30", 90) == {}
    assert closes(stored, ledger((FRIDAY, 600.0, "run")), "2021-06-30", 90, ended) == {FRIDAY: 1.0}


def test_a_rewritten_history_replaces_the_old_one_as_a_whole_from_its_moment_on() -> None:
    stored = history(("2020-03-05", 10.0, 0, 5), (FRIDAY, 10.0, 0, 6), (FRIDAY, 5.0, 1, 9), (MONDAY, 5.0, 1, 9))
    assert closes(stored, NOTHING_FETCHED, MONDAY, 8) == {"2020-03-05": 10.0, FRIDAY: 10.0}
    assert closes(stored, NOTHING_FETCHED, MONDAY, 9) == {FRIDAY: 5.0, MONDAY: 5.0}


def test_each_vendor_has_its_own_epochs() -> None:
    stored = pd.concat([history((FRIDAY, 5.0, 3, 6)), history((FRIDAY, 10.0, 0, 6), vendor="alpha_vantage")])
    seen = visible_bars(stored, NOTHING_FETCHED, [BHP], date(2020, 3, 9), moment(10))
    assert seen["close"].tolist() == [10.0, 5.0]


def test_macro_keeps_every_version_that_was_known() -> None:
    stored = history((FRIDAY, 1.0, 0, 6), (FRIDAY, 1.1, 0, 8), (FRIDAY, 1.2, 0, 20), (MONDAY, 2.0, 0, 9))
    stored = stored.rename(columns={"session_date": "reference_date", "close": "value", "symbol": "series"})
    no_fetch, fetch = ledger(), ledger((MONDAY, 20.0, "run"), dataset="macro")
    assert visible_macro(stored, no_fetch, date(2020, 3, 6), moment(10))["value"].tolist() == [1.0, 1.1]
    assert visible_macro(stored, no_fetch, date(2020, 3, 9), moment(8))["value"].tolist() == [1.0, 1.1]
    assert visible_macro(stored, fetch, date(2020, 3, 9), moment(8))["value"].tolist() == [1.0, 1.1, 1.2, 2.0]

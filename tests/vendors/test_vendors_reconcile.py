"""An answer against what is stored: noise is nothing, a bar can be revised, a history can be rewritten."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import BAR_COLUMNS, FetchResult, Instrument, Outcome, PriceBasis
from wealtharena.settings import VendorsSettings
from wealtharena.vendors.plan import PlannedRequest
from wealtharena.vendors.reconcile import Verdict, VerdictKind, reconcile

KO = Instrument("KO", AssetClass.STOCKS, "XNYS")
DAYS = pd.bdate_range("2026-11-02", periods=10).as_unit("us")
TOLERANCES = VendorsSettings()


def bars(count: int = 10, first: int = 0, **columns: Any) -> pd.DataFrame:
    """Rows of ``DAYS[first : first + count]``; the close of day k is 100 + k."""
    days = DAYS[first : first + count]
    close = 100.0 + np.arange(first, first + len(days))
    frame = pd.DataFrame(
        {
            "session_date": days,
            "open": close - 0.5,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "adj_close": close * 0.9,
            "volume": 1e6 + np.arange(len(days)),
            "dividend": 0.0,
            "split": 1.0,
        }
    )
    assert list(frame.columns) == list(BAR_COLUMNS)
    return frame.assign(**columns)


def changed(frame: pd.DataFrame, row: int, **values: float) -> pd.DataFrame:
    frame = frame.copy()
    for column, value in values.items():
        frame.loc[row, column] = value
    return frame


def scaled(frame: pd.DataFrame, factor: float, rows: slice = slice(None)) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[frame.index[rows], ["open", "high", "low", "close"]] *= factor
    return frame


def stored(frame: pd.DataFrame, currency: str = "USD", basis: PriceBasis = PriceBasis.SPLIT_ADJUSTED) -> pd.DataFrame:
    return frame.assign(symbol="KO", currency=currency, price_basis=str(basis), epoch=0)


def answer(
    frame: pd.DataFrame, basis: PriceBasis = PriceBasis.SPLIT_ADJUSTED, currency: str = "USD", outcome: str = "rows"
) -> FetchResult:
    return FetchResult("KO", Outcome(outcome), "", frame, "hash", basis, currency=currency)


def request(first: int = 0, last: int = 9, is_whole: bool = False, is_local: bool = False) -> PlannedRequest:
    start = DAYS[first].date()
    return PlannedRequest(KO, start, DAYS[last].date(), start, is_whole, is_local)


def verdict(
    old: pd.DataFrame | None, new: pd.DataFrame, basis: PriceBasis = PriceBasis.SPLIT_ADJUSTED, **asked: Any
) -> Verdict:
    return reconcile(
        None if old is None else stored(old, basis=basis), answer(new, basis), request(**asked), TOLERANCES
    )


def days_of(found: Verdict) -> list[pd.Timestamp]:
    return found.rows["session_date"].tolist()


def test_what_is_stored_already_is_not_stored_again() -> None:
    found = verdict(bars(), bars(5, 5), first=5)
    assert (found.kind, len(found.rows), found.problems) == (VerdictKind.SAME, 0, ())
    assert list(found.rows.columns) == list(BAR_COLUMNS)


def test_the_first_answer_is_stored_as_it_is() -> None:
    for nothing in (None, bars(0)):
        found = verdict(nothing, bars(), is_whole=True)
        assert (found.kind, found.is_whole) == (VerdictKind.APPEND, True)
        pd.testing.assert_frame_equal(found.rows, bars(), check_exact=True, check_freq=False)


def test_new_sessions_are_appended_without_the_overlap() -> None:
    found = verdict(bars(8), bars(7, 3), first=3)
    assert found.kind is VerdictKind.APPEND
    assert days_of(found) == list(DAYS[8:])
    assert found.rows["close"].tolist() == [108.0, 109.0]


def test_a_session_that_came_late_is_filled_in() -> None:
    found = verdict(bars().drop(index=6), bars(5, 5), first=5)
    assert (found.kind, days_of(found)) == (VerdictKind.APPEND, [DAYS[6]])


def test_noise_in_the_seventh_digit_keeps_the_stored_bits() -> None:
    noisy = scaled(bars(), 1.0 + 3e-7).assign(volume=bars()["volume"] * 1.0005)
    assert verdict(bars(), noisy).kind is VerdictKind.SAME


def test_the_adjusted_close_never_counts() -> None:
    assert verdict(bars(), bars(adj_close=1.0)).kind is VerdictKind.SAME


@pytest.mark.parametrize(
    ("column", "value"), [("close", 104.6), ("high", 120.0), ("volume", 2e6), ("dividend", 0.46), ("volume", 0.0)]
)
def test_another_figure_of_one_bar_is_a_revision_of_that_bar(column: str, value: float) -> None:
    noisy = scaled(bars(), 1.0 + 3e-7)
    found = verdict(bars(8), changed(noisy, 4, **{column: value}))
    assert (found.kind, found.problems) == (VerdictKind.REVISIONS, ())
    assert days_of(found) == [DAYS[4], *DAYS[8:]]
    # The rest of the row keeps its stored bits.
    expected = changed(bars(), 4, **{column: value}).iloc[[4]].drop(columns="adj_close")
    pd.testing.assert_frame_equal(found.rows.drop(columns="adj_close").head(1), expected.reset_index(drop=True))


def test_a_blank_tells_nothing_but_a_figure_in_place_of_a_blank_is_new() -> None:
    blank = changed(bars(), 4, close=np.nan, volume=np.nan, dividend=np.nan)
    assert verdict(bars(), blank).kind is VerdictKind.SAME
    found = verdict(blank, bars())
    assert (found.kind, days_of(found)) == (VerdictKind.REVISIONS, [DAYS[4]])
    assert found.rows["close"].tolist() == [104.0]


def test_a_blank_last_bar_has_not_come_yet() -> None:
    unfinished = changed(bars(), 9, open=np.nan, high=np.nan, low=np.nan, close=np.nan)
    assert days_of(verdict(bars(8), unfinished)) == [DAYS[8]]
    # A blank within is the vendor's word, and a file has no later version.
    assert days_of(verdict(bars(7), changed(bars(), 8, close=np.nan))) == list(DAYS[7:])
    assert days_of(verdict(bars(8), unfinished, is_whole=True, is_local=True)) == list(DAYS[8:])


def test_a_common_factor_of_the_overlap_means_that_the_history_was_rewritten() -> None:
    found = verdict(bars(8), scaled(bars(7, 3), 0.5), first=3)
    assert (found.kind, len(found.rows), found.is_whole) == (VerdictKind.RELOAD, 0, False)
    assert found.problems == ("the closes of 5 stored sessions changed by the factor 0.5, and no split is told of",)


def test_of_a_vendor_that_tells_no_splits_none_is_missed() -> None:
    found = verdict(bars(8, split=np.nan), scaled(bars(7, 3, split=np.nan), 0.5), first=3)
    assert (found.kind, found.problems) == (VerdictKind.RELOAD, ())


def test_a_split_that_moved_the_closes_before_it_by_its_ratio_is_a_reload_without_complaint() -> None:
    new = changed(scaled(bars(), 0.5, slice(0, 8)), 8, split=2.0)
    found = verdict(bars(8), new)
    assert (found.kind, found.problems) == (VerdictKind.RELOAD, ())


def test_a_split_that_was_told_but_not_applied_is_named() -> None:
    found = verdict(bars(8), changed(bars(), 8, split=2.0))
    assert found.kind is VerdictKind.RELOAD
    (text,) = found.problems
    assert text == (
        "split of 2 for 1 on 2026-11-12: the closes before it must change by the factor 0.5, 8 of 8 do not "
        "(factors 1 to 1)"
    )


def test_a_half_applied_split_is_named() -> None:
    found = verdict(bars(8), changed(scaled(bars(), 0.5, slice(5, 8)), 8, split=2.0))
    assert found.kind is VerdictKind.RELOAD
    assert "5 of 8 do not (factors 0.5 to 1)" in found.problems[0]
    # Also while the event itself has not been told of.
    assert verdict(bars(8), scaled(bars(), 0.5, slice(5, 8))).kind is VerdictKind.RELOAD


def test_two_splits_multiply() -> None:
    new = scaled(scaled(bars(), 0.5, slice(0, 8)), 0.25, slice(0, 5))
    found = verdict(bars(7), changed(changed(new, 5, split=4.0), 8, split=2.0))
    assert (found.kind, found.problems) == (VerdictKind.RELOAD, ())


def test_a_split_that_is_stored_already_is_no_event() -> None:
    assert verdict(changed(bars(), 8, split=2.0), changed(bars(), 8, split=2.0)).kind is VerdictKind.SAME


def test_prices_as_traded_are_not_rewritten_by_a_split() -> None:
    new = changed(scaled(bars(), 0.5, slice(8, 10)), 8, split=2.0)
    found = verdict(bars(8), new, PriceBasis.AS_TRADED)
    assert (found.kind, found.problems) == (VerdictKind.APPEND, ())
    assert days_of(found) == list(DAYS[8:])


def test_most_of_the_overlap_rewritten_is_a_rewritten_history() -> None:
    jitter = np.linspace(0.97, 1.03, 10)
    frame = bars()
    for column in ("open", "high", "low", "close"):
        frame[column] *= jitter
    assert verdict(bars(), frame).kind is VerdictKind.RELOAD
    assert verdict(bars(), bars(volume=7.0)).kind is VerdictKind.REVISIONS


def test_another_currency_or_basis_is_a_rewritten_history() -> None:
    old = stored(bars(), currency="GBp")
    assert reconcile(old, answer(bars(), currency="GBP"), request(), TOLERANCES).kind is VerdictKind.RELOAD
    assert reconcile(old, answer(bars(), currency=""), request(), TOLERANCES).kind is VerdictKind.SAME
    as_traded = answer(bars(), PriceBasis.AS_TRADED)
    assert reconcile(stored(bars()), as_traded, request(), TOLERANCES).kind is VerdictKind.RELOAD


def test_a_rewritten_history_that_came_whole_is_stored_at_once() -> None:
    found = verdict(bars(8), scaled(bars(), 0.5), is_whole=True)
    assert (found.kind, found.is_whole, len(found.rows)) == (VerdictKind.RELOAD, True, 10)


def test_sessions_that_a_whole_history_lacks_are_gone() -> None:
    lacking = bars().drop(index=4).reset_index(drop=True)
    assert verdict(bars(), lacking, is_whole=True).kind is VerdictKind.RELOAD
    assert verdict(bars(), lacking).kind is VerdictKind.SAME
    for lost in (bars(6, 4), bars(6)):  # the head, the tail
        assert verdict(bars(), lost, is_whole=True, is_local=True).kind is VerdictKind.RELOAD
        # A live vendor may not reach that far back, or be late.
        assert verdict(bars(), lost, is_whole=True).kind is VerdictKind.SAME


def test_stored_rows_outside_the_days_asked_for_do_not_count() -> None:
    assert verdict(bars(), bars(5), last=4, is_whole=True, is_local=True).kind is VerdictKind.SAME


def test_without_a_common_session_adjusted_prices_have_to_be_read_anew() -> None:
    found = verdict(bars(5), bars(5, 5), is_whole=False)
    assert (found.kind, len(found.rows)) == (VerdictKind.RELOAD, 0)
    assert verdict(bars(5), bars(5, 5), PriceBasis.AS_TRADED).kind is VerdictKind.APPEND


@pytest.mark.parametrize("outcome", ["empty", "unknown_symbol", "rate_limited", "vendor_failure", "rejected"])
def test_without_rows_nothing_changes(outcome: str) -> None:
    nothing = answer(pd.DataFrame(columns=list(BAR_COLUMNS)), outcome=outcome)
    for is_local in (False, True):
        found = reconcile(stored(bars()), nothing, request(is_whole=True, is_local=is_local), TOLERANCES)
        assert (found.kind, len(found.rows)) == (VerdictKind.SAME, 0)
        assert bool(found.problems) == is_local


def test_of_repeated_days_the_first_counts() -> None:
    twice = pd.concat([bars(), bars(1, 9, close=500.0)], ignore_index=True)
    found = verdict(bars(8), twice)
    assert found.rows["close"].tolist() == [108.0, 109.0]


def test_negative_and_zero_closes_are_compared_like_others() -> None:
    oil = changed(changed(bars(), 3, close=-37.63, low=-40.32), 4, close=0.0)
    assert verdict(oil, oil).kind is VerdictKind.SAME
    found = verdict(oil, changed(oil, 3, close=-37.5))
    assert (found.kind, days_of(found)) == (VerdictKind.REVISIONS, [DAYS[3]])


PRICE = st.floats(0.01, 1e6)
NOISE = st.floats(-4e-6, 4e-6)


def priced(closes: list[float]) -> pd.DataFrame:
    close = np.array(closes)
    return bars(len(close), open=close * 0.99, high=close * 1.02, low=close * 0.97, close=close)


@settings(max_examples=40)
@given(closes=st.lists(PRICE, min_size=1, max_size=10), data=st.data())
def test_noise_never_revises(closes: list[float], data: st.DataObject) -> None:
    old = priced(closes)
    noise = np.array(data.draw(st.lists(NOISE, min_size=len(closes), max_size=len(closes))))
    new = old.assign(**{name: old[name] * (1.0 + noise) for name in ("open", "high", "low", "close")})
    assert verdict(old, new, is_whole=data.draw(st.booleans())).kind is VerdictKind.SAME


@settings(max_examples=40)
@given(
    closes=st.lists(PRICE, min_size=1, max_size=10),
    factor=st.one_of(st.floats(0.001, 0.999), st.floats(1.001, 1000.0)),
    fresh=st.integers(0, 3),
)
def test_a_common_factor_always_reloads(closes: list[float], factor: float, fresh: int) -> None:
    old = priced(closes)
    assert verdict(old.iloc[: max(len(old) - fresh, 1)], scaled(old, factor)).kind is VerdictKind.RELOAD


@settings(max_examples=40)
@given(data=st.data())
def test_what_was_stored_on_a_verdict_gives_the_verdict_same(data: st.DataObject) -> None:
    """Any mix of new, revised, blank and noisy figures: once stored, the same answer changes nothing."""
    figure = st.one_of(st.just(np.nan), PRICE)
    closes = data.draw(st.lists(PRICE, min_size=10, max_size=10))
    old = priced(closes).iloc[: data.draw(st.integers(0, 10))]
    new = priced(closes)
    for row in data.draw(st.sets(st.integers(0, 9), max_size=6)):
        new.loc[row, data.draw(st.sampled_from(BAR_COLUMNS[1:]))] = data.draw(figure)
    found = verdict(old, new, is_whole=True)
    kept = old if found.kind is not VerdictKind.RELOAD else old.iloc[:0]
    newest = pd.concat([part for part in (kept, found.rows) if len(part)] or [kept])
    newest = newest.drop_duplicates("session_date", keep="last").sort_values("session_date", ignore_index=True)
    again = verdict(newest, new, is_whole=True)
    assert (again.kind, len(again.rows)) == (VerdictKind.SAME, 0)

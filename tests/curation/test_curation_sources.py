"""One series from several vendors: who stands in, on which basis, and what is said about it."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument, PriceBasis
from wealtharena.curation import Merged, curate_bars, merge_vendors
from wealtharena.settings import CurationSettings

DAYS = exchange_sessions("XNYS", date(2020, 1, 2), date(2020, 12, 31))
ORDER = ("yahoo", "alpha_vantage", "coingecko")
ADJUSTED, AS_TRADED = PriceBasis.SPLIT_ADJUSTED, PriceBasis.AS_TRADED
CLOSE = 100.0 + np.arange(60) % 7


def rows(vendor: str, basis: PriceBasis, close: Any = CLOSE, symbol: str = "S", **columns: Any) -> pd.DataFrame:
    """60 sessions of one vendor; columns that are not named follow from the close."""
    close = np.asarray(close, dtype=np.float64)
    prices = {"open": close, "high": 1.01 * close, "low": 0.99 * close, "close": close}
    rest = {"adj_close": 0.9 * close, "volume": 1000.0, "dividend": 0.0, "split": 1.0, "currency": ""}
    data = {"session_date": DAYS[: len(close)], **prices, **rest, **columns}
    return pd.DataFrame({"symbol": symbol, "vendor": vendor, "price_basis": str(basis), **data})


def merge(*parts: pd.DataFrame, currency: str = "USD") -> Merged:
    visible = pd.concat(parts, ignore_index=True)
    instruments = [Instrument(str(name), AssetClass.STOCKS, "XNYS", currency) for name in visible["symbol"].unique()]
    return merge_vendors(visible, instruments, ORDER, 0.01)


def split_at(place: int, ratio: float) -> np.ndarray:
    return np.where(np.arange(60) == place, ratio, 1.0)


def stood_in(merged: Merged) -> list[int]:
    return np.flatnonzero(merged.bars["stand_in_vendor"]).tolist()


def test_one_vendor_is_passed_on_as_it_is() -> None:
    own = rows("yahoo", ADJUSTED)
    merged = merge(own)
    kept = [name for name in merged.bars.columns if name in own.columns]
    pd.testing.assert_frame_equal(merged.bars[kept], own[kept])
    assert stood_in(merged) == [] and merged.price_basis == {"S": ADJUSTED}
    assert (len(merged.disagreements), len(merged.quarantine)) == (0, 0)


def test_each_symbol_has_its_own_first_vendor_and_strange_vendors_are_left_out() -> None:
    merged = merge(
        rows("alpha_vantage", AS_TRADED, symbol="B"),
        rows("yahoo", ADJUSTED, symbol="A"),
        rows("rest", ADJUSTED, symbol="C"),
    )
    assert merged.bars.groupby("symbol")["vendor"].unique().explode().to_dict() == {"A": "yahoo", "B": "alpha_vantage"}
    assert merged.price_basis == {"A": ADJUSTED, "B": AS_TRADED}
    assert stood_in(merged) == []


def test_missing_sessions_inside_and_after_the_first_vendors_span_are_taken_from_the_next() -> None:
    first = rows("yahoo", ADJUSTED).iloc[5:50].drop(index=[20, 21])
    merged = merge(first, rows("alpha_vantage", AS_TRADED))
    assert merged.bars["session_date"].tolist() == DAYS[5:60].tolist()
    assert stood_in(merged) == [15, 16, *range(45, 55)]
    assert merged.bars["close"].tolist() == CLOSE[5:].tolist()
    assert merged.bars.loc[merged.bars["stand_in_vendor"], "adj_close"].isna().all()
    assert set(merged.bars.loc[merged.bars["stand_in_vendor"], "vendor"]) == {"alpha_vantage"}


def test_an_empty_close_is_stood_in_for_and_recorded() -> None:
    first = rows("yahoo", ADJUSTED)
    first.loc[[7, 30], "close"] = np.nan
    merged = merge(first, rows("alpha_vantage", AS_TRADED).drop(index=30))
    assert stood_in(merged) == [7] and merged.bars["close"].isna().tolist() == [row == 30 for row in range(60)]
    assert merged.quarantine[["session_date", "rule", "reason"]].to_numpy().tolist() == [
        [DAYS[7], "no_close", "yahoo has no close; the bar of alpha_vantage stands in"]
    ]


def test_a_vendor_without_any_close_is_not_the_first() -> None:
    merged = merge(rows("yahoo", ADJUSTED, np.full(60, np.nan)), rows("alpha_vantage", AS_TRADED))
    assert merged.price_basis == {"S": AS_TRADED} and set(merged.bars["vendor"]) == {"alpha_vantage"}
    assert merged.quarantine["rule"].tolist() == ["no_close"] * 60
    alone = merge(rows("yahoo", ADJUSTED, np.full(60, np.nan)))
    assert len(alone.bars) == 60 and len(alone.quarantine) == 0


def test_as_traded_rows_come_to_the_adjusted_basis_by_the_told_split() -> None:
    traded = np.where(np.arange(60) < 40, 4.0 * CLOSE, CLOSE)
    first = rows("yahoo", ADJUSTED, split=split_at(40, 4.0)).drop(index=[20, 39, 45])
    second = rows("alpha_vantage", AS_TRADED, traded, split=np.nan, dividend=4.0, volume=250.0)
    merged = merge(first, second)
    assert stood_in(merged) == [20, 39, 45]
    np.testing.assert_allclose(merged.bars["close"], CLOSE)
    assert merged.bars.loc[[20, 39, 45], ["dividend", "volume"]].to_numpy().tolist() == [
        [1.0, 1000.0],
        [1.0, 1000.0],
        [4.0, 250.0],
    ]
    assert len(merged.disagreements) == 0


def test_adjusted_rows_come_to_the_as_traded_basis() -> None:
    traded = np.where(np.arange(60) < 40, 4.0 * CLOSE, CLOSE)
    first = rows("yahoo", AS_TRADED, traded, split=split_at(40, 4.0)).drop(index=[20, 45])
    merged = merge(first, rows("alpha_vantage", ADJUSTED))
    assert stood_in(merged) == [20, 45]
    np.testing.assert_allclose(merged.bars["close"], traded)


def test_a_split_that_two_vendors_date_differently_counts_once() -> None:
    first = rows("yahoo", ADJUSTED, split=split_at(40, 4.0)).drop(index=20)
    merged = merge(first, rows("alpha_vantage", ADJUSTED, split=split_at(41, 4.0)))
    assert stood_in(merged) == [20] and merged.bars["close"].tolist() == CLOSE.tolist()


def test_a_split_after_the_first_vendors_end_keeps_its_basis() -> None:
    traded = np.where(np.arange(60) < 55, CLOSE, CLOSE / 4.0)
    merged = merge(rows("yahoo", ADJUSTED).iloc[:50], rows("alpha_vantage", AS_TRADED, traded, split=split_at(55, 4.0)))
    np.testing.assert_allclose(merged.bars["close"], CLOSE)
    assert not merged.bars["as_traded"].any()


def test_a_split_that_nobody_tells_after_the_first_vendors_end_is_found_by_curation() -> None:
    traded = np.where(np.arange(60) < 55, CLOSE, CLOSE / 4.0)
    volume = np.where(np.arange(60) < 55, 1000.0, 4000.0)
    second = rows("alpha_vantage", AS_TRADED, traded, split=np.nan, volume=volume)
    merged = merge(rows("yahoo", ADJUSTED).iloc[:50], second)
    assert np.flatnonzero(merged.bars["as_traded"]).tolist() == list(range(50, 60))
    instruments = [Instrument("S", AssetClass.STOCKS, "XNYS")]
    curated = curate_bars(
        merged.bars, instruments, merged.price_basis, CurationSettings(), DAYS[59].date(), known_actions=()
    )
    assert curated.actions[["kind", "ratio", "source"]].to_numpy().tolist() == [["split", 4.0, "detected"]]
    assert curated.bars["flags"].iloc[-1] == "stand_in_vendor"
    assert (curated.bars["close"] * curated.bars["adj_factor"]).pct_change().abs().max() < 0.07


@pytest.mark.parametrize("scale", [0.5, 1.03, 100.0])
def test_rows_on_a_basis_that_nothing_explains_are_not_used_and_say_why(scale: float) -> None:
    merged = merge(rows("yahoo", ADJUSTED).drop(index=[20, 59]), rows("alpha_vantage", AS_TRADED, scale * CLOSE))
    assert stood_in(merged) == [] and len(merged.bars) == 58
    found = merged.quarantine
    assert found["rule"].tolist() == ["stand_in_basis"] * 2
    assert found["value"].tolist() == [f"{scale * CLOSE[row]:.10g}" for row in (20, 59)]
    seen = f"around this session yahoo is {1 / scale:.4g} times alpha_vantage"
    assert found["reason"].iloc[0] == f"{seen}; told splits explain a factor of 1; row not used"


def test_rows_that_cannot_be_compared_are_not_used() -> None:
    merged = merge(rows("yahoo", ADJUSTED).iloc[:30], rows("alpha_vantage", AS_TRADED).iloc[30:])
    assert len(merged.bars) == 30
    assert merged.quarantine["reason"].str.contains("yahoo cannot be compared with alpha_vantage").all()


def test_a_split_that_the_first_vendor_tells_and_forgot_leaves_a_factor_of_one() -> None:
    traded = np.where(np.arange(60) < 40, 4.0 * CLOSE, CLOSE)
    first = rows("yahoo", ADJUSTED, traded, split=split_at(40, 4.0)).drop(index=20)
    merged = merge(first, rows("alpha_vantage", AS_TRADED, traded))
    assert stood_in(merged) == [20] and merged.bars["close"].tolist() == traded.tolist()


def test_the_third_vendor_stands_in_where_the_second_cannot() -> None:
    first = rows("yahoo", ADJUSTED).drop(index=[20, 21])
    third = rows("coingecko", AS_TRADED, open=np.nan, high=np.nan, low=np.nan)
    merged = merge(first, rows("alpha_vantage", AS_TRADED).drop(index=21), third)
    assert merged.bars.loc[[20, 21], "vendor"].tolist() == ["alpha_vantage", "coingecko"]
    assert np.isnan(merged.bars.loc[21, "open"])


def test_prices_that_differ_are_recorded_on_one_basis_and_never_averaged() -> None:
    traded = np.where(np.arange(60) < 40, 4.0 * CLOSE, CLOSE)
    first = rows("yahoo", ADJUSTED, split=split_at(40, 4.0))
    second = rows("alpha_vantage", AS_TRADED, traded)
    second.loc[10, "close"] *= 1.02
    second.loc[11, "close"] *= 1.009
    second.loc[50, "low"] *= 0.5
    merged = merge(first, second)
    assert merged.bars["close"].tolist() == CLOSE.tolist()
    found = merged.disagreements
    assert found[["session_date", "column", "vendor", "other_vendor"]].to_numpy().tolist() == [
        [DAYS[10], "close", "yahoo", "alpha_vantage"],
        [DAYS[50], "low", "yahoo", "alpha_vantage"],
    ]
    np.testing.assert_allclose(found["value"], [CLOSE[10], 0.99 * CLOSE[50]])
    np.testing.assert_allclose(found["other_value"], [1.02 * CLOSE[10], 0.495 * CLOSE[50]])
    np.testing.assert_allclose(found["relative_difference"], [0.02, 0.5])


def test_float_noise_is_no_disagreement() -> None:
    noise = CLOSE * (1.0 + 1e-7 * np.sin(np.arange(60)))
    merged = merge(rows("yahoo", ADJUSTED), rows("alpha_vantage", AS_TRADED, noise))
    assert len(merged.disagreements) == 0 and merged.bars["close"].tolist() == CLOSE.tolist()


@pytest.mark.parametrize(("told", "currency"), [("GBp", "GBP"), ("GBX", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")])
def test_hundredths_become_whole_units_and_are_marked(told: str, currency: str) -> None:
    pence = rows("yahoo", ADJUSTED, 100.0 * CLOSE, dividend=250.0, currency=told).drop(index=20)
    merged = merge(pence, rows("alpha_vantage", AS_TRADED, currency=currency), currency=currency)
    np.testing.assert_allclose(merged.bars["close"], CLOSE)
    assert merged.bars["minor_unit"].tolist() == [row != 20 for row in range(60)]
    assert merged.bars["dividend"].iloc[0] == 2.5 and merged.bars["volume"].iloc[0] == 1000.0
    assert (len(merged.disagreements), len(merged.quarantine)) == (0, 0)


def test_each_row_is_divided_by_what_was_told_with_it() -> None:
    changed = np.where(np.arange(60) < 30, 100.0 * CLOSE, CLOSE)
    currency = np.where(np.arange(60) < 30, "GBp", "GBP")
    merged = merge(rows("yahoo", ADJUSTED, changed, currency=currency), currency="GBP")
    np.testing.assert_allclose(merged.bars["close"], CLOSE)


def test_another_currency_than_the_instruments_is_recorded_once() -> None:
    merged = merge(rows("yahoo", ADJUSTED, currency="EUR"))
    assert merged.quarantine[["rule", "value"]].to_numpy().tolist() == [["other_currency", "EUR"]]
    assert len(merged.bars) == 60 and not merged.bars["minor_unit"].any()


def test_nothing_in_gives_nothing_out() -> None:
    merged = merge_vendors(rows("yahoo", ADJUSTED).iloc[:0], [], ORDER, 0.01)
    assert (len(merged.bars), len(merged.disagreements), len(merged.quarantine), merged.price_basis) == (0, 0, 0, {})

"""Splits and dividends that a vendor tells: what they do to the factor, and what if prices contradict them."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument, PriceBasis
from wealtharena.curation import CuratedBars, KnownAction, curate_bars
from wealtharena.settings import CurationSettings

DAYS = exchange_sessions("XASX", date(2020, 1, 2), date(2020, 12, 31))[:60]
ADJUSTED, AS_TRADED = PriceBasis.SPLIT_ADJUSTED, PriceBasis.AS_TRADED


def bars(scale: np.ndarray | float = 1.0) -> pd.DataFrame:
    """60 quiet bars near 100 times ``scale``, of a vendor that tells splits and dividends."""
    close = 100.0 * (1.0 + 0.001 * (np.arange(60) % 2)) * scale
    prices = {"open": close * 0.9995, "high": 1.01 * close, "low": 0.99 * close, "close": close}
    told = {"adj_close": np.nan, "volume": 1000.0 + np.arange(60), "dividend": 0.0, "split": 1.0, "vendor": "yahoo"}
    return pd.DataFrame({"symbol": "S", "session_date": DAYS, **prices, **told})


def at(place: int, value: float, rest: float) -> np.ndarray:
    return np.where(np.arange(60) == place, value, rest)


def unadjusted(first: int, last: int, ratio: float) -> np.ndarray:
    """Scale of prices that a vendor left as traded from bar ``first`` until before ``last``."""
    return np.where((np.arange(60) >= first) & (np.arange(60) < last), ratio, 1.0)


def curate(raw: pd.DataFrame, basis: PriceBasis = ADJUSTED, known: Sequence[KnownAction] = ()) -> CuratedBars:
    instruments = [Instrument("S", AssetClass.STOCKS, "XASX")]
    return curate_bars(raw, instruments, {"S": basis}, CurationSettings(), DAYS[-1].date(), known)


def actions(curated: CuratedBars) -> list[tuple[int, str, float, str]]:
    found = curated.actions
    places = DAYS.get_indexer(pd.DatetimeIndex(found["ex_date"])).tolist()
    return list(zip(places, found["kind"], found["ratio"], found["source"], strict=True))


def flagged(curated: CuratedBars) -> dict[int, str]:
    texts = curated.bars["flags"]
    return {int(row): str(text) for row, text in texts[texts != ""].items()}


def largest_return(curated: CuratedBars) -> float:
    return float((curated.bars["close"] * curated.bars["adj_factor"]).pct_change().abs().max())


def test_a_told_split_that_the_prices_already_carry_changes_nothing() -> None:
    curated = curate(bars().assign(split=at(40, 4.0, 1.0)))
    assert actions(curated) == [] and not flagged(curated) and len(curated.quarantine) == 0
    assert (curated.bars["adj_factor"] == 1.0).all()


@pytest.mark.parametrize(("ratio", "kind"), [(4.0, "split"), (1.25, "split"), (0.1, "consolidation")])
def test_a_told_split_of_an_as_traded_series_is_applied_with_its_evidence(ratio: float, kind: str) -> None:
    curated = curate(bars(unadjusted(0, 40, ratio)).assign(split=at(40, ratio, 1.0)), AS_TRADED)
    assert actions(curated) == [(40, kind, ratio, "told")]
    told = f"{ratio:g}:1" if ratio > 1 else f"1:{1 / ratio:g}"
    assert curated.actions["evidence"].iloc[0].startswith(f"yahoo tells {told}; the price before is {ratio:.1f}")
    assert largest_return(curated) < 0.002 and not flagged(curated)


def test_a_told_split_takes_precedence_over_detection_but_not_over_a_known_action() -> None:
    raw = bars(unadjusted(0, 40, 3.0)).assign(split=at(40, 3.0, 1.0))
    assert actions(curate(raw, AS_TRADED)) == [(40, "split", 3.0, "told")]
    known = [KnownAction("S", DAYS[40].date(), "split", 3.1, "ruling")]
    assert actions(curate(raw, AS_TRADED, known)) == [(40, "split", 3.1, "known")]


def test_a_split_that_the_vendor_forgot_to_apply_is_made_good_with_evidence() -> None:
    curated = curate(bars(unadjusted(0, 40, 4.0)).assign(split=at(40, 4.0, 1.0)))
    assert actions(curated) == [(40, "split", 4.0, "told")]
    assert largest_return(curated) < 0.002 and not flagged(curated)


@pytest.mark.parametrize(("first", "last"), [(30, 40), (40, 45)])
def test_a_split_that_was_applied_to_half_of_the_history_is_made_good_on_both_sides(first: int, last: int) -> None:
    curated = curate(bars(unadjusted(first, last, 4.0)).assign(split=at(40, 4.0, 1.0)))
    assert actions(curated) == [(first, "consolidation", 0.25, "told"), (last, "split", 4.0, "told")]
    evidence = curated.actions["evidence"]
    assert evidence.str.contains("adjusts only one side of this day").sum() == 1
    assert largest_return(curated) < 0.002 and not flagged(curated)


@pytest.mark.parametrize("basis", [ADJUSTED, AS_TRADED])
def test_a_told_split_that_the_prices_contradict_is_left_and_recorded(basis: PriceBasis) -> None:
    curated = curate(bars(unadjusted(0, 40, 1.7)).assign(split=at(40, 4.0, 1.0)), basis)
    assert actions(curated) == [] and flagged(curated) == {40: "unexplained_jump"}
    assert curated.quarantine[["session_date", "rule", "column", "value", "reason"]].to_numpy().tolist() == [
        [
            DAYS[40],
            "split_ratio",
            "split",
            "4",
            "a split of 4:1 is told, the price before is 1.703 times the next; prices left as they are",
        ]
    ]


def test_a_split_of_an_as_traded_series_that_prices_do_not_show_is_not_applied() -> None:
    curated = curate(bars().assign(split=at(40, 4.0, 1.0)), AS_TRADED)
    assert actions(curated) == [] and not flagged(curated)
    assert curated.quarantine["rule"].tolist() == ["split_ratio"]


def test_a_jump_by_a_simple_ratio_without_a_told_split_stays_unexplained_in_an_adjusted_series() -> None:
    curated = curate(bars(unadjusted(0, 40, 4.0)).assign(split=at(50, 2.0, 1.0)))
    assert actions(curated) == [] and flagged(curated) == {40: "unexplained_jump"}


@pytest.mark.parametrize("ratio", [0.0, -2.0, np.inf])
def test_an_impossible_split_is_withheld(ratio: float) -> None:
    curated = curate(bars().assign(split=at(40, ratio, 1.0)), AS_TRADED)
    assert actions(curated) == [] and curated.quarantine["rule"].tolist() == ["bad_split"]


def test_a_dividend_lowers_all_prices_before_it_by_its_share_of_the_close_before() -> None:
    raw = bars().assign(dividend=at(40, 5.0, 0.0) + at(20, 2.0, 0.0))
    factor = curate(raw).bars["adj_factor"]
    one, other = 1.0 - 5.0 / raw["close"].iloc[39], 1.0 - 2.0 / raw["close"].iloc[19]
    np.testing.assert_allclose(factor, np.repeat([one * other, one, 1.0], 20))


def test_a_dividend_on_the_day_of_a_split_is_taken_on_one_share_basis() -> None:
    raw = bars(unadjusted(0, 40, 4.0)).assign(split=at(40, 4.0, 1.0), dividend=at(40, 5.0, 0.0))
    adjusted = bars().assign(split=at(40, 4.0, 1.0), dividend=at(40, 5.0, 0.0))
    factor = curate(raw, AS_TRADED).bars["adj_factor"]
    np.testing.assert_allclose(factor * unadjusted(0, 40, 4.0), curate(adjusted).bars["adj_factor"])


def test_told_dividends_are_preferred_to_the_adjusted_close_and_without_any_it_is_used() -> None:
    raw = bars().assign(dividend=at(40, 5.0, 0.0))
    with_both = raw.assign(adj_close=raw["close"] * unadjusted(0, 30, 0.5))
    assert curate(with_both).bars["adj_factor"].tolist() == curate(raw).bars["adj_factor"].tolist()
    only_adjusted = with_both.assign(dividend=np.nan)
    assert curate(only_adjusted).bars["adj_factor"].tolist() == [0.5] * 30 + [1.0] * 30


def test_a_large_payment_is_no_jump() -> None:
    raw = bars(unadjusted(0, 40, 1.0 / 0.6)).assign(dividend=at(40, 66.7, 0.0))
    for basis in (ADJUSTED, AS_TRADED):
        curated = curate(raw, basis)
        assert not flagged(curated) and actions(curated) == []
        assert largest_return(curated) < 0.01


@pytest.mark.parametrize(
    ("dividend", "minor", "why"),
    [
        (-1.0, False, "is negative or infinite"),
        (np.inf, False, "is negative or infinite"),
        (200.0, False, "is more than 50% of the price before"),
        (0.02, True, "may be in whole units"),
    ],
)
def test_an_implausible_dividend_is_withheld_and_moves_nothing(dividend: float, minor: bool, why: str) -> None:
    curated = curate(bars().assign(dividend=at(40, dividend, 0.0), minor_unit=minor))
    assert (curated.bars["adj_factor"] == 1.0).all()
    assert curated.quarantine["rule"].tolist() == ["bad_dividend"]
    assert why in curated.quarantine["reason"].iloc[0]


def test_a_small_dividend_is_fine_where_prices_are_in_whole_units() -> None:
    curated = curate(bars().assign(dividend=at(40, 0.02, 0.0)))
    assert len(curated.quarantine) == 0 and curated.bars["adj_factor"].iloc[0] < 1.0


def test_a_bar_in_hundredths_inside_a_series_stays_in_quarantine() -> None:
    curated = curate(bars(unadjusted(40, 41, 100.0)))
    assert curated.quarantine["rule"].tolist() == ["glitch"] and len(curated.bars) == 59


def test_marks_and_vendor_reach_the_core_bars() -> None:
    raw = bars().assign(stand_in_vendor=np.arange(60) == 3, minor_unit=np.arange(60) < 5)
    raw.loc[3, "vendor"] = "alpha_vantage"
    curated = curate(raw)
    assert flagged(curated) == dict.fromkeys((0, 1, 2, 4), "minor_unit") | {3: "stand_in_vendor;minor_unit"}
    assert curated.bars["vendor"].tolist() == ["alpha_vantage" if row == 3 else "yahoo" for row in range(60)]


def test_a_bar_that_is_nothing_but_a_close_is_kept_and_not_traded() -> None:
    raw = bars()
    raw.loc[7, ["open", "high", "low"]] = np.nan
    raw.loc[9, "high"] = np.nan
    curated = curate(raw)
    assert flagged(curated) == {7: "close_only", 9: "no_high"}
    assert np.flatnonzero(~curated.bars["tradable"]).tolist() == [7]
    assert curated.quarantine["rule"].tolist() == ["no_high"]


def test_a_feed_that_stands_still_is_stale_from_the_second_repetition_on() -> None:
    raw = bars()
    columns = ["open", "high", "low", "close", "volume"]
    raw.loc[[21, 22, 23], columns] = raw.loc[20, columns].to_numpy(np.float64)
    raw.loc[31, columns] = raw.loc[30, columns].to_numpy(np.float64)
    raw.loc[[41, 42, 43], columns[:4]] = raw.loc[40, columns[:4]].to_numpy(np.float64)
    curated = curate(raw)
    assert flagged(curated) == {22: "stale", 23: "stale"}
    assert np.flatnonzero(~curated.bars["tradable"]).tolist() == [22, 23]

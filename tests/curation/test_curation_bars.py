"""One hand-made frame per rule: what is withheld, what is flagged, what is adjusted."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.errors import CurationError
from wealtharena.core.market_data import BAR_COLUMNS, Instrument, PriceBasis
from wealtharena.curation import QUARANTINE_COLUMNS, CuratedBars, KnownAction, curate_bars
from wealtharena.settings import CurationSettings

AS_OF = date(2020, 12, 31)
EXCHANGES = {
    AssetClass.STOCKS: "XASX",
    AssetClass.COMMODITIES: "XNYS",
    AssetClass.CURRENCIES: "24/5",
    AssetClass.CRYPTO: "24/7",
}


def quiet(count: int = 60, price: float = 100.0, asset_class: AssetClass = AssetClass.STOCKS) -> pd.DataFrame:
    """Bars without any dirt: the close alternates by a thousandth around ``price``."""
    days = exchange_sessions(EXCHANGES[asset_class], date(2020, 1, 1), AS_OF)[:count]
    close = price * (1.0 + 0.001 * (np.arange(count) % 2))
    volume = np.full(count, np.nan if asset_class is AssetClass.CURRENCIES else 1000.0)
    data = {"session_date": days, "open": price, "high": 1.01 * price, "low": 0.99 * price, "close": close}
    told = {"dividend": np.nan, "split": np.nan, "vendor": "files"}
    return pd.DataFrame({"symbol": "S", **data, "adj_close": np.nan, "volume": volume, **told})


def curate(
    raw: pd.DataFrame,
    asset_class: AssetClass = AssetClass.STOCKS,
    basis: PriceBasis = PriceBasis.AS_TRADED,
    known: Sequence[KnownAction] = (),
    as_of: date = AS_OF,
) -> CuratedBars:
    symbols = sorted({str(symbol) for symbol in raw["symbol"]} | {"S"})
    instruments = [Instrument(symbol, asset_class, EXCHANGES[asset_class]) for symbol in symbols]
    return curate_bars(raw, instruments, dict.fromkeys(symbols, basis), CurationSettings(), as_of, known)


def scaled(raw: pd.DataFrame, rows: slice, factor: float, volume_factor: float = 1.0) -> pd.DataFrame:
    changed = raw.copy()
    labels = changed.index[rows]
    changed.loc[labels, ["open", "high", "low", "close"]] *= factor
    changed.loc[labels, "volume"] *= volume_factor
    return changed


def found(curated: CuratedBars) -> list[tuple[str, str, str, str]]:
    rows = curated.quarantine.sort_values(["session_date", "rule", "column"])
    days = rows["session_date"].dt.strftime("%Y-%m-%d").fillna("")
    return list(zip(days, rows["rule"], rows["column"], rows["value"], strict=True))


def flags(curated: CuratedBars) -> dict[int, str]:
    texts = curated.bars["flags"]
    return {int(row): str(text) for row, text in texts[texts != ""].items()}


def test_clean_bars_pass_unchanged() -> None:
    raw = quiet()
    curated = curate(raw)
    columns = ["symbol", "session_date", "open", "high", "low", "close", "volume", "vendor"]
    pd.testing.assert_frame_equal(curated.bars[columns], raw[columns])
    assert (curated.bars["adj_factor"] == 1.0).all()
    assert curated.bars["tradable"].all() and not flags(curated)
    assert (len(curated.quarantine), len(curated.actions)) == (0, 0)
    assert curated.symbols == ("S",)


def test_rows_are_put_in_order() -> None:
    raw = quiet(20)
    pd.testing.assert_frame_equal(curate(raw.iloc[::-1]).bars, curate(raw).bars)


def test_of_two_rows_for_a_date_the_first_stands() -> None:
    raw = quiet(20)
    other = raw.iloc[[5]].assign(close=100.5)
    curated = curate(pd.concat([raw, other, raw.iloc[[7]]]))
    assert len(curated.bars) == 20
    assert curated.bars["close"].iloc[5] == raw["close"].iloc[5]
    assert [(rule, value) for _, rule, _, value in found(curated)] == [
        ("duplicate_conflict", "100.5"),
        ("duplicate", str(raw["session_date"].iloc[7].date())),
    ]


def test_a_row_without_date_and_rows_on_closed_days_are_withheld() -> None:
    raw = quiet(20)
    saturday = raw.iloc[[3]].assign(session_date=pd.Timestamp(2020, 1, 11))
    australia_day = raw.iloc[[3]].assign(session_date=pd.Timestamp(2020, 1, 27))
    undated = raw.iloc[[3]].assign(session_date=pd.NaT).astype({"session_date": "datetime64[us]"})
    curated = curate(pd.concat([raw, saturday, australia_day, undated]))
    assert len(curated.bars) == 20
    assert [(day, rule) for day, rule, _, _ in found(curated)] == [
        ("2020-01-11", "not_a_session"),
        ("2020-01-27", "not_a_session"),
        ("", "no_date"),
    ]


def test_rows_after_the_as_of_day_are_not_even_recorded() -> None:
    raw = quiet(30)
    as_of = raw["session_date"].iloc[19].date()
    raw.loc[25, "close"] = np.nan
    curated = curate(raw, as_of=as_of)
    assert curated.bars["session_date"].max().date() == as_of
    assert len(curated.quarantine) == 0
    assert curated.coverage["last_session"].iloc[0].date() == as_of


@pytest.mark.parametrize(
    ("close", "rule"), [(np.nan, "no_close"), (np.inf, "no_close"), (0.0, "no_close"), (-5.0, "non_positive_close")]
)
def test_a_share_needs_a_close_above_zero(close: float, rule: str) -> None:
    raw = quiet(20)
    raw.loc[4, "close"] = close
    curated = curate(raw)
    assert len(curated.bars) == 19
    assert [(row[1], row[2]) for row in found(curated)] == [(rule, "close")]


def test_an_impossible_open_keeps_the_close_but_nobody_trades() -> None:
    raw = quiet(20)
    raw.loc[4, ["open", "high", "low"]] = 0.0
    curated = curate(raw)
    bar = curated.bars.iloc[4]
    assert bar[["open", "high", "low"]].isna().all() and bar["close"] == 100.0
    assert not bar["tradable"] and bar["flags"] == "no_open;no_high;no_low"
    assert [(row[1], row[2], row[3]) for row in found(curated)] == [
        ("no_high", "high", "0"),
        ("no_low", "low", "0"),
        ("no_open", "open", "0"),
    ]


def test_a_future_may_settle_below_zero_but_fills_only_at_a_positive_open() -> None:
    raw = quiet(30, 18.0, AssetClass.COMMODITIES)
    raw.loc[20, ["low", "close"]] = [-40.32, -37.63]
    raw.loc[21, ["open", "low"]] = [-14.0, -16.74]
    curated = curate(raw, AssetClass.COMMODITIES, PriceBasis.SPLIT_ADJUSTED)
    assert len(curated.quarantine) == 0
    assert curated.bars["close"].iloc[20] == -37.63 and curated.bars["open"].iloc[21] == -14.0
    assert flags(curated) == {20: "non_positive_price", 21: "non_positive_price"}
    assert curated.bars["tradable"].iloc[20:23].tolist() == [True, False, True]


def test_inconsistent_ranges_are_flagged_and_kept() -> None:
    raw = quiet(20)
    raw.loc[3, ["high", "low"]] = [99.0, 101.0]
    raw.loc[6, "open"] = 103.0
    curated = curate(raw)
    assert flags(curated) == {3: "high_below_low;outside_range", 6: "outside_range"}
    assert curated.bars["tradable"].all() and len(curated.quarantine) == 0


def test_a_close_far_outside_its_own_range_is_withheld() -> None:
    raw = quiet(20)
    raw.loc[8, "close"] = 10_000.0
    curated = curate(raw)
    assert [(row[1], row[3]) for row in found(curated)] == [("close_outside_range", "10000")]


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_a_bar_in_the_wrong_unit_is_withheld_and_is_no_split(factor: float) -> None:
    curated = curate(scaled(quiet(), slice(40, 41), factor))
    assert [row[1] for row in found(curated)] == ["glitch"]
    assert len(curated.bars) == 59 and len(curated.actions) == 0
    assert not flags(curated) and (curated.bars["adj_factor"] == 1.0).all()


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_the_last_bar_after_one_in_the_wrong_unit_stays(factor: float) -> None:
    curated = curate(scaled(quiet(), slice(58, 59), factor))
    assert [row[1] for row in found(curated)] == ["glitch"]
    assert len(curated.bars) == 59 and curated.bars["session_date"].iloc[-1] == quiet()["session_date"].iloc[-1]
    assert not flags(curated)


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_a_last_bar_in_the_wrong_unit_waits_for_the_next_one(factor: float) -> None:
    raw = scaled(quiet(), slice(59, None), factor)
    alone = curate(raw)
    assert [row[1] for row in found(alone)] == ["glitch"] and len(alone.bars) == 59
    told = curate(raw.assign(split=np.where(np.arange(60) == 59, 1.0 / factor, 1.0)))
    assert len(told.bars) == 60 and told.actions["source"].tolist() == ["told"]
    stays = curate(scaled(quiet(), slice(58, None), factor), basis=PriceBasis.SPLIT_ADJUSTED)
    assert flags(stays) == {58: "unexplained_jump"}
    assert len(curate(scaled(quiet(), slice(59, None), 20.0)).bars) == 60


def test_a_squeeze_that_was_traded_through_is_kept_and_flagged() -> None:
    raw = quiet(60, 4.0, AssetClass.COMMODITIES)
    raw.loc[40, ["open", "high", "low", "close"]] = [4.0, 7.3, 4.0, 6.3]
    curated = curate(raw, AssetClass.COMMODITIES, PriceBasis.SPLIT_ADJUSTED)
    assert len(curated.quarantine) == 0
    assert flags(curated) == {40: "unexplained_jump", 41: "unexplained_jump"}


def test_a_fall_that_stays_is_flagged_not_repaired() -> None:
    curated = curate(scaled(quiet(), slice(40, None), 0.7, volume_factor=6.0))
    assert flags(curated) == {40: "unexplained_jump"}
    assert (curated.bars["adj_factor"] == 1.0).all() and curated.bars["tradable"].all()


def test_a_volatile_series_may_move_further_before_it_counts_as_a_jump() -> None:
    raw = quiet(80, 100.0, AssetClass.CRYPTO)
    wild = 100.0 * np.exp(0.08 * (np.arange(80) % 2))
    raw = raw.assign(close=wild, open=wild, high=wild, low=wild)
    calm = curate(scaled(raw, slice(60, None), 1.35), AssetClass.CRYPTO, PriceBasis.SPLIT_ADJUSTED)
    assert not flags(calm)
    assert flags(curate(scaled(raw, slice(60, None), 2.2), AssetClass.CRYPTO, PriceBasis.SPLIT_ADJUSTED)) == {
        60: "unexplained_jump"
    }


def test_a_lone_bad_open_is_not_traded() -> None:
    raw = quiet()
    raw.loc[40, ["open", "high"]] = 160.0
    curated = curate(raw)
    assert flags(curated) == {40: "open_outlier"}
    assert not curated.bars["tradable"].iloc[40]


def test_a_day_without_trade_is_stale_only_where_there_is_volume() -> None:
    raw = quiet(20, 100.0, AssetClass.COMMODITIES)
    raw.loc[5, ["open", "high", "low", "close", "volume"]] = [100.0, 100.0, 100.0, 100.0, 0.0]
    raw.loc[6, "volume"] = 0.0
    raw.loc[7, ["open", "high", "low", "close"]] = 100.0
    curated = curate(raw, AssetClass.COMMODITIES, PriceBasis.SPLIT_ADJUSTED)
    assert flags(curated) == {5: "stale"}
    assert curated.bars["tradable"].tolist() == [row != 5 for row in range(20)]


@pytest.mark.parametrize("volume", [0.0, np.nan])
def test_currencies_have_no_volume_and_are_never_stale(volume: float) -> None:
    raw = quiet(20, 1.1, AssetClass.CURRENCIES).assign(volume=volume, open=1.1, high=1.1, low=1.1, close=1.1)
    curated = curate(raw, AssetClass.CURRENCIES, PriceBasis.SPLIT_ADJUSTED)
    assert curated.bars["volume"].isna().all()
    assert curated.bars["tradable"].all() and not flags(curated)


def test_impossible_volume_is_withheld() -> None:
    raw = quiet(20)
    raw.loc[2, "volume"] = -7.0
    curated = curate(raw)
    assert np.isnan(curated.bars["volume"].iloc[2])
    assert [(row[1], row[3]) for row in found(curated)] == [("bad_volume", "-7")]


@pytest.mark.parametrize(
    ("factor", "kind", "ratio"),
    [(1 / 3, "split", 3.0), (0.1, "split", 10.0), (1 / 1.5, "split", 1.5), (5.0, "consolidation", 0.2)],
)
def test_a_split_is_found_and_makes_returns_whole(factor: float, kind: str, ratio: float) -> None:
    curated = curate(scaled(quiet(), slice(40, None), factor * 1.01, volume_factor=1.0 / factor))
    action = curated.actions.iloc[0]
    assert (len(curated.actions), action["kind"], action["source"]) == (1, kind, "detected")
    assert action["ratio"] == pytest.approx(ratio)
    assert action["ex_date"] == curated.bars["session_date"].iloc[40]
    assert "traded value" in action["evidence"]
    adjusted = curated.bars["close"] * curated.bars["adj_factor"]
    assert adjusted.pct_change().abs().max() < 0.02
    assert curated.bars["adj_factor"].iloc[-1] == 1.0
    assert not flags(curated)


def test_a_split_is_found_across_a_gap() -> None:
    raw = scaled(quiet(), slice(40, None), 5.0, volume_factor=0.2).drop(index=range(32, 40))
    assert curate(raw).actions["ratio"].tolist() == [pytest.approx(0.2)]


@pytest.mark.parametrize(
    ("factor", "volume_factor", "basis"),
    [
        (1 / 3, 3.0, PriceBasis.SPLIT_ADJUSTED),  # the vendor has adjusted already
        (1 / 2, 12.0, PriceBasis.AS_TRADED),  # a crash: six times the value changed hands
        (1 / 1.37, 1.37, PriceBasis.AS_TRADED),  # no ratio that companies use
        (1 / 2.5, 2.5, PriceBasis.AS_TRADED),
    ],
)
def test_what_is_no_split_is_flagged(factor: float, volume_factor: float, basis: PriceBasis) -> None:
    curated = curate(scaled(quiet(), slice(40, None), factor, volume_factor), basis=basis)
    assert len(curated.actions) == 0
    assert flags(curated) == {40: "unexplained_jump"}


def test_a_known_action_explains_its_jump_and_takes_precedence() -> None:
    raw = scaled(quiet(), slice(40, None), 0.5, volume_factor=2.0)
    ex_date = raw["session_date"].iloc[40].date()
    known = [
        KnownAction("S", ex_date, "demerger", 0.55, "ruling"),
        KnownAction("OTHER", ex_date, "split", 2.0, "x"),
        KnownAction("S", date(2021, 5, 1), "split", 2.0, "after as_of"),
    ]
    curated = curate(raw, known=known)
    assert curated.actions[["symbol", "kind", "ratio", "evidence", "source"]].to_numpy().tolist() == [
        ["S", "demerger", 0.55, "ruling", "known"]
    ]
    assert curated.bars["adj_factor"].tolist() == [0.55] * 40 + [1.0] * 20
    assert not flags(curated)


def test_a_known_action_on_a_day_without_bar_explains_the_next_bar() -> None:
    raw = scaled(quiet(), slice(40, None), 0.5, volume_factor=2.0).drop(index=[40, 41])
    known = [KnownAction("S", quiet()["session_date"].iloc[40].date(), "split", 2.0, "x")]
    curated = curate(raw, known=known)
    assert curated.actions["source"].tolist() == ["known"] and not flags(curated)
    assert curated.bars["adj_factor"].iloc[39:41].tolist() == [0.5, 1.0]


def test_known_actions_leave_adjusted_prices_alone() -> None:
    known = [KnownAction("S", date(2020, 2, 3), "split", 2.0, "x")]
    curated = curate(quiet(), basis=PriceBasis.SPLIT_ADJUSTED, known=known)
    assert len(curated.actions) == 0 and (curated.bars["adj_factor"] == 1.0).all()


def test_adjusted_close_gives_the_factor_on_the_basis_of_the_last_bar() -> None:
    raw = quiet(30)
    raw["adj_close"] = raw["close"] * np.where(np.arange(30) < 10, 0.90, 0.95)
    raw.loc[[0, 12, 20], "adj_close"] = [np.nan, np.inf, -1.0]
    curated = curate(raw, basis=PriceBasis.SPLIT_ADJUSTED)
    np.testing.assert_allclose(curated.bars["adj_factor"], [0.90 / 0.95] * 10 + [1.0] * 20)


def test_coverage_counts_sessions_and_names_the_delisted() -> None:
    parts = [quiet(60).assign(symbol=symbol) for symbol in ("A", "B", "C")]
    gone = quiet(60).assign(symbol="GONE").iloc[:30].drop(index=[3, 4])
    late = quiet(60).assign(symbol="LATE").iloc[:52]
    as_of = parts[0]["session_date"].iloc[-1].date()
    raw = pd.concat([*parts, gone, late])
    coverage = curate(raw, as_of=as_of).coverage.set_index("symbol")
    counts = ["expected_sessions", "observed_sessions", "missing_sessions"]
    assert coverage.loc["GONE", counts].tolist() == [30, 28, 2]
    assert coverage.loc["LATE", counts].tolist() == [60, 52, 8]
    assert coverage.loc["A", counts].tolist() == [60, 60, 0]
    assert coverage["delisted_on"].dropna().to_dict() == {"GONE": gone["session_date"].iloc[-1]}
    assert coverage.loc["S", counts].tolist() == [0, 0, 0] and pd.isna(coverage.loc["S", "first_session"])


def test_what_the_universe_says_was_delisted_is_delisted_on_its_last_bar() -> None:
    raw = pd.concat([quiet(60), quiet(60).assign(symbol="GONE").iloc[:58]])
    days = quiet(60)["session_date"].dt.date
    gone = Instrument("GONE", AssetClass.STOCKS, "XASX", last_day=days.iloc[58])
    instruments = [Instrument("S", AssetClass.STOCKS, "XASX"), gone]
    for as_of, expected in ((days.iloc[57], []), (days.iloc[58], ["GONE"])):
        basis = dict.fromkeys(("S", "GONE"), PriceBasis.AS_TRADED)
        coverage = curate_bars(raw, instruments, basis, CurationSettings(), as_of, ()).coverage
        ended = coverage.dropna(subset="delisted_on")
        assert ended["symbol"].tolist() == expected
        assert (ended["delisted_on"] == pd.Timestamp(days.iloc[57])).all() and (ended["missing_sessions"] == 0).all()


def test_symbols_that_end_together_are_a_source_that_ends() -> None:
    raw = pd.concat([quiet(60).assign(symbol=name) for name in "AB"] + [quiet(30).assign(symbol=name) for name in "CD"])
    assert curate(raw).coverage["delisted_on"].isna().all()


def test_nothing_in_gives_nothing_out() -> None:
    curated = curate(quiet(0))
    assert (len(curated.bars), len(curated.quarantine), len(curated.actions), len(curated.coverage)) == (0, 0, 0, 1)
    assert curated.symbols == ()
    assert len(curate(pd.DataFrame(columns=["symbol", *BAR_COLUMNS, "vendor"])).bars) == 0


def test_the_programs_own_mistakes_raise() -> None:
    raw = quiet(5)
    instrument = Instrument("S", AssetClass.STOCKS, "XASX")
    with pytest.raises(CurationError, match="must belong to instruments with a price basis, got S"):
        curate_bars(raw, [], {"S": PriceBasis.AS_TRADED}, CurationSettings(), AS_OF, ())
    with pytest.raises(CurationError, match="must belong to instruments with a price basis, got S"):
        curate_bars(raw, [instrument], {}, CurationSettings(), AS_OF, ())
    for broken in (
        raw.drop(columns="close"),
        raw.assign(open="1"),
        raw.assign(session_date=raw["session_date"] + pd.Timedelta(hours=1)),
    ):
        with pytest.raises(CurationError, match="raw bars break their schema"):
            curate(broken)


def test_unread_cells_join_the_quarantine() -> None:
    raw = quiet(20)
    raw.loc[4, "close"] = np.nan
    unparsed = pd.DataFrame(
        [("S", pd.Timestamp(2020, 3, 2), "not_a_number", "open", "ten", "open must be a number")],
        columns=list(QUARANTINE_COLUMNS),
    )
    rows = curate(raw).quarantine_rows("stocks", unparsed)
    assert rows["rule"].tolist() == ["no_close", "not_a_number"]
    assert set(rows["asset_class"]) == {"stocks"}
    assert len(curate(quiet(20)).quarantine_rows("stocks", unparsed.iloc[:0])) == 0


@st.composite
def dirty_bars(draw: st.DrawFn) -> pd.DataFrame:
    """Up to 60 bars with a handful of faults of any kind, any number of which may be repeated or out of order."""
    raw = quiet(draw(st.integers(2, 60)))
    count = len(raw)
    cell = st.sampled_from(["open", "high", "low", "close", "volume", "adj_close"])
    value = st.sampled_from([np.nan, 0.0, -1.0, 1.0, 33.3, 99.0, 160.0, 10_000.0, np.inf])
    for row, column, number in draw(st.lists(st.tuples(st.integers(0, count - 1), cell, value), max_size=6)):
        raw.loc[row, column] = number
    for row, factor in draw(
        st.lists(st.tuples(st.integers(1, count - 1), st.sampled_from([0.5, 3.0, 0.01])), max_size=2)
    ):
        raw = scaled(raw, slice(row, None), factor, 1.0 / factor)
    repeated = draw(st.lists(st.integers(0, count - 1), max_size=3))
    shifted = raw.iloc[repeated].assign(close=77.0)
    saturday = raw.iloc[:1].assign(session_date=pd.Timestamp(2020, 2, 1))
    return pd.concat([raw, shifted, saturday], ignore_index=True)


@settings(max_examples=25)
@given(raw=dirty_bars(), cut=st.integers(1, 59))
def test_what_was_known_on_a_day_does_not_depend_on_later_rows(raw: pd.DataFrame, cut: int) -> None:
    as_of = exchange_sessions("XASX", date(2020, 1, 1), AS_OF)[cut].date()
    whole = curate(raw, as_of=as_of)
    past = curate(raw[raw["session_date"] <= pd.Timestamp(as_of)], as_of=as_of)
    pd.testing.assert_frame_equal(whole.bars, past.bars)
    pd.testing.assert_frame_equal(whole.quarantine, past.quarantine)
    pd.testing.assert_frame_equal(whole.actions, past.actions)
    pd.testing.assert_frame_equal(whole.coverage, past.coverage)


@settings(max_examples=25)
@given(raw=dirty_bars())
def test_every_row_is_kept_or_accounted_for_and_no_price_is_invented(raw: pd.DataFrame) -> None:
    curated = curate(raw)
    bars = curated.bars.set_index("session_date")
    accounted = set(curated.quarantine["session_date"])
    for day in raw["session_date"]:
        assert day in bars.index or day in accounted
    for column in ("open", "high", "low", "close", "volume"):
        sent = raw.groupby("session_date")[column].agg(list)
        for day, value in bars[column].dropna().items():
            assert value in sent[day]
    assert np.isfinite(bars["adj_factor"]).all() and (bars["adj_factor"] > 0).all()
    assert (bars.loc[bars["tradable"], "open"] > 0).all()

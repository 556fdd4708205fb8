"""Every quirk that the README of the real data names has an expectation here."""

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest, Outcome, PriceBasis
from wealtharena.curation import CuratedBars, CuratedMacro, curate_bars, curate_macro, load_known_actions
from wealtharena.settings import CONFIG_FOLDER, CurationSettings, FilesSettings
from wealtharena.vendors import FilesVendor

ROOT = Path(__file__).resolve().parents[3] / "shared" / "data"
LATE = date(2026, 11, 20)
AS_OF = date(2024, 2, 6)

pytestmark = pytest.mark.skipif(not (ROOT / "market").is_dir(), reason=f"the real data are not at {ROOT}")


@cache
def curated(asset_class: AssetClass, as_of: date = LATE) -> CuratedBars:
    vendor = FilesVendor(FilesSettings(root=ROOT), stale_sessions=10)
    instruments = vendor.instruments([asset_class])
    request = FetchRequest(tuple(item.symbol for item in instruments), date(2007, 1, 1), as_of)
    results = list(vendor.fetch_bars(request))
    assert {result.outcome for result in results} == {Outcome.ROWS}
    raw = pd.concat([result.frame.assign(symbol=result.symbol) for result in results])
    basis = {result.symbol: result.price_basis for result in results}
    assert {symbol for symbol, kind in basis.items() if kind is PriceBasis.AS_TRADED} == {
        symbol for symbol in basis if symbol.endswith(".AX")
    }
    actions = load_known_actions(CONFIG_FOLDER / CurationSettings().corporate_actions)
    return curate_bars(raw, instruments, basis, CurationSettings(), as_of, actions)


@cache
def macro() -> CuratedMacro:
    vendor = FilesVendor(FilesSettings(root=ROOT), stale_sessions=10)
    request = FetchRequest(tuple(vendor.macro_series()), date(2000, 1, 1), LATE)
    raw = pd.concat([result.frame.assign(symbol=result.symbol) for result in vendor.fetch_macro(request)])
    return curate_macro(raw, {}, LATE)


def bar(asset_class: AssetClass, symbol: str, day: str) -> pd.Series:
    bars = curated(asset_class).bars
    row = bars[(bars["symbol"] == symbol) & (bars["session_date"] == pd.Timestamp(day))]
    assert len(row) == 1
    return row.iloc[0]


def adjusted_return(asset_class: AssetClass, symbol: str, day: str) -> float:
    bars = curated(asset_class).bars
    own = bars[bars["symbol"] == symbol].set_index("session_date")
    return float((own["close"] * own["adj_factor"]).pct_change()[pd.Timestamp(day)])


def withheld(asset_class: AssetClass) -> dict[tuple[str, str], list[str]]:
    rows = curated(asset_class).quarantine
    days = rows["session_date"].dt.strftime("%Y-%m-%d")
    return rows.groupby([rows["rule"], days])["symbol"].agg(list).to_dict()


def flagged(asset_class: AssetClass, flag: str) -> pd.DataFrame:
    bars = curated(asset_class).bars
    return bars[bars["flags"].str.split(";").apply(lambda names: flag in names)]


def test_the_latest_session_of_all_classes_is_the_day_when_the_energy_files_end() -> None:
    vendor = FilesVendor(FilesSettings(root=ROOT), stale_sessions=10)
    assert vendor.latest_session(tuple(AssetClass), LATE, 0.8) == AS_OF
    assert vendor.latest_session([AssetClass.STOCKS], LATE, 0.8) == date(2024, 3, 8)


@pytest.mark.parametrize(
    ("asset_class", "expected"),
    [
        (AssetClass.STOCKS, {"2009-01-01": 18}),  # the same holiday row in all Australian files
        (AssetClass.REITS, {"2009-01-01": 3}),
        (AssetClass.CRYPTO, {}),
        (AssetClass.ETFS, {}),
        (AssetClass.CURRENCIES, {"2024-12-07": 3}),  # the stray Saturday
        # New York's closed days on which futures were settled
        (AssetClass.COMMODITIES, {"2007-01-01": 1, "2007-01-02": 6, "2023-11-23": 6, "2024-01-15": 4, "2025-01-09": 2}),
    ],
)
def test_rows_on_closed_days_are_few_and_known(asset_class: AssetClass, expected: dict[str, int]) -> None:
    closed = {day: len(symbols) for (rule, day), symbols in withheld(asset_class).items() if rule == "not_a_session"}
    assert closed == expected


def test_nothing_else_is_withheld_than_the_two_bars_without_open() -> None:
    others = {
        (rule, day): symbols
        for asset_class in AssetClass
        for (rule, day), symbols in withheld(asset_class).items()
        if rule != "not_a_session"
    }
    assert others == {
        (rule, day): [symbol]
        for rule in ("no_open", "no_high", "no_low")
        for symbol, day in (("ANZ.AX", "2022-07-18"), ("TCL.AX", "2018-08-31"))
    }
    for symbol, day in (("ANZ.AX", "2022-07-18"), ("TCL.AX", "2018-08-31")):
        row = bar(AssetClass.STOCKS, symbol, day)
        assert np.isnan(row["open"]) and row["close"] > 0 and not row["tradable"]


def test_splits_and_consolidations_are_found_and_nothing_else_is_taken_for_one() -> None:
    actions = pd.concat([curated(asset_class).actions for asset_class in AssetClass])
    detected = actions[actions["source"] == "detected"]
    days = detected["ex_date"].dt.strftime("%Y-%m-%d")
    assert set(zip(detected["symbol"], days, detected["ratio"], strict=True)) == {
        ("CSL.AX", "2007-10-18", 3.0),
        ("FMG.AX", "2007-12-19", 10.0),
        ("GPT.AX", "2010-05-26", 0.2),
        ("GMG.AX", "2012-04-19", 0.2),
    }


@pytest.mark.parametrize(
    ("asset_class", "symbol", "day", "largest"),
    [
        (AssetClass.STOCKS, "CSL.AX", "2007-10-18", 0.01),
        (AssetClass.STOCKS, "FMG.AX", "2007-12-19", 0.01),
        (AssetClass.REITS, "GPT.AX", "2010-05-26", 0.09),
        (AssetClass.REITS, "GMG.AX", "2012-04-19", 0.05),
        (AssetClass.STOCKS, "WES.AX", "2018-11-21", 0.02),
        (AssetClass.STOCKS, "BHP.AX", "2015-05-18", 0.01),
        (AssetClass.STOCKS, "BHP.AX", "2022-05-25", 0.02),
        (AssetClass.STOCKS, "WOW.AX", "2021-06-24", 0.04),
        (AssetClass.STOCKS, "RIO.AX", "2009-06-17", 0.01),
    ],
)
def test_corporate_actions_leave_ordinary_returns(
    asset_class: AssetClass, symbol: str, day: str, largest: float
) -> None:
    assert abs(adjusted_return(asset_class, symbol, day)) < largest
    assert "unexplained_jump" not in bar(asset_class, symbol, day)["flags"]


def test_factors_end_at_one_and_carry_dividends_where_the_source_has_them() -> None:
    for asset_class in AssetClass:
        assert (curated(asset_class).bars.groupby("symbol")["adj_factor"].last() == 1.0).all()
    bars = curated(AssetClass.ETFS).bars
    spy = bars[bars["symbol"] == "SPY"].set_index("session_date")["adj_factor"]
    gold = bars[bars["symbol"] == "GLD"].set_index("session_date")["adj_factor"]
    assert spy.iloc[0] == pytest.approx(99.12422 / 141.37, rel=0.01)  # dividends since 2007
    assert gold.min() == pytest.approx(1.0, abs=1e-4)  # gold pays none


def test_only_newcrest_is_delisted_whenever_one_looks() -> None:
    for asset_class in AssetClass:
        for as_of in (LATE, AS_OF):
            gone = curated(asset_class, as_of).coverage.dropna(subset="delisted_on")
            expected = {"NCM.AX": pd.Timestamp(2023, 10, 26)} if asset_class is AssetClass.STOCKS else {}
            assert dict(zip(gone["symbol"], gone["delisted_on"], strict=True)) == expected


def test_negative_oil_is_kept_and_not_traded_at_a_negative_open() -> None:
    crash, after = bar(AssetClass.COMMODITIES, "CL=F", "2020-04-20"), bar(AssetClass.COMMODITIES, "CL=F", "2020-04-21")
    assert (crash["close"], crash["tradable"], crash["flags"]) == (-37.63, True, "non_positive_price")
    assert (after["open"], after["tradable"], after["flags"]) == (-14.0, False, "non_positive_price")
    assert len(flagged(AssetClass.COMMODITIES, "non_positive_price")) == 2


def test_true_squeezes_and_crashes_are_kept() -> None:
    assert bar(AssetClass.COMMODITIES, "NG=F", "2022-01-27")["close"] == 6.265
    assert bar(AssetClass.STOCKS, "STO.AX", "2020-03-09")["flags"] == "unexplained_jump"
    assert bar(AssetClass.CRYPTO, "DOGE-USD", "2021-01-28")["flags"] == "unexplained_jump"
    counts = {asset_class: len(flagged(asset_class, "unexplained_jump")) for asset_class in AssetClass}
    assert all(count < 0.002 * len(curated(name).bars) for name, count in counts.items()), counts


def test_misprinted_opens_of_june_2010_are_not_traded() -> None:
    rows = flagged(AssetClass.STOCKS, "open_outlier")
    assert set(zip(rows["symbol"], rows["session_date"].dt.strftime("%Y-%m-%d"), strict=True)) == {
        ("NAB.AX", "2010-06-21"),
        ("NAB.AX", "2010-06-22"),
    }
    assert not rows["tradable"].any()


def test_days_without_trade_are_those_of_thin_futures() -> None:
    stale = flagged(AssetClass.COMMODITIES, "stale")
    by_symbol = stale.groupby("symbol").size()
    assert by_symbol.idxmax() == "PA=F" and 1800 < by_symbol["PA=F"] <= 1907
    assert set(by_symbol.index) <= {"PA=F", "SI=F", "GC=F", "HG=F", "BZ=F", "CL=F", "NG=F", "RB=F", "ZC=F", "ZS=F"}
    for asset_class in set(AssetClass) - {AssetClass.COMMODITIES}:
        assert flagged(asset_class, "stale").empty


def test_ranges_that_contradict_themselves_are_flagged_and_kept() -> None:
    assert len(flagged(AssetClass.COMMODITIES, "high_below_low")) == 17
    assert bar(AssetClass.STOCKS, "WES.AX", "2008-02-14")["flags"] == "outside_range"
    assert 1100 < len(flagged(AssetClass.CURRENCIES, "outside_range")) <= 1207
    assert flagged(AssetClass.CRYPTO, "outside_range").empty


def test_currencies_have_no_volume() -> None:
    bars = curated(AssetClass.CURRENCIES).bars
    assert bars["volume"].isna().all() and bars["tradable"].all()


def test_gaps_stay_gaps() -> None:
    bars = curated(AssetClass.STOCKS).bars
    australian = bars[bars["symbol"].str.endswith(".AX")]
    assert not australian["session_date"].between(pd.Timestamp(2016, 10, 31), pd.Timestamp(2016, 11, 4)).any()
    coverage = curated(AssetClass.STOCKS, AS_OF).coverage.set_index("symbol")["missing_sessions"]
    assert coverage["AAPL"] == 0 and 8 <= coverage["BHP.AX"] < 45
    assert curated(AssetClass.CURRENCIES, AS_OF).coverage["missing_sessions"].max() < 80
    assert curated(AssetClass.CRYPTO, AS_OF).coverage["missing_sessions"].max() == 0


def test_macro_series_wait_for_their_release_and_blank_days_are_recorded() -> None:
    observations = macro().observations.set_index(["series", "reference_date"])["available_date"]
    assert len(macro().series) == 11
    assert observations["CPIAUCSL", pd.Timestamp(2020, 1, 1)] >= pd.Timestamp(2020, 2, 13)  # release of that month
    assert observations["UNRATE", pd.Timestamp(2020, 1, 1)] >= pd.Timestamp(2020, 2, 7)
    assert observations["DGS10", pd.Timestamp(2020, 1, 2)] == pd.Timestamp(2020, 1, 3)
    blank = macro().quarantine.groupby("symbol").size()
    assert (blank["DGS10"], blank["VIXCLS"], blank["CPIAUCSL"]) == (281, 216, 1)
    oil = macro().observations.query("series == 'DCOILWTICO'").set_index("reference_date")["value"]
    assert oil[pd.Timestamp(2020, 4, 20)] == -36.98


def test_what_was_known_in_2016_does_not_depend_on_later_rows() -> None:
    as_of = date(2016, 6, 30)
    for asset_class in (AssetClass.REITS, AssetClass.COMMODITIES):
        vendor = FilesVendor(FilesSettings(root=ROOT), stale_sessions=10)
        instruments = vendor.instruments([asset_class])
        request = FetchRequest(tuple(item.symbol for item in instruments), date(2007, 1, 1), LATE)
        results = list(vendor.fetch_bars(request))
        raw = pd.concat([result.frame.assign(symbol=result.symbol) for result in results])
        basis = {result.symbol: result.price_basis for result in results}
        whole = curate_bars(raw, instruments, basis, CurationSettings(), as_of, ())
        early = raw[raw["session_date"] <= pd.Timestamp(as_of)]
        past = curate_bars(early, instruments, basis, CurationSettings(), as_of, ())
        for name in ("bars", "quarantine", "actions", "coverage"):
            pd.testing.assert_frame_equal(getattr(whole, name), getattr(past, name))

"""Every quirk that the README of the real data names has an expectation here."""

from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest, MacroRequest, Outcome
from wealtharena.curation import (
    CuratedBars,
    CuratedMacro,
    curate_bars,
    curate_macro,
    load_known_actions,
    merge_vendors,
)
from wealtharena.settings import CONFIG_FOLDER, CurationSettings, FilesSettings
from wealtharena.vendors import FilesVendor, load_universe

ROOT = Path(__file__).resolve().parents[3] / "shared" / "data"
LATE = date(2026, 11, 20)
AS_OF = date(2024, 2, 6)

pytestmark = pytest.mark.skipif(not (ROOT / "market").is_dir(), reason=f"the real data are not at {ROOT}")


@cache
def raw_bars(asset_class: AssetClass) -> pd.DataFrame:
    vendor = files()
    requests = [FetchRequest(item, date(2007, 1, 1), LATE) for item in vendor.instruments([asset_class])]
    results = list(vendor.fetch_bars(requests))
    assert {result.outcome for result in results} == {Outcome.ROWS}
    parts = [
        result.frame.assign(symbol=result.symbol, price_basis=str(result.price_basis), currency=result.currency)
        for result in results
    ]
    return pd.concat(parts, ignore_index=True).assign(vendor="files")


def curate(raw: pd.DataFrame, asset_class: AssetClass, as_of: date) -> CuratedBars:
    instruments = files().instruments([asset_class])
    merged = merge_vendors(raw, instruments, ("files",), 0.01)
    actions = load_known_actions(CONFIG_FOLDER / CurationSettings().corporate_actions)
    return curate_bars(merged.bars, instruments, merged.price_basis, CurationSettings(), as_of, actions)


@cache
def curated(asset_class: AssetClass, as_of: date = LATE) -> CuratedBars:
    return curate(raw_bars(asset_class), asset_class, as_of)


@cache
def macro() -> CuratedMacro:
    vendor = files()
    requests = [MacroRequest(name, date(2000, 1, 1), LATE) for name in vendor.macro_series()]
    results = vendor.fetch_macro(requests)
    raw = pd.concat([result.frame.assign(symbol=result.symbol) for result in results], ignore_index=True)
    known_at = pd.Timestamp(LATE, tz="UTC").as_unit("us")
    lags = {item.symbol: item.lag_days for item in load_universe(CONFIG_FOLDER / "universe").series}
    return curate_macro(raw.assign(known_at=known_at), lags, LATE)


def files() -> FilesVendor:
    return FilesVendor(FilesSettings(root=ROOT), stale_sessions=10)


def bars_of(asset_class: AssetClass, symbol: str) -> pd.DataFrame:
    bars = curated(asset_class).bars
    return bars[bars["symbol"] == symbol].set_index("session_date")


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
    vendor = files()
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
    for asset_class, as_of in [*((item, LATE) for item in AssetClass), (AssetClass.STOCKS, AS_OF)]:
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
    assert not (australian["session_date"] == pd.Timestamp(2011, 4, 7)).any()
    coverage = curated(AssetClass.STOCKS, AS_OF).coverage.set_index("symbol")["missing_sessions"]
    assert coverage["AAPL"] == 0 and 8 <= coverage["BHP.AX"] < 45
    assert coverage.filter(like=".AX").between(1, 45).all()
    assert curated(AssetClass.CURRENCIES, AS_OF).coverage["missing_sessions"].max() < 80
    assert curated(AssetClass.CRYPTO, AS_OF).coverage["missing_sessions"].max() == 0


@pytest.mark.parametrize(
    ("asset_class", "symbol", "last", "next_day"),
    [
        (AssetClass.STOCKS, "ANZ.AX", "2022-12-20", "2023-01-04"),  # traded as ANZDA
        (AssetClass.STOCKS, "TLS.AX", "2022-10-20", "2022-11-01"),  # traded as TLSDA
        (AssetClass.STOCKS, "WES.AX", "2013-11-08", "2013-11-27"),
        (AssetClass.REITS, "GMG.AX", "2012-04-03", "2012-04-19"),
        (AssetClass.CURRENCIES, "EURCAD=X", "2008-07-31", "2008-08-26"),
        (AssetClass.COMMODITIES, "PA=F", "2007-09-26", "2007-11-29"),
    ],
)
def test_weeks_without_a_symbol_are_not_bridged(asset_class: AssetClass, symbol: str, last: str, next_day: str) -> None:
    days = bars_of(asset_class, symbol).index
    assert days[days.get_loc(pd.Timestamp(last)) + 1] == pd.Timestamp(next_day)


def test_each_file_begins_and_ends_on_its_own_day() -> None:
    spans = pd.concat([curated(asset_class).coverage for asset_class in AssetClass]).set_index("symbol")
    text = spans[["first_session", "last_session"]].apply(lambda days: days.dt.strftime("%Y-%m-%d"))
    assert text.loc[["V", "SCG.AX", "MQG.AX", "GMG.AX", "BZ=F", "SOL-USD", "BTC-USD"], "first_session"].tolist() == [
        "2008-03-19",
        "2014-06-25",
        "2007-11-05",
        "2007-07-05",
        "2007-07-30",
        "2020-04-10",
        "2014-09-17",
    ]
    assert text.loc[["AAPL", "O", "SPY", "BHP.AX", "EURUSD=X", "CL=F"], "last_session"].tolist() == [
        "2024-03-08",
        "2024-03-08",
        "2026-05-01",
        "2024-05-31",
        "2024-12-06",
        "2024-02-06",
    ]


def test_a_split_after_the_download_leaves_prices_on_the_basis_of_the_files_last_day() -> None:
    nvidia = bars_of(AssetClass.STOCKS, "NVDA")
    assert nvidia["close"].iloc[-1] == 875.280029  # ten old shares' worth; the 10:1 split came three months later
    assert nvidia["adj_factor"].iloc[-1] == 1.0
    assert not curated(AssetClass.STOCKS).actions["symbol"].eq("NVDA").any()


def test_only_australian_files_count_as_traded_as_they_have_no_adjusted_close() -> None:
    for asset_class in AssetClass:
        raw = raw_bars(asset_class)
        as_traded = raw.loc[raw["price_basis"] == "as_traded", "symbol"]
        assert set(as_traded) == {symbol for symbol in raw["symbol"] if symbol.endswith(".AX")}
        assert raw.loc[as_traded.index, "adj_close"].isna().all()
    unadjusted = (AssetClass.CRYPTO, AssetClass.CURRENCIES)
    assert all((curated(asset_class).bars["adj_factor"] == 1.0).all() for asset_class in unadjusted)


def test_a_price_without_leading_zero_is_read_as_a_price() -> None:
    raw = raw_bars(AssetClass.REITS)
    before = raw[(raw["symbol"] == "GPT.AX") & (raw["session_date"] < pd.Timestamp(2010, 5, 26))].iloc[-1]
    assert before["close"] == 0.565
    assert bar(AssetClass.REITS, "GPT.AX", "2010-05-11")["adj_factor"] == pytest.approx(5.0)


def test_opens_below_the_low_on_2008_02_14_are_flagged_in_every_file_that_has_one() -> None:
    bars = pd.concat([curated(AssetClass.STOCKS).bars, curated(AssetClass.REITS).bars])
    day = bars[(bars["session_date"] == pd.Timestamp(2008, 2, 14)) & (bars["open"] < bars["low"])]
    assert len(day) >= 6 and day["symbol"].str.endswith(".AX").all()
    assert (day["flags"] == "outside_range").all() and day["tradable"].all()


def test_crypto_has_a_bar_for_every_day_of_the_week() -> None:
    bars = bars_of(AssetClass.CRYPTO, "BTC-USD")
    assert (pd.Series(bars.index).diff().dropna() == pd.Timedelta(days=1)).all()
    assert bars["tradable"].all()


def test_rows_taken_before_their_day_ended_stand_because_a_file_does_not_tell_and_go_with_an_earlier_night() -> None:
    assert bar(AssetClass.CRYPTO, "BTC-USD", "2024-12-07")["close"] == 99980.33
    assert bar(AssetClass.COMMODITIES, "CL=F", "2024-02-06")["close"] == 73.5
    day_before = curated(AssetClass.COMMODITIES, date(2024, 2, 5)).bars
    assert day_before["session_date"].max() == pd.Timestamp(2024, 2, 5)


def test_currency_pairs_go_by_their_whole_name() -> None:
    symbols = curated(AssetClass.CURRENCIES).symbols
    assert len(symbols) == 10 and "USDJPY=X" in symbols and "JPY=X" not in symbols


def test_contract_changes_of_futures_are_flagged_beyond_the_jump_limit_and_never_adjusted() -> None:
    commodities = curated(AssetClass.COMMODITIES)
    assert (commodities.bars["adj_factor"] == 1.0).all()  # also of the grains, whose adjusted close equals the close
    assert len(commodities.actions) == 0
    rows = flagged(AssetClass.COMMODITIES, "unexplained_jump")
    assert dict(zip(rows["symbol"], rows["session_date"].dt.strftime("%Y-%m-%d"), strict=True))["BZ=F"] == "2020-03-09"


def test_the_counts_that_are_known_of_palladium_are_all_there() -> None:
    palladium = bars_of(AssetClass.COMMODITIES, "PA=F")
    flags = palladium["flags"].str.split(";")
    assert len(palladium) == 4027
    assert flags.apply(lambda names: "high_below_low" in names).sum() == 10
    assert flags.apply(lambda names: "stale" in names).sum() == 1881
    assert not palladium.loc[flags.apply(lambda names: "stale" in names), "tradable"].any()


def test_american_spin_offs_are_taken_as_the_source_adjusts_them() -> None:
    assert not curated(AssetClass.STOCKS).actions["symbol"].isin(["MRK", "IBM"]).any()
    for symbol, day in (("MRK", "2021-06-03"), ("IBM", "2021-11-04")):
        assert abs(adjusted_return(AssetClass.STOCKS, symbol, day)) < 0.03
        assert bar(AssetClass.STOCKS, symbol, day)["flags"] == ""


def test_one_date_is_each_exchanges_own_session() -> None:
    australia_day = pd.Timestamp(2023, 1, 26)
    bars = curated(AssetClass.STOCKS).bars
    open_on = bars.loc[bars["session_date"] == australia_day, "symbol"]
    assert len(open_on) == 21 and not open_on.str.endswith(".AX").any()
    assert (bars["session_date"] == bars["session_date"].dt.normalize()).all()


def test_macro_values_are_those_of_2026_and_only_their_delay_is_made_good() -> None:
    observations = macro().observations
    assert not observations.duplicated(["series", "reference_date"]).any()
    waits = observations["available_date"] - observations["reference_date"]
    assert waits.groupby(observations["series"]).nunique().eq(1).all() and (waits >= pd.Timedelta(days=1)).all()


def test_the_month_of_the_shutdown_has_no_value_and_is_recorded() -> None:
    october, series = pd.Timestamp(2025, 10, 1), {"CPIAUCSL", "UNRATE"}
    blank = macro().quarantine
    assert series <= set(blank.loc[(blank["session_date"] == october) & (blank["rule"] == "no_value"), "symbol"])
    present = macro().observations
    assert series.isdisjoint(present.loc[present["reference_date"] == october, "series"])


def test_macro_series_wait_for_their_release_and_blank_days_are_recorded() -> None:
    observations = macro().observations.set_index(["series", "reference_date"])["available_date"]
    assert len(macro().series) == 11
    assert observations["CPIAUCSL", pd.Timestamp(2020, 1, 1)] >= pd.Timestamp(2020, 2, 13)  # release of that month
    assert observations["UNRATE", pd.Timestamp(2020, 1, 1)] >= pd.Timestamp(2020, 2, 7)
    assert observations["DGS10", pd.Timestamp(2020, 1, 2)] == pd.Timestamp(2020, 1, 5)
    blank = macro().quarantine.groupby("symbol").size()
    assert (blank["DGS10"], blank["VIXCLS"], blank["CPIAUCSL"]) == (281, 216, 1)
    oil = macro().observations.query("series == 'DCOILWTICO'").set_index("reference_date")["value"]
    assert oil[pd.Timestamp(2020, 4, 20)] == -36.98


def test_what_was_known_in_2016_does_not_depend_on_later_rows() -> None:
    as_of = date(2016, 6, 30)
    for asset_class in (AssetClass.REITS, AssetClass.COMMODITIES):
        raw = raw_bars(asset_class)
        early = raw[raw["session_date"] <= pd.Timestamp(as_of)]
        whole, past = curate(raw, asset_class, as_of), curate(early, asset_class, as_of)
        for name in ("bars", "quarantine", "actions", "coverage"):
            pd.testing.assert_frame_equal(getattr(whole, name), getattr(past, name))

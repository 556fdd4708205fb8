"""The files vendor: what it reads, what it refuses, and how it says so."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError, VendorRejected
from wealtharena.core.hashing import hash_file
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    MacroRequest,
    Outcome,
    PriceBasis,
)
from wealtharena.settings import FilesSettings, Settings, SimulatorSettings, VendorsSettings
from wealtharena.vendors import FilesVendor, SimulatorVendor, VendorContext, make_catalogue, make_vendor

HEADER = "date,open,high,low,close,adj_close,volume\n"
START, END = date(2020, 1, 1), date(2020, 12, 31)


def vendor(root: Path) -> FilesVendor:
    return FilesVendor(FilesSettings(root=root), stale_sessions=10)


def put(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def weekdays(first: str, count: int) -> list[str]:
    return [day.strftime("%Y-%m-%d") for day in pd.bdate_range(first, periods=count)]


def bars(days: list[str]) -> str:
    return HEADER + "".join(f"{day},10,11,9,10.5,,1000\n" for day in days)


def bars_of(symbol: str) -> FetchRequest:
    return FetchRequest(Instrument(symbol, AssetClass.STOCKS, "XNYS"), START, END)


def one(source: FilesVendor, symbol: str) -> FetchResult:
    return next(iter(source.fetch_bars([bars_of(symbol)])))


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    text = HEADER + "2020-01-02,.565,0.58,0.56,.57,,123\n2020-01-03,1,2,3,-4,5,\n"
    path = put(tmp_path, "market/stocks/GPT.AX.csv", text)
    result = one(vendor(tmp_path), "GPT.AX")
    assert (result.outcome, result.reason, result.unparsed) == (Outcome.ROWS, "", ())
    assert list(result.frame.columns) == list(BAR_COLUMNS)
    assert result.frame["session_date"].dtype == "datetime64[us]"
    np.testing.assert_array_equal(
        result.frame[list(BAR_COLUMNS[1:])].to_numpy(),
        [[0.565, 0.58, 0.56, 0.57, np.nan, 123, np.nan, np.nan], [1, 2, 3, -4, 5, np.nan, np.nan, np.nan]],
    )
    assert result.payload_hash == hash_file(path)
    assert result.request == str(path)


def test_a_file_may_tell_dividends_and_splits(tmp_path: Path) -> None:
    text = "date,open,high,low,close,Dividend,Split\n2020-01-02,1,1,1,1,0.25,1\n2020-01-03,1,1,1,1,,2\n"
    put(tmp_path, "market/stocks/KO.csv", text)
    frame = one(vendor(tmp_path), "KO").frame
    np.testing.assert_array_equal(frame["dividend"].to_numpy(), [0.25, np.nan])
    assert frame["split"].tolist() == [1.0, 2.0]


def test_repeated_and_unsorted_dates_are_left_to_curation(tmp_path: Path) -> None:
    put(tmp_path, "market/etfs/SPY.csv", bars(["2020-01-06", "2020-01-03", "2020-01-06"]))
    days = one(vendor(tmp_path), "SPY").frame["session_date"]
    assert days.dt.day.tolist() == [6, 3, 6]


def test_names_in_other_writing_byte_order_marks_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    put(
        tmp_path,
        "market/etfs/SPY.csv",
        "\ufeffDate,Open,High,Low,Close,Adj Close,Volume\r\n2020-01-03,1,2,1,2,1.5,7\r\n",
    )
    frame = one(vendor(tmp_path), "SPY").frame
    assert frame.iloc[0].tolist()[1:7] == [1, 2, 1, 2, 1.5, 7]


def test_times_of_day_are_cut_and_only_the_days_asked_for_come(tmp_path: Path) -> None:
    put(
        tmp_path,
        "market/crypto/BTC-USD.csv",
        bars(["2019-12-31", "2020-01-01 00:00:00", "2020-12-31T23:59", "2021-01-01"]),
    )
    days = one(vendor(tmp_path), "BTC-USD").frame["session_date"]
    assert days.tolist() == [pd.Timestamp(2020, 1, 1), pd.Timestamp(2020, 12, 31)]


def test_parquet_gives_the_same_rows_as_csv(tmp_path: Path) -> None:
    days = weekdays("2020-01-01", 30)
    put(tmp_path, "market/etfs/SPY.csv", bars(days))
    frame = pd.DataFrame(
        {"Date": pd.to_datetime(days), "Open": 10, "High": 11.0, "Low": 9, "Close": 10.5, "Volume": 1000}
    )
    (tmp_path / "market/stocks").mkdir()
    frame.to_parquet(tmp_path / "market/stocks/KO.parquet")
    source = vendor(tmp_path)
    pd.testing.assert_frame_equal(one(source, "SPY").frame, one(source, "KO").frame)


def test_text_in_a_price_cell_is_named_and_its_row_left_out(tmp_path: Path) -> None:
    text = (
        bars(weekdays("2020-01-01", 40))
        .replace("2020-01-08,10,", "2020-01-08,ten,")
        .replace("2020-01-10,", "10/01/20,")
    )
    put(tmp_path, "market/etfs/SPY.csv", text)
    result = one(vendor(tmp_path), "SPY")
    assert result.outcome is Outcome.ROWS
    assert result.unparsed == (("2020-01-08 (line 7)", "open", "ten"), ("line 9", "date", "10/01/20"))
    assert len(result.frame) == 38
    assert pd.Timestamp(2020, 1, 8) not in result.frame["session_date"].tolist()


def test_cells_outside_the_days_asked_for_are_not_named(tmp_path: Path) -> None:
    put(tmp_path, "market/etfs/SPY.csv", bars(weekdays("2019-12-02", 60)).replace("2019-12-03,10,", "2019-12-03,ten,"))
    assert one(vendor(tmp_path), "SPY").unparsed == ()


def test_empty_cells_are_missing_values_not_errors(tmp_path: Path) -> None:
    put(tmp_path, "market/etfs/SPY.csv", HEADER + "2020-01-02,,NaN,null,N/A,.,\n2020-01-03,1,1,1,1,1,1\n")
    result = one(vendor(tmp_path), "SPY")
    assert result.unparsed == ()
    assert result.frame.iloc[0, 1:].isna().all()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("date,open,high,low\n2020-01-02,1,1,1\n", r"SPY.csv: the header must name .*; missing close, got date, open"),
        ("", "SPY.csv: the header must name .*got no header"),
        (HEADER + "2020-01-02,1,1\n", "SPY.csv: the file must be readable as csv, got: .*Expected 7 columns, got 3"),
        (
            HEADER + "2020-01-02,a,b,1,1,1,1\n",
            r"at most 5% .* got 2 of 7; .* 2020-01-02 \(line 2\), column open, value 'a'",
        ),
        (HEADER + "02.01.2020,1,1,1,1,1,1\n", r"got 1 of 7; the first is line 2, column date, value '02.01.2020'"),
    ],
)
def test_an_unusable_file_is_rejected_with_its_reason(tmp_path: Path, text: str, complaint: str) -> None:
    put(tmp_path, "market/etfs/SPY.csv", text)
    put(tmp_path, "market/etfs/IWM.csv", bars(weekdays("2020-01-01", 5)))
    results = {item.symbol: item for item in vendor(tmp_path).fetch_bars([bars_of("IWM"), bars_of("SPY")])}
    assert results["IWM"].outcome is Outcome.ROWS
    assert results["SPY"].outcome is Outcome.REJECTED
    assert pd.Series([results["SPY"].reason]).str.contains(complaint).all(), results["SPY"].reason


def test_bytes_that_are_no_text_and_broken_parquet_are_rejected(tmp_path: Path) -> None:
    put(tmp_path, "market/etfs/SPY.csv", "").write_bytes(b"date,open\n\xff\xfe\x00,1\n")
    put(tmp_path, "market/etfs/IWM.parquet", "no parquet")
    source = vendor(tmp_path)
    assert one(source, "SPY").outcome is Outcome.REJECTED
    assert "IWM.parquet: the file must be readable as parquet" in one(source, "IWM").reason


def test_unknown_symbols_and_files_without_rows_in_the_range(tmp_path: Path) -> None:
    put(tmp_path, "market/etfs/SPY.csv", bars(["2019-01-03"]))
    put(tmp_path, "market/etfs/IWM.csv", HEADER)
    source = vendor(tmp_path)
    assert (one(source, "QQQ").outcome, one(source, "SPY").outcome) == (Outcome.UNKNOWN_SYMBOL, Outcome.EMPTY)
    assert (one(source, "IWM").outcome, len(one(source, "IWM").frame)) == (Outcome.EMPTY, 0)


def test_exchange_and_currency_follow_from_class_and_symbol(tmp_path: Path) -> None:
    for name in ("stocks/BHP.AX", "stocks/KO", "crypto/BTC-USD", "forex/EURJPY=X", "commodities/CL=F"):
        put(tmp_path, f"market/{name}.csv", bars(["2020-01-03"]))
    found = {item.symbol: item for item in vendor(tmp_path).instruments(list(AssetClass))}
    assert list(found) == sorted(found)
    facts = {symbol: (str(item.asset_class), item.exchange, item.currency) for symbol, item in found.items()}
    assert facts == {
        "BHP.AX": ("stocks", "XASX", "AUD"),
        "KO": ("stocks", "XNYS", "USD"),
        "BTC-USD": ("crypto", "24/7", "USD"),
        "EURJPY=X": ("currencies", "24/5", "JPY"),
        "CL=F": ("commodities", "XNYS", "USD"),
    }
    assert [item.symbol for item in vendor(tmp_path).instruments([AssetClass.STOCKS])] == ["BHP.AX", "KO"]


def test_only_australian_files_without_adjusted_close_are_as_traded(tmp_path: Path) -> None:
    put(tmp_path, "market/stocks/BHP.AX.csv", bars(["2020-01-03"]))
    put(tmp_path, "market/stocks/CBA.AX.csv", HEADER + "2020-01-03,1,1,1,1,1,1\n")
    put(tmp_path, "market/stocks/KO.csv", bars(["2020-01-03"]))
    source = vendor(tmp_path)
    basis = [one(source, symbol).price_basis for symbol in ("BHP.AX", "CBA.AX", "KO")]
    assert basis == [PriceBasis.AS_TRADED, PriceBasis.SPLIT_ADJUSTED, PriceBasis.SPLIT_ADJUSTED]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ([], "market must be a folder"),
        (["macro/DGS10.csv"], "market must be a folder"),
        (["market/stocks/.hidden.csv"], "there must be at least one"),
        (["market/bonds/TLT.csv"], "must be one of commodities, .* got 'bonds'"),
        (["market/stocks/VNQ.csv", "market/reits/VNQ.csv"], "VNQ.csv: a symbol must stand once"),
        (["market/stocks/KO.csv", "market/stocks/KO.parquet"], "a name must stand once"),
    ],
)
def test_a_source_that_is_not_laid_out_as_asked_is_refused(tmp_path: Path, files: list[str], complaint: str) -> None:
    for name in files:
        put(tmp_path, name, bars(["2020-01-03"]))
    with pytest.raises(VendorRejected, match=complaint):
        vendor(tmp_path).instruments(list(AssetClass))


def test_a_missing_root_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(VendorRejected, match=r"vendors.files.root: .*nowhere must be a folder"):
        one(vendor(tmp_path / "nowhere"), "KO")


def test_macro_files_are_read_and_may_state_when_they_were_out(tmp_path: Path) -> None:
    put(tmp_path, "market/etfs/SPY.csv", bars(["2020-01-03"]))
    put(tmp_path, "macro/CPIAUCSL.csv", "date,value\n2020-01-01,257.1\n2020-02-01,\n")
    put(tmp_path, "macro/GDP.csv", "date,value,available_date\n2020-01-01,1,2020-04-29\n")
    put(tmp_path, "macro/BAD.csv", "date,price\n2020-01-01,1\n")
    source = vendor(tmp_path)
    assert source.macro_series() == ["BAD", "CPIAUCSL", "GDP"]
    requests = [MacroRequest(name, START, END) for name in ("BAD", "CPIAUCSL", "GDP", "M2")]
    found = {item.symbol: item for item in source.fetch_macro(requests)}
    assert {name: str(item.outcome) for name, item in found.items()} == {
        "BAD": "rejected",
        "CPIAUCSL": "rows",
        "GDP": "rows",
        "M2": "unknown_symbol",
    }
    assert found["CPIAUCSL"].frame["available_date"].isna().all()
    assert np.isnan(found["CPIAUCSL"].frame["value"].iloc[1])
    assert found["GDP"].frame["available_date"].iloc[0] == pd.Timestamp(2020, 4, 29)


def test_a_source_without_macro_files_has_no_series(tmp_path: Path) -> None:
    assert vendor(tmp_path).macro_series() == []


def test_the_latest_session_is_the_last_day_with_enough_symbols(tmp_path: Path) -> None:
    days = weekdays("2020-01-01", 60)
    for number, count in enumerate((60, 60, 60, 58, 50)):
        put(tmp_path, f"market/etfs/E{number}.csv", bars(days[:count]))
    source = vendor(tmp_path)
    today = date(2021, 1, 1)
    assert str(source.latest_session([AssetClass.ETFS], today, 0.8)) == days[57]
    assert str(source.latest_session([AssetClass.ETFS], today, 0.6)) == days[59]
    assert str(source.latest_session([AssetClass.ETFS], today, 1.0)) == days[49]
    assert str(source.latest_session([AssetClass.ETFS], date.fromisoformat(days[20]), 0.8)) == days[20]
    with pytest.raises(VendorRejected, match="no day up to 2019-12-31 has bars of 80% of the 5 live symbols of etfs"):
        source.latest_session([AssetClass.ETFS], date(2019, 12, 31), 0.8)
    with pytest.raises(VendorRejected, match="none of crypto"):
        source.latest_session([AssetClass.ETFS, AssetClass.CRYPTO], today, 0.8)


def test_a_symbol_that_ended_for_good_does_not_hold_the_others_back(tmp_path: Path) -> None:
    days = weekdays("2020-01-01", 60)
    for number, count in enumerate((60, 60, 60, 20)):
        put(tmp_path, f"market/etfs/E{number}.csv", bars(days[:count]))
    assert str(vendor(tmp_path).latest_session([AssetClass.ETFS], date(2021, 1, 1), 1.0)) == days[59]


def test_the_earliest_class_decides_and_an_unreadable_file_counts_as_missing(tmp_path: Path) -> None:
    days = weekdays("2020-01-01", 60)
    put(tmp_path, "market/etfs/SPY.csv", bars(days))
    put(tmp_path, "market/reits/VNQ.csv", bars(days[:55]))
    put(tmp_path, "market/reits/O.csv", "no,header\n")
    source, today = vendor(tmp_path), date(2021, 1, 1)
    assert str(source.latest_session([AssetClass.ETFS, AssetClass.REITS], today, 0.5)) == days[54]
    with pytest.raises(VendorRejected, match="60% of the 2 live symbols of reits"):
        source.latest_session([AssetClass.REITS], today, 0.6)


def test_the_table_of_vendors_makes_what_is_asked_for(tmp_path: Path) -> None:
    context = VendorContext(home=tmp_path, now=datetime(2026, 11, 20, tzinfo=UTC))
    files = Settings(vendors=VendorsSettings(source="files", files=FilesSettings(root=tmp_path)))
    simulator = Settings(vendors=VendorsSettings(simulator=SimulatorSettings(symbols_per_class=2)))
    assert isinstance(make_vendor(files, "files", context), FilesVendor)
    assert isinstance(make_vendor(files, "simulator", context), SimulatorVendor)
    assert isinstance(make_catalogue(files), FilesVendor)
    assert isinstance(make_catalogue(simulator), SimulatorVendor)
    with pytest.raises(SettingsError, match=r"unknown vendor 'yahu'; known: .*files, .*simulator, yahoo"):
        make_vendor(files, "yahu", context)


def test_clients_of_live_vendors_are_imported_with_their_vendor_only() -> None:
    code = (
        "import sys, wealtharena.vendors\n"
        "clients = {'yfinance', 'alpha_vantage', 'fredapi', 'pycoingecko', 'requests', 'curl_cffi'}\n"
        "print(sorted(clients & set(sys.modules)))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == "[]"

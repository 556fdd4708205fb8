"""What every vendor owes: run for each entry of ``VENDORS``; a new vendor needs a line in ``source_of`` only."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    Outcome,
    PriceBasis,
    Vendor,
)
from wealtharena.settings import Settings
from wealtharena.vendors import VENDORS, make_vendor

ALL = tuple(AssetClass)
START, END = date(2021, 3, 1), date(2021, 5, 31)
ABSENT = "NO-SUCH-SYMBOL"
EVERY_VENDOR = pytest.mark.parametrize("name", sorted(VENDORS))


def source_of(name: str, folder: Path) -> Vendor:
    """A vendor with a few instruments in every class from before ``START`` until after ``END``."""
    if name == "files":
        write_market(folder)
    vendors = {
        "source": name,
        "files": {"root": folder},
        "simulator": {"symbols_per_class": 2, "start": "2020-06-01"},
    }
    return make_vendor(Settings.model_validate({"vendors": vendors}))


def write_market(root: Path) -> None:
    symbols = {
        "stocks": ("BHP.AX", "AAPL"),
        "crypto": ("ETH-USD", "BTC-USD"),
        "etfs": ("SPY", "IVV.AX"),
        "currencies": ("EURUSD=X", "AUDUSD=X"),
        "reits": ("SCG.AX", "GMG.AX"),
        "commodities": ("GC=F", "CL=F"),
    }
    days = pd.date_range("2020-06-01", "2021-08-31").strftime("%Y-%m-%d")
    for asset_class, names in symbols.items():
        every_day = asset_class == "crypto"
        own = [day for day in days if every_day or pd.Timestamp(day).dayofweek < 5]
        text = "date,open,high,low,close,adj_close,volume\n" + "".join(f"{day},10,11,9,10.5,,100\n" for day in own)
        for symbol in names:
            path = root / "market" / asset_class / f"{symbol}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    (root / "macro").mkdir()
    observations = "".join(f"{day},1.5\n" for day in days)
    (root / "macro" / "DGS10.csv").write_text("date,value\n" + observations, encoding="utf-8")


def asked(source: Vendor, start: date = START, end: date = END, extra: tuple[str, ...] = ()) -> list[FetchResult]:
    symbols = tuple(item.symbol for item in source.instruments(ALL)) + extra
    return list(source.fetch_bars(FetchRequest(symbols, start, end)))


@pytest.fixture
def source(name: str, tmp_path: Path) -> Vendor:
    return source_of(name, tmp_path)


@EVERY_VENDOR
def test_a_vendor_carries_the_name_that_settings_call_it_by(source: Vendor, name: str) -> None:
    assert source.name == name


@EVERY_VENDOR
def test_instruments_are_unique_in_symbol_order_and_of_the_classes_asked_for(source: Vendor) -> None:
    found = source.instruments(ALL)
    symbols = [item.symbol for item in found]
    assert symbols == sorted(set(symbols))
    assert {item.asset_class for item in found} == set(AssetClass)
    assert all(isinstance(item, Instrument) and item.exchange and item.currency for item in found)
    for asset_class in AssetClass:
        own = source.instruments([asset_class])
        assert own == [item for item in found if item.asset_class is asset_class]
    assert source.instruments([]) == []


@EVERY_VENDOR
def test_every_symbol_asked_has_one_answer_with_rows_or_a_reason(source: Vendor) -> None:
    results = asked(source, extra=(ABSENT,))
    assert sorted(item.symbol for item in results) == sorted(
        [*(item.symbol for item in source.instruments(ALL)), ABSENT]
    )
    for item in results:
        assert (item.outcome is Outcome.ROWS) == (len(item.frame) > 0)
        assert (item.outcome is Outcome.ROWS) == (item.reason == "")
        assert isinstance(item.price_basis, PriceBasis)
    assert {item.symbol: item.outcome for item in results}[ABSENT] is Outcome.UNKNOWN_SYMBOL
    assert all(item.outcome is Outcome.ROWS for item in results if item.symbol != ABSENT)


@EVERY_VENDOR
def test_bars_have_the_columns_types_and_midnights_of_the_contract(source: Vendor) -> None:
    for item in asked(source, extra=(ABSENT,)):
        assert list(item.frame.columns) == list(BAR_COLUMNS)
        if item.outcome is not Outcome.ROWS:
            continue
        assert len(item.payload_hash) == 64
        days = item.frame["session_date"]
        assert days.dtype == "datetime64[us]"
        assert (days == days.dt.normalize()).all()
        for column in BAR_COLUMNS[1:]:
            assert item.frame[column].dtype == np.float64


@EVERY_VENDOR
@pytest.mark.parametrize("span", [(START, END), (date(2021, 4, 6), date(2021, 4, 7))])
def test_only_days_from_start_to_end_are_delivered_both_included(source: Vendor, span: tuple[date, date]) -> None:
    start, end = span
    for item in asked(source, start, end):
        days = item.frame["session_date"]
        assert days.min() >= pd.Timestamp(start)
        assert days.max() <= pd.Timestamp(end)
    crypto = {item.symbol for item in source.instruments([AssetClass.CRYPTO])}
    for item in asked(source, start, end):
        if item.symbol in crypto:
            assert [item.frame["session_date"].min().date(), item.frame["session_date"].max().date()] == [start, end]


@EVERY_VENDOR
def test_days_before_any_data_are_an_outcome_and_no_failure(source: Vendor) -> None:
    for item in asked(source, date(2000, 1, 3), date(2000, 2, 1)):
        assert item.outcome is not Outcome.ROWS
        assert item.reason


@EVERY_VENDOR
def test_the_same_request_has_the_same_answer(source: Vendor) -> None:
    for one, other in zip(asked(source), asked(source), strict=True):
        pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
        assert (one.symbol, one.payload_hash) == (other.symbol, other.payload_hash)


@EVERY_VENDOR
def test_macro_series_have_the_columns_and_span_of_the_contract(source: Vendor) -> None:
    names = source.macro_series()
    assert names == sorted(set(names))
    results = list(source.fetch_macro(FetchRequest((*names, ABSENT), START, END)))
    assert [item.symbol for item in results] == [*names, ABSENT]
    assert results.pop().outcome is not Outcome.ROWS
    for item in results:
        assert (item.outcome is Outcome.ROWS) == (len(item.frame) > 0)
        assert list(item.frame.columns) == list(MACRO_COLUMNS)
        days = item.frame["reference_date"]
        assert days.between(pd.Timestamp(START), pd.Timestamp(END)).all()
        assert (days == days.dt.normalize()).all()
        assert item.frame["value"].dtype == np.float64


@EVERY_VENDOR
def test_the_latest_session_is_no_later_than_today_and_every_class_reaches_it(source: Vendor) -> None:
    latest = source.latest_session(ALL, END, 0.8)
    assert START < latest <= END
    ends = {item.symbol: item.frame["session_date"].max() for item in asked(source, end=latest)}
    for asset_class in AssetClass:
        own = [ends[item.symbol] for item in source.instruments([asset_class])]
        # A week holds any exchange's holidays.
        assert sum(last >= pd.Timestamp(latest) - pd.Timedelta(days=7) for last in own) >= 0.8 * len(own)

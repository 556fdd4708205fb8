"""What every vendor owes: run for each entry of ``VENDORS``; a new vendor needs a line in ``SERVED`` only.

Live vendors are the real clients, against the stand-in; files are written here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stand_in import StandIn
from stand_in_world import DEFAULT_INSTRUMENTS, World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    Catalogue,
    FetchRequest,
    FetchResult,
    Instrument,
    MacroRequest,
    Outcome,
    PriceBasis,
    Vendor,
)
from wealtharena.settings import Settings
from wealtharena.vendors import VENDORS, VendorContext, make_catalogue, make_vendor

ALL = tuple(AssetClass)
# Within the last hundred bars, which is all that some of the live vendors serve.
START, END = date(2026, 9, 1), date(2026, 11, 18)
ABSENT = Instrument("NOSUCHSYMBOL", AssetClass.STOCKS, "XNYS")
ABSENT_SERIES = "NOSUCHSERIES"
SERIES = ("DGS10", "UNRATE")
LOCAL = ("files", "simulator")
# Classes that a vendor serves, and whether it has macro series.
SERVED: dict[str, tuple[tuple[AssetClass, ...], bool]] = {
    "simulator": (ALL, True),
    "files": (ALL, True),
    "yahoo": (ALL, False),
    "alpha_vantage": ((AssetClass.ETFS, AssetClass.CRYPTO, AssetClass.CURRENCIES), False),
    "fred": ((), True),
    "coingecko": ((AssetClass.CRYPTO,), False),
    "rest": (ALL, False),
}
EVERY_VENDOR = pytest.mark.parametrize("name", sorted(VENDORS))
EVERY_LOCAL_VENDOR = pytest.mark.parametrize("name", LOCAL)


@dataclass(frozen=True)
class Source:
    """A vendor with what it can be asked for from before ``START`` until after ``END``."""

    vendor: Vendor
    instruments: list[Instrument]
    series: list[str]


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    with StandIn(World.default(3, start=date(2026, 5, 1), end=date(2026, 11, 19))) as server:
        yield server


@pytest.fixture
def source(name: str, tmp_path: Path, stand_in: StandIn) -> Source:
    context = VendorContext(home=tmp_path / "home", now=stand_in.now)
    context.home.mkdir()
    if name in LOCAL:
        settings = local_settings(name, tmp_path)
        catalogue = make_catalogue(settings)
        return Source(make_vendor(settings, name, context), catalogue.instruments(ALL), catalogue.macro_series())
    settings = Settings.model_validate({"vendors": stand_in.settings()})
    classes, has_series = SERVED[name]
    instruments = [item for item in DEFAULT_INSTRUMENTS if item.asset_class in classes]
    return Source(make_vendor(settings, name, context), instruments, list(SERIES) if has_series else [])


def local_settings(name: str, folder: Path) -> Settings:
    if name == "files":
        write_market(folder)
    vendors = {
        "source": name,
        "files": {"root": folder},
        "simulator": {"symbols_per_class": 2, "start": "2026-01-05"},
    }
    return Settings.model_validate({"vendors": vendors})


def write_market(root: Path) -> None:
    symbols = {
        "stocks": ("BHP.AX", "AAPL"),
        "crypto": ("ETH-USD", "BTC-USD"),
        "etfs": ("SPY", "IVV.AX"),
        "currencies": ("EURUSD=X", "AUDUSD=X"),
        "reits": ("SCG.AX", "GMG.AX"),
        "commodities": ("GC=F", "CL=F"),
    }
    days = pd.date_range("2026-01-05", "2026-12-31").strftime("%Y-%m-%d")
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


def asked(
    source: Source, start: date = START, end: date = END, extra: tuple[Instrument, ...] = ()
) -> list[FetchResult]:
    requests = [FetchRequest(item, start, end) for item in (*source.instruments, *extra)]
    return list(source.vendor.fetch_bars(requests))


def asked_for_series(source: Source, with_vintages: bool) -> list[FetchResult]:
    names = (*source.series, ABSENT_SERIES)
    return list(source.vendor.fetch_macro([MacroRequest(name, START, END, with_vintages) for name in names]))


def test_every_vendor_is_run_through_the_contract() -> None:
    assert set(SERVED) == set(VENDORS)


@EVERY_VENDOR
def test_a_vendor_carries_its_name_and_says_whether_asking_costs_something(source: Source, name: str) -> None:
    assert source.vendor.name == name
    assert source.vendor.is_local is (name in LOCAL)


@EVERY_VENDOR
def test_every_symbol_asked_has_one_answer_with_rows_or_a_reason(source: Source, name: str) -> None:
    results = asked(source, extra=(ABSENT,))
    assert [item.symbol for item in results] == [*(item.symbol for item in source.instruments), ABSENT.symbol]
    for item in results:
        assert (item.outcome is Outcome.ROWS) == (len(item.frame) > 0)
        assert (item.outcome is Outcome.ROWS) == (item.reason == "")
        assert isinstance(item.price_basis, PriceBasis)
    unknown = results.pop()
    assert unknown.outcome is Outcome.UNKNOWN_SYMBOL
    assert all(item.outcome is Outcome.ROWS for item in results), [item.reason for item in results]


@EVERY_VENDOR
def test_bars_have_the_columns_types_and_midnights_of_the_contract(source: Source) -> None:
    for item in asked(source, extra=(ABSENT,)):
        assert list(item.frame.columns) == list(BAR_COLUMNS)
        if item.outcome is not Outcome.ROWS:
            continue
        assert len(item.payload_hash) == 64
        assert item.request
        days = item.frame["session_date"]
        assert days.dtype == "datetime64[us]"
        assert (days == days.dt.normalize()).all()
        assert days.is_monotonic_increasing
        for column in BAR_COLUMNS[1:]:
            assert item.frame[column].dtype == np.float64
        # Told for every row or for none.
        assert item.frame["split"].isna().all() or (item.frame["split"] > 0).all()
        assert item.frame["dividend"].isna().all() or (item.frame["dividend"] >= 0).all()


@EVERY_VENDOR
@pytest.mark.parametrize("span", [(START, END), (date(2026, 11, 3), date(2026, 11, 4))])
def test_only_days_from_start_to_end_are_delivered_both_included(source: Source, span: tuple[date, date]) -> None:
    start, end = span
    every_day = {item.symbol for item in source.instruments if item.exchange == "24/7"}
    for item in asked(source, start, end):
        days = item.frame["session_date"]
        assert days.min() >= pd.Timestamp(start)
        assert days.max() <= pd.Timestamp(end)
        if item.symbol in every_day:
            assert [days.min().date(), days.max().date()] == [start, end]


@EVERY_VENDOR
def test_days_before_any_data_are_an_outcome_and_no_failure(source: Source) -> None:
    for item in asked(source, date(2000, 1, 3), date(2000, 2, 1)):
        assert item.outcome is not Outcome.ROWS
        assert item.reason


@EVERY_VENDOR
def test_the_same_request_has_the_same_answer(source: Source) -> None:
    for one, other in zip(asked(source), asked(source), strict=True):
        pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
        assert (one.symbol, one.payload_hash) == (other.symbol, other.payload_hash)


@EVERY_VENDOR
@pytest.mark.parametrize("with_vintages", [False, True])
def test_macro_series_have_the_columns_and_span_of_the_contract(source: Source, with_vintages: bool) -> None:
    results = asked_for_series(source, with_vintages)
    assert [item.symbol for item in results] == [*source.series, ABSENT_SERIES]
    assert results.pop().outcome is Outcome.UNKNOWN_SYMBOL
    for item in results:
        assert (item.outcome is Outcome.ROWS) == (len(item.frame) > 0)
        assert list(item.frame.columns) == list(MACRO_COLUMNS)
        if item.outcome is not Outcome.ROWS:
            continue
        days = item.frame["reference_date"]
        assert days.between(pd.Timestamp(START), pd.Timestamp(END)).all()
        assert (days == days.dt.normalize()).all()
        assert item.frame["value"].dtype == np.float64
        assert item.frame["available_date"].dtype == "datetime64[us]"


@pytest.fixture
def catalogue(name: str, tmp_path: Path) -> Catalogue:
    return make_catalogue(local_settings(name, tmp_path) if name in LOCAL else Settings.model_validate(LIVE))


LIVE = {"vendors": {"source": "live"}}
EVERY_CATALOGUE = pytest.mark.parametrize("name", [*LOCAL, "live"])


@EVERY_CATALOGUE
def test_instruments_are_unique_in_symbol_order_and_of_the_classes_asked_for(catalogue: Catalogue) -> None:
    found = catalogue.instruments(ALL)
    symbols = [item.symbol for item in found]
    assert symbols == sorted(set(symbols))
    assert {item.asset_class for item in found} == set(AssetClass)
    assert all(isinstance(item, Instrument) and item.exchange and item.currency for item in found)
    for asset_class in AssetClass:
        own = catalogue.instruments([asset_class])
        assert own == [item for item in found if item.asset_class is asset_class]
    assert catalogue.instruments([]) == []


@EVERY_CATALOGUE
def test_macro_series_are_unique_and_sorted(catalogue: Catalogue) -> None:
    assert catalogue.macro_series() == sorted(set(catalogue.macro_series()))


@EVERY_CATALOGUE
def test_the_latest_session_is_no_later_than_today(catalogue: Catalogue) -> None:
    latest = catalogue.latest_session(ALL, END, 0.8)
    assert START < latest <= END
    assert latest == min(catalogue.latest_session([asset_class], END, 0.8) for asset_class in AssetClass)


@EVERY_LOCAL_VENDOR
def test_every_class_reaches_the_latest_session(name: str, source: Source, tmp_path: Path) -> None:
    catalogue = source.vendor
    latest = catalogue.latest_session(ALL, END, 0.8)  # type: ignore[attr-defined]
    ends = {item.symbol: item.frame["session_date"].max() for item in asked(source, end=latest)}
    for asset_class in AssetClass:
        own = [ends[item.symbol] for item in source.instruments if item.asset_class is asset_class]
        # A week holds any exchange's holidays.
        assert sum(last >= pd.Timestamp(latest) - pd.Timedelta(days=7) for last in own) >= 0.8 * len(own)


def test_a_live_vendor_leaves_out_what_had_not_closed_when_the_run_began(stand_in: StandIn, tmp_path: Path) -> None:
    # Wednesday 15:00 in New York; the stand-in has bars of later days too.
    context = VendorContext(home=tmp_path, now=datetime(2026, 11, 18, 20, tzinfo=UTC))
    settings = Settings.model_validate({"vendors": stand_in.settings()})
    request = [FetchRequest(item, START, date(2026, 11, 19)) for item in DEFAULT_INSTRUMENTS if item.symbol == "JPM"]
    for name in ("yahoo", "rest"):
        (result,) = make_vendor(settings, name, context).fetch_bars(request)
        assert result.frame["session_date"].max() == pd.Timestamp(2026, 11, 17), name

"""A night in which every vendor fails in every way: true reasons, whole truths, few requests, and no key anywhere."""

import copy
import io
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from collection_nights import (
    END,
    PRICES,
    START,
    Nights,
    assert_bars_equal,
    assert_core_is_truth,
    assert_core_macro_is_truth,
    assert_raw_macro_is_truth,
    curated_bars,
    has_vintages,
    ledger,
    outcomes,
    stored_bars,
    texts_under,
    told_bars,
)
from stand_in import KEYS, StandIn
from stand_in_faults import DATA_KINDS, FaultPlan, Kind
from stand_in_macro import DEFAULT_SERIES
from stand_in_wire import Recorded
from stand_in_world import World

from tasks.collection import CollectionReceipt
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import BAR_COLUMNS, Instrument
from wealtharena.settings import Settings
from wealtharena.vendors import MACRO, vendor_order
from wealtharena.vendors.redaction import install_redaction, settings_secrets

pytestmark = pytest.mark.slow

SEED = 267
"""With these symbols this storm knows every fault but Alpha Vantage's note on minutes, which would cost one."""
HANGS_S, TIMEOUT_S = 4.0, 1.5
MAX_ATTEMPTS = Settings().vendors.yahoo.max_attempts
PER_DAY = 25
HARMLESS = {Kind.PARTIAL_BAR, Kind.FUTURE_ROW, Kind.OUT_OF_ORDER, Kind.DUPLICATE, Kind.CONFLICTING_DUPLICATE}
"""Spoiled answers of which the true rows can be told: of two rows of a day the first is the right one."""
WORDS = {Kind.SERVER_ERROR: "HTTP 500", Kind.UNAVAILABLE_HTML: "HTTP 503", Kind.PREMIUM: "premium"}
COINS = {"ADA": "cardano", "BTC": "bitcoin", "DOGE": "dogecoin", "ETH": "ethereum", "SOL": "solana", "XRP": "ripple"}
LISTED = {
    AssetClass.STOCKS: [*(f"US{number:02d}" for number in range(10)), *(f"AU{number}.AX" for number in range(4))],
    AssetClass.CRYPTO: [f"{coin}-USD" for coin in COINS],
    AssetClass.ETFS: [f"ETF{number}" for number in range(6)],
    AssetClass.CURRENCIES: ["AUDUSD=X", "EURUSD=X", "GBPUSD=X", "NZDUSD=X", "USDCAD=X", "USDJPY=X"],
    AssetClass.REITS: [f"RE{number}" for number in range(5)],
    AssetClass.COMMODITIES: ["CL=F", "GC=F", "HG=F", "SI=F"],
}
EXCHANGES = {AssetClass.CRYPTO: "24/7", AssetClass.CURRENCIES: "24/5"}
CLASS_OF = {symbol: asset_class for asset_class, symbols in LISTED.items() for symbol in symbols}
SERIES = tuple(spec for spec in DEFAULT_SERIES if spec.series in {"CPIAUCSL", "DGS10", "DGS2", "GDP", "ICSA", "PAYEMS"})
OVERLAP = 5
MENDED = (AssetClass.STOCKS, AssetClass.REITS, AssetClass.COMMODITIES)
"""Classes that the calm night collects: those in which most went wrong."""


def make_instrument(symbol: str) -> Instrument:
    asset_class = CLASS_OF[symbol]
    exchange = "XASX" if symbol.endswith(".AX") else EXCHANGES.get(asset_class, "XNYS")
    coin = COINS.get(symbol.partition("-")[0])
    return Instrument(symbol, asset_class, exchange, aliases=(("coingecko", coin),) if coin else ())


@dataclass(frozen=True)
class Storm:
    """A night in the storm, and a calm one after it.

    Attributes:
        stormy, calm: the home folder as each night left it, in the world as it was then.
        asked, asked_calmly: the requests of each night.
        log: every log record of both nights, tracebacks included.
    """

    plan: FaultPlan
    stormy: Nights
    calm: Nights
    worlds: tuple[World, World]
    receipts: dict[str, CollectionReceipt]
    asked: list[Recorded]
    asked_calmly: list[Recorded]
    log: str

    def delivers(self, vendor: str, symbol: str) -> bool:
        """Whether a vendor has a symbol and answers in the end."""
        has = vendor != "alpha_vantage" or not symbol.endswith((".AX", "=F"))
        return has and not self.plan.hopeless(vendor, symbol)

    def harm(self, vendor: str, symbol: str) -> set[Kind]:
        """What makes rows of an answer untrue."""
        return {fault.kind for fault in self.plan.affecting(vendor, symbol) if fault.kind in DATA_KINDS} - HARMLESS

    def order(self, symbol: str) -> tuple[str, ...]:
        """Vendors of a symbol or series."""
        return vendor_order(self.stormy.settings(), str(CLASS_OF.get(symbol, MACRO)))


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    folder = tmp_path_factory.mktemp("storm")
    world, plan = World(7, [make_instrument(symbol) for symbol in CLASS_OF], START, END, SERIES), storm_plan()
    access = {name: {"timeout_s": TIMEOUT_S} for name in ("yahoo", "fred", "coingecko")}
    access["alpha_vantage"] = {"timeout_s": TIMEOUT_S, "max_per_day": PER_DAY}
    with StandIn(world, plan, alpha_vantage_per_day=PER_DAY) as stand_in:
        calm = Nights.over(folder, stand_in, min_coverage=0.7, **access)
        with log_of(calm.settings()) as log:
            receipts, before = calm.collect("storm"), copy.deepcopy(world)
            asked = stand_in.requests
            stormy = calm.at(shutil.copytree(calm.home, folder / "stormy"))
            stand_in.forget()
            stand_in.faults = FaultPlan()
            world.advance(END + timedelta(days=1))
            calm.collect("calm", *MENDED, MACRO)
        yield Storm(plan, stormy, calm, (before, world), receipts, asked, stand_in.requests, log.getvalue())


def storm_plan() -> FaultPlan:
    return FaultPlan.storm(SEED, HANGS_S)


@contextmanager
def log_of(settings: Settings) -> Iterator[io.StringIO]:
    """Everything that is logged, redacted as a run redacts it."""
    text, root, factory = io.StringIO(), logging.getLogger(), logging.getLogRecordFactory()
    handler, level = logging.StreamHandler(text), root.level
    install_redaction(settings_secrets(settings))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        logging.setLogRecordFactory(factory)


def test_the_storm_knows_every_fault(storm: Storm) -> None:
    asked = {(item.vendor, item.symbol) for item in storm.asked}
    met = {fault.kind for vendor, symbol in asked for fault in storm.plan.affecting(vendor, symbol)}
    assert {fault.kind for fault in storm.plan.faults} - met == {Kind.PER_MINUTE_NOTE}


@pytest.mark.parametrize("name", [*CLASS_OF, *(spec.series for spec in SERIES)])
def test_every_symbol_ends_as_it_must_with_the_true_reason(storm: Storm, name: str) -> None:
    ended = outcomes(storm.stormy.warehouse, "storm")[name]
    delivering = [vendor for vendor in storm.order(name) if storm.delivers(vendor, name)]
    if delivering:
        assert (ended["outcome"], ended["vendor"], ended["reason"]) == ("rows", delivering[0], "")
        return
    first = storm.order(name)[0]
    lasting = next(fault.kind for fault in storm.plan.affecting(first, name) if fault.lasts and fault.kind in WORDS)
    assert (ended["outcome"], ended["vendor"]) == ("vendor_failure", first)
    assert WORDS[lasting] in ended["reason"] and f"({MAX_ATTEMPTS} attempts)" in ended["reason"]
    assert all(f"{vendor}: " in ended["reason"] for vendor in storm.order(name) if len(storm.order(name)) > 1)


def test_what_was_delivered_is_the_truth_but_for_the_spoiled_rows(storm: Storm) -> None:
    rows = ledger(storm.stormy.warehouse, dataset="bars", outcome="rows")
    assert len(rows) >= len(CLASS_OF)
    for vendor, symbol in zip(rows["vendor"], rows["symbol"], strict=True):
        stored = stored_bars(storm.stormy.warehouse, vendor, symbol)
        truth = told_bars(storm.worlds[0], vendor, symbol)
        if not storm.harm(vendor, symbol):
            assert_bars_equal(stored, truth, BAR_COLUMNS[1:])
            continue
        assert set(stored["session_date"]) <= set(truth["session_date"])
        settled = truth["session_date"].iloc[-OVERLAP]
        before = [frame[frame["session_date"] < settled].reset_index(drop=True) for frame in (stored, truth)]
        assert_bars_equal(before[0], before[1], BAR_COLUMNS[1:])


def test_the_curated_bars_are_the_truth_and_every_exception_is_accounted_for(storm: Storm) -> None:
    """A bar that is not the truth is marked, or it is missing: withheld under a rule, or counted as a gap."""
    warehouse, spoiled = storm.stormy.warehouse, 0
    gaps = warehouse.read("core_market__coverage").set_index("symbol")["missing_sessions"]
    rules = warehouse.read("core_quality__quarantine").groupby("symbol")["session_date"].agg(set)
    for symbol in CLASS_OF:
        if not storm.delivers("yahoo", symbol):
            continue
        if not storm.harm("yahoo", symbol):
            assert_core_is_truth(warehouse, storm.worlds[0], symbol)
            continue
        spoiled += 1
        truth = storm.worlds[0].clean_bars(symbol, "yahoo").set_index("session_date")[PRICES]
        core = curated_bars(warehouse, storm.worlds[0], symbol).set_index("session_date").reindex(truth.index)
        is_missing = core["close"].isna().to_numpy()
        is_true = np.isclose(core[PRICES], truth, rtol=1e-6).all(axis=1)
        assert (is_true | is_missing | (core["flags"].fillna("") != "")).all()
        assert is_missing.sum() == gaps[symbol] <= 2
        assert set(truth.index[is_missing]) <= rules.get(symbol, set()) or symbol.endswith("=X"), "no volume, no row"
    assert spoiled >= 3


def test_macro_series_are_the_truth_or_named(storm: Storm) -> None:
    for spec in SERIES:
        if storm.delivers("fred", spec.series):
            assert_raw_macro_is_truth(storm.stormy.warehouse, storm.worlds[0], spec)
            assert_core_macro_is_truth(storm.stormy.warehouse, storm.worlds[0], spec)
        else:
            assert spec.series in storm.receipts["macro"].missing


def test_nobody_is_asked_more_often_than_it_failed(storm: Storm) -> None:
    charts = Counter(item.symbol for item in storm.asked if "/v8/finance/chart" in item.path)
    assert set(charts) == set(CLASS_OF)
    for symbol, count in charts.items():
        stopping = [item for item in storm.plan.affecting("yahoo", symbol) if item.kind not in DATA_KINDS]
        failing = (
            MAX_ATTEMPTS - 1 if storm.plan.hopeless("yahoo", symbol) else max([f.first for f in stopping], default=0)
        )
        # A refused crumb is exchanged for a new one within one attempt.
        assert count <= 1 + failing + any(item.kind is Kind.INVALID_CRUMB for item in stopping)
    others = Counter((item.vendor, item.symbol) for item in storm.asked if item.vendor not in {"yahoo", "fred"})
    assert max(others.values()) <= MAX_ATTEMPTS
    assert sum(item.vendor == "yahoo" and "chart" not in item.path for item in storm.asked) <= 8, "cookies and crumbs"


def test_alpha_vantage_is_never_asked_beyond_its_day(storm: Storm) -> None:
    count = sum(item.vendor == "alpha_vantage" for item in (*storm.asked, *storm.asked_calmly))
    assert 0 < count <= PER_DAY
    assert not ledger(storm.calm.warehouse, vendor="alpha_vantage")["reason"].str.contains("per day").any()


def test_the_calm_night_after_it_mends_everything(storm: Storm) -> None:
    symbols = [symbol for asset_class in MENDED for symbol in LISTED[asset_class]]
    for symbol in symbols:
        stored = stored_bars(storm.calm.warehouse, "yahoo", symbol)
        columns = [name for name in BAR_COLUMNS[1:] if name != "adj_close"]
        assert_bars_equal(stored, storm.worlds[1].clean_bars(symbol, "yahoo"), columns)
        assert_core_is_truth(storm.calm.warehouse, storm.worlds[1], symbol)
    for spec in SERIES:
        assert_raw_macro_is_truth(storm.calm.warehouse, storm.worlds[1], spec)
        assert_core_macro_is_truth(storm.calm.warehouse, storm.worlds[1], spec)
    ended = outcomes(storm.calm.warehouse, "calm")
    nothing_new = {name for name, row in ended.items() if row["outcome"] != "rows"}
    assert nothing_new <= {spec.series for spec in SERIES if has_vintages(spec)}
    assert all("nothing was released since" in ended[name]["reason"] for name in nothing_new)
    charts = Counter(item.symbol for item in storm.asked_calmly if "/v8/finance/chart" in item.path)
    assert charts == dict.fromkeys(symbols, 1)


def test_no_key_is_in_any_file_table_or_log_record(storm: Storm) -> None:
    assert len(storm.log) > 10_000 and "alpha_vantage" in storm.log
    for key in KEYS.values():
        assert key not in storm.log
        for place, text in texts_under(storm.calm.home):
            assert key not in text, place

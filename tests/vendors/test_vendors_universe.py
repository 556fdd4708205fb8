"""The universe: what its tables may say, and that a universe as of a day knows nothing of later days."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.errors import SettingsError, VendorRejected
from wealtharena.core.market_data import Instrument
from wealtharena.core.rates import CurrencyRates
from wealtharena.settings import CONFIG_FOLDER, Settings
from wealtharena.vendors import (
    VENDORS,
    Universe,
    currency_rates,
    load_universe,
    make_catalogue,
    missing_key,
    vendor_order,
)
from wealtharena.vendors.universe_tables import MacroSeries, Rename

ALL = tuple(AssetClass)
MARKET = "symbol,name,exchange,venue,currency,sector,first_day,last_day,aliases\n"
KO = "KO,Coca-Cola,XNYS,NYSE,USD,Consumer Staples,1962-01-02,,\n"
MACRO = "series,name,vendor,frequency,lag_days,published,with_vintages,first_day\n"
RATES = "currency," + MACRO
RENAMES = "symbol,former,last_day,vendors\n"
COMPANIES = "code,name,sector,industry_group\n"


@pytest.fixture(scope="module")
def shipped() -> Universe:
    return load_universe(CONFIG_FOLDER / "universe")


def folder(root: Path, **tables: str) -> Path:
    for name, text in tables.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    return root


def of(universe: Universe, symbol: str) -> Instrument:
    return next(item for item in universe.instruments(ALL) if item.symbol == symbol)


def test_the_shipped_universe_spans_all_classes_and_places(shipped: Universe) -> None:
    found = shipped.instruments(ALL)
    assert 90 <= len(found) <= 100
    counts = Counter(item.asset_class for item in found)
    assert 40 <= counts[AssetClass.STOCKS] <= 50
    assert min(counts.values()) >= 10
    venues = {item.venue for item in found}
    assert venues >= {"ASX", "NYSE", "NASDAQ", "ARCA", "CRYPTO", "FX", "COMEX", "NYMEX", "CBOT"}
    assert all(item.sector and item.name and item.currency for item in found)
    assert all((item.exchange == "XASX") == item.symbol.endswith(".AX") for item in found)
    assert len(shipped.macro_series()) >= 11


def test_the_shipped_universe_knows_when_companies_came_and_went(shipped: Universe) -> None:
    first = {item.symbol: item.first_day for item in shipped.instruments(ALL)}
    assert first["SCG.AX"] == date(2014, 6, 25)
    assert first["MQG.AX"] == date(2007, 11, 5)
    assert first["V"] == date(2008, 3, 19)
    assert first["SOL-USD"] == date(2020, 4, 10)
    assert of(shipped, "NCM.AX").last_day == date(2023, 10, 26)
    assert of(shipped, "BTC-USD").called_by("coingecko") == "bitcoin"
    assert of(shipped, "BTC-USD").called_by("yahoo") == "BTC-USD"
    # Listed again elsewhere: two spells of one symbol.
    assert [(item.venue, item.last_day) for item in shipped.listings if item.symbol == "WMT"] == [
        ("NYSE", date(2025, 12, 8)), ("NASDAQ", None),
    ]  # fmt: skip
    assert (of(shipped, "WMT").venue, of(shipped, "WMT").first_day) == ("NASDAQ", date(1972, 8, 25))


def test_sectors_of_australian_shares_come_from_the_list_of_companies(shipped: Universe) -> None:
    sectors = {item.symbol: item.sector for item in shipped.instruments([AssetClass.STOCKS])}
    assert (sectors["BHP.AX"], sectors["CBA.AX"], sectors["CSL.AX"]) == ("Materials", "Financials", "Health Care")
    lines = (CONFIG_FOLDER / "universe" / "asx_companies.csv").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) > 100


def test_macro_series_say_how_they_are_published(shipped: Universe) -> None:
    payrolls, yields = shipped.macro("PAYEMS"), shipped.macro("DGS10")
    assert (payrolls.frequency, payrolls.with_vintages, payrolls.vendor) == ("monthly", True, "fred")
    assert (yields.frequency, yields.with_vintages, yields.lag_days) == ("daily", False, 3)
    assert all(
        shipped.macro(name).with_vintages != (shipped.macro(name).frequency == "daily")
        for name in shipped.macro_series()
    )
    with pytest.raises(SettingsError, match="unknown macro series 'M2'; known: CPIAUCSL"):
        shipped.macro("M2")


def test_publication_lags_are_conservative(shipped: Universe) -> None:
    """No figure may count as known before it was published in an ordinary month."""
    lags = {name: shipped.macro(name).lag_days for name in shipped.macro_series()}
    assert lags == {
        "CPIAUCSL": 50, "DCOILWTICO": 8, "DGS10": 3, "DGS2": 3, "DTWEXBGS": 8, "FEDFUNDS": 36, "ICSA": 6,
        "PAYEMS": 42, "T10Y2Y": 3, "UMCSENT": 35, "UNRATE": 42, "VIXCLS": 3,
        "ECBDFR": 3, **{f"IR3TIB01{country}M156N": 75 for country in ("AU", "CA", "CH", "GB", "JP", "NZ")},
    }  # fmt: skip


def test_a_rate_is_named_for_every_currency_of_the_shipped_pairs(shipped: Universe) -> None:
    pairs = [item.symbol.removesuffix("=X") for item in shipped.instruments([AssetClass.CURRENCIES])]
    assert {name for pair in pairs for name in (pair[:3], pair[3:])} == set(shipped.rates.series)
    assert set(shipped.rates.series.values()) <= set(shipped.macro_series())
    assert set(shipped.rates.series.values()) - shipped.rates.carry_only == {"FEDFUNDS"}
    assert currency_rates(Settings()) == shipped.rates == shipped.as_of(date(2000, 1, 1)).rates


def test_a_rate_that_is_a_macro_series_too_is_described_once(tmp_path: Path) -> None:
    rates = RATES + "USD,A,,,,,,,\n" + "SEK," + SERIES.replace("A,a", "B,b")
    loaded = load_universe(folder(tmp_path, stocks=MARKET + KO, macro=MACRO + SERIES, rates=rates))
    assert loaded.macro_series() == ["A", "B"]
    assert loaded.rates == CurrencyRates({"USD": "A", "SEK": "B"}, frozenset({"B"}))
    assert loaded.restricted((), 1).rates == loaded.rates


SERIES = "A,a,fred,daily,1,next day,no,2000-01-01\n"


@pytest.mark.parametrize(
    ("table", "text", "complaint"),
    [
        ("stocks", MARKET + KO + KO, "line 3: first_day must not fall into the listing of KO on line 2 of stocks.csv"),
        (
            "stocks",
            MARKET + KO.replace("02,,", "02,2020-01-31,") + KO.replace("1962-01-02", "2020-01-31"),
            "line 3: first_day must not fall into the listing of KO on line 2 .*, nor the reverse, got '2020-01-31'",
        ),
        ("etfs", MARKET + KO, r"symbol must be of one class \(also on line 2 of \w+.csv\), got 'KO'"),
        ("bonds", MARKET + KO, r"bonds.csv: a table must be of a class \(commodities, .*\), got 'bonds'"),
        ("stocks", MARKET + KO.replace("XNYS", "NYSE2"), "line 2: exchange must be one of .*XNYS.*, got 'NYSE2'"),
        ("stocks", MARKET + KO.replace("1962-01-02", "2.1.1962"), "first_day must be an ISO date .*, got '2.1.1962'"),
        ("stocks", MARKET + KO.replace("1962-01-02", ""), "first_day must be an ISO date .*, got ''"),
        (
            "stocks",
            MARKET + "# a remark\n\n" + KO.replace("02,,", "02,1961-12-29,"),
            "stocks.csv, line 4: last_day must not lie before first_day 1962-01-02, got '1961-12-29'",
        ),
        ("stocks", MARKET + KO.replace(",,\n", ",,yahoo\n"), "aliases must look like vendor=name;.*, got 'yahoo'"),
        ("stocks", MARKET + KO.replace(",,\n", ",,yaho=KO\n"), "aliases must .* coingecko, .*, got 'yaho=KO'"),
        ("stocks", MARKET + KO.replace(",,\n", ",,rest=A;rest=B\n"), "each of .* at most once, got 'rest=A;rest=B'"),
        ("stocks", MARKET + KO.replace("Coca-Cola", ""), "name must not be empty, got ''"),
        ("stocks", MARKET + "KO,Coca-Cola\n", "line 2: a row must have 9 cells, got 2"),
        ("stocks", "symbol,name\nKO,Coke\n", "line 1: the columns must be symbol,name,exchange,.*, got 'symbol,name'"),
        ("stocks", MARKET, "there must be a table of a class .*, got none"),
        ("macro", MACRO + SERIES.replace("daily", "yearly"), "frequency must be one of daily,"),
        ("macro", MACRO + SERIES.replace("daily,1", "daily,-1"), "lag_days must be a whole number"),
        ("macro", MACRO + SERIES.replace(",no,", ",maybe,"), "with_vintages must be one of no, yes, got 'maybe'"),
        ("macro", MACRO + SERIES + SERIES, r"macro.csv, line 3: series must stand once \(also on line 2\), got 'A'"),
        (
            "rates",
            RATES + 2 * f"USD,{SERIES}",
            r"line 3: currency must stand once \(also on line 2\), got 'USD'",
        ),
        ("rates", RATES + "USD,FEDFUNDS,,,,,,,\n", "rates.csv, line 2: name must not be empty, got ''"),
        ("rates", RATES + f",{SERIES}", "currency must not be empty, got ''"),
        ("rates", MACRO + SERIES, "line 1: the columns must be currency,series,name,.*, got 'series,name,"),
        ("asx_companies", COMPANIES + 2 * "BHP,BHP,Materials,Materials\n", "code must stand once"),
        ("renames", RENAMES + "META,FB,2022-06-08,\n", "symbol must stand in the table of a class, got 'META'"),
        ("renames", RENAMES + "KO,OLD,2000-01-31,nobody\n", "vendors must name only alpha_vantage,"),
        (
            "renames",
            RENAMES + "KO,KO,2000-01-31,\n",
            "line 2: former must not be listed on its own up to 2000-01-31: those days belong to KO, got 'KO'",
        ),
    ],
)
def test_a_table_that_breaks_a_rule_is_refused_with_file_line_and_value(
    tmp_path: Path, table: str, text: str, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_universe(folder(tmp_path, **{"stocks": MARKET + KO, table: text}))


def test_a_rate_must_not_be_described_twice(tmp_path: Path) -> None:
    tables = {"stocks": MARKET + KO, "macro": MACRO + SERIES, "rates": RATES + f"USD,{SERIES}"}
    with pytest.raises(SettingsError, match=r"rates.csv, line 2: name must be empty: A is described in macro.csv, got"):
        load_universe(folder(tmp_path, **tables))


def test_a_folder_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"vendors.universe: .*nowhere must be a folder"):
        load_universe(tmp_path / "nowhere")


def test_a_former_name_may_belong_to_someone_else_later(tmp_path: Path) -> None:
    later = KO.replace("KO", "OLD").replace("1962-01-02", "2000-02-01")
    loaded = load_universe(folder(tmp_path, stocks=MARKET + KO + later, renames=RENAMES + "KO,OLD,2000-01-31,rest\n"))
    assert [item.symbol for item in loaded.instruments(ALL)] == ["KO", "OLD"]
    assert loaded.renames == (Rename("KO", "OLD", date(2000, 1, 31), ("rest",)),)
    # They say how a vendor is asked today, also by a run that is dated before.
    assert loaded.as_of(date(1999, 1, 4)).renames == loaded.renames


def listed(symbol: str, first: str, last: str = "", asset_class: AssetClass = AssetClass.STOCKS) -> Instrument:
    return Instrument(
        symbol, asset_class, "XNYS", venue="NYSE",
        first_day=date.fromisoformat(first), last_day=date.fromisoformat(last) if last else None,
    )  # fmt: skip


def test_members_are_those_listed_on_the_day() -> None:
    universe = Universe(
        (
            listed("BACK", "2000-01-03", "2005-06-30"),
            listed("BACK", "2010-01-04"),
            listed("GONE", "2000-01-03", "2008-09-12"),
        )
    )
    named = {
        year: [item.symbol for item in universe.members(date(year, 3, 1))] for year in (1999, 2003, 2007, 2009, 2012)
    }
    assert named == {1999: [], 2003: ["BACK", "GONE"], 2007: ["GONE"], 2009: [], 2012: ["BACK"]}


def test_a_delisting_is_known_from_its_day_on_and_the_company_stays_known() -> None:
    universe = Universe((listed("GONE", "2000-01-03", "2008-09-12"),))
    (before,) = universe.as_of(date(2008, 9, 11)).instruments(ALL)
    assert before.last_day is None
    for day in (date(2008, 9, 12), date(2020, 1, 1)):
        (after,) = universe.as_of(day).instruments(ALL)
        assert after.last_day == date(2008, 9, 12)
    assert universe.as_of(date(2000, 1, 2)).instruments(ALL) == []


DAYS = st.dates(date(2000, 1, 1), date(2026, 12, 31))


@st.composite
def universes(draw: st.DrawFn) -> Universe:
    """Symbols with up to three spells, the last of which may go on; macro series; renames."""
    listings = []
    for number in range(draw(st.integers(0, 5))):
        asset_class = draw(st.sampled_from(ALL))
        days = sorted(draw(st.lists(DAYS, min_size=1, max_size=6, unique=True)))
        for first, last in zip(days[::2], [*days[1::2], None], strict=False):
            listings.append(Instrument(f"S{number}", asset_class, "XNYS", venue="NYSE", first_day=first, last_day=last))
    series = tuple(
        MacroSeries(f"M{number}", "", "fred", "daily", 1, False, day)
        for number, day in enumerate(draw(st.lists(DAYS, max_size=3)))
    )
    return Universe(tuple(draw(st.permutations(listings))), series)


@settings(max_examples=80)
@given(universe=universes(), day=DAYS, other=DAYS)
def test_a_universe_as_of_a_day_knows_nothing_later_and_forgets_nothing_earlier(
    universe: Universe, day: date, other: date
) -> None:
    seen = universe.as_of(day)
    told = [moment for item in seen.listings for moment in (item.first_day, item.last_day) if moment is not None]
    assert all(moment <= day for moment in told)
    assert all(item.first_day <= day for item in seen.series)
    # Whatever happened later is one and the same to it.
    assert universe.as_of(max(day, other)).as_of(day) == seen
    assert seen.as_of(max(day, other)) == seen
    # Nobody who was ever listed by then is missing, and those listed on the day are the members of the full universe.
    began = {item.symbol for item in universe.listings if item.first_day is not None and item.first_day <= day}
    assert {item.symbol for item in seen.instruments(ALL)} == began
    assert [item.symbol for item in seen.members(day)] == [item.symbol for item in universe.members(day)]


@settings(max_examples=40)
@given(universe=universes(), day=DAYS)
def test_members_of_past_days_are_the_same_from_every_later_day(universe: Universe, day: date) -> None:
    past = date(2000, 1, 1) + (day - date(2000, 1, 1)) / 2
    then = [(item.symbol, item.first_day) for item in universe.members(past)]
    assert [(item.symbol, item.first_day) for item in universe.as_of(day).members(past)] == then


def test_a_run_may_be_limited_to_exchanges_and_to_the_first_symbols_of_each_table(shipped: Universe) -> None:
    limited = shipped.restricted(("asx", "NYSE"), 20)
    stocks = limited.instruments([AssetClass.STOCKS])
    assert len(stocks) == 20
    assert {item.venue for item in stocks} == {"ASX", "NYSE"}
    table = [item.symbol for item in shipped.listings if item.asset_class is AssetClass.STOCKS]
    wanted = [symbol for symbol in dict.fromkeys(table) if of(shipped, symbol).venue in {"ASX", "NYSE"}]
    assert {item.symbol for item in stocks} == set(wanted[:20])
    # Walmart left the New York Stock Exchange.
    assert "WMT" not in {item.symbol for item in shipped.restricted(("NYSE",), None).instruments(ALL)}
    # Coins are traded on no stock exchange and stay, unless their own venue is named.
    assert len(limited.instruments([AssetClass.CRYPTO])) == 10
    assert limited.macro_series() == shipped.macro_series()
    assert [item.venue for item in shipped.restricted(("COMEX",), None).instruments([AssetClass.COMMODITIES])] == [
        "COMEX"
    ] * 3
    assert shipped.restricted((), None).instruments(ALL) == shipped.instruments(ALL)
    with pytest.raises(SettingsError, match=r"run.exchanges: unknown exchange 'LSE'; known: .*ASX"):
        shipped.restricted(("ASX", "LSE"), None)


def test_the_latest_session_is_covered_by_enough_of_each_class(shipped: Universe) -> None:
    assert shipped.latest_session(ALL, date(2026, 11, 19), 0.8) == date(2026, 11, 19)
    assert shipped.latest_session(ALL, date(2026, 11, 22), 0.8) == date(2026, 11, 20)  # a Sunday
    assert shipped.latest_session([AssetClass.CRYPTO], date(2026, 11, 22), 0.8) == date(2026, 11, 22)
    # 26 January 2026, Australia Day: half of the stocks have no session, but one in thirteen ETFs only.
    assert shipped.latest_session([AssetClass.STOCKS], date(2026, 1, 26), 0.8) == date(2026, 1, 23)
    assert shipped.latest_session([AssetClass.ETFS], date(2026, 1, 26), 0.8) == date(2026, 1, 26)
    assert shipped.latest_session([AssetClass.ETFS], date(2026, 1, 26), 1.0) == date(2026, 1, 23)
    latest = shipped.latest_session([AssetClass.STOCKS], date(2026, 7, 5), 1.0)
    assert latest == exchange_sessions("XNYS", date(2026, 6, 1), date(2026, 7, 5))[-1].date()
    with pytest.raises(VendorRejected, match="a symbol of crypto that is listed on 2005-01-03"):
        shipped.latest_session([AssetClass.CRYPTO], date(2005, 1, 3), 0.8)


def test_a_live_run_has_the_universe_as_its_catalogue_and_limits_it() -> None:
    live = Settings.model_validate({"vendors": {"source": "live"}, "run": {"exchanges": ["ASX"], "max_symbols": 3}})
    catalogue = make_catalogue(live)
    assert [item.symbol for item in catalogue.instruments([AssetClass.STOCKS])] == ["ALL.AX", "ANZ.AX", "BHP.AX"]
    one = Settings.model_validate({"vendors": {"source": "rest"}})
    assert len(make_catalogue(one).instruments(ALL)) > 90


def test_the_order_of_vendors_is_that_of_the_settings_or_the_one_source() -> None:
    live = Settings.model_validate(
        {"vendors": {"source": "live", "order": {"stocks": ["rest", "yahoo"], "etfs": ["yaho"]}}}
    )
    assert vendor_order(live, "stocks") == ("rest", "yahoo")
    assert vendor_order(Settings(), "stocks") == ("simulator",)
    with pytest.raises(SettingsError, match=r"vendors.order.etfs: unknown vendor 'yaho'; known: .*yahoo"):
        vendor_order(live, "etfs")
    with pytest.raises(SettingsError, match=r"vendors.order must name the vendors of reits; it has .*stocks"):
        vendor_order(Settings.model_validate({"vendors": {"source": "live", "order": {"stocks": ["yahoo"]}}}), "reits")
    unknown = Settings.model_validate({"vendors": {"source": "yahu"}})
    for use in (lambda: vendor_order(unknown, "stocks"), lambda: make_catalogue(unknown)):
        with pytest.raises(SettingsError, match=r"vendors.source: unknown vendor 'yahu'; known: .*live, .*simulator"):
            use()


def test_a_vendor_without_its_key_is_left_out_with_what_that_costs_and_where_to_get_one() -> None:
    text = missing_key(Settings(), "fred")
    assert "FRED_API_KEY" in text and "fred-api-key" in text and "https://" in text and "macro" in text
    given = Settings.model_validate({"vendors": {"fred": {"api_key": "x"}}})
    assert missing_key(given, "fred") == ""
    assert [name for name in VENDORS if missing_key(Settings(), name)] == ["alpha_vantage", "fred"]

"""The vendors' stand-in: the real clients, bare, read the world's truth from it, and fail on its faults as measured."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import alpha_vantage.alphavantage
import numpy as np
import pandas as pd
import pytest
import requests
import yfinance
from alpha_vantage.cryptocurrencies import CryptoCurrencies
from alpha_vantage.foreignexchange import ForeignExchange
from alpha_vantage.timeseries import TimeSeries
from curl_cffi import requests as curl
from fredapi import Fred
from hypothesis import given, settings
from hypothesis import strategies as st
from pycoingecko import CoinGeckoAPI
from stand_in import KEYS, StandIn
from stand_in_faults import DATA_KINDS, Change, Fault, FaultPlan, Kind
from stand_in_process import StandInProcess
from stand_in_world import DEFAULT_INSTRUMENTS, World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument
from wealtharena.settings import Settings, load_settings

START, END = date(2024, 1, 2), date(2026, 11, 19)
PENCE = Instrument("VOD.L", AssetClass.STOCKS, "XLON", "GBp", name="Vodafone", venue="LSE")
HEALTHY = World.default(5, (*DEFAULT_INSTRUMENTS, PENCE), START, END)
_YAHOO_COLUMNS = {
    "Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume",
    "Dividends": "dividend",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _yfinance_without_a_past(tmp_path: Path) -> Iterator[None]:
    """yfinance keeps session, cookie, answers and files for the whole process."""
    folder, hidden = yfinance.cache._TzDBManager.get_location(), yfinance.config.debug.hide_exceptions
    yfinance.set_tz_cache_location(str(tmp_path))
    _forget_yahoo()
    yield
    _forget_yahoo()
    yfinance.set_tz_cache_location(folder)
    yfinance.config.debug.hide_exceptions = hidden


def _forget_yahoo() -> None:
    data = yfinance.data.YfData()
    data._cookie = data._crumb = None
    data._cookie_strategy = "basic"
    yfinance.data.YfData.cache_get.cache_clear()


def _history(
    stand_in: StandIn, symbol: str, start: date = START, end: date = END, timeout: float = 10.0
) -> pd.DataFrame:
    """What yfinance makes of a symbol, both days included."""

    class Loopback(curl.Session):
        def request(self, method: str, url: str, **options: object) -> curl.Response:
            return super().request(method, url.replace("https://", f"{stand_in.url}/yahoo/"), **options)

    ticker = yfinance.Ticker(symbol, session=Loopback())
    return ticker.history(start=start, end=end + timedelta(days=1), auto_adjust=False, timeout=timeout)


def _assert_yahoo_told_the_truth(world: World, symbol: str, table: pd.DataFrame) -> None:
    truth = world.clean_bars(symbol, "yahoo").set_index("session_date")
    assert list(table.index.tz_localize(None)) == list(truth.index)
    for theirs, ours in _YAHOO_COLUMNS.items():
        np.testing.assert_array_equal(table[theirs].to_numpy(float), truth[ours].to_numpy())
    np.testing.assert_array_equal(table["Stock Splits"].replace(0.0, 1.0).to_numpy(), truth["split"].to_numpy())


def _alpha_vantage(stand_in: StandIn, patch: pytest.MonkeyPatch) -> None:
    url = f"{stand_in.url}/alpha_vantage/query?"
    patch.setattr(alpha_vantage.alphavantage.AlphaVantage, "_ALPHA_VANTAGE_API_URL", url)


def _fred(stand_in: StandIn) -> Fred:
    client = Fred(KEYS["fred"])
    client.root_url = f"{stand_in.url}/fred"
    return client


def _coingecko(stand_in: StandIn) -> CoinGeckoAPI:
    client = CoinGeckoAPI(demo_api_key=KEYS["coingecko"])
    client.api_base_url = f"{stand_in.url}/coingecko/"
    return client


def _milliseconds(world: World) -> int:
    return int(world.now.timestamp() * 1000)


@contextmanager
def _failing(*faults: Fault, world: World = HEALTHY) -> Iterator[StandIn]:
    with StandIn(world, FaultPlan(faults)) as stand_in:
        yield stand_in


@pytest.mark.parametrize("symbol", HEALTHY.symbols())
def test_yfinance_reads_the_truth_of_every_class(symbol: str) -> None:
    with StandIn(HEALTHY) as stand_in:
        _assert_yahoo_told_the_truth(HEALTHY, symbol, _history(stand_in, symbol))


def test_yahoo_stamps_sessions_in_the_exchanges_own_zone() -> None:
    with StandIn(HEALTHY) as stand_in:
        url = f"{stand_in.url}/yahoo/v8/finance/chart"
        summer = {"period1": 1780272000, "period2": 1780444800, "interval": "1d"}  # 1 and 2 June 2026
        stamps = {
            symbol: [
                f"{datetime.fromtimestamp(stamp, UTC):%d %H:%M}"
                for stamp in requests.get(f"{url}/{symbol}", summer, timeout=5).json()["chart"]["result"][0][
                    "timestamp"
                ]
            ]
            for symbol in ("AAPL", "BHP.AX", "BTC-USD", "EURUSD=X", "GC=F")
        }
    assert stamps == {
        "AAPL": ["01 13:30", "02 13:30"],
        "BHP.AX": ["01 00:00", "02 00:00"],
        "BTC-USD": ["01 00:00", "02 00:00"],
        "EURUSD=X": ["01 23:00", "02 23:00"],  # midnight in London of the day after
        "GC=F": ["01 04:00", "02 04:00"],
    }


def test_yahoo_tells_minor_currencies_and_adjusts_for_splits_up_to_now() -> None:
    world = World.default(5, (PENCE,), date(2026, 1, 2), date(2026, 6, 30))
    before = world.clean_bars("VOD.L", "yahoo")
    world.add_split("VOD.L", date(2026, 7, 1), 2.0)
    assert world.clean_bars("VOD.L", "yahoo").equals(before)
    world.advance(date(2026, 7, 1))
    after = world.clean_bars("VOD.L", "yahoo")
    np.testing.assert_allclose(after["close"][:-1], before["close"] / 2.0, rtol=1e-6)
    np.testing.assert_allclose(world.bars("VOD.L")["close"][:-1], before["close"], rtol=1e-6)
    assert world.splits("VOD.L") == {date(2026, 7, 1): 2.0}
    with StandIn(world) as stand_in:
        _assert_yahoo_told_the_truth(world, "VOD.L", _history(stand_in, "VOD.L", date(2026, 1, 2), world.end))
        chart = requests.get(f"{stand_in.url}/yahoo/query2.finance.yahoo.com/v8/finance/chart/VOD.L", timeout=5).json()
    assert chart["chart"]["result"][0]["meta"]["currency"] == "GBp"


def test_alpha_vantage_reads_the_last_hundred_bars_as_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(HEALTHY) as stand_in:
        _alpha_vantage(stand_in, monkeypatch)
        key = KEYS["alpha_vantage"]
        answers = {
            "AAPL": TimeSeries(key).get_daily("AAPL")[0],
            "EURUSD=X": ForeignExchange(key).get_currency_exchange_daily("EUR", "USD")[0],
            "BTC-USD": CryptoCurrencies(key).get_digital_currency_daily("BTC", "USD")[0],
        }
    for symbol, answer in answers.items():
        truth = HEALTHY.clean_bars(symbol, "alpha_vantage")[::-1]
        truth = truth if symbol == "BTC-USD" else truth[:100]
        assert list(answer) == [f"{day:%Y-%m-%d}" for day in truth["session_date"]]
        for row, name in enumerate(("open", "high", "low", "close", "volume")[: 4 if symbol == "EURUSD=X" else 5]):
            told = [float(bar[f"{row + 1}. {name}"]) for bar in answer.values()]
            np.testing.assert_array_equal(told, truth[name].to_numpy())


def test_alpha_vantages_full_history_is_for_paying_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(HEALTHY) as stand_in, StandIn(HEALTHY, alpha_vantage_premium=True) as premium:
        _alpha_vantage(stand_in, monkeypatch)
        with pytest.raises(ValueError, match="premium feature"):
            TimeSeries(KEYS["alpha_vantage"]).get_daily("AAPL", outputsize="full")
        _alpha_vantage(premium, monkeypatch)
        assert len(TimeSeries(KEYS["alpha_vantage"]).get_daily("AAPL", outputsize="full")[0]) == len(
            HEALTHY.bars("AAPL")
        )


def test_fredapi_reads_todays_values_and_every_vintage() -> None:
    truth = HEALTHY.macro("INDPRO")
    with StandIn(HEALTHY) as stand_in:
        client = _fred(stand_in)
        today = client.get_series("INDPRO")
        then = client.get_series("INDPRO", realtime_start="2026-03-01", realtime_end="2026-03-01")
        releases = client.get_series_all_releases("INDPRO")
        vintages = client.get_series_vintage_dates("INDPRO")
        blanks = client.get_series("DGS10")
    latest = truth.drop_duplicates("reference_date", keep="last")
    assert list(today.index) == list(latest["reference_date"])
    np.testing.assert_array_equal(today.to_numpy(), latest["value"].to_numpy())
    known = truth[truth["released"] <= "2026-03-01"].drop_duplicates("reference_date", keep="last")
    np.testing.assert_array_equal(then.to_numpy(), known["value"].to_numpy())
    assert not then.equals(today[: len(then)])
    for theirs, ours in (("date", "reference_date"), ("realtime_start", "released"), ("value", "value")):
        assert list(releases[theirs]) == list(truth[ours])
    assert vintages == sorted(set(truth["released"]))
    assert np.isnan(blanks["2026-07-03"])


def test_fred_clips_vintages_to_the_window_and_refuses_too_many() -> None:
    world = World.default(5, (), date(2016, 1, 4), END)
    with StandIn(world) as stand_in:
        client = _fred(stand_in)
        clipped = client.get_series_all_releases("UNRATE", realtime_start="2026-09-01", realtime_end="2026-10-31")
        with pytest.raises(ValueError, match=r"exceeds the maximum number of vintage dates allowed \(2000\)"):
            client.get_series_all_releases("DGS10")
        with pytest.raises(ValueError, match="The series does not exist"):
            client.get_series("NO_SUCH")
        client.api_key = "short"
        with pytest.raises(ValueError, match="32 character alpha-numeric"):
            client.get_series("UNRATE")
    assert clipped["realtime_start"].min() == pd.Timestamp("2026-09-01")
    assert len(clipped) == len(world.macro("UNRATE").query("released <= '2026-10-31'"))


def test_coingecko_tells_closes_at_midnight_and_prices_to_the_minute() -> None:
    truth = HEALTHY.clean_bars("BTC-USD", "coingecko")
    with StandIn(HEALTHY) as stand_in:
        chart = _coingecko(stand_in).get_coin_market_chart_by_id("bitcoin", "usd", 365)
        hours = _coingecko(stand_in).get_coin_market_chart_by_id("bitcoin", "usd", 30)
    prices = pd.DataFrame(chart["prices"], columns=["at", "price"])
    days = pd.to_datetime(prices["at"][:-1], unit="ms") - pd.Timedelta(days=1)
    assert list(days) == list(truth["session_date"])
    np.testing.assert_array_equal(prices["price"][:-1], truth["close"])
    np.testing.assert_array_equal(np.array(chart["total_volumes"])[:-1, 1], truth["volume"])
    assert prices["at"].iloc[-1] == _milliseconds(HEALTHY)
    assert len(hours["prices"]) == 30 * 24 + 1
    assert all(at % 3_600_000 for at, _ in hours["prices"][:-1])


def test_coingeckos_candles_are_stamped_at_their_close_and_join_to_days() -> None:
    with StandIn(HEALTHY) as stand_in:
        candles = _coingecko(stand_in).get_coin_ohlc_by_id("bitcoin", "usd", "30")
        long = _coingecko(stand_in).get_coin_ohlc_by_id("bitcoin", "usd", "365")
    table = pd.DataFrame(candles, columns=["at", "open", "high", "low", "close"])
    assert set(table["at"].diff().dropna()) == {4 * 3_600_000}
    assert set(np.diff([row[0] for row in long])) == {4 * 86_400_000}
    days = (pd.to_datetime(table["at"], unit="ms") - pd.Timedelta(hours=4)).dt.normalize()
    joined = table.groupby(days).agg({"open": "first", "high": "max", "low": "min", "close": "last"})[1:]
    truth = HEALTHY.bars("BTC-USD").set_index("session_date").loc[joined.index]
    np.testing.assert_allclose(joined, truth[["open", "high", "low", "close"]], rtol=1e-12)


def test_coingecko_serves_one_year() -> None:
    with StandIn(HEALTHY) as stand_in, pytest.raises(ValueError, match="10012"):
        _coingecko(stand_in).get_coin_market_chart_by_id("bitcoin", "usd", 366)


def test_the_rest_feed_wants_its_key() -> None:
    url = "rest/bars/AAPL?from=2026-11-02&to=2026-11-06"
    with StandIn(HEALTHY) as stand_in:
        refused = requests.get(f"{stand_in.url}/{url}", timeout=5)
        bars = requests.get(
            f"{stand_in.url}/{url}", headers={"Authorization": f"Bearer {KEYS['rest']}"}, timeout=5
        ).json()
    truth = HEALTHY.clean_bars("AAPL", "rest").set_index("session_date").loc["2026-11-02":"2026-11-06"]
    assert refused.status_code == 401
    assert [bar["date"] for bar in bars] == [f"{day:%Y-%m-%d}" for day in truth.index]
    assert [bar["close"] for bar in bars] == list(truth["close"])


def test_the_project_is_pointed_at_the_stand_in_by_settings_or_variables() -> None:
    with StandIn(HEALTHY) as stand_in:
        direct = Settings.model_validate({"vendors": stand_in.settings()}).vendors
        read = load_settings("nightly", environment=stand_in.environment()).vendors
    for vendors in (direct, read):
        assert vendors.source == "live"
        assert vendors.is_demo
        for name in ("yahoo", "alpha_vantage", "fred", "coingecko", "rest"):
            assert getattr(vendors, name).base_url == f"{stand_in.url}/{name}"
            assert getattr(vendors, name).max_per_second is None
        assert vendors.alpha_vantage.api_key.get_secret_value() == KEYS["alpha_vantage"]


def test_yfinance_is_silent_on_errors_and_repeats_its_bad_answer() -> None:
    start, end = date(2026, 3, 2), date(2026, 3, 31)
    yfinance.config.debug.hide_exceptions = True
    with _failing(Fault(Kind.SERVER_ERROR, "yahoo", "AAPL", where="period1", first=2)) as stand_in:
        logging.getLogger("yfinance").disabled = True
        assert _history(stand_in, "AAPL", start, end).empty
        asked = stand_in.count("yahoo")
        assert _history(stand_in, "AAPL", start, end).empty  # the vendor is well again, but is not asked
        logging.getLogger("yfinance").disabled = False
        assert stand_in.count("yahoo") == asked
        yfinance.data.YfData.cache_get.cache_clear()
        assert len(_history(stand_in, "AAPL", start, end)) == 22


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.SERVER_ERROR, "YFPricesMissingError"),
        (Kind.UNKNOWN_SYMBOL, "YFPricesMissingError"),
        (Kind.INVALID_CRUMB, "YFPricesMissingError"),
        (Kind.EMPTY_RESULT, "YFPricesMissingError"),
        (Kind.TOO_MANY_REQUESTS, "YFRateLimitError"),
        (Kind.WILL_BE_RIGHT_BACK, "YFDataException"),
        (Kind.UNAVAILABLE_HTML, "JSONDecodeError"),
        (Kind.HTML, "JSONDecodeError"),
        (Kind.EMPTY_BODY, "JSONDecodeError"),
        (Kind.RESET, "ConnectionError"),
        (Kind.TRUNCATED, "IncompleteRead"),
        (Kind.HANG, "Timeout"),
        (Kind.SLOW_DRIP, "Timeout"),
    ],
)
def test_yfinance_shows_each_fault_once_its_errors_are_not_hidden(kind: Kind, error: str) -> None:
    yfinance.config.debug.hide_exceptions = False
    fault = Fault(kind, "yahoo", "AAPL", where="period1", seconds=5.0)
    with _failing(fault) as stand_in, pytest.raises(Exception) as raised:
        _history(stand_in, "AAPL", date(2026, 3, 2), date(2026, 3, 31), timeout=0.3)
    assert type(raised.value).__name__ == error


def test_a_refused_crumb_stays_with_yfinance_and_its_charts_arrive_all_the_same() -> None:
    with _failing(Fault(Kind.TOO_MANY_REQUESTS, "yahoo", where="getcrumb")) as stand_in:
        for symbol in ("SPY", "TLT"):
            _assert_yahoo_told_the_truth(HEALTHY, symbol, _history(stand_in, symbol))
        assert "Too Many Requests" in {asked.query.get("crumb") for asked in stand_in.requests}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind.DAY_QUOTA, f"detected your API key as {KEYS['alpha_vantage']}"),
        (Kind.PER_SECOND, "1 request per second"),
        (Kind.PER_MINUTE_NOTE, "5 calls per minute"),
        (Kind.PREMIUM, "premium endpoint"),
        (Kind.BAD_KEY, "apikey is invalid or missing"),
        (Kind.UNKNOWN_SYMBOL, "Invalid API call"),
        (Kind.EMPTY_RESULT, "no return was given"),
    ],
)
def test_alpha_vantage_says_what_is_wrong_with_status_200(
    kind: Kind, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _failing(Fault(kind, "alpha_vantage")) as stand_in:
        _alpha_vantage(stand_in, monkeypatch)
        with pytest.raises(ValueError, match=words):
            TimeSeries(KEYS["alpha_vantage"]).get_daily("AAPL")
        assert stand_in.requests[-1].status == 200


def test_alpha_vantage_counts_the_days_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(HEALTHY, alpha_vantage_per_day=2) as stand_in:
        _alpha_vantage(stand_in, monkeypatch)
        client = TimeSeries(KEYS["alpha_vantage"])
        client.get_daily("AAPL")
        client.get_daily("JPM")
        with pytest.raises(ValueError, match="25 requests per day"):
            client.get_daily("AAPL")
        stand_in.new_day()
        client.get_daily("AAPL")


def test_fredapi_takes_an_empty_answer_for_an_empty_series() -> None:
    with _failing(
        Fault(Kind.EMPTY_RESULT, "fred", "DGS2"),
        Fault(Kind.TOO_MANY_REQUESTS, "fred", "DGS10", first=1),
        Fault(Kind.BAD_KEY, "fred", "DFF", first=1),
        Fault(Kind.UNAVAILABLE_HTML, "fred", "GDP"),
    ) as stand_in:
        client = _fred(stand_in)
        assert client.get_series("DGS2").empty
        with pytest.raises(ValueError, match="Exceeded Rate Limit"):
            client.get_series("DGS10")
        assert len(client.get_series("DGS10")) == len(HEALTHY.macro("DGS10"))
        with pytest.raises(ValueError, match="not registered"):
            client.get_series("DFF")
        with pytest.raises(SyntaxError):  # ElementTree's ParseError
            client.get_series("GDP")


def test_pycoingecko_never_retries_here_and_hands_empty_lists_on() -> None:
    with _failing(
        Fault(Kind.TOO_MANY_REQUESTS, "coingecko", "BTC-USD", first=1, retry_after=119),
        Fault(Kind.EMPTY_RESULT, "coingecko", "ETH-USD"),
    ) as stand_in:
        client = _coingecko(stand_in)
        with pytest.raises(ValueError, match="429"):
            client.get_coin_market_chart_by_id("bitcoin", "usd", 5)
        assert stand_in.count("coingecko") == 1
        assert client.get_coin_market_chart_by_id("ethereum", "usd", 5)["prices"] == []
        refused = requests.get(f"{stand_in.url}/coingecko/coins/dogecoin/ohlc", timeout=5)
    assert refused.status_code == 404


def test_retry_after_is_sent_where_the_plan_says_so() -> None:
    with _failing(Fault(Kind.TOO_MANY_REQUESTS, retry_after=7), world=HEALTHY) as stand_in:
        for path in ("yahoo/v8/finance/chart/AAPL", "fred/series?series_id=GDP", "rest/bars/AAPL", "coingecko/coins/x"):
            answer = requests.get(f"{stand_in.url}/{path}", timeout=5)
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_spoiled_rows_arrive_as_planned() -> None:
    day = date(2026, 11, 10)
    truth = HEALTHY.clean_bars("AAPL", "yahoo").set_index("session_date")
    seen: dict[Kind, pd.DataFrame] = {}
    for kind in (Kind.NAN_ROW, Kind.GLITCH, Kind.HIGH_BELOW_LOW, Kind.NEGATIVE, Kind.CONFLICTING_DUPLICATE):
        with _failing(Fault(kind, "yahoo", day=day)) as stand_in:
            url = f"{stand_in.url}/yahoo/v8/finance/chart/AAPL?period1=1793577600&period2=1795132800"
            result = requests.get(url, timeout=5).json()["chart"]["result"][0]
        at = pd.to_datetime(pd.Series(result["timestamp"]), unit="s").dt.normalize()
        seen[kind] = pd.DataFrame(result["indicators"]["quote"][0], index=at).loc[[pd.Timestamp(day)]]
    good = truth.loc[pd.Timestamp(day)]
    assert seen[Kind.NAN_ROW][["open", "high", "low", "close"]].isna().all(axis=None)
    assert seen[Kind.GLITCH]["close"].iloc[0] == good["close"] * 100
    assert seen[Kind.HIGH_BELOW_LOW]["high"].iloc[0] < seen[Kind.HIGH_BELOW_LOW]["low"].iloc[0]
    assert seen[Kind.NEGATIVE]["close"].iloc[0] == -good["close"]
    assert list(seen[Kind.CONFLICTING_DUPLICATE]["close"]) == [good["close"], good["close"] * 1.02]


def test_a_bar_under_way_is_shown_only_where_it_is_planned() -> None:
    world = World.default(5, start=date(2026, 1, 2), end=END)
    noon = datetime(2026, 11, 20, 18, tzinfo=UTC)  # New York has traded for three and a half hours
    with (
        StandIn(world, FaultPlan([Fault(Kind.PARTIAL_BAR, "yahoo")]), noon) as partial,
        StandIn(world, now=noon) as closed,
    ):
        under_way = _history(partial, "AAPL", date(2026, 11, 16), date(2026, 11, 20))
        _forget_yahoo()
        finished = _history(closed, "AAPL", date(2026, 11, 16), date(2026, 11, 20))
    world.advance(date(2026, 11, 20))
    whole = world.bars("AAPL").iloc[-1]
    assert [len(under_way), len(finished)] == [5, 4]
    assert under_way["Open"].iloc[-1] == pytest.approx(whole["open"])
    assert 0 < under_way["Volume"].iloc[-1] < whole["volume"]
    assert under_way["High"].iloc[-1] <= whole["high"] + 1e-6


def test_a_plan_strikes_the_same_whatever_the_order_of_requests() -> None:
    faults = [
        Fault(Kind.SERVER_ERROR, "yahoo", share=0.5, nth=(2,)),
        Fault(Kind.RESET, probability=0.3),
        Fault(Kind.NAN_ROW, "fred", "GDP"),
    ]
    asked = [(vendor, symbol) for vendor in ("yahoo", "fred") for symbol in ("AAPL", "GDP", "O") for _ in range(6)]
    first, second = FaultPlan(faults, 3), FaultPlan(faults, 3)
    struck = [(pair, first.strike(*pair, "/")) for pair in asked]
    again = [(pair, second.strike(*pair, "/")) for pair in reversed(asked)]
    by_pair = [{pair: [met for other, met in run if other == pair] for pair in asked} for run in (struck, again)]
    assert by_pair[0] == by_pair[1]
    assert any(met for _, met in struck)


def test_in_a_storm_most_symbols_recover_and_some_never_do() -> None:
    symbols = [f"S{number}" for number in range(200)]
    plan = FaultPlan.storm(11)
    for vendor in ("yahoo", "alpha_vantage", "fred", "coingecko", "rest"):
        hopeless = {symbol for symbol in symbols if plan.hopeless(vendor, symbol)}
        assert 0 < len(hopeless) < 40
        stopped = []
        for symbol in sorted(set(symbols) - hopeless):
            attempts = [plan.strike(vendor, symbol, "/chart") for _ in range(4)]
            stopped.append([any(fault.kind not in DATA_KINDS for fault in met) for met in attempts])
        assert sum(row[0] for row in stopped) > 60
        assert not any(row[3] for row in stopped)
    assert len(plan.describe().splitlines()) == len(plan.faults)


def test_the_world_changes_in_the_middle_of_a_run() -> None:
    world = World.default(5, start=date(2026, 1, 2), end=END)
    plan = FaultPlan(
        changes=[
            Change.retroactive_split("yahoo", "AAPL", 2, date(2026, 11, 12), 4.0),
            Change.changed_symbol("yahoo", "JPM", 2, "JPMX"),
            Change.revised_macro("UNRATE", 2, date(2026, 9, 1), 9.9, date(2026, 11, 18)),
        ]
    )
    with StandIn(world, plan) as stand_in:
        chart = f"{stand_in.url}/yahoo/v8/finance/chart"
        span = "period1=1778000000&period2=1779000000"

        def closes(symbol: str) -> list[float]:
            answer = requests.get(f"{chart}/{symbol}?{span}", timeout=5).json()["chart"]
            return answer["result"][0]["indicators"]["quote"][0]["close"] if answer["result"] else []

        before, after = closes("AAPL"), closes("AAPL")
        known, unknown, renamed = closes("JPM"), closes("JPM"), closes("JPMX")
        unrate = [_fred(stand_in).get_series("UNRATE")["2026-09-01"] for _ in range(2)]
    np.testing.assert_allclose(np.array(before) / 4.0, after, rtol=1e-6)
    assert unknown == []
    assert renamed == known
    assert unrate[0] != unrate[1] == 9.9


@settings(max_examples=15)
@given(st.integers(0, 1000), st.dates(date(2026, 1, 20), date(2026, 10, 30)), st.sampled_from(DEFAULT_INSTRUMENTS))
def test_a_longer_world_begins_with_the_shorter_one(seed: int, end: date, instrument: Instrument) -> None:
    short = World(seed, [instrument], date(2026, 1, 2), end)
    long = World(seed, [instrument], date(2026, 1, 2), END)
    for world in (short, long):
        bars = world.bars(instrument.symbol)
        assert list(bars["session_date"]) == list(exchange_sessions(instrument.exchange, date(2026, 1, 2), world.end))
        assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
        assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
        assert (bars["low"] > 0).all()
    known = long.macro("INDPRO")
    pd.testing.assert_frame_equal(
        short.bars(instrument.symbol), long.bars(instrument.symbol)[: len(short.bars(instrument.symbol))]
    )
    pd.testing.assert_frame_equal(
        short.macro("INDPRO"), known[known["released"] <= pd.Timestamp(end)].reset_index(drop=True)
    )


def test_a_revision_concerns_the_named_vendor_only() -> None:
    world = World.default(5, start=date(2026, 1, 2), end=END)
    day = pd.Timestamp("2026-11-17")
    before = world.clean_bars("AAPL", "rest").set_index("session_date").loc[day, "close"]
    world.revise("AAPL", day.date(), vendor="alpha_vantage", close=1.5, low=1.5)
    assert world.clean_bars("AAPL", "alpha_vantage").set_index("session_date").loc[day, "close"] == 1.5
    assert world.clean_bars("AAPL", "rest").set_index("session_date").loc[day, "close"] == before
    world.drop("AAPL")
    assert "AAPL" not in world.symbols()


def test_the_log_counts_under_many_threads_and_is_read_over_http() -> None:
    with StandIn(HEALTHY) as stand_in:
        url = f"{stand_in.url}/yahoo/v8/finance/chart/AAPL?range=5d"

        def ask() -> None:
            with requests.Session() as session:
                for _ in range(20):
                    assert session.get(url, timeout=5).status_code == 200

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stand_in.count("yahoo", "AAPL") == 120
        log = requests.get(f"{stand_in.url}/_log", timeout=5).json()
        assert log[0] == {
            "vendor": "yahoo", "path": "/v8/finance/chart/AAPL", "query": {"range": "5d"}, "symbol": "AAPL",
            "status": 200,
        }  # fmt: skip
        assert len(log) == 120
        assert requests.get(f"{stand_in.url}/_health", timeout=5).json()["status"] == "ok"
        stand_in.forget()
        assert json.loads(requests.get(f"{stand_in.url}/_counts", timeout=5).text) == {}


@pytest.mark.slow
def test_a_stand_in_in_another_process_serves_the_same_world() -> None:
    world = World.default(5, start=date(2026, 1, 2), end=END)
    world.add_split("AAPL", date(2026, 8, 3), 2.0)
    with StandInProcess(world, FaultPlan([Fault(Kind.TOO_MANY_REQUESTS, "yahoo", "O")])) as stand_in:
        url = f"{stand_in.url}/yahoo/v8/finance/chart"
        answer = requests.get(f"{url}/AAPL?range=max", timeout=5).json()["chart"]["result"][0]
        assert requests.get(f"{url}/O", timeout=5).status_code == 429
        assert len(requests.get(f"{stand_in.url}/_log", timeout=5).json()) == 2
    assert answer["indicators"]["quote"][0]["close"] == list(world.clean_bars("AAPL", "yahoo")["close"])


def test_paid_pages_are_refused_as_the_vendors_refuse_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(HEALTHY) as stand_in:
        _alpha_vantage(stand_in, monkeypatch)
        with pytest.raises(ValueError, match="premium endpoint"):
            TimeSeries(KEYS["alpha_vantage"]).get_daily_adjusted("AAPL")
        with pytest.raises(ValueError, match="Invalid API call"):
            TimeSeries(KEYS["alpha_vantage"]).get_daily("BHP.AX")
        with pytest.raises(ValueError, match="10005"):
            _coingecko(stand_in).get_coin_ohlc_by_id_range("bitcoin", "usd", 1_790_000_000, 1_795_000_000, "daily")

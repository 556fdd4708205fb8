"""Events of the simulated market: each does what it says where it hits, and changes nothing before or beside it."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError, VendorRejected
from wealtharena.core.market_data import FetchRequest, MacroRequest
from wealtharena.settings import SimulatorSettings
from wealtharena.settings.models import EventKind, SimulatedEvent
from wealtharena.vendors import SimulatorVendor
from wealtharena.vendors.simulated_events import conditions, random_events

START, END = date(2018, 1, 1), date(2020, 12, 31)
DAY = date(2019, 6, 12)
KINDS = tuple(EventKind)
PRICES = ["open", "high", "low", "close"]


def vendor(*events: SimulatedEvent, seed: int = 5, rate: float = 0.0, edge: float = 1.0) -> SimulatorVendor:
    chosen = SimulatorSettings(
        seed=seed, edge=edge, symbols_per_class=3, start=START, events=events, events_per_year=rate
    )
    return SimulatorVendor(chosen)


def event(kind: EventKind, size: float, day: date = DAY, **more: object) -> SimulatedEvent:
    target = {"symbol": "STK02.SIM"} if kind is EventKind.NEWS and "symbol" not in more else {}
    return SimulatedEvent.model_validate({"kind": kind, "size": size, "day": day} | target | more)


def bars(source: SimulatorVendor, symbol: str, end: date = END) -> pd.DataFrame:
    (instrument,) = [item for item in source.instruments(tuple(AssetClass)) if item.symbol == symbol]
    (result,) = source.fetch_bars([FetchRequest(instrument, START, end)])
    return result.frame.set_index("session_date").drop(columns="adj_close")


def macro(source: SimulatorVendor, name: str) -> pd.Series:
    (result,) = source.fetch_macro([MacroRequest(name, START, END)])
    return result.frame.set_index("reference_date")["value"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_changes_nothing_before_its_day_and_something_on_it(kind: EventKind) -> None:
    calm, hit = bars(vendor(), "STK02.SIM"), bars(vendor(event(kind, 0.5)), "STK02.SIM")
    before = calm.index < pd.Timestamp(DAY)
    pd.testing.assert_frame_equal(calm[before], hit[before], check_exact=True)
    assert not calm.loc[pd.Timestamp(DAY)].equals(hit.loc[pd.Timestamp(DAY)])


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_spares_symbols_that_it_does_not_name(kind: EventKind) -> None:
    hit = vendor(event(kind, 0.5, symbol="STK02.SIM"))
    for other in ("STK01.SIM", "CRY01.SIM"):
        pd.testing.assert_frame_equal(bars(vendor(), other), bars(hit, other), check_exact=True)
    if kind is not EventKind.NEWS:
        of_class = vendor(event(kind, 0.5, asset_class="crypto"))
        assert bars(of_class, "STK02.SIM").equals(bars(vendor(), "STK02.SIM"))
        assert not bars(of_class, "CRY03.SIM").equals(bars(vendor(), "CRY03.SIM"))


@settings(max_examples=15)
@given(
    kind=st.sampled_from(KINDS),
    size=st.floats(0.01, 0.9),
    offset=st.integers(-30, 1100),
    seed=st.integers(0, 2**31 - 1),
)
def test_bars_stay_consistent_whatever_happens(kind: EventKind, size: float, offset: int, seed: int) -> None:
    shaken = event(kind, size, START + timedelta(days=offset))
    for symbol in ("STK02.SIM", "CUR01.SIM"):
        frame = bars(vendor(shaken, seed=seed, rate=20.0), symbol)
        assert np.isfinite(frame[PRICES]).all(axis=None) and (frame[PRICES] > 0.0).all(axis=None)
        assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
        assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
        assert frame["volume"].isna().all() if symbol.startswith("CUR") else (frame["volume"] > 0).all()


def test_a_volatility_spike_widens_moves_and_fades_with_its_half_life() -> None:
    spike = event(EventKind.VOLATILITY_SPIKE, 2.0, half_life_days=7)
    calm, hit = vendor(edge=0.0), vendor(spike, edge=0.0)
    ratio = (
        hit.conditions("STK02.SIM", START, END).set_index("session_date")["volatility"]
        / calm.conditions("STK02.SIM", START, END).set_index("session_date")["volatility"]
    )
    week = pd.Timestamp(DAY + timedelta(days=7))
    assert ratio[pd.Timestamp(DAY)] == pytest.approx(3.0)
    assert ratio[week] == pytest.approx(2.0)
    assert ratio.iloc[-1] == pytest.approx(1.0)
    moves = [bars(source, "STK02.SIM").eval("close / open - 1")[pd.Timestamp(DAY)] for source in (hit, calm)]
    assert moves[0] == pytest.approx(3.0 * moves[1], rel=1e-3)


def test_a_spike_of_the_whole_market_shows_in_the_volatility_series() -> None:
    fear, calm = macro(vendor(event(EventKind.VOLATILITY_SPIKE, 1.0)), "SIM_VIX"), macro(vendor(), "SIM_VIX")
    assert fear[pd.Timestamp(DAY)] == pytest.approx(2.0 * calm[pd.Timestamp(DAY)], rel=1e-5)
    assert fear[: pd.Timestamp(DAY - timedelta(days=1))].equals(calm[: pd.Timestamp(DAY - timedelta(days=1))])
    of_class = vendor(event(EventKind.VOLATILITY_SPIKE, 1.0, asset_class="stocks"))
    assert macro(of_class, "SIM_VIX").equals(calm)


def test_a_liquidity_crisis_thins_the_volume_and_widens_spread_and_gaps() -> None:
    crisis = event(EventKind.LIQUIDITY_CRISIS, 3.0, half_life_days=30)
    calm, hit = vendor(edge=0.0), vendor(crisis, edge=0.0)
    one, other = (source.conditions("STK02.SIM", DAY, DAY).iloc[0] for source in (calm, hit))
    assert other["volatility"] == pytest.approx(2.5 * one["volatility"])
    assert other["half_spread"] == pytest.approx(4.0 * (0.7e-4 + 0.010 * other["volatility"]))
    before, during = bars(calm, "STK02.SIM"), bars(hit, "STK02.SIM")
    month = slice(pd.Timestamp(DAY), pd.Timestamp(DAY + timedelta(days=28)))
    assert during.loc[month, "volume"].mean() < 0.55 * before.loc[month, "volume"].mean()
    gaps = [np.log(frame["open"] / frame["close"].shift()).loc[month].std() for frame in (before, during)]
    assert gaps[1] > 4.0 * gaps[0]


@pytest.mark.parametrize("size", [-0.3, 0.25])
def test_news_move_the_open_of_one_symbol_for_good(size: float) -> None:
    calm, hit = bars(vendor(), "STK02.SIM"), bars(vendor(event(EventKind.NEWS, size)), "STK02.SIM")
    after = calm.index >= pd.Timestamp(DAY)
    np.testing.assert_allclose(hit.loc[after, PRICES] / calm.loc[after, PRICES], 1.0 + size, rtol=1e-6)
    assert hit.loc[pd.Timestamp(DAY), "volume"] > 1.5 * calm.loc[pd.Timestamp(DAY), "volume"]
    assert hit.loc[calm.index > pd.Timestamp(DAY), "volume"].equals(calm.loc[calm.index > pd.Timestamp(DAY), "volume"])


@pytest.mark.parametrize("kind", [EventKind.FLASH_CRASH, EventKind.FLASH_RALLY])
def test_a_flash_reaches_far_and_comes_back_within_the_day(kind: EventKind) -> None:
    falls, day = kind is EventKind.FLASH_CRASH, pd.Timestamp(DAY)
    calm, hit = bars(vendor(), "STK02.SIM"), bars(vendor(event(kind, 0.4)), "STK02.SIM")
    frame = hit.loc[day]
    assert frame["open"] == calm.loc[day, "open"]
    assert frame["close"] / calm.loc[day, "close"] == pytest.approx(0.96 if falls else 1.04, rel=1e-6)
    body = frame[["open", "close"]]
    if falls:
        assert frame["low"] < 0.61 * body.min() and frame["high"] < 1.1 * body.max()
    else:
        assert frame["high"] > 1.39 * body.max() and frame["low"] > 0.9 * body.min()
    assert frame["volume"] == pytest.approx(3.0 * calm.loc[day, "volume"], rel=0.1)
    usual = hit["close"].drop(day) / calm["close"].drop(day)
    assert set(np.round(usual, 5)) == {1.0, 0.96 if falls else 1.04}


def test_an_event_on_a_closed_day_hits_the_next_session() -> None:
    saturday, monday = date(2019, 6, 15), pd.Timestamp(2019, 6, 17)
    hit = bars(vendor(event(EventKind.NEWS, -0.2, saturday)), "STK02.SIM")
    calm = bars(vendor(), "STK02.SIM")
    assert hit.loc[monday, "open"] == pytest.approx(0.8 * calm.loc[monday, "open"], rel=1e-6)
    end = saturday + timedelta(days=1)
    news = vendor(event(EventKind.NEWS, -0.2, saturday))
    assert bars(news, "STK02.SIM", end).equals(bars(vendor(), "STK02.SIM", end))


def test_jumps_before_the_first_session_do_not_happen() -> None:
    early = vendor(event(EventKind.NEWS, -0.2, START - timedelta(days=40)))
    assert bars(early, "STK02.SIM").equals(bars(vendor(), "STK02.SIM"))


@settings(max_examples=6)
@given(seed=st.integers(0, 2**31 - 1), cut=st.integers(5, 500), more=st.integers(1, 400))
def test_random_events_of_a_longer_history_begin_like_those_of_a_shorter(seed: int, cut: int, more: int) -> None:
    ends = [START + timedelta(days=days) for days in (cut, cut + more)]
    short, long = (bars(vendor(seed=seed, rate=12.0), "CRY02.SIM", end) for end in ends)
    pd.testing.assert_frame_equal(short, long.head(len(short)), check_exact=True)


def test_random_events_come_as_often_as_the_setting_says_and_are_symmetric() -> None:
    days = np.arange(np.datetime64("2000-01-01"), np.datetime64("2100-01-01"))
    found = [item for index in range(1, 9) for item in random_events(1, 2, index, 4.0, 0.02, days)]
    assert len(found) / 800 == pytest.approx(4.0, rel=0.06)
    news = [item.size for item in found if item.kind is EventKind.NEWS]
    assert len(news) / len(found) == pytest.approx(0.6, abs=0.04)
    assert np.mean(np.sign(news)) == pytest.approx(0.0, abs=0.06)
    assert max(map(abs, news)) <= 0.4 and min(map(abs, news)) >= 0.1
    of_class = {EventKind.VOLATILITY_SPIKE, EventKind.LIQUIDITY_CRISIS}
    shared = [[i for i in random_events(1, 2, index, 4.0, 0.02, days) if i.kind in of_class] for index in (1, 2)]
    assert shared[0] == shared[1] and shared[0]
    assert random_events(1, 2, 1, 0.0, 0.02, days) == []


def test_random_events_leave_prices_without_edge_a_martingale() -> None:
    scores = []
    for seed in range(6):
        source = vendor(seed=seed, rate=25.0, edge=0.0)
        for instrument in source.instruments((AssetClass.STOCKS, AssetClass.COMMODITIES)):
            step = bars(source, instrument.symbol)["close"].pct_change().dropna()
            scores.append(step.mean() / step.std() * np.sqrt(len(step)))
    assert abs(np.mean(scores)) < 1.0
    assert np.std(scores) < 2.0


def test_without_events_nothing_is_changed() -> None:
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-02-01"))
    found = conditions([], days)
    for factor in (found.volatility, found.gap, found.spread, found.volume, found.jump, found.slip):
        np.testing.assert_array_equal(factor, 1.0)
    np.testing.assert_array_equal((found.dip, found.spurt), 0.0)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"kind": "news", "size": 0.1}, "must name the symbol"),
        ({"kind": "news", "size": 0.0, "symbol": "STK01.SIM"}, "size of a news must be not 0"),
        ({"kind": "flash_crash", "size": 1.0}, "size of a flash_crash must be above 0, at most 0.9"),
        ({"kind": "flash_rally", "size": -0.1}, "size of a flash_rally must be above 0"),
        ({"kind": "volatility_spike", "size": 21.0}, "must be above 0, at most 20"),
        ({"kind": "flash_crash", "size": 0.1, "symbol": "STK01.SIM", "asset_class": "stocks"}, "asset_class or symbol"),
        ({"kind": "earthquake", "size": 0.1}, "volatility_spike"),
    ],
)
def test_events_that_make_no_sense_are_refused(told: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulatedEvent.model_validate({"day": DAY} | told)


def test_an_event_of_an_unknown_symbol_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match=r"events must name symbols that the simulator has, got STK09\.SIM"):
        vendor(event(EventKind.FLASH_CRASH, 0.1, symbol="STK09.SIM"))


def test_conditions_know_the_symbols_and_the_days_of_the_bars() -> None:
    source = vendor()
    frame = source.conditions("COM01.SIM", date(2018, 3, 1), date(2018, 9, 1))
    days = bars(source, "COM01.SIM").index
    assert list(frame["session_date"]) == list(days[(days >= "2018-03-01") & (days <= "2018-09-01")])
    with pytest.raises(VendorRejected, match="no symbol XYZ"):
        source.conditions("XYZ", START, END)

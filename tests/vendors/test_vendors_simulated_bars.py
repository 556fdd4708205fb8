"""Open, high, low, close, volume and spread of the simulated market hang together as those of real markets do."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import FetchRequest
from wealtharena.settings import SimulatorSettings
from wealtharena.vendors import SimulatorVendor
from wealtharena.vendors.simulated_models import CLASS_MODELS

START, END = date(2017, 1, 2), date(2024, 12, 31)
WITH_VOLUME = [item for item in AssetClass if item is not AssetClass.CURRENCIES]


def frames(asset_class: AssetClass, seed: int = 7) -> list[pd.DataFrame]:
    source = SimulatorVendor(SimulatorSettings(seed=seed, edge=0.0, symbols_per_class=4))
    requests = [FetchRequest(instrument, START, END) for instrument in source.instruments([asset_class])]
    return [result.frame for result in source.fetch_bars(requests)]


def range_volatilities(frame: pd.DataFrame) -> np.ndarray:
    """Parkinson's, Garman and Klass's and Rogers and Satchell's estimates over the standard deviation of the day."""
    opened, high, low, close = (np.log(frame[name].to_numpy()) for name in ("open", "high", "low", "close"))
    day, span = close - opened, high - low
    parkinson = np.mean(span**2) / (4.0 * np.log(2.0))
    garman_klass = np.mean(0.5 * span**2 - (2.0 * np.log(2.0) - 1.0) * day**2)
    rogers_satchell = np.mean((high - opened) * (high - close) + (low - opened) * (low - close))
    found: np.ndarray = np.sqrt(np.array([parkinson, garman_klass, rogers_satchell])) / np.std(day)
    return found


@pytest.mark.parametrize("asset_class", list(AssetClass))
def test_volatility_of_the_range_agrees_with_that_of_the_closes(asset_class: AssetClass) -> None:
    ratios = np.median([range_volatilities(frame) for frame in frames(asset_class)], axis=0)
    assert ratios == pytest.approx([1.0, 1.0, 1.0], abs=0.15)
    assert ratios[0] == pytest.approx(1.0, abs=0.10)


@pytest.mark.parametrize("asset_class", WITH_VOLUME)
def test_volume_follows_the_size_of_the_move_and_itself(asset_class: AssetClass) -> None:
    of_moves, of_itself = [], []
    for frame in frames(asset_class):
        volume, close = np.log(frame["volume"]), np.log(frame["close"])
        of_moves.append(volume.corr(close.diff().abs()))
        of_itself.append([volume.autocorr(lag) for lag in (1, 5, 20)])
    assert 0.4 < np.median(of_moves) < 0.7
    first, week, month = np.median(of_itself, axis=0)
    assert 0.3 < first < 0.7
    assert first > week > month > 0.0


def test_commodities_are_as_liquid_as_futures() -> None:
    volume = np.median([frame["volume"].median() for frame in frames(AssetClass.COMMODITIES)])
    assert 1e6 < volume < 5e6


def test_without_events_prices_are_those_that_always_came_of_this_seed() -> None:
    source = SimulatorVendor(SimulatorSettings(seed=3))
    known = {
        "STK01.SIM": (23.89351, 23.97358, 23.85913, 23.94534),
        "CRY02.SIM": (141.3418, 142.9561, 140.4114, 141.7979),
        "CUR01.SIM": (1.153497, 1.157109, 1.138996, 1.143476),
        "COM03.SIM": (31.80929, 32.04601, 31.62906, 32.02338),
    }
    for instrument in source.instruments(tuple(AssetClass)):
        if instrument.symbol in known:
            (result,) = source.fetch_bars([FetchRequest(instrument, START, date(2019, 12, 30))])
            last = result.frame.iloc[-1][["open", "high", "low", "close"]].to_list()
            assert last == pytest.approx(known[instrument.symbol], rel=1e-6)


def test_the_half_spread_is_a_line_in_the_volatility_of_the_day() -> None:
    source = SimulatorVendor(SimulatorSettings(seed=7))
    for symbol, asset_class in (("STK02.SIM", AssetClass.STOCKS), ("CRY01.SIM", AssetClass.CRYPTO)):
        frame, model = source.conditions(symbol, START, END), CLASS_MODELS[asset_class]
        line = model.half_spread_bps / 1e4 + model.spread_volatility * frame["volatility"]
        np.testing.assert_allclose(frame["half_spread"], line)
        assert frame["half_spread"].max() > 1.5 * frame["half_spread"].min()


def test_on_an_ordinary_day_the_half_spread_is_that_of_a_liquid_market() -> None:
    usual = {name: float(model.half_spread(np.array(model.daily_volatility))) for name, model in CLASS_MODELS.items()}
    expected = {"stocks": 2.0, "crypto": 5.0, "etfs": 2.0, "currencies": 1.0, "reits": 2.0, "commodities": 2.0}
    assert {str(name): 1e4 * spread for name, spread in usual.items()} == pytest.approx(expected, abs=0.05)


def test_conditions_tell_the_volatility_that_the_returns_have() -> None:
    source = SimulatorVendor(SimulatorSettings(seed=11, edge=0.0, symbols_per_class=6))
    scaled = []
    for instrument in source.instruments([AssetClass.ETFS]):
        (result,) = source.fetch_bars([FetchRequest(instrument, START, END)])
        sigma = source.conditions(instrument.symbol, START, END)["volatility"].to_numpy()
        scaled.append(result.frame["close"].pct_change().to_numpy()[1:] / sigma[1:])
    assert np.std(np.concatenate(scaled)) == pytest.approx(1.0, abs=0.03)


def test_simulating_leaves_the_global_random_state_alone() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    source = SimulatorVendor(SimulatorSettings(events_per_year=5.0))
    list(source.fetch_bars([FetchRequest(source.instruments([AssetClass.STOCKS])[0], START, END)]))
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]

"""What an account is shown, and that nothing of it is from the future."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from envs_markets import BOUND, FREE, play, priced_panel, random_actions, random_panel, with_another_future

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import MarketPanel
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv
from wealtharena.indicators import CALENDAR, compute_features
from wealtharena.markets import MARKETS, assemble_panel
from wealtharena.markets.frames import bars_from_frames
from wealtharena.settings import Settings

CONFIG = EnvConfig(rules=FREE, episode_days=10)


def test_an_observation_holds_features_position_mask_gross_and_drawdown() -> None:
    panel = priced_panel([[10.0, 10.0], [10.0, 10.0], [5.0, 10.0]])
    env = TradingVectorEnv(panel, EnvConfig(rules=FREE, random_starts=False, episode_days=5))
    first, _ = env.reset()
    np.testing.assert_array_equal(first[0], [[0, 0, 1, 0, 0], [1, 0, 1, 0, 0]])
    env.step(np.array([[1.0, 0.0]], np.float32))
    second, *_ = env.step(np.array([[1.0, 0.0]], np.float32))
    # With two assets and concentration 2 a full position is the whole account, and it halved.
    np.testing.assert_allclose(second[0], [[200, 1, 1, 1, -0.5], [201, 0, 1, 1, -0.5]])


def test_a_position_is_shown_in_full_positions() -> None:
    """Four assets and a concentration of 2: a full position is half of the account."""
    env = TradingEnv(priced_panel([[10.0] * 4] * 3), EnvConfig(rules=FREE, random_starts=False))
    env.reset()
    observation, *_, info = env.step(np.array([0.5, -0.4, 0.0, 0.0], np.float32))
    assert info["weights"] == pytest.approx([0.25, -0.2, 0.0, 0.0])
    np.testing.assert_allclose(observation[:, 1], [0.5, -0.4, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(observation[:, 3], [0.45] * 4, rtol=1e-6)


@pytest.mark.parametrize("window", [1, 3])
def test_rows_of_assets_that_are_not_observed_are_masked(window: int) -> None:
    env = TradingVectorEnv(random_panel(), replace(CONFIG, window=window), num_envs=8)
    observation, _ = env.reset()
    num_masked = 0
    for action in random_actions(env, 30):
        mask = observation[:, :, -3]
        rows = env.accounts.state["row"]
        np.testing.assert_array_equal(mask, env.market.observed[rows])
        last_features = observation[:, :, 3 * (window - 1) : 3 * window]
        assert not last_features[mask == 0.0].any()
        assert not observation[:, :, -4][mask == 0.0].any()
        np.testing.assert_array_equal(observation[:, :, -2:], observation[:, :1, -2:].repeat(4, axis=1))
        assert (observation[:, :, -1] <= 0.0).all()
        assert observation in env.observation_space
        num_masked += int((mask == 0.0).sum())
        observation, *_ = env.step(action)
    assert num_masked > 10


def test_an_asset_that_cannot_be_traded_is_not_bought() -> None:
    everything = np.ones((4, 2), bool)
    halted = everything.copy()
    halted[1, 0] = False
    panel = replace(priced_panel([[10.0, 10.0]] * 4), tradable=halted)
    env = TradingEnv(panel, EnvConfig(rules=FREE, random_starts=False))
    env.reset()
    *_, info = env.step(np.array([0.5, 0.5], np.float32))
    assert info["weights"] == pytest.approx([0.0, 0.5])
    *_, info = env.step(np.array([0.5, 0.5], np.float32))
    assert info["weights"] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("window", [2, 5])
@pytest.mark.parametrize("subset", [None, 2])
def test_a_window_is_the_stacked_features_of_its_sessions_the_oldest_first(window: int, subset: int | None) -> None:
    panel = random_panel(features=3)
    env = TradingVectorEnv(panel, replace(CONFIG, window=window, symbols_per_episode=subset), num_envs=6)
    observation, _ = env.reset()
    single = TradingEnv(panel, replace(CONFIG, random_starts=False, episode_days=100))
    shown = [single.reset()[0][:, :3], *(step[0][:, :3] for step in play(single, 59))]
    for action in random_actions(env, 30):
        for i, row in enumerate(env.accounts.state["row"]):
            lags = [shown[row - lag][env.accounts.assets[i]] for lag in reversed(range(window))]
            np.testing.assert_array_equal(observation[i, :, :-4], np.concatenate(lags, axis=1))
        observation, *_ = env.step(action)


def test_a_window_changes_neither_the_account_columns_nor_the_equity() -> None:
    panel = random_panel()
    one, five = (
        TradingEnv(panel.rows(5 - window, 60), replace(CONFIG, rules=BOUND, window=window, random_starts=False))
        for window in (1, 5)
    )
    assert one.reset()[0][:, -4:].tobytes() == five.reset()[0][:, -4:].tobytes()
    for action in random_actions(one, 10):
        first, second = one.step(action), five.step(action)
        assert first[0][:, -4:].tobytes() == second[0][:, -4:].tobytes()
        assert first[1] == second[1]


def test_macro_and_calendar_series_are_columns_like_any_other() -> None:
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2020-01-01", periods=420, name="date")
    frames = {
        symbol: pd.DataFrame({"close": 50 * np.exp(np.cumsum(rng.normal(0, 0.01, 420))), "volume": 1e6}, index=days)
        for symbol in ("AAA", "BBB")
    }
    frames = {name: frame.assign(open=frame.close, high=frame.close, low=frame.close) for name, frame in frames.items()}
    macro = pd.DataFrame(
        {
            "series": "SIM_RATE",
            "reference_date": days,
            "available_date": days + pd.Timedelta(days=1),
            "value": rng.normal(2.0, 0.1, 420),
        }
    )
    bars = bars_from_frames(frames)
    spec = MARKETS[AssetClass.STOCKS]
    names = ("return_5", "rsi_14", *CALENDAR)
    features = compute_features(bars, macro, names, sectors=None)
    coverage = pd.DataFrame({"symbol": ["AAA", "BBB"], "delisted_on": pd.NaT})
    panel = assemble_panel(spec.asset_class, features, bars, coverage, Settings())
    env = TradingEnv(panel, EnvConfig(rules=FREE, window=2))
    observation, info = env.reset()
    columns = list(panel.feature_names)
    assert observation.shape == (2, 2 * len(columns) + 4)
    assert {"macro_SIM_RATE", *CALENDAR} <= set(columns)
    for lag, first in ((1, 0), (0, len(columns))):
        shown = observation[:, first : first + len(columns)]
        np.testing.assert_array_equal(shown, panel.features[info["row"] - lag])
        for name in ("macro_SIM_RATE", *CALENDAR):
            assert shown[0, columns.index(name)] == shown[1, columns.index(name)]


def shown_until(panel: MarketPanel, row: int, window: int, action: str) -> list[tuple[object, ...]]:
    """All that is seen and earned up to the close of a row."""
    config = EnvConfig(rules=BOUND, window=window, action=action, episode_days=1_000, random_starts=False)
    env = TradingVectorEnv(panel, config, num_envs=3)
    return [env.reset()[0], *play(env, row - window + 1)]


@pytest.mark.parametrize("action", ["weights", "changes", "levels"])
@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("row", [8, 23, 40, 58])
def test_the_future_changes_no_bit_of_what_is_shown_and_earned(row: int, window: int, action: str) -> None:
    panel = random_panel()
    whole = shown_until(panel, row, window, action)
    for other in (panel.rows(0, row + 1), with_another_future(panel, row)):
        again = shown_until(other, row, window, action)
        assert whole[0].tobytes() == again[0].tobytes()
        for one, two in zip(whole[1:-1], again[1:-1], strict=True):
            assert [value.tobytes() for value in one] == [value.tobytes() for value in two]
        # The last session may end the shorter market's episode, and is the same otherwise.
        assert [value.tobytes() for value in whole[-1][:2]] == [value.tobytes() for value in again[-1][:2]]


def test_the_present_does_change_what_is_earned() -> None:
    panel = random_panel()
    whole, other = (shown_until(market, 30, 1, "weights") for market in (panel, with_another_future(panel, 29)))
    assert whole[-2][0].tobytes() == other[-2][0].tobytes()
    assert whole[-1][0].tobytes() != other[-1][0].tobytes()
    assert whole[-1][1].tobytes() != other[-1][1].tobytes()

"""Where episodes start and end, which assets they have and what trading costs in them."""

from dataclasses import replace

import numpy as np
import pytest
from envs_markets import FREE, play, priced_panel, random_actions, random_panel

from wealtharena.core.panel import AssetCosts
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv

CONFIG = EnvConfig(rules=FREE, episode_days=10)


def test_random_starts_are_rows_with_something_to_observe_and_room_for_a_whole_episode() -> None:
    env = TradingVectorEnv(random_panel(warmup=20), CONFIG, num_envs=500)
    env.reset()
    rows = env.accounts.state["row"]
    assert set(rows.tolist()) == set(range(20, 50))
    np.testing.assert_array_equal(env.accounts.state["last_row"], rows + 10)


def test_random_starts_leave_room_for_the_window() -> None:
    env = TradingVectorEnv(random_panel(warmup=2), replace(CONFIG, window=8), num_envs=500)
    env.reset()
    assert set(env.accounts.state["row"].tolist()) == set(range(7, 50))


def test_without_random_starts_episodes_begin_at_the_first_row_of_the_window() -> None:
    env = TradingVectorEnv(random_panel(), replace(CONFIG, window=4, random_starts=False), num_envs=3)
    env.reset()
    assert env.accounts.state["row"].tolist() == [3, 3, 3]


@pytest.mark.parametrize("lowest", [None, 4, 10])
def test_lengths_are_drawn_between_the_shortest_and_the_longest(lowest: int | None) -> None:
    env = TradingVectorEnv(random_panel(), replace(CONFIG, min_episode_days=lowest), num_envs=400)
    env.reset()
    planned = env.accounts.state["last_row"] - env.accounts.state["row"]
    assert set(planned.tolist()) == set(range(lowest or 10, 11))
    lived = np.zeros(400, int)
    for t, (_, _, terminated, truncated) in enumerate(play(env, 10), start=1):
        assert not terminated.any()
        lived[truncated & (lived == 0)] = t
    np.testing.assert_array_equal(lived, planned)


def test_an_episode_ends_with_the_panel() -> None:
    env = TradingVectorEnv(random_panel(sessions=10, warmup=6), replace(CONFIG, episode_days=50))
    env.reset()
    assert [bool(step[3][0]) for step in play(env, 3)] == [False, False, True]


def test_bankruptcy_terminates_and_is_not_truncated() -> None:
    config = EnvConfig(rules=FREE, random_starts=False, episode_days=2)
    env = TradingVectorEnv(priced_panel([[1.0], [1.0], [3.0], [3.0]]), config)
    env.reset()
    env.step(np.full((1, 1), -1.0, np.float32))
    _, reward, terminated, truncated, _ = env.step(np.full((1, 1), -1.0, np.float32))
    assert (terminated[0], truncated[0]) == (True, False)
    # A loss of more than 99 % counts as 99 %.
    assert reward[0] == pytest.approx((np.log(0.01) - np.log(0.01) ** 2 / 2) * 100.0)


def test_an_episode_of_few_symbols_trades_those_that_are_observed() -> None:
    panel = random_panel()
    panel.observed[:, 2] = False
    env = TradingVectorEnv(panel, replace(CONFIG, symbols_per_episode=1), num_envs=300)
    observation, _ = env.reset()
    assert observation.shape == (300, 1, 7)
    assert (observation[:, 0, -3] == 1.0).all()
    assert set(env.accounts.assets[:, 0].tolist()) == {0, 1, 3}


def test_subsets_are_drawn_anew_each_episode_and_each_pair_is_as_likely() -> None:
    env = TradingVectorEnv(random_panel(), replace(CONFIG, symbols_per_episode=2), num_envs=600)
    env.reset()
    first = env.accounts.assets.copy()
    env.reset()
    assert (first != env.accounts.assets).any(axis=1).mean() > 0.7
    pairs, counts = np.unique(first, axis=0, return_counts=True)
    assert pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert counts.min() > 50


def test_a_subset_trades_like_the_same_symbols_alone() -> None:
    panel = random_panel()
    env = TradingVectorEnv(panel, replace(CONFIG, symbols_per_episode=2), num_envs=6)
    env.reset()
    columns, row = env.accounts.assets[3].copy(), int(env.accounts.state["row"][3])
    alone = TradingVectorEnv(
        panel.select(tuple(panel.symbols[k] for k in columns)).rows(row, 60), replace(CONFIG, random_starts=False)
    )
    alone.reset()
    for action in random_actions(env, 10):
        observation, reward, *_ = env.step(action)
        expected, expected_reward, *_ = alone.step(action[3:4])
        np.testing.assert_array_equal(observation[3], expected[0])
        assert reward[3] == expected_reward[0]


def test_costs_are_drawn_within_their_range_and_scale_what_trading_costs() -> None:
    panel = priced_panel([[10.0]] * 3, AssetCosts.flat(1, 0.01))
    config = EnvConfig(rules=FREE, cost_multiplier=2.0, cost_range=(0.5, 1.5), random_starts=False)
    env = TradingVectorEnv(panel, config, num_envs=500, detailed_infos=True)
    env.reset()
    *_, infos = env.step(np.ones((500, 1), np.float32))
    # Twice 1 %, times 0.5 to 1.5, of what the whole account buys.
    assert infos["cost"].min() == pytest.approx(0.01, rel=0.02)
    assert infos["cost"].max() == pytest.approx(0.03, rel=0.02)
    assert infos["cost"].mean() == pytest.approx(0.02, rel=0.05)
    np.testing.assert_allclose(infos["cost"], 0.01 * env.accounts.state["cost_multiplier"])
    before = env.accounts.state["cost_multiplier"].copy()
    env.reset()
    assert (before != env.accounts.state["cost_multiplier"]).all()


def test_without_a_range_everyone_pays_the_multiplier() -> None:
    env = TradingEnv(priced_panel([[10.0]] * 3, AssetCosts.flat(1, 0.01)), replace(CONFIG, cost_multiplier=3.0))
    env.reset()
    assert env.step(np.ones(1, np.float32))[4]["cost"] == pytest.approx(0.03)

"""The vector environment: observations, rewards, episodes, autoreset, exact resume."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from envs_markets import FREE, priced_panel, random_panel
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList

from wealtharena.core.errors import DataWindowError, ExecutionError, SettingsError
from wealtharena.envs import EnvConfig, TradingVectorEnv

CONFIG = EnvConfig(rules=FREE, episode_days=10)


def actions(env: TradingVectorEnv, seed: int, steps: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = env.action_space.shape
    if isinstance(env.single_action_space, spaces.Box):
        return [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(steps)]
    return [rng.integers(len(env.config.levels), size=shape) for _ in range(steps)]


def rollout(env: TradingVectorEnv, steps: int, seed: int = 0) -> list[tuple[Any, ...]]:
    return [env.step(action)[:4] for action in actions(env, seed, steps)]


def assert_bit_equal(first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]) -> None:
    for one, other in zip(first, second, strict=True):
        assert [array.tobytes() for array in one] == [array.tobytes() for array in other]


def test_observation_holds_features_position_mask_gross_and_drawdown() -> None:
    panel = priced_panel([[10.0, 10.0], [10.0, 10.0], [5.0, 10.0]])
    env = TradingVectorEnv(panel, EnvConfig(rules=FREE, random_starts=False, episode_days=5))
    first, _ = env.reset()
    np.testing.assert_array_equal(first[0], [[0, 0, 1, 0, 0], [1, 0, 1, 0, 0]])
    env.step(np.array([[1.0, 0.0]], np.float32))
    second, *_ = env.step(np.array([[1.0, 0.0]], np.float32))
    # With two assets and concentration 2 a full position is the whole account, and it halved.
    np.testing.assert_allclose(second[0], [[200, 1, 1, 1, -0.5], [201, 0, 1, 1, -0.5]])


def test_rows_of_unobserved_assets_are_zero_except_the_account_columns() -> None:
    panel = random_panel()
    env = TradingVectorEnv(panel, CONFIG, num_envs=8)
    env.reset()
    num_masked = 0
    for observation, *_ in rollout(env, 30):
        masked = observation[:, :, -3] == 0.0
        num_masked += int(masked.sum())
        assert not observation[masked][:, :-3].any()
        np.testing.assert_array_equal(observation[:, :, -2:], observation[:, :1, -2:].repeat(4, axis=1))
        assert (observation[:, :, -1] <= 0.0).all()
    assert num_masked > 10


def test_spaces_contain_what_the_environment_gives_and_takes() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=3)
    observation, _ = env.reset()
    assert observation in env.observation_space
    assert env.single_observation_space.shape == (4, 3 + 4)
    assert env.single_action_space == spaces.Box(-1.0, 1.0, (4,), np.float32)
    assert env.step(env.action_space.sample())[0] in env.observation_space


def test_reward_is_the_log_return_less_risk_times_scale_and_infos_name_its_terms() -> None:
    panel = priced_panel([[10.0], [10.0], [11.0]])
    config = EnvConfig(rules=FREE, random_starts=False, episode_days=5, reward_scale=50.0)
    env = TradingVectorEnv(panel, config, detailed_infos=True)
    env.reset()
    env.step(np.ones((1, 1), np.float32))
    _, reward, _, _, infos = env.step(np.ones((1, 1), np.float32))
    log_return = np.log(1.1)
    assert reward[0] == pytest.approx((log_return - log_return**2) * 50.0)
    terms = infos["reward_terms"]
    assert terms["log_return"][0] + terms["risk_penalty"][0] == pytest.approx(reward[0])
    assert infos["equity"][0] == pytest.approx(1.1)


def test_infos_convert_to_one_dictionary_per_account() -> None:
    env = DictInfoToList(TradingVectorEnv(random_panel(), CONFIG, num_envs=2, detailed_infos=True))
    _, infos = env.reset()
    assert [sorted(info) for info in infos] == [["cost", "equity", "limits", "reward_terms", "turnover", "weights"]] * 2


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_episodes() -> None:
    runs = []
    for seed in (3, 3, 4):
        env = TradingVectorEnv(random_panel(), CONFIG, num_envs=5, seed=seed)
        env.reset()
        runs.append(rollout(env, 40))
    assert_bit_equal(runs[0], runs[1])
    assert runs[0][5][0].tobytes() != runs[2][5][0].tobytes()


def test_reset_with_a_seed_starts_over() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=5)
    env.reset(seed=9)
    first = rollout(env, 25)
    env.reset(seed=9)
    assert_bit_equal(first, rollout(env, 25))


def test_an_episode_ends_after_its_days_and_the_next_step_resets() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2)
    env.reset()
    steps = rollout(env, 23)
    ends = [bool(truncated.all()) for _, _, _, truncated in steps]
    assert [t for t, end in enumerate(ends) if end] == [9, 20]
    observation, reward, terminated, truncated = steps[10]
    assert not (reward.any() or terminated.any() or truncated.any())
    assert not observation[:, :, -1].any()
    assert not observation[:, :, -2].any()


def test_an_episode_ends_with_the_panel() -> None:
    env = TradingVectorEnv(random_panel(sessions=10, warmup=6), EnvConfig(rules=FREE, episode_days=50))
    env.reset()
    assert [bool(step[3][0]) for step in rollout(env, 3)] == [False, False, True]


def test_bankruptcy_terminates_and_is_not_truncated() -> None:
    env = TradingVectorEnv(
        priced_panel([[1.0], [1.0], [3.0], [3.0]]), EnvConfig(rules=FREE, random_starts=False, episode_days=2)
    )
    env.reset()
    env.step(np.full((1, 1), -1.0, np.float32))
    _, reward, terminated, truncated, _ = env.step(np.full((1, 1), -1.0, np.float32))
    assert (terminated[0], truncated[0]) == (True, False)
    # A loss of more than 99 % counts as 99 %.
    assert reward[0] == pytest.approx((np.log(0.01) - np.log(0.01) ** 2) * 100.0)


def test_same_step_reset_returns_the_new_episode_and_keeps_the_last_observation() -> None:
    panel, steps = random_panel(), 10
    same = TradingVectorEnv(panel, CONFIG, 2, 5, autoreset_mode=AutoresetMode.SAME_STEP, detailed_infos=True)
    following = TradingVectorEnv(panel, CONFIG, 2, 5, detailed_infos=True)
    same.reset()
    following.reset()
    for action in actions(same, 1, steps):
        one, other = same.step(action), following.step(action)
    assert one[3].all()
    assert one[4]["_final_obs"].all()
    np.testing.assert_array_equal(np.stack(one[4]["final_obs"]), other[0])
    np.testing.assert_array_equal(one[4]["final_info"]["equity"], other[4]["equity"])
    restarted = following.step(actions(following, 2, 1)[0])
    np.testing.assert_array_equal(one[0], restarted[0])
    assert (one[4]["equity"] == 1.0).all()


def test_without_autoreset_an_ended_episode_must_be_reset() -> None:
    env = TradingVectorEnv(priced_panel([[1.0]] * 3), CONFIG, 2, autoreset_mode=AutoresetMode.DISABLED)
    env.reset()
    rollout(env, 2)
    with pytest.raises(ExecutionError, match="2 episodes have ended; call reset"):
        rollout(env, 1)
    env.reset(options={"reset_mask": np.array([True, True])})
    rollout(env, 1)


def test_a_step_before_the_first_reset_starts_the_episodes() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2)
    assert not rollout(env, 1)[0][1].any()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("subset", [None, 2])
def test_a_restored_environment_continues_bit_for_bit(mode: AutoresetMode, subset: int | None) -> None:
    config = replace(CONFIG, symbols_per_episode=subset)
    env = TradingVectorEnv(random_panel(), config, 4, 1, autoreset_mode=mode)
    env.reset()
    before = rollout(env, 13)[-1][0]
    state = pickle.loads(pickle.dumps(env.get_state()))  # noqa: S301  # our own bytes
    expected = rollout(env, 40, seed=2)
    other = TradingVectorEnv(random_panel(), config, 4, 99, autoreset_mode=mode)
    np.testing.assert_array_equal(other.set_state(state), before)
    assert_bit_equal(expected, rollout(other, 40, seed=2))


def test_random_starts_are_rows_with_something_to_observe_and_room_for_a_whole_episode() -> None:
    env = TradingVectorEnv(random_panel(warmup=20), CONFIG, num_envs=500)
    env.reset()
    rows = env.accounts.row
    assert (rows.min(), rows.max()) == (20, 49)


def test_an_episode_of_few_symbols_trades_those_that_are_observed() -> None:
    panel = random_panel()
    panel.observed[:, 2] = False
    env = TradingVectorEnv(panel, replace(CONFIG, symbols_per_episode=1), num_envs=300)
    observation, _ = env.reset()
    assert observation.shape == (300, 1, 7)
    assert (observation[:, 0, -3] == 1.0).all()
    assert set(env.accounts.assets[:, 0].tolist()) == {0, 1, 3}


def test_a_subset_trades_like_the_same_symbols_alone() -> None:
    panel = random_panel()
    env = TradingVectorEnv(panel, replace(CONFIG, symbols_per_episode=2), num_envs=6)
    env.reset()
    columns, row = env.accounts.assets[3].copy(), int(env.accounts.row[3])
    alone = TradingVectorEnv(
        panel.rows(row, 60).select(tuple(panel.symbols[k] for k in columns)), replace(CONFIG, random_starts=False)
    )
    alone.reset()
    for action in actions(env, 0, 10):
        observation, reward, *_ = env.step(action)
        expected, expected_reward, *_ = alone.step(action[3:4])
        np.testing.assert_array_equal(observation[3], expected[0])
        assert reward[3] == expected_reward[0]


def test_levels_are_scores() -> None:
    panel = random_panel()
    discrete = TradingVectorEnv(panel, replace(CONFIG, action="levels", symbols_per_episode=1), num_envs=6)
    continuous = TradingVectorEnv(panel, replace(CONFIG, symbols_per_episode=1), num_envs=6)
    assert discrete.single_action_space == spaces.Discrete(3)
    discrete.reset()
    continuous.reset()
    for action in actions(discrete, 0, 12):
        one = discrete.step(action)[:4]
        other = continuous.step(np.array([-1.0, 0.0, 1.0])[action][:, None])[:4]
        assert_bit_equal([one], [other])


def test_several_assets_of_levels_are_multi_discrete() -> None:
    env = TradingVectorEnv(random_panel(), replace(CONFIG, action="levels", levels=(0.0, 1.0)), num_envs=2)
    assert env.single_action_space == spaces.MultiDiscrete([2, 2, 2, 2])
    env.reset()
    rollout(env, 3)


@pytest.mark.parametrize("copy", [True, False])
def test_observations_are_fresh_arrays_only_if_asked(copy: bool) -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2, copy=copy)
    env.reset()
    first, second = (env.step(action)[0] for action in actions(env, 0, 2))
    assert np.shares_memory(first, second) is not copy


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((2, 4), np.nan, np.float32), "finite"),
        (np.zeros((2, 3), np.float32), r"must be \(2, 4\)"),
        (np.zeros(8, np.float32), r"must be \(2, 4\)"),
    ],
)
def test_unusable_actions_are_refused(bad: np.ndarray, message: str) -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2)
    env.reset()
    with pytest.raises(ExecutionError, match=message):
        env.step(bad)


def test_a_level_that_does_not_exist_is_refused() -> None:
    env = TradingVectorEnv(random_panel(), replace(CONFIG, action="levels", symbols_per_episode=1))
    env.reset()
    with pytest.raises(ExecutionError, match=r"\[0, 3\)"):
        env.step(np.array([3]))


def test_panels_without_an_episode_are_refused() -> None:
    with pytest.raises(DataWindowError, match="two sessions"):
        TradingVectorEnv(random_panel(sessions=1), CONFIG)
    with pytest.raises(DataWindowError, match="no asset is observed"):
        TradingVectorEnv(random_panel(warmup=60), CONFIG)
    with pytest.raises(DataWindowError, match="at most 4"):
        TradingVectorEnv(random_panel(), replace(CONFIG, symbols_per_episode=5))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="episode_days must be at least 1, got 0"):
        EnvConfig(rules=FREE, episode_days=0)
    with pytest.raises(SettingsError, match="levels"):
        EnvConfig(rules=FREE, action="levels", levels=(0.0, 2.0))
    with pytest.raises(SettingsError, match="action must be"):
        EnvConfig(rules=FREE, action="votes")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="symbols_per_episode"):
        EnvConfig(rules=FREE, symbols_per_episode=0)

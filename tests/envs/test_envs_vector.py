"""The vector environment against Gymnasium's own, account by account, in every autoreset mode."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from envs_markets import BOUND, FREE, play, priced_panel, random_actions, random_panel
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

from wealtharena.core.errors import ExecutionError
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv
from wealtharena.execution.accounts import REPORT

CONFIG = EnvConfig(rules=FREE, episode_days=10)
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]
# Without chance, so that accounts that share a generator and accounts with one each live through the same.
SURE = EnvConfig(rules=BOUND, random_starts=False, episode_days=7)


def crash() -> list[list[float]]:
    """A market in which someone who is short by the fourth session is ruined by the fifth."""
    return [[10.0, 10.0]] * 4 + [[100.0, 10.0]] * 6


def both(panel: Any, config: EnvConfig, mode: AutoresetMode, num_envs: int = 3) -> tuple[SyncVectorEnv, Any]:
    """Gymnasium's vector environment over single ones, and ours."""
    theirs = SyncVectorEnv([lambda: TradingEnv(panel, config)] * num_envs, autoreset_mode=mode)
    return theirs, TradingVectorEnv(panel, config, num_envs, autoreset_mode=mode, detailed_infos=True)


def assert_same(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> None:
    for one, other in zip(theirs[:-1], ours[:-1], strict=True):
        assert data_equivalence(one, other, exact=True)
    assert_same_infos(theirs[-1], ours[-1])


def assert_same_infos(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert set(theirs) == set(ours)
    for key, values in theirs.items():
        if isinstance(values, dict):
            assert_same_infos(values, ours[key])
        elif values.dtype == object:
            assert data_equivalence(values.tolist(), ours[key].tolist(), exact=True), key
        else:
            np.testing.assert_array_equal(values, ours[key], err_msg=key)
            assert values.shape == ours[key].shape
            assert values.dtype == ours[key].dtype, key


@pytest.mark.parametrize("action", ["weights", "changes", "levels"])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_it_does_what_gymnasiums_own_vector_environment_does(mode: AutoresetMode, action: str) -> None:
    theirs, ours = both(random_panel(warmup=0), replace(SURE, action=action), mode)
    assert theirs.single_observation_space == ours.single_observation_space
    assert theirs.single_action_space == ours.single_action_space
    assert theirs.observation_space == ours.observation_space
    assert theirs.action_space == ours.action_space
    assert theirs.metadata["autoreset_mode"] == ours.metadata["autoreset_mode"]
    assert_same(theirs.reset(), ours.reset())
    for choice in random_actions(ours, 40):
        result = theirs.step(choice)
        assert_same(result, ours.step(choice))
        if mode is AutoresetMode.DISABLED and result[3].any():
            mask = {"reset_mask": result[3]}
            assert_same(theirs.reset(options=dict(mask)), ours.reset(options=dict(mask)))


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_it_does_so_when_accounts_end_at_different_times(mode: AutoresetMode) -> None:
    config = replace(SURE, rules=FREE, episode_days=8)
    theirs, ours = both(priced_panel(crash()), config, mode)
    assert_same(theirs.reset(), ours.reset())
    ends = []
    for t in range(20):
        choice = np.array([[-1.0, 0.0], [0.0, 0.5], [-1.0 if t > 5 else 0.0, 0.0]], np.float32)
        result = theirs.step(choice)
        assert_same(result, ours.step(choice))
        done = result[2] | result[3]
        ends.append(done)
        if mode is AutoresetMode.DISABLED and done.any():
            assert_same(theirs.reset(options={"reset_mask": done}), ours.reset(options={"reset_mask": done}))
    assert sum(done.any() and not done.all() for done in ends) > 0


def test_spaces_contain_what_the_environment_gives_and_takes() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=3)
    observation, _ = env.reset()
    assert observation in env.observation_space
    assert env.single_observation_space.shape == (4, 3 + 4)
    assert np.isfinite(env.single_observation_space.low).all()
    assert env.single_action_space == spaces.Box(-1.0, 1.0, (4,), np.float32)
    assert env.step(env.action_space.sample())[0] in env.observation_space


def test_infos_convert_to_one_dictionary_per_account() -> None:
    env = DictInfoToList(TradingVectorEnv(random_panel(), CONFIG, num_envs=2, detailed_infos=True))
    _, infos = env.reset()
    names = {*(REPORT.names or ()), "equity", "weights", "row", "reward_terms", "is_demo"}
    assert [set(info) for info in infos] == [names] * 2


def test_without_detailed_infos_there_are_none() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2)
    _, infos = env.reset()
    assert infos["is_demo"].tolist() == [False, False]
    assert [env.step(action)[4] for action in random_actions(env, 15)] == [{}] * 15


def test_gymnasiums_statistics_count_its_episodes() -> None:
    env = RecordEpisodeStatistics(TradingVectorEnv(random_panel(), CONFIG, num_envs=2))
    env.reset()
    steps = [env.step(action) for action in random_actions(env.env, 10)]
    assert steps[-1][4]["episode"]["l"].tolist() == [10, 10]
    np.testing.assert_allclose(steps[-1][4]["episode"]["r"], sum(step[1] for step in steps))


def test_an_episode_ends_after_its_days_and_the_next_step_resets() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2)
    env.reset()
    steps = play(env, 23)
    ends = [bool(truncated.all()) for _, _, _, truncated in steps]
    assert [t for t, end in enumerate(ends) if end] == [9, 20]
    observation, reward, terminated, truncated = steps[10]
    assert not (reward.any() or terminated.any() or truncated.any())
    assert not observation[:, :, -1].any()
    assert not observation[:, :, -2].any()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.DISABLED])
def test_an_ended_episode_must_be_reset_where_nobody_else_does(mode: AutoresetMode) -> None:
    env = TradingVectorEnv(priced_panel([[1.0]] * 3), CONFIG, 2, autoreset_mode=mode)
    env.reset()
    play(env, 2)
    if mode is AutoresetMode.SAME_STEP:
        play(env, 7)
        return
    with pytest.raises(ExecutionError, match="2 episodes have ended; call reset before step"):
        play(env, 1)
    env.reset(options={"reset_mask": np.array([True, True])})
    play(env, 1)


@pytest.mark.parametrize(
    "mask", [np.array([True]), np.array([1, 0, 1]), [True, True, True], "all", np.zeros(3, bool), None]
)
def test_a_mask_that_is_none_is_refused(mask: object) -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, 3)
    env.reset()
    with pytest.raises(ExecutionError, match="reset_mask must"):
        env.reset(options={"reset_mask": mask})


def test_the_first_reset_is_of_all_accounts() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, 2)
    with pytest.raises(ExecutionError, match="all of them the first time"):
        env.reset(options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize("copy", [True, False])
def test_observations_are_fresh_arrays_only_if_asked(copy: bool) -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, num_envs=2, copy=copy)
    first, _ = env.reset()
    kept = first.copy()
    second = env.step(random_actions(env, 1)[0])[0]
    assert np.shares_memory(first, second) is not copy
    assert np.array_equal(first, kept) is copy


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_a_fresh_array_may_be_written_to(mode: AutoresetMode) -> None:
    env, other = (TradingVectorEnv(random_panel(), CONFIG, 3, autoreset_mode=mode) for _ in range(2))
    env.reset()[0].fill(np.nan)
    other.reset()
    for action in random_actions(env, 10):
        one, two = env.step(action)[0], other.step(action)[0]
        assert one.tobytes() == two.tobytes()
        one.fill(np.nan)
    if mode is not AutoresetMode.SAME_STEP:
        mask = {"reset_mask": np.array([True, False, True])}
        assert env.reset(options=mask)[0].tobytes() == other.reset(options=mask)[0].tobytes()

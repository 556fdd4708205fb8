"""What actions stand for, and that a refused one leaves everything as it was."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from envs_markets import BOUND, FREE, assert_bit_equal, play, priced_panel, random_actions, random_panel
from gymnasium import spaces

from wealtharena.core.errors import ExecutionError
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv, WealthArenaMultiAgentRLEnv

CONFIG = EnvConfig(rules=FREE, episode_days=10)


def test_weights_are_full_positions_and_are_cut_at_one() -> None:
    env = TradingEnv(priced_panel([[10.0] * 4] * 4), EnvConfig(rules=FREE, random_starts=False))
    assert env.action_space == spaces.Box(-1.0, 1.0, (4,), np.float32)
    env.reset()
    *_, info = env.step(np.array([0.5, -0.25, 0.0, 0.0], np.float32))
    assert info["weights"] == pytest.approx([0.25, -0.125, 0.0, 0.0])
    *_, info = env.step(np.array([7.0, -3.0, 0.0, 0.0], np.float32))
    assert info["weights"] == pytest.approx([0.5, -0.5, 0.0, 0.0])


def test_changes_are_added_to_what_is_held() -> None:
    config = EnvConfig(rules=FREE, action="changes", random_starts=False)
    env = TradingEnv(priced_panel([[10.0] * 4] * 6), config)
    assert env.action_space == spaces.Box(-1.0, 1.0, (4,), np.float32)
    env.reset()
    changes = ([0.5, 0.0, 0.0, 0.0], [0.5, -0.4, 0.0, 0.0], [0.0] * 4, [-3.0, 0.4, 0.0, 0.0])
    held = [env.step(np.array(change, np.float32))[4]["weights"] for change in changes]
    np.testing.assert_allclose(
        held, [[0.25, 0, 0, 0], [0.5, -0.2, 0, 0], [0.5, -0.2, 0, 0], [0.0, 0.0, 0, 0]], atol=1e-7
    )


def test_without_a_change_positions_drift() -> None:
    close = np.array([[10.0, 10.0], [10.0, 10.0], [20.0, 10.0], [40.0, 10.0]])
    config = EnvConfig(rules=FREE, action="changes", random_starts=False)
    env = TradingEnv(priced_panel(close, open=np.vstack([close[:1], close[:-1]])), config)
    env.reset()
    infos = [env.step(np.array(change, np.float32))[4] for change in ([0.5, 0.2], [0.0, 0.0], [0.0, 0.0])]
    assert [info["turnover"] for info in infos] == pytest.approx([0.7, 0.0, 0.0])
    assert [info["equity"] for info in infos] == pytest.approx([1.0, 1.5, 2.5])


def test_levels_are_scores() -> None:
    panel = random_panel()
    levels = (-1.0, 0.25, 0.0, 1.0)
    discrete = TradingVectorEnv(panel, replace(CONFIG, rules=BOUND, action="levels", levels=levels), num_envs=6)
    continuous = TradingVectorEnv(panel, replace(CONFIG, rules=BOUND), num_envs=6)
    assert discrete.single_action_space == spaces.MultiDiscrete([4] * 4)
    discrete.reset()
    continuous.reset()
    for action in random_actions(discrete, 12):
        one = discrete.step(action)[:4]
        other = continuous.step(np.array(levels)[action])[:4]
        assert_bit_equal([one], [other])


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.int8])
def test_a_level_of_one_asset_is_a_number(dtype: type) -> None:
    env = TradingEnv(priced_panel([[10.0]] * 4), EnvConfig(rules=FREE, action="levels", random_starts=False))
    assert env.action_space == spaces.Discrete(3)
    env.reset()
    assert [env.step(dtype(level))[4]["weights"].item() for level in (2, 0, 1)] == [1.0, -1.0, 0.0]
    many = TradingVectorEnv(priced_panel([[10.0]] * 4), replace(CONFIG, action="levels"), num_envs=3)
    many.reset()
    many.step(np.array([2, 0, 1], dtype))
    assert many.accounts.weights[:, 0].tolist() == [1.0, -1.0, 0.0]


NAN = float("nan")
WRONG = {
    "NaN": ({}, [0.0, NAN, 0.0, 0.0], "actions must be finite, got nan for asset 1 of account"),
    "infinity": ({}, [0.0, 0.0, 0.0, -np.inf], "actions must be finite, got -inf for asset 3 of account"),
    "shape": ({}, [0.0, 0.0, 0.0], r"actions must have shape \(\d, 4\), got \(\d, 3\)"),
    "one number": ({}, 0.5, r"actions must have shape \(\d, 4\), got \(\d,\)"),
    "words": ({}, ["buy"] * 4, "actions must be numbers, got <U3"),
    "nothing": ({}, [None] * 4, "actions must be numbers, got object"),
    "NaN change": ({"action": "changes"}, [NAN] * 4, "actions must be finite, got nan for asset 0"),
    "level above": ({"action": "levels"}, [0, 1, 3, 0], r"actions must be in \[0, 3\), got 3 for asset 2"),
    "level below": ({"action": "levels"}, [-1, 1, 2, 0], r"actions must be in \[0, 3\), got -1 for asset 0"),
    "highest": (
        {"action": "levels"},
        [0, 2**63 - 1, 0, 0],
        r"must be in \[0, 3\), got 92\d+ for asset 1",
    ),
    "far below": ({"action": "levels"}, [0, -4, 2, 0], r"actions must be in \[0, 3\), got -4 for asset 1"),
    "level of float": ({"action": "levels"}, [0.0, 1.0, 2.0, 0.0], "must be integers, .*, got float64"),
    "level of bool": ({"action": "levels"}, [True] * 4, "must be integers, .*, got bool"),
}


@pytest.mark.parametrize(("changes", "wrong", "message"), WRONG.values(), ids=WRONG)
def test_a_refused_action_of_one_account_leaves_it_as_it_was(
    changes: dict[str, Any], wrong: object, message: str
) -> None:
    env, other = (TradingEnv(random_panel(), replace(CONFIG, **changes), seed=2) for _ in range(2))
    env.reset()
    other.reset()
    play(env, 3)
    play(other, 3)
    with pytest.raises(ExecutionError, match=message):
        env.step(wrong)  # type: ignore[arg-type]
    assert_bit_equal(play(env, 7, seed=1), play(other, 7, seed=1))


@pytest.mark.parametrize(("changes", "wrong", "message"), WRONG.values(), ids=WRONG)
def test_a_refused_action_among_many_leaves_all_accounts_as_they_were(
    changes: dict[str, Any], wrong: Any, message: str
) -> None:
    env, other = (TradingVectorEnv(random_panel(), replace(CONFIG, **changes), 3, seed=2) for _ in range(2))
    env.reset()
    other.reset()
    # The next step restarts ended episodes: not so if it is refused.
    play(env, 10)
    play(other, 10)
    right = 0 if isinstance(wrong, list) and type(wrong[0]) is int else wrong
    with pytest.raises(ExecutionError, match=message):
        env.step(np.array([wrong if i == 1 or right is wrong else [right] * 4 for i in range(3)]))
    assert_bit_equal(play(env, 25, seed=1), play(other, 25, seed=1))


def test_actions_of_another_number_of_accounts_are_refused() -> None:
    env = TradingVectorEnv(random_panel(), CONFIG, 2)
    env.reset()
    for shape in ((1, 4), (3, 4), (8,), (2, 2, 2), (4, 2)):
        with pytest.raises(ExecutionError, match=r"actions must have shape \(2, 4\), got"):
            env.step(np.zeros(shape, np.float32))


def test_a_step_without_a_running_episode_is_refused() -> None:
    single = TradingEnv(random_panel(sessions=3, warmup=0), CONFIG)
    vector = TradingVectorEnv(random_panel(sessions=3, warmup=0), CONFIG, 2)
    for env in (single, vector):
        with pytest.raises(ExecutionError, match="no running episode; call reset before step"):
            env.step(np.zeros(env.action_space.shape, np.float32))
    single.reset()
    play(single, 2)
    with pytest.raises(ExecutionError, match="no running episode; call reset before step"):
        play(single, 1)


@pytest.mark.parametrize("wrong", [[NAN, 0.0], [0.0], "buy", [[0.0, 0.0]]])
def test_a_refused_action_of_one_agent_leaves_all_agents_as_they_were(wrong: object) -> None:
    config = {"panel": random_panel(assets=2), "rules": FREE, "agents": ["ann", "bob"], "episode_days": 10}
    env, other = WealthArenaMultiAgentRLEnv(config), WealthArenaMultiAgentRLEnv(config)
    env.reset()
    other.reset()
    fine = np.full(2, 0.5, np.float32)
    with pytest.raises(ExecutionError, match=r"the action of bob must be .*\(2,\), got"):
        env.step({"ann": fine, "bob": wrong})  # type: ignore[dict-item]
    one, two = env.step({"ann": fine, "bob": fine}), other.step({"ann": fine, "bob": fine})
    assert one[0]["bob"].tobytes() == two[0]["bob"].tobytes()
    assert one[1] == two[1]

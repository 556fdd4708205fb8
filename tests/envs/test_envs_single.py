"""The plain Gymnasium environment."""

import gymnasium
import numpy as np
import pytest
from envs_markets import BOUND, FREE, random_actions, random_panel

from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv
from wealtharena.execution import TERMS
from wealtharena.execution.accounts import REPORT

CONFIGS = {
    "weights": EnvConfig(rules=BOUND, episode_days=30),
    "changes": EnvConfig(rules=BOUND, episode_days=30, action="changes", window=3),
    "levels": EnvConfig(rules=FREE, episode_days=10, action="levels", cost_range=(0.5, 2.0)),
    "one symbol": EnvConfig(rules=FREE, episode_days=10, action="levels", symbols_per_episode=1, min_episode_days=3),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_it_trades_exactly_like_one_account_of_the_vector_environment(name: str) -> None:
    panel = random_panel()
    single = TradingEnv(panel, CONFIGS[name], seed=4)
    vector = TradingVectorEnv(panel, CONFIGS[name], 1, 4, detailed_infos=True)
    observation, infos = vector.reset()
    assert single.reset()[0].tobytes() == observation.tobytes()
    ended = False
    for action in random_actions(single, 100):
        if ended:
            observation, info = single.reset()
            assert observation.tobytes() == vector.step(action[None])[0].tobytes()
        observation, reward, terminated, truncated, info = single.step(action)
        expected = vector.step(action[None])
        ended = terminated or truncated
        assert observation.tobytes() == expected[0].tobytes()
        assert (reward, terminated, truncated) == (expected[1][0], expected[2][0], expected[3][0])
        infos = expected[4]
        for key in (*(REPORT.names or ()), "equity", "row"):
            assert info[key] == infos[key][0], key
        assert info["weights"].tobytes() == infos["weights"].tobytes()


def test_info_explains_the_step() -> None:
    env = TradingEnv(random_panel(), CONFIGS["weights"])
    _, info = env.reset(seed=1)
    assert (info["equity"], info["turnover"], info["is_demo"]) == (1.0, 0.0, False)
    start = info["row"]
    _, reward, _, _, info = env.step(np.ones(4, np.float32))
    assert set(info) == {*(REPORT.names or ()), "equity", "weights", "row", "reward_terms", "is_demo"}
    assert info["row"] == start + 1
    assert info["weights"].shape == (4,)
    costs = info["commission"] + info["spread"] + info["impact"] + info["carrying"]
    assert info["cost"] == pytest.approx(costs / info["equity_open"])
    assert info["reward"] == reward
    assert list(info["reward_terms"]) == list(TERMS)


def test_what_was_returned_is_not_overwritten_by_the_next_step() -> None:
    env = TradingEnv(random_panel(), CONFIGS["weights"])
    env.reset()
    actions = random_actions(env, 2)
    observation, *_, info = env.step(actions[0])
    before = observation.tobytes(), info["weights"].tobytes()
    env.step(actions[1])
    assert before == (observation.tobytes(), info["weights"].tobytes())


def test_gymnasiums_wrappers_go_around_it() -> None:
    env = gymnasium.wrappers.RecordEpisodeStatistics(
        gymnasium.wrappers.FlattenObservation(
            gymnasium.wrappers.TimeLimit(TradingEnv(random_panel(), CONFIGS["weights"]), 5)
        )
    )
    observation, _ = env.reset(seed=0)
    assert observation.shape == (4 * 7,)
    for _ in range(5):
        *_, truncated, info = env.step(env.action_space.sample())
    assert truncated
    assert info["episode"]["l"] == 5

"""The plain Gymnasium environment."""

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from envs_markets import FREE, random_panel
from gymnasium.utils.env_checker import check_env

from wealtharena.core.errors import ExecutionError
from wealtharena.envs import ENV_ID, EnvConfig, TradingEnv, TradingVectorEnv, register_environments

CONFIGS = {
    "weights": EnvConfig(rules=FREE, episode_days=10),
    "levels": EnvConfig(rules=FREE, episode_days=10, action="levels"),
    "one symbol": EnvConfig(rules=FREE, episode_days=10, action="levels", symbols_per_episode=1),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_gymnasiums_checker_finds_nothing(name: str) -> None:
    env = gymnasium.make(f"wealtharena.envs:{ENV_ID}", panel=random_panel(), config=CONFIGS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinity")
        check_env(env.unwrapped)


def test_it_trades_exactly_like_one_account_of_the_vector_environment() -> None:
    single = TradingEnv(random_panel(), CONFIGS["weights"], seed=4)
    vector = TradingVectorEnv(random_panel(), CONFIGS["weights"], 1, 4)
    assert single.reset()[0].tobytes() == vector.reset()[0].tobytes()
    rng = np.random.default_rng(0)
    for _ in range(10):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        observation, reward, terminated, truncated, info = single.step(action)
        expected = vector.step(action[None])
        assert observation.tobytes() == expected[0].tobytes()
        assert (reward, terminated, truncated) == (expected[1][0], expected[2][0], expected[3][0])
    assert truncated
    assert info["equity"] == vector.accounts.equity[0]


def test_info_explains_the_step() -> None:
    env = TradingEnv(random_panel(), CONFIGS["weights"])
    env.reset(seed=1)
    _, reward, _, _, info = env.step(np.ones(4, np.float32))
    assert set(info) == {"equity", "weights", "turnover", "cost", "limits", "reward_terms"}
    assert info["weights"].shape == (4,)
    assert info["cost"] == pytest.approx(info["turnover"] * 0.001)
    assert sum(info["reward_terms"].values()) == pytest.approx(reward)


def test_a_restored_environment_continues_bit_for_bit() -> None:
    env, other = (TradingEnv(random_panel(), CONFIGS["weights"], seed=seed) for seed in (1, 2))
    env.reset()
    observation = env.step(np.ones(4, np.float32))[0]
    assert other.set_state(env.get_state()).tobytes() == observation.tobytes()
    assert env.step(np.zeros(4, np.float32))[1] == other.step(np.zeros(4, np.float32))[1]
    assert env.reset()[0].tobytes() == other.reset()[0].tobytes()


def test_an_ended_episode_must_be_reset() -> None:
    env = TradingEnv(random_panel(sessions=3, warmup=0), CONFIGS["weights"])
    env.reset()
    for _ in range(2):
        env.step(np.zeros(4, np.float32))
    with pytest.raises(ExecutionError, match="call reset"):
        env.step(np.zeros(4, np.float32))


def test_registering_twice_is_harmless() -> None:
    register_environments()
    register_environments()
    assert gymnasium.spec(ENV_ID).id == ENV_ID


def test_a_fresh_process_finds_the_environment_by_its_name() -> None:
    code = f"import gymnasium; print(gymnasium.envs.registration._find_spec('wealtharena.envs:{ENV_ID}').id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ENV_ID


def test_gymnasium_builds_the_vector_environment_by_name() -> None:
    env = gymnasium.make_vec(f"wealtharena.envs:{ENV_ID}", num_envs=3, panel=random_panel(), config=CONFIGS["weights"])
    assert isinstance(env, TradingVectorEnv)
    assert env.reset()[0].shape == (3, 4, 7)

"""Seeds, exact resume, copies, and what environments of one market share."""

import copy
import pickle
import random
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from envs_markets import BOUND, FREE, assert_bit_equal, play, random_panel
from gymnasium.vector import AutoresetMode

from wealtharena.core.errors import ExecutionError
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv, WealthArenaMultiAgentRLEnv
from wealtharena.execution import load_market, market_arrays, save_market

CHANCE = EnvConfig(
    rules=BOUND, window=2, episode_days=12, min_episode_days=5, symbols_per_episode=3, cost_range=(0.5, 2.0)
)
"""Everything that is drawn."""

CONFIGS = {
    "weights": CHANCE,
    "levels": replace(CHANCE, action="levels", window=1),
    "all symbols": EnvConfig(rules=FREE, episode_days=12),
}


def trajectory(config: EnvConfig, seed: int, steps: int = 50) -> list[Any]:
    env = TradingVectorEnv(random_panel(), config, num_envs=5)
    return [(env.reset(seed=seed)[0],), *play(env, steps)]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_other_episodes(name: str) -> None:
    first, again, other = (trajectory(CONFIGS[name], seed) for seed in (3, 3, 4))
    assert_bit_equal(first, again)
    assert first[20][0].tobytes() != other[20][0].tobytes()


@pytest.mark.parametrize("name", CONFIGS)
def test_reset_with_a_seed_starts_over(name: str) -> None:
    env = TradingEnv(random_panel(), CONFIGS[name])
    runs = []
    for _ in range(2):
        observation, _ = env.reset(seed=9)
        runs.append([(observation,), *play(env, 5)])
    assert_bit_equal(*runs)


def test_the_seed_of_the_constructor_is_that_of_the_first_reset() -> None:
    built, told = TradingEnv(random_panel(), CHANCE, seed=7), TradingEnv(random_panel(), CHANCE)
    assert built.reset()[0].tobytes() == told.reset(seed=7)[0].tobytes()
    assert built.reset()[0].tobytes() == told.reset()[0].tobytes()


def test_no_global_generator_is_touched_or_read() -> None:
    results = []
    for global_seed in (1, 2):
        np.random.seed(global_seed)  # what is tested
        random.seed(global_seed)
        before = pickle.dumps(np.random.get_state()), random.getstate()
        results.append(trajectory(CHANCE, 3))
        multi = WealthArenaMultiAgentRLEnv({"panel": random_panel(), "agents": 2})
        results[-1].append((multi.reset(seed=1)[0]["agent_0"],))
        assert before == (pickle.dumps(np.random.get_state()), random.getstate())
    assert_bit_equal(*results)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_restored_vector_environment_continues_bit_for_bit(mode: AutoresetMode, name: str) -> None:
    env = TradingVectorEnv(random_panel(), CONFIGS[name], 4, 1, autoreset_mode=mode)
    env.reset()
    before = play(env, 13)[-1][0]
    state = pickle.loads(pickle.dumps(env.get_state()))  # noqa: S301  # our own bytes
    expected = play(env, 40, seed=2)
    other = TradingVectorEnv(random_panel(), CONFIGS[name], 4, 99, autoreset_mode=mode)
    np.testing.assert_array_equal(other.set_state(state), before)
    assert_bit_equal(expected, play(other, 40, seed=2))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_restored_environment_continues_bit_for_bit_and_into_the_next_episode(name: str) -> None:
    env, other = (TradingEnv(random_panel(), CONFIGS[name], seed=seed) for seed in (1, 2))
    env.reset()
    observation = play(env, 3)[-1][0]
    assert other.set_state(env.get_state()).tobytes() == observation.tobytes()
    assert_bit_equal(play(env, 2, seed=1), play(other, 2, seed=1))
    assert env.reset()[0].tobytes() == other.reset()[0].tobytes()


def test_a_state_is_not_changed_by_going_on() -> None:
    env = TradingVectorEnv(random_panel(), CHANCE, 4)
    env.reset()
    state = env.get_state()
    first = play(env, 30)
    env.set_state(state)
    assert_bit_equal(first, play(env, 30))


def test_a_state_of_other_accounts_is_refused() -> None:
    four, five = (TradingVectorEnv(random_panel(), CHANCE, count) for count in (4, 5))
    for env in (four, five):
        env.reset()
    before = four.get_state()["accounts"]["state"].tobytes()
    with pytest.raises(ExecutionError, match=r"state of the state must have shape \(4,\), got \(5,\)"):
        four.set_state(five.get_state())
    assert four.get_state()["accounts"]["state"].tobytes() == before


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])  # noqa: S301
@pytest.mark.parametrize("build", [TradingEnv, lambda panel, config: TradingVectorEnv(panel, config, 3)])
def test_a_copy_goes_on_alike_and_by_itself(duplicate: Any, build: Any) -> None:
    env = build(random_panel(), replace(CHANCE, min_episode_days=None))
    env.reset()
    play(env, 3)
    other = duplicate(env)
    first = play(env, 5, seed=1)
    assert_bit_equal(first, play(other, 5, seed=1))
    assert env.reset()[0].tobytes() == other.reset()[0].tobytes()


def test_environments_of_one_panel_share_its_arrays() -> None:
    panel = random_panel()
    one, two = TradingEnv(panel, CHANCE), TradingVectorEnv(panel, replace(CHANCE, episode_days=20), 8)
    assert one.market is two.market is copy.deepcopy(one).market
    assert one.market is market_arrays(panel, window=2)
    for array in one.market.kernel_arguments():
        assert not array.flags.writeable
    other = TradingEnv(random_panel(), CHANCE)
    assert other.market is not one.market


def test_a_market_mapped_from_a_file_trades_alike(tmp_path: Path) -> None:
    panel = random_panel()
    save_market(market_arrays(panel, window=2), tmp_path / "market")
    mapped = load_market(tmp_path / "market")
    one, two = TradingVectorEnv(panel, CHANCE, 4), TradingVectorEnv(mapped, CHANCE, 4)
    assert two.market is mapped
    assert one.reset()[0].tobytes() == two.reset()[0].tobytes()
    assert_bit_equal(play(one, 30), play(two, 30))


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_envs_state import fingerprint
print(fingerprint(Path(sys.argv[1])))
"""


def fingerprint(folder: Path) -> str:
    """Of everything that accounts on a saved market show and earn."""
    env = TradingVectorEnv(load_market(folder), CHANCE, 6, seed=11)
    digest = sha256(env.reset()[0].tobytes())
    for step in play(env, 60):
        for values in step:
            digest.update(values.tobytes())
    return digest.hexdigest()


@pytest.mark.slow
def test_another_process_on_the_mapped_market_lives_through_the_same(tmp_path: Path) -> None:
    save_market(market_arrays(random_panel(), window=2), tmp_path / "market")
    code = CHILD.format(folder=str(Path(__file__).parent))
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "market")], capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert {run.stdout.strip() for run in runs} == {fingerprint(tmp_path / "market")}

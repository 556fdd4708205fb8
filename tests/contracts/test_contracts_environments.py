"""Every registered environment keeps Gymnasium's contract: its checkers find nothing, alone and as a vector."""

import subprocess
import sys
import warnings
from collections.abc import Generator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError
from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import ENVIRONMENTS, EnvConfig, TradingEnv, TradingVectorEnv, register_environments
from wealtharena.execution import TradingRules, market_arrays
from wealtharena.settings import Settings

EVERY_NAME = pytest.mark.parametrize("name", ENVIRONMENTS)
EVERY_MODE = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)


@pytest.fixture(autouse=True)
def no_warnings() -> Generator[None]:
    """Gymnasium's checkers warn of what they do not like; others' deprecations are not theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("error", message=".*(WARN|ERROR):")
        yield


def small_panel(sessions: int = 40, assets: int = 3) -> MarketPanel:
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (sessions, assets)), axis=0))
    everything = np.ones((sessions, assets), bool)
    return MarketPanel(
        dates=np.datetime64("2024-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k}" for k in range(assets)),
        feature_names=("f0", "f1"),
        features=rng.normal(size=(sessions, assets, 2)).astype(np.float32),
        open=close,
        close=close,
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full((sessions, assets), 1e8),
        volatility=np.full((sessions, assets), 0.02),
        costs=AssetCosts.flat(assets, 0.001),
        annualisation=252,
    )


def make(name: str, **values: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(f"wealtharena.envs:{name}", **values)


def make_vec(name: str, num_envs: int, mode: AutoresetMode, **values: Any) -> Any:
    return gymnasium.make_vec(f"wealtharena.envs:{name}", num_envs=num_envs, autoreset_mode=mode, **values)


def test_the_registry_has_these_names_and_no_others() -> None:
    register_environments()
    found = {name for name, spec in gymnasium.registry.items() if spec.namespace == "WealthArena"}
    assert found == set(ENVIRONMENTS)
    assert {values["agent"] for values in ENVIRONMENTS.values() if "agent" in values} == set(map(str, AssetClass))
    assert {values["action"] for values in ENVIRONMENTS.values() if "action" in values} == {"changes", "levels"}


@EVERY_NAME
def test_the_checker_finds_nothing_on_the_demo_market(name: str) -> None:
    env = make(name, episode_days=20)
    check_env(env.unwrapped)
    assert env.reset()[1]["is_demo"] is True
    assert env.step(env.action_space.sample())[4]["is_demo"] is True


@EVERY_NAME
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"window": 3, "min_episode_days": 2, "episode_days": 9, "cost_range": (0.5, 2.0)},
        {"symbols_per_episode": 2},
        {"symbols_per_episode": 1, "action": "levels"},
    ],
    ids=["as it is", "drawn", "few symbols", "one symbol"],
)
def test_the_checker_finds_nothing_on_a_given_market(name: str, changes: dict[str, Any]) -> None:
    env = make(name, panel=small_panel(), **changes)
    check_env(env.unwrapped)
    assert env.reset()[1]["is_demo"] is False


@EVERY_NAME
def test_the_passive_checker_finds_nothing_in_whole_episodes(name: str) -> None:
    env = make(name, panel=small_panel(), episode_days=12)
    assert "PassiveEnvChecker" in str(env)
    env.action_space.seed(0)
    for seed in range(3):
        observation, info = env.reset(seed=seed)
        ended = False
        while not ended:
            assert observation in env.observation_space
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            assert type(reward) is float
            ended = terminated or truncated
        assert isinstance(info["equity"], float)


@EVERY_NAME
def test_a_reset_with_a_seed_repeats_the_episode(name: str) -> None:
    env = make(name, panel=small_panel(), episode_days=12)
    runs = []
    for _ in range(2):
        env.action_space.seed(5)
        runs.append([env.reset(seed=5), *(env.step(env.action_space.sample()) for _ in range(8))])
    assert data_equivalence(*runs, exact=True)


@EVERY_NAME
@EVERY_MODE
def test_its_vector_face_does_what_gymnasiums_own_does_with_the_single_one(name: str, mode: AutoresetMode) -> None:
    panel = small_panel()
    values = {"panel": panel, "episode_days": 6, "random_starts": False}
    theirs = SyncVectorEnv([lambda: make(name, **values)] * 3, autoreset_mode=mode)
    ours = make_vec(name, 3, mode, detailed_infos=True, **values)
    assert isinstance(ours, TradingVectorEnv)
    check_vector(ours, mode)
    assert_same_spaces(theirs, ours)
    ours.action_space.seed(1)
    assert data_equivalence(without_infos(theirs.reset(seed=1)), without_infos(ours.reset(seed=1)), exact=True)
    for _ in range(20):
        action = ours.action_space.sample()
        one, two = theirs.step(action), ours.step(action)
        assert data_equivalence(one[:4], two[:4], exact=True)
        assert set(one[4]) == set(two[4])
        np.testing.assert_array_equal(one[4]["equity"], two[4]["equity"])
        ended = one[2] | one[3]
        if mode is AutoresetMode.DISABLED and ended.any():
            one, two = (env.reset(options={"reset_mask": ended.copy()}) for env in (theirs, ours))
            assert data_equivalence(one[0], two[0], exact=True)


def check_vector(env: VectorEnv[Any, Any, Any], mode: AutoresetMode) -> None:
    """What Gymnasium's vector environments promise about themselves."""
    assert env.num_envs == 3
    assert env.metadata["autoreset_mode"] is mode
    assert env.spec is not None
    observation, infos = env.reset(seed=0)
    assert observation in env.observation_space
    assert isinstance(infos, dict)
    observation, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
    assert observation in env.observation_space
    assert rewards.shape == terminated.shape == truncated.shape == (3,)
    assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
    assert isinstance(infos, dict)


def assert_same_spaces(theirs: VectorEnv[Any, Any, Any], ours: VectorEnv[Any, Any, Any]) -> None:
    for space in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(theirs, space) == getattr(ours, space)


def without_infos(result: tuple[Any, ...]) -> Any:
    return result[0]


@EVERY_NAME
def test_the_limits_are_those_of_its_agent_and_may_be_overruled(name: str) -> None:
    agent = ENVIRONMENTS[name].get("agent", "stocks")
    env = make(name, panel=small_panel()).unwrapped
    assert isinstance(env, TradingEnv)
    assert env.config.rules == TradingRules.from_settings(Settings(), agent)
    assert env.config.action == ENVIRONMENTS[name].get("action", "weights")
    own = EnvConfig(TradingRules.unlimited(), episode_days=7)
    overruled = make(name, panel=small_panel(), config=own, reward_scale=3.0).unwrapped.config  # type: ignore[attr-defined]
    assert overruled == own.changed(reward_scale=3.0, action=ENVIRONMENTS[name].get("action", "weights"))


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"unknown attribute of an environment 'episodes'; known: .*episode_days"):
        make("WealthArena/Trading-v0", panel=small_panel(), episodes=3)
    with pytest.raises(SettingsError, match=r"unknown asset class with a demo market 'bonds'; known: .*stocks"):
        make("WealthArena/Trading-v0", agent="bonds")
    with pytest.raises(SettingsError, match=r"unknown agent 'bonds'; known: .*stocks"):
        make("WealthArena/Trading-v0", agent="bonds", panel=small_panel())


def test_environments_by_name_share_the_arrays_of_their_market() -> None:
    panel = small_panel()
    one = make("WealthArena/Trading-v0", panel=panel).unwrapped
    two = make_vec("WealthArena/TradingLevels-v0", 4, AutoresetMode.NEXT_STEP, panel=panel)
    assert one.market is two.market is market_arrays(panel)  # type: ignore[attr-defined]
    demos = [make("WealthArena/Stocks-v0").unwrapped for _ in range(2)]
    assert demos[0].market is demos[1].market  # type: ignore[attr-defined]


def test_a_fresh_process_finds_them_by_name() -> None:
    code = (
        "import gymnasium\n"
        "spec = gymnasium.envs.registration._find_spec('wealtharena.envs:WealthArena/Crypto-v0')\n"
        "print(spec.id, len([name for name in gymnasium.registry if name.startswith('WealthArena/')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["WealthArena/Crypto-v0", str(len(ENVIRONMENTS))]


@pytest.mark.slow
def test_gymnasiums_environments_in_processes_of_their_own_live_through_the_same() -> None:
    values = {"panel": small_panel(), "episode_days": 6, "random_starts": False}
    apart = AsyncVectorEnv([lambda: make("WealthArena/Trading-v0", **values)] * 2)
    ours = make_vec("WealthArena/Trading-v0", 2, AutoresetMode.NEXT_STEP, **values)
    try:
        assert apart.reset()[0].tobytes() == ours.reset()[0].tobytes()
        ours.action_space.seed(1)
        for _ in range(15):
            action = ours.action_space.sample()
            assert data_equivalence(apart.step(action)[:4], ours.step(action)[:4], exact=True)
    finally:
        apart.close()

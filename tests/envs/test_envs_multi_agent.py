"""Several agents in one market: dictionaries, price impact, bankruptcy, configuration."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from envs_markets import BOUND, FREE, priced_panel, random_panel
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError, ExecutionError, SettingsError
from wealtharena.core.panel import MarketPanel
from wealtharena.envs import EnvConfig, MultiAgentConfig, TradingEnv, WealthArenaMultiAgentRLEnv
from wealtharena.envs.price_impact import MAX_SHIFT, price_shift
from wealtharena.execution import Limit


def arena(panel: MarketPanel | None = None, **changes: Any) -> WealthArenaMultiAgentRLEnv:
    values = {"panel": panel or random_panel(), "rules": FREE, "episode_days": 10, "agents": ["ann", "bob"]}
    return WealthArenaMultiAgentRLEnv(values | changes)


def all_in(env: WealthArenaMultiAgentRLEnv, **scores: float) -> dict[str, np.ndarray]:
    shape = env.action_space(env.possible_agents[0]).shape
    return {name: np.full(shape, score, np.float32) for name, score in scores.items()}


def test_every_dictionary_is_by_agent() -> None:
    env = arena()
    observations, infos = env.reset(seed=1)
    assert env.agent_ids == env.possible_agents == env.agents == ["ann", "bob"]
    assert env.num_agents == 2
    assert list(observations) == list(infos) == ["ann", "bob"]
    for name, observation in observations.items():
        assert observation in env.observation_spaces[name]
        assert env.observation_space(name) is env.observation_spaces[name]
        assert env.action_space(name) is env.action_spaces[name]
    actions = {name: env.action_spaces[name].sample() for name in env.agents}
    observations, rewards, terminateds, truncateds, infos = env.step(actions)
    assert list(observations) == list(rewards) == list(infos) == ["ann", "bob"]
    assert terminateds == truncateds == {"ann": False, "bob": False, "__all__": False}
    assert sum(infos["ann"]["reward_terms"].values()) == pytest.approx(rewards["ann"])
    assert infos["ann"]["reward"] == rewards["ann"]
    assert infos["ann"]["is_demo"] is False


def test_a_whole_episode_as_pettingzoo_plays_it() -> None:
    """The loop of its parallel API test: spaces, agents and dictionaries agree until nobody is left."""
    env = arena()
    for seed in range(3):
        observations, infos = env.reset(seed=seed)
        rounds = 0
        while env.agents:
            acting = list(env.agents)
            actions = {name: env.action_space(name).sample() for name in acting}
            observations, rewards, terminateds, truncateds, infos = env.step(actions)
            for values in (observations, rewards, infos):
                assert set(values) == set(acting)
            assert set(terminateds) == set(truncateds) == {*acting, "__all__"}
            for name in acting:
                assert observations[name] in env.observation_space(name)
                assert isinstance(rewards[name], float)
                assert (name in env.agents) == (not (terminateds[name] or truncateds[name]))
            rounds += 1
        assert rounds == 10
        assert terminateds["__all__"] or truncateds["__all__"]
    env.close()


def test_without_impact_each_agent_trades_as_if_alone() -> None:
    panel = random_panel()
    panel.costs.impact[:] = 0.0
    env = arena(panel, impact=0.0, seed=3, rules=BOUND)
    alone = TradingEnv(panel, EnvConfig(rules=BOUND, episode_days=10))
    shared, _ = env.reset(seed=3)
    own, _ = alone.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert shared["bob"].tobytes() == own.tobytes()
        actions = {name: rng.uniform(-1, 1, 4).astype(np.float32) for name in ("ann", "bob")}
        shared, rewards, _, truncateds, _ = env.step(actions)
        own, reward, *_ = alone.step(actions["bob"])
        assert rewards["bob"] == reward
    assert truncateds == {"ann": True, "bob": True, "__all__": True}
    assert env.agents == []


def test_an_agents_own_impact_is_charged_once() -> None:
    """The joint flow of one agent is its own: it pays what an account alone pays by the same law."""
    panel = random_panel(assets=3)
    env = arena(panel, agents=1, impact=1.0, seed=3)
    alone = TradingEnv(panel, EnvConfig(rules=FREE, episode_days=10))
    env.reset(seed=3)
    alone.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(10):
        action = rng.uniform(-1, 1, 3).astype(np.float32)
        *_, infos = env.step({"agent_0": action})
        *_, info = alone.step(action)
        assert np.abs(infos["agent_0"]["price_shift"]).max() < MAX_SHIFT
        assert infos["agent_0"]["impact"] == pytest.approx(info["impact"], abs=1e-15)
        assert infos["agent_0"]["equity"] == pytest.approx(info["equity"], abs=1e-12)
        assert info["impact"] > 0.0


def test_joint_buying_raises_the_price_for_both_and_opposite_orders_cancel() -> None:
    panel = priced_panel([[10.0]] * 3)
    costs = {}
    for score in (1.0, 0.0, -1.0):
        env = arena(panel, capital=1e6)
        env.reset()
        *_, infos = env.step(all_in(env, ann=1.0, bob=score))
        costs[score] = infos["ann"]["cost"]
        assert np.sign(infos["ann"]["price_shift"]) == np.sign(1.0 + score)
        if score == 1.0:
            assert infos["ann"]["cost"] == infos["bob"]["cost"]
    # Volatility 2 %, 2 and 1 million into a daily volume of 100 million.
    assert costs[1.0] == pytest.approx(0.02 * np.sqrt(0.02))
    assert costs[0.0] == pytest.approx(0.02 * np.sqrt(0.01))
    assert costs[-1.0] == 0.0


def test_joint_selling_lowers_the_price() -> None:
    env = arena(priced_panel([[10.0]] * 4))
    env.reset()
    env.step(all_in(env, ann=1.0, bob=1.0))
    *_, infos = env.step(all_in(env, ann=0.0, bob=0.0))
    assert infos["ann"]["price_shift"][0] < 0.0
    assert infos["ann"]["impact"] > 0.0


def test_impact_grows_with_the_capital_which_is_that_of_the_rules() -> None:
    panel = priced_panel([[10.0]] * 3)
    shifts = []
    for changes in ({"capital": 4e6}, {"rules": replace(FREE, capital=4e6)}, {"rules": replace(FREE, capital=1e6)}):
        env = arena(panel, **changes)
        env.reset()
        *_, infos = env.step(all_in(env, ann=1.0, bob=0.0))
        shifts.append(infos["ann"]["price_shift"][0])
    assert shifts[0] == shifts[1] == pytest.approx(2.0 * shifts[2])


def test_an_agent_on_the_other_side_of_the_flow_gains_what_the_flow_pays_for() -> None:
    env = arena(priced_panel([[10.0]] * 3), agents=["ann", "bob", "eve"])
    env.reset()
    *_, infos = env.step(all_in(env, ann=1.0, bob=1.0, eve=-1.0))
    assert infos["ann"]["cost"] == -infos["eve"]["cost"] > 0.0


def test_each_agent_has_its_own_limits_flags() -> None:
    env = arena(rules=BOUND)
    env.reset(seed=0)
    env.step({"ann": np.ones(4), "bob": np.zeros(4)})
    *_, infos = env.step({"ann": np.ones(4), "bob": np.zeros(4)})
    assert infos["ann"]["limits"] & Limit.MAX_NET
    assert infos["bob"]["limits"] == 0


@given(
    flow=st.floats(-1e12, 1e12),
    volume=st.one_of(st.just(float("nan")), st.floats(0.0, 1e12)),
    volatility=st.one_of(st.just(float("nan")), st.floats(0.0, 1.0)),
)
def test_impact_is_bounded_odd_and_zero_where_nothing_is_known(flow: float, volume: float, volatility: float) -> None:
    def shift(value: float) -> float:
        return float(price_shift(np.array([value]), np.array([volume]), np.array([volatility]), 1.0)[0])

    assert abs(shift(flow)) <= MAX_SHIFT
    assert shift(flow) == -shift(-flow)
    assert shift(flow) * flow >= 0.0
    if np.isnan(volume) or np.isnan(volatility):
        assert shift(flow) == 0.0


def test_impact_follows_the_square_root_law() -> None:
    one, four = (price_shift(np.array([flow]), np.array([1e8]), np.array([0.02]), 0.5)[0] for flow in (1e6, 4e6))
    assert one == pytest.approx(0.5 * 0.02 * 0.1)
    assert four == pytest.approx(2 * one)


def test_a_bankrupt_agent_leaves_and_the_others_go_on() -> None:
    env = arena(priced_panel([[1.0], [1.0], [3.0], [3.0], [3.0]]), impact=0.0)
    # The panel is shorter than an episode, so that the episode starts at its first row.
    env.reset()
    env.step(all_in(env, ann=-1.0, bob=0.0))
    observations, _, terminateds, *_ = env.step(all_in(env, ann=-1.0, bob=0.0))
    assert terminateds == {"ann": True, "bob": False, "__all__": False}
    assert list(observations) == ["ann", "bob"]
    assert env.agents == ["bob"]
    assert env.num_agents == 1
    observations, *_ = env.step(all_in(env, bob=1.0))
    assert list(observations) == ["bob"]
    with pytest.raises(ExecutionError, match="actions must be of bob"):
        env.step(all_in(env, ann=1.0, bob=1.0))


def test_when_all_are_bankrupt_the_episode_is_over() -> None:
    env = arena(priced_panel([[1.0], [1.0], [3.0], [3.0]]), impact=0.0)
    env.reset()
    env.step(all_in(env, ann=-1.0, bob=-1.0))
    *_, terminateds, truncateds, _ = env.step(all_in(env, ann=-1.0, bob=-1.0))
    assert terminateds == {"ann": True, "bob": True, "__all__": True}
    assert truncateds == {"ann": False, "bob": False, "__all__": False}
    assert env.agents == []


def test_those_who_have_left_do_not_count_as_others() -> None:
    """A coordination term of an agent that is alone again is 0."""
    reward = replace(MultiAgentConfig().reward, coordination=1.0)
    env = arena(priced_panel([[1.0], [1.0], [3.0], [3.0], [3.0]]), impact=0.0, reward=reward)
    env.reset()
    *_, infos = env.step(all_in(env, ann=-1.0, bob=0.5))
    assert infos["bob"]["reward_terms"]["coordination"] == pytest.approx(0.5 * 100.0)
    env.step(all_in(env, ann=-1.0, bob=0.5))
    *_, infos = env.step(all_in(env, bob=0.5))
    assert infos["bob"]["reward_terms"]["coordination"] == 0.0


def test_the_same_seed_gives_the_same_episodes() -> None:
    env, other = arena(seed=5), arena(seed=5)
    for _ in range(3):
        assert env.reset()[0]["ann"].tobytes() == other.reset()[0]["ann"].tobytes()
    assert env.reset(seed=1)[0]["ann"].tobytes() == other.reset(seed=1)[0]["ann"].tobytes()


def test_a_step_before_reset_is_refused() -> None:
    with pytest.raises(ExecutionError, match="reset first"):
        arena().step({})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agent": 3}, r"unknown key of the multi-agent config 'agent'; known: .*agents"),
        ({"agents": ["ann", "ann"]}, "agents must be unique names or a positive number"),
        ({"agents": 0}, "agents must be unique names or a positive number, got 0"),
        ({"impact": -1.0}, "impact must be finite and at least 0, got -1.0"),
        ({"capital": 0.0}, "capital must be above 0"),
        ({"episode_days": 0}, "episode_days must be a whole number of at least 1, got 0"),
        ({"reward_scale": float("inf")}, "reward_scale must be finite and above 0, got inf"),
    ],
    ids=str,
)
def test_the_config_is_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        arena(**changes)


def test_an_empty_market_is_refused() -> None:
    with pytest.raises(DataWindowError, match="a market needs sessions and assets, got 0 x 4"):
        arena(random_panel().rows(0, 0))


def test_agents_may_be_a_number() -> None:
    env = WealthArenaMultiAgentRLEnv(MultiAgentConfig(panel=random_panel(), agents=2))
    assert env.agent_ids == ["agent_0", "agent_1"]


def test_ohlcv_frames_become_the_market() -> None:
    rng = np.random.default_rng(0)
    frames = {}
    for symbol in ("AAA", "BBB"):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
        frames[symbol] = pd.DataFrame(
            {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1e6},
            index=pd.bdate_range("2020-01-01", periods=400, name="date"),
        )
    observations, infos = WealthArenaMultiAgentRLEnv({"data": frames, "agents": ["ann"]}).reset()
    assert observations["ann"].shape[0] == 2
    assert (observations["ann"][:, -3] == 1.0).all()
    assert infos["ann"]["is_demo"] is False


def test_without_data_it_runs_on_the_simulated_demo_market_and_says_so() -> None:
    env = WealthArenaMultiAgentRLEnv({"asset_class": AssetClass.CRYPTO, "agents": 2, "episode_days": 5})
    observations, infos = env.reset()
    assert observations["agent_0"].shape[0] == 6
    assert infos["agent_0"]["is_demo"] is True
    for _ in range(5):
        step = env.step({name: env.action_spaces[name].sample() for name in env.agents})
    assert step[3]["__all__"]

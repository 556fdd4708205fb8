"""The nine terms of the reward, each with an answer worked out by hand."""

from dataclasses import fields

import numpy as np
import pytest
from envs_markets import FREE, play, priced_panel, random_panel

from wealtharena.core.panel import AssetCosts
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv, WealthArenaMultiAgentRLEnv
from wealtharena.execution import TERMS, RewardWeights

WEIGHTS = {name: 0.5 + 0.25 * k for k, name in enumerate(TERMS)}
ALL_TERMS = RewardWeights(**WEIGHTS)
NO_TERMS = dict.fromkeys(TERMS, 0.0)


def terms_of(config: EnvConfig, prices: list[list[float]], actions: list[float], one_way: float = 0.01) -> list[dict]:
    """Terms of each step of an account in a market where one asset is traded at a cost."""
    env = TradingEnv(priced_panel(prices, AssetCosts.flat(1, one_way)), config)
    env.reset()
    return [env.step(np.array([action], np.float32))[4]["reward_terms"] for action in actions]


def test_every_term_has_the_answer_worked_out_by_hand() -> None:
    """All in at a cost of 1 %, then the price falls by a tenth."""
    config = EnvConfig(rules=FREE, reward=ALL_TERMS, random_starts=False, reward_scale=1.0)
    first, second = terms_of(config, [[10.0], [10.0], [9.0]], [1.0, 1.0])
    fell = np.log(0.99)
    assert first == pytest.approx(
        {
            "log_return": WEIGHTS["log_return"] * fell,
            "variance": WEIGHTS["variance"] * -0.5 * fell**2,
            "differential_sharpe": 0.0,
            "downside": WEIGHTS["downside"] * -0.5 * fell**2,
            "drawdown": WEIGHTS["drawdown"] * -0.01,
            "cost": WEIGHTS["cost"] * -0.01,
            "turnover": WEIGHTS["turnover"] * -1.0,
            "concentration": WEIGHTS["concentration"] * -((1.0 / 0.99) ** 2),
            "coordination": 0.0,
        }
    )
    # It owns a tenth of a unit and owes 0.01; at the open (9) it sells what is above its own value, 0.89.
    cost = 0.01 * 0.01 / 0.89
    equity = 0.89 * (1.0 - cost)
    fell = np.log(equity / 0.99)
    assert second["log_return"] == pytest.approx(WEIGHTS["log_return"] * fell)
    assert second["drawdown"] == pytest.approx(WEIGHTS["drawdown"] * (equity - 1.0))
    assert second["cost"] == pytest.approx(WEIGHTS["cost"] * -cost)
    assert second["turnover"] == pytest.approx(WEIGHTS["turnover"] * -0.01 / 0.89)
    assert second["concentration"] == pytest.approx(WEIGHTS["concentration"] * -((0.89 / equity) ** 2))


def test_a_gain_has_no_downside_and_no_drawdown() -> None:
    config = EnvConfig(rules=FREE, reward=ALL_TERMS, random_starts=False)
    _, second = terms_of(config, [[10.0], [10.0], [11.0]], [1.0, 1.0], one_way=0.0)
    assert second["downside"] == second["drawdown"] == 0.0
    assert second["variance"] == pytest.approx(WEIGHTS["variance"] * -0.5 * np.log(1.1) ** 2 * config.reward_scale)


def test_the_differential_sharpe_ratio_is_the_plain_formula() -> None:
    rng = np.random.default_rng(0)
    prices = 10.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 40)))[:, None]
    reward = RewardWeights(**NO_TERMS | {"differential_sharpe": 2.0})
    config = EnvConfig(rules=FREE, reward=reward, random_starts=False, reward_scale=1.0)
    shown = [terms["differential_sharpe"] for terms in terms_of(config, prices.tolist(), [1.0] * 39, one_way=0.0)]
    mean = square = 0.0
    expected = []
    for log_return in [0.0, *np.diff(np.log(prices[1:, 0]))]:
        variance = square - mean**2
        ratio = 0.0
        if variance > 1e-12:
            ratio = (square * (log_return - mean) - 0.5 * mean * (log_return**2 - square)) / variance**1.5
        expected.append(2.0 * float(np.clip(ratio / 63, -1.0, 1.0)))
        mean += (log_return - mean) / 63
        square += (log_return**2 - square) / 63
    assert np.abs(expected).min() == 0.0 < np.abs(expected).max() < 2.0
    np.testing.assert_allclose(shown, expected, rtol=1e-9, atol=1e-15)


def test_the_differential_sharpe_ratio_starts_anew_with_the_episode() -> None:
    prices = 10.0 + np.sin(np.arange(8.0))[:, None]
    reward = RewardWeights(**NO_TERMS | {"differential_sharpe": 1.0})
    env = TradingEnv(priced_panel(prices), EnvConfig(rules=FREE, reward=reward, random_starts=False))
    runs = []
    for _ in range(2):
        env.reset()
        runs.append([env.step(np.ones(1, np.float32))[1] for _ in range(7)])
    assert runs[0] == runs[1]


def test_coordination_is_minus_the_overlap_with_the_mean_of_the_others() -> None:
    reward = RewardWeights(**NO_TERMS | {"coordination": 2.0})
    panel = priced_panel([[10.0, 10.0]] * 3)
    config = {"panel": panel, "rules": FREE, "agents": ["ann", "bob", "eve"], "impact": 0.0, "reward": reward}
    env = WealthArenaMultiAgentRLEnv(config | {"reward_scale": 10.0})
    env.reset()
    actions = {"ann": [0.5, 0.5], "bob": [1.0, 0.0], "eve": [-0.4, 0.0]}
    _, rewards, *_, infos = env.step({name: np.array(action, np.float32) for name, action in actions.items()})
    # With two assets and a concentration of 2, weights are the scores.
    expected = {
        "ann": 0.5 * (1.0 - 0.4) / 2,
        "bob": 1.0 * (0.5 - 0.4) / 2,
        "eve": -0.4 * (0.5 + 1.0) / 2,
    }
    assert rewards == pytest.approx({name: -2.0 * 10.0 * overlap for name, overlap in expected.items()})
    assert {name: info["reward_terms"]["coordination"] for name, info in infos.items()} == pytest.approx(rewards)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_its_weight_times_what_it_is_with_a_weight_of_one(name: str) -> None:
    def terms(weight: float) -> np.ndarray:
        config = EnvConfig(rules=FREE, reward=RewardWeights(**NO_TERMS | {name: weight}), random_starts=False)
        env = TradingEnv(random_panel(), config)
        env.reset()
        rng = np.random.default_rng(0)
        steps = [env.step(rng.uniform(-1, 1, 4).astype(np.float32)) for _ in range(30)]
        others = [info["reward_terms"] | {name: 0.0} for *_, info in steps]
        assert not any(value for own in others for value in own.values())
        assert [step[1] for step in steps] == [info["reward_terms"][name] for *_, info in steps]
        return np.array([step[1] for step in steps])

    one = terms(1.0)
    assert one.any() == (name != "coordination")
    np.testing.assert_allclose(terms(0.25), 0.25 * one, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_terms_sum_to_the_reward(scale: float) -> None:
    config = EnvConfig(rules=FREE, reward=ALL_TERMS, reward_scale=scale, episode_days=20)
    env = TradingVectorEnv(random_panel(), config, 8, detailed_infos=True)
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(40):
        _, rewards, *_, infos = env.step(rng.uniform(-1, 1, (8, 4)).astype(np.float32))
        terms = infos["reward_terms"]
        assert set(terms) == {*TERMS, *(f"_{name}" for name in TERMS)}
        np.testing.assert_allclose(sum(terms[name] for name in TERMS), rewards, rtol=1e-9, atol=1e-12 * scale)
        np.testing.assert_array_equal(infos["reward"], rewards)


def test_the_scale_multiplies_the_reward() -> None:
    rewards = {}
    for scale in (1.0, 8.0):
        env = TradingEnv(random_panel(), EnvConfig(rules=FREE, reward=ALL_TERMS, reward_scale=scale), seed=1)
        env.reset()
        rewards[scale] = [reward for _, reward, *_ in play(env, 30)]
    np.testing.assert_allclose(rewards[8.0], 8.0 * np.array(rewards[1.0]), rtol=1e-12)


def test_the_kernel_has_the_terms_of_the_weights() -> None:
    assert [entry.name for entry in fields(RewardWeights)] == list(TERMS)
    assert len(TERMS) == 9

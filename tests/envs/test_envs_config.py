"""Configurations: what is refused, and what a risk profile changes."""

from typing import Any

import numpy as np
import pytest
from envs_markets import FREE, priced_panel, random_panel

from wealtharena.core.errors import DataWindowError, ExecutionError, SettingsError
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv
from wealtharena.execution import RewardWeights, TradingRules, market_arrays
from wealtharena.settings import Settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "votes"}, "action must be one of weights, changes, levels, got 'votes'"),
        ({"action": "levels", "levels": (0.0, 2.0)}, r"levels must lie in \[-1, 1\], got \(0.0, 2.0\)"),
        ({"action": "levels", "levels": (float("nan"),)}, "levels must lie in"),
        ({"action": "levels", "levels": ()}, "levels must lie in"),
        ({"window": 0}, "window must be a whole number of at least 1, got 0"),
        ({"window": 2.5}, "window must be a whole number of at least 1, got 2.5"),
        ({"episode_days": 0}, "episode_days must be a whole number of at least 1, got 0"),
        ({"symbols_per_episode": 0}, "symbols_per_episode must be a whole number of at least 1, got 0"),
        ({"min_episode_days": 200}, "min_episode_days must be at most 126, got 200"),
        ({"cost_multiplier": float("nan")}, "cost_multiplier must be finite and at least 0, got nan"),
        ({"cost_range": (2.0, 1.0)}, r"cost_range must be two factors, the lower first, got \(2.0, 1.0\)"),
        ({"reward_scale": 0.0}, "reward_scale must be finite and above 0, got 0.0"),
        ({"windows": 3}, r"unknown attribute of an environment 'windows'; known: action, .*window"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_with_name_rule_and_value(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        EnvConfig(rules=FREE).changed(**changes)


@pytest.mark.parametrize(
    ("panel", "changes", "message"),
    [
        (random_panel().rows(0, 0), {}, "a market needs sessions and assets, got 0 x 4"),
        (random_panel().select(()), {}, "a market needs sessions and assets, got 60 x 0"),
        (random_panel(sessions=1), {}, "needs the window's 1 sessions and one more, got 1 sessions"),
        (random_panel(), {"window": 61}, r"window must be in \[1, 60\] \(the panel's sessions\), got 61"),
        (random_panel(), {"window": 60}, "needs the window's 60 sessions and one more, got 60 sessions"),
        (random_panel(warmup=60), {}, "no asset is observed before the last session"),
        (random_panel(), {"symbols_per_episode": 5}, "symbols_per_episode must be at most 4 .*, got 5"),
    ],
    ids=["no session", "no asset", "one session", "window", "only the window", "unobserved", "symbols"],
)
@pytest.mark.parametrize("env", [TradingEnv, TradingVectorEnv])
def test_markets_without_an_episode_are_refused(env: Any, panel: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataWindowError, match=message):
        env(panel, EnvConfig(rules=FREE, **changes))


@pytest.mark.parametrize("num_envs", [0, -1, 1.5, None])
def test_a_number_of_accounts_that_is_none_is_refused(num_envs: Any) -> None:
    with pytest.raises(ExecutionError, match=f"num_envs must be a whole number of at least 1, got {num_envs}"):
        TradingVectorEnv(random_panel(), num_envs=num_envs)


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(ExecutionError, match="panel must be a MarketPanel or the MarketArrays of one, got ndarray"):
        TradingEnv(np.zeros((5, 5)))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"window must be the market's \(1\), got 3"):
        TradingEnv(market_arrays(random_panel()), EnvConfig(window=3))
    with pytest.raises(SettingsError, match="unknown autoreset mode 'Never'; known: Disabled, NextStep, SameStep"):
        TradingVectorEnv(random_panel(), autoreset_mode="Never")


def with_profile(profile: str, agent: str = "stocks") -> Settings:
    agents = {agent: {"algorithm": "PPO", "risk_profile": profile}}
    return Settings.model_validate({"agents": agents})


def test_the_default_is_what_the_settings_say_of_stocks() -> None:
    assert EnvConfig().rules == TradingRules.from_settings(Settings(), "stocks")
    settings = EnvConfig.from_settings(Settings(), "stocks", window=3)
    assert settings == EnvConfig(window=3, reward=RewardWeights.from_settings(Settings(), "stocks"))


def test_a_profile_changes_limits_and_reward() -> None:
    configs = {name: EnvConfig.from_settings(with_profile(name), "stocks") for name in Settings().risk_profiles}
    assert [configs[name].rules.max_weight for name in ("conservative", "balanced", "aggressive")] == [0.25, 0.35, 0.5]
    assert [configs[name].rules.max_gross for name in ("conservative", "balanced", "aggressive")] == [0.8, 1.0, 1.5]
    assert [configs[name].reward.variance for name in ("conservative", "balanced", "aggressive")] == [4.0, 1.0, 0.5]
    assert configs["conservative"].reward.drawdown == 0.005
    assert configs["aggressive"].rules.max_volatility is None


def test_profiles_trade_and_are_paid_differently() -> None:
    """All in on one asset of two, which then falls by a tenth."""
    panel = priced_panel([[10.0, 10.0], [10.0, 10.0], [9.0, 10.0]])
    weights, rewards = {}, {}
    for name in ("conservative", "balanced", "aggressive"):
        env = TradingEnv(panel, EnvConfig.from_settings(with_profile(name), "stocks", reward_scale=1.0))
        env.reset()
        *_, info = env.step(np.array([1.0, 0.0], np.float32))
        weights[name] = info["weights"].tolist()
        _, rewards[name], *_ = env.step(np.array([1.0, 0.0], np.float32))
    assert weights == {
        "conservative": pytest.approx([0.25, 0.0]),
        "balanced": pytest.approx([0.35, 0.0]),
        "aggressive": pytest.approx([0.5, 0.0]),
    }
    fall = {name: np.log(1.0 - 0.1 * weight[0]) for name, weight in weights.items()}
    assert rewards["balanced"] == pytest.approx(fall["balanced"] - fall["balanced"] ** 2 / 2)
    assert rewards["aggressive"] == pytest.approx(fall["aggressive"] - 0.25 * fall["aggressive"] ** 2)
    drawdown = -0.1 * 0.25
    assert rewards["conservative"] == pytest.approx(
        fall["conservative"] - 2.0 * fall["conservative"] ** 2 + 0.005 * drawdown
    )

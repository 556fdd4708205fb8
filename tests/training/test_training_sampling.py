"""What the sampler hands to the learners."""

import numpy as np
import pytest
import torch
from training_samples import planted_panel

from wealtharena.core.errors import TrainingError
from wealtharena.envs import EnvConfig, TradingVectorEnv
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import AgentSettings, Algorithm
from wealtharena.training.recipe import build_config
from wealtharena.training.sampling import MarketSampler, ShadowAccounts

ACCOUNTS, EPISODE = 4, 5


def market(mode: str = "SameStep", seed: int = 3) -> TradingVectorEnv:
    config = EnvConfig(episode_days=EPISODE, reward_scale=50.0)
    return TradingVectorEnv(planted_panel(60, 3, 0.1, seed=5), config, ACCOUNTS, seed, autoreset_mode=mode)


@pytest.fixture(scope="module")
def algorithm():  # type: ignore[no-untyped-def]  # RLlib is untyped
    recipe = AgentSettings(algorithm=Algorithm.PPO, hidden_sizes=(8,), num_accounts=ACCOUNTS, train_batch_size=64,
                           minibatch_size=32)  # fmt: skip
    env = market()
    built = build_config(recipe, env.single_observation_space, env.single_action_space, seed=1).build_algo()
    yield built
    built.stop()


def sampler(algorithm) -> MarketSampler:  # type: ignore[no-untyped-def]
    return MarketSampler(algorithm.module, algorithm.config.action_space, explores_by_time=False)


def test_rows_follow_each_other_except_where_an_episode_ended(algorithm) -> None:  # type: ignore[no-untyped-def]
    own = sampler(algorithm)
    own.attach(market())
    taken = own.sample(12)
    same = (taken.next_observations[:-1] == taken.observations[1:]).flatten(2).all(-1)
    assert torch.equal(same, ~taken.ended[:-1])
    assert taken.ended.sum(0).tolist() == [2] * ACCOUNTS
    assert not bool(taken.terminated.any())
    assert own.steps_sampled == 12 * ACCOUNTS


def test_the_episode_return_is_the_unscaled_sum_of_its_rewards(algorithm) -> None:  # type: ignore[no-untyped-def]
    own = sampler(algorithm)
    own.attach(market())
    started = own.sample(2)
    assert own.episode_return_mean() == pytest.approx(float(started.rewards.sum(0).mean()) / 50.0, rel=1e-5)
    rest = own.sample(EPISODE - 2)
    whole = (started.rewards.sum(0) + rest.rewards.sum(0)).mean() / 50.0
    assert own.episode_return_mean() == pytest.approx(float(whole), rel=1e-5)
    own.sample(2)
    assert own.episode_return_mean() == pytest.approx(float(whole), rel=1e-5)  # none ended: the last one stands


def test_a_shadow_takes_all_that_is_not_due_to_exploration(algorithm) -> None:  # type: ignore[no-untyped-def]
    log_std = algorithm.module.pi.log_std
    before = log_std.detach().clone()
    nets = []
    for value in (-20.0, 0.0):
        torch.nn.init.constant_(log_std, value)
        own = sampler(algorithm)
        own.attach(market(), market())
        nets.append(own.sample(20).rewards)
        plain = sampler(algorithm)
        plain.attach(market())
        nets.append(plain.sample(20).rewards)
    log_std.data.copy_(before)
    still, still_gross, exploring, exploring_gross = nets
    assert float(still.std()) < 0.2 * float(still_gross.std())
    assert float(still.std()) < float(exploring.std()) < float(exploring_gross.std())


def test_a_shadow_lives_through_the_same_sessions_even_after_a_ruin(algorithm) -> None:  # type: ignore[no-untyped-def]
    env, twin = market(), market()
    env.reset()
    shadow = ShadowAccounts(twin)
    actions = np.zeros((ACCOUNTS, 3), dtype=np.float32)
    for session in range(12):
        if session == 3:
            env.accounts.state["equity"][1] = env.accounts.state["cash"][1] = -1.0  # ruined in one of the two
        env.step(actions)
        shadow.rewards(algorithm.module, env)
        assert np.array_equal(twin.accounts.state["row"], env.accounts.state["row"])
        assert np.array_equal(twin.accounts.assets, env.accounts.assets)


def test_only_a_market_that_restarts_within_the_step_is_taken(algorithm) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingError, match="autoreset_mode must be SameStep, got NextStep"):
        sampler(algorithm).attach(market("NextStep"))
    with pytest.raises(TrainingError, match="no market"):
        sampler(algorithm).sample(1)


def test_reward_terms_and_bound_limits_are_counted_by_name(algorithm) -> None:  # type: ignore[no-untyped-def]
    rules = TradingRules.unlimited(max_weight=0.2, drawdown_stop=0.9)
    config = EnvConfig(
        rules=rules, reward=RewardWeights(variance=0.0, cost=2.0), episode_days=EPISODE, reward_scale=50.0
    )
    panel = planted_panel(60, 3, 0.1, seed=5)
    own = sampler(algorithm)
    own.attach(TradingVectorEnv(panel, config, ACCOUNTS, 3, autoreset_mode="SameStep"))
    rewards = own.sample(EPISODE - 1).rewards
    terms, limits = own.session_statistics()
    assert list(terms) == ["log_return", "cost"]
    assert terms["cost"] < 0.0
    assert sum(terms.values()) == pytest.approx(float(rewards.mean()) / 50.0, rel=1e-5)
    assert set(limits) == {"max_weight", "max_gross", "drawdown_stop", "locked", "unfilled", "max_participation"}
    assert limits["drawdown_stop"] == 0.0
    own.sample(1)  # every episode ends here: its last session is not counted
    terms, limits = own.session_statistics()
    assert np.isnan(terms["cost"])
    assert np.isnan(limits["max_weight"])


def test_a_limit_that_always_binds_has_a_share_of_one(algorithm) -> None:  # type: ignore[no-untyped-def]
    config = EnvConfig(rules=TradingRules.unlimited(max_net=0.0), episode_days=EPISODE)
    market = TradingVectorEnv(planted_panel(60, 3, 0.1, seed=5), config, ACCOUNTS, 3, autoreset_mode="SameStep")
    own = sampler(algorithm)
    own.attach(market)
    own.sample(7)
    assert own.session_statistics()[1]["max_net"] == 1.0

"""What the batched runner hands to learners, to RLlib's own algorithms, and to whoever goes on after it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_samples import planted_panel

from wealtharena.core.errors import TrainingError
from wealtharena.envs import EnvConfig
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.rollout import TradingAccounts
from wealtharena.training.runner import BatchedEnvRunner

ACCOUNTS, EPISODE = 4, 5
SMALL = {"hidden_sizes": (8,), "num_accounts": ACCOUNTS, "train_batch_size": 64, "minibatch_size": 32}
MakeMarket = Callable[..., TrainingMarket]


@pytest.fixture
def market_of(tmp_path: Path) -> MakeMarket:
    def make(seed: int = 3, **config: Any) -> TrainingMarket:
        figures = EnvConfig(**{"episode_days": EPISODE, "reward_scale": 50.0, **config})
        return TrainingMarket.write(planted_panel(60, 3, 0.1, seed=5), figures, seed, tmp_path / "market")

    return make


def algorithm_on(market: TrainingMarket, **recipe: Any) -> Any:
    agent = AgentSettings(**{"algorithm": Algorithm.PPO, **SMALL, **recipe})
    return build_config(agent, market, market.spaces(), 1, TrainingSettings()).build_algo()


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("module") / "market"
    market = TrainingMarket.write(planted_panel(60, 3, 0.1, seed=5), EnvConfig(), 3, folder)
    built = algorithm_on(market)
    yield built.module
    built.stop()


def accounts(market: TrainingMarket, stream: int = 0, shadows: bool = False) -> TradingAccounts:
    return TradingAccounts(market, ACCOUNTS, stream, shadows)


def test_rows_follow_each_other_except_where_an_episode_ended(market_of: MakeMarket, module: Any) -> None:
    own = accounts(market_of())
    taken = own.trade(module, 12)
    same = (taken.next_observations[:-1] == taken.observations[1:]).flatten(2).all(-1)
    assert torch.equal(same, ~taken.ended[:-1])
    assert torch.equal(taken.rows[1:][same], taken.rows[:-1][same] + 1)
    assert taken.ended.sum(0).tolist() == [2] * ACCOUNTS
    assert not bool(taken.terminated.any())
    assert own.steps == 12 * ACCOUNTS


def test_observations_are_those_of_their_rows_and_assets(market_of: MakeMarket, module: Any) -> None:
    market = market_of(symbols_per_episode=1)
    panel = planted_panel(60, 3, 0.1, seed=5)
    taken = accounts(market).trade(module, 7)
    for shown, rows in ((taken.observations, taken.rows), (taken.next_observations, taken.rows + 1)):
        features = panel.features[rows[..., None].numpy(), taken.assets.numpy()]
        assert np.array_equal(shown.numpy()[..., : features.shape[-1]], features)


def test_one_long_rollout_is_the_same_as_two_short_ones(market_of: MakeMarket, module: Any) -> None:
    market = market_of()
    whole = accounts(market, shadows=True).trade(module, 9)
    parts = accounts(market, shadows=True)
    first, second = parts.trade(module, 4), parts.trade(module, 5)
    for name in ("observations", "actions", "rewards", "next_observations", "action_logp", "ended", "rows"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(first, name), getattr(second, name)]))


def test_nothing_is_drawn_from_global_generators_and_each_stream_is_another(market_of: MakeMarket, module: Any) -> None:
    market = market_of()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    torch.rand(3)
    actions = [accounts(market, stream).trade(module, 3).actions for stream in (0, 0, 1)]
    torch.set_rng_state(before[0])
    assert torch.equal(actions[0], actions[1])
    assert not torch.equal(actions[0], actions[2])
    accounts(market).trade(module, 3, random_actions=True)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("random_actions", [False, True])
def test_accounts_go_on_from_their_state_bit_for_bit(market_of: MakeMarket, module: Any, random_actions: bool) -> None:
    market = market_of()
    original = accounts(market, shadows=True)
    original.trade(module, 3)
    copy = accounts(market, shadows=True)
    copy.set_state(original.get_state())
    for _ in range(2):
        one, other = (group.trade(module, 4, random_actions=random_actions) for group in (original, copy))
        assert torch.equal(one.observations, other.observations)
        assert torch.equal(one.rewards, other.rewards)
    assert original.statistics.episode_return_mean() == copy.statistics.episode_return_mean()


def test_the_episode_return_is_the_unscaled_sum_of_its_rewards(market_of: MakeMarket, module: Any) -> None:
    own = accounts(market_of())
    started = own.trade(module, 2)
    assert own.statistics.episode_return_mean() == pytest.approx(float(started.rewards.sum(0).mean()) / 50.0, rel=1e-5)
    rest = own.trade(module, EPISODE - 2)
    whole = (started.rewards.sum(0) + rest.rewards.sum(0)).mean() / 50.0
    assert own.statistics.episode_return_mean() == pytest.approx(float(whole), rel=1e-5)
    own.trade(module, 2)
    assert own.statistics.episode_return_mean() == pytest.approx(float(whole), rel=1e-5)  # none ended: the last stands


def test_a_shadow_takes_all_that_is_not_due_to_exploration(market_of: MakeMarket, module: Any) -> None:
    market, log_std = market_of(), module.pi.log_std
    before, nets = log_std.detach().clone(), []
    for value in (-20.0, 0.0):
        torch.nn.init.constant_(log_std, value)
        nets += [accounts(market, shadows=shadows).trade(module, 20).rewards for shadows in (True, False)]
    log_std.data.copy_(before)
    still, still_gross, exploring, exploring_gross = nets
    assert float(still.std()) < 0.2 * float(still_gross.std())
    assert float(still.std()) < float(exploring.std()) < float(exploring_gross.std())


def test_a_shadow_lives_through_the_same_sessions_even_after_a_ruin(market_of: MakeMarket, module: Any) -> None:
    own = accounts(market_of(), shadows=True)
    twin = own._shadow.env  # type: ignore[union-attr]
    for session in range(12):
        if session == 3:
            own.env.accounts.state["equity"][1] = own.env.accounts.state["cash"][1] = -1.0  # ruined in one of the two
        own.trade(module, 1)
        assert np.array_equal(twin.accounts.state["row"], own.env.accounts.state["row"])
        assert np.array_equal(twin.accounts.assets, own.env.accounts.assets)


def test_what_a_ruined_account_saw_last_is_kept(market_of: MakeMarket, module: Any) -> None:
    own = accounts(market_of())
    own.trade(module, 1)
    own.env.accounts.state["equity"][2] = own.env.accounts.state["cash"][2] = -1.0
    taken = own.trade(module, 1)
    assert taken.terminated.tolist() == [[False, False, True, False]]
    assert torch.equal(taken.terminated, taken.ended)


def test_reward_terms_and_bound_limits_are_counted_by_name(market_of: MakeMarket, module: Any) -> None:
    market = market_of(
        rules=TradingRules.unlimited(max_weight=0.2, drawdown_stop=0.9), reward=RewardWeights(variance=0.0, cost=2.0)
    )
    own = accounts(market)
    rewards = own.trade(module, EPISODE - 1).rewards
    terms, limits = own.statistics.take()
    assert list(terms) == ["log_return", "cost"]
    assert terms["cost"] < 0.0
    assert sum(terms.values()) == pytest.approx(float(rewards.mean()) / 50.0, rel=1e-5)
    assert set(limits) == {"max_weight", "max_gross", "drawdown_stop", "locked", "unfilled", "max_participation"}
    assert limits["drawdown_stop"] == 0.0
    own.trade(module, 1)  # every episode ends here: its last session is not counted
    terms, limits = own.statistics.take()
    assert np.isnan(terms["cost"])
    assert np.isnan(limits["max_weight"])


def test_a_limit_that_always_binds_has_a_share_of_one(market_of: MakeMarket, module: Any) -> None:
    own = accounts(market_of(rules=TradingRules.unlimited(max_net=0.0)))
    own.trade(module, 7)
    assert own.statistics.take()[1]["max_net"] == 1.0


def test_a_runner_opens_its_market_only_to_trade(market_of: MakeMarket) -> None:
    market = market_of()
    algorithm = algorithm_on(market)
    runner = BatchedEnvRunner(config=algorithm.config, module=algorithm.module, worker_index=0)
    runner.rollout(3)
    state = runner.get_state()
    shutil.rmtree(market.folder)
    other = BatchedEnvRunner(config=algorithm.config, module=algorithm.module, worker_index=0)
    other.set_state(state)
    assert other.exact_state() is not None
    with pytest.raises(TrainingError, match=f"market of this algorithm is not there .*{market.folder}"):
        other.rollout(1)
    algorithm.stop()


def test_episodes_are_the_arrays_cut_where_they_end(market_of: MakeMarket) -> None:
    algorithm = algorithm_on(market_of(), shadow_accounts=False)
    runners = [BatchedEnvRunner(config=algorithm.config, module=algorithm.module, worker_index=0) for _ in range(2)]
    arrays = runners[0].rollout(2 * EPISODE + 2)
    episodes = runners[1].sample(num_timesteps=ACCOUNTS * (EPISODE + 1))
    episodes += runners[1].sample(num_timesteps=ACCOUNTS * (EPISODE + 1))
    assert sum(len(episode) for episode in episodes) == arrays.rewards.numel()
    whole = [episode for episode in episodes if episode.is_done and episode.t_started == 0]
    assert len(whole) == ACCOUNTS
    for account, episode in enumerate(whole):
        assert np.array_equal(episode.get_rewards(), arrays.rewards[:EPISODE, account].double().numpy())
        assert np.array_equal(episode.get_observations(-1), arrays.next_observations[EPISODE - 1, account].numpy())
        assert np.array_equal(episode.get_actions(), arrays.actions[:EPISODE, account].numpy())
    pieces = {episode.id_: episode for episode in episodes if not episode.is_done and episode.t_started == 0}
    for rest in (episode for episode in episodes if episode.t_started == 1):
        pieces[rest.id_].concat_episode(rest)
        assert len(pieces[rest.id_]) == EPISODE
    metrics = runners[1].get_metrics()
    assert metrics["num_episodes"].peek() == 2 * ACCOUNTS
    assert metrics["episode_len_mean"].peek() == EPISODE
    algorithm.stop()


def test_a_number_of_whole_episodes_can_be_asked_for(market_of: MakeMarket) -> None:
    algorithm = algorithm_on(market_of(), shadow_accounts=False)
    runner = BatchedEnvRunner(config=algorithm.config, module=algorithm.module, worker_index=0)
    episodes = runner.sample(num_episodes=6, explore=False)
    assert [len(episode) for episode in episodes] == [EPISODE] * 6
    assert all(episode.is_done for episode in episodes)
    algorithm.stop()

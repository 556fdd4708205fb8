"""The ring that remembers where accounts stood: what it draws is what was sampled."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_samples import planted_panel

from wealtharena.core import MarketPanel
from wealtharena.core.errors import TrainingError
from wealtharena.envs import EnvConfig, TradingVectorEnv
from wealtharena.execution import MarketArrays
from wealtharena.execution.market import market_arrays
from wealtharena.training.replay import ReplayRing
from wealtharena.training.transitions import Transitions

NOTHING = torch.empty(0)


@pytest.fixture(scope="module")
def panel() -> MarketPanel:
    """Sixty sessions of three assets, some of which are not observed at times."""
    whole = planted_panel(60, 3, 0.1, seed=5)
    observed = np.random.default_rng(0).random(whole.observed.shape) < 0.9
    return replace(whole, observed=observed, tradable=observed.copy())


def traded(panel: MarketPanel, config: EnvConfig, sessions: int, accounts: int = 4) -> tuple[Transitions, MarketArrays]:
    """What accounts that act at random live through, step by step from the environment."""
    env = TradingVectorEnv(panel, config, accounts, seed=3, autoreset_mode="SameStep")
    rng, columns = np.random.default_rng(1), []
    seen = env.reset()[0]
    for _ in range(sessions):
        rows, assets = env.accounts.state["row"].copy(), env.accounts.assets.copy()
        if config.action == "levels":
            actions = rng.integers(len(config.levels), size=accounts)
        else:
            actions = rng.uniform(-1.0, 1.0, seen.shape[:2]).astype(np.float32)
        following, rewards, terminated, truncated, info = env.step(actions)
        ended, last = terminated | truncated, following.copy()
        for i in np.flatnonzero(ended):
            last[i] = info["final_obs"][i]
        columns.append((seen, actions, rewards.astype(np.float32), last, terminated, ended, rows, assets))
        seen = following
    stacked = [torch.from_numpy(np.stack(column)) for column in zip(*columns, strict=True)]
    return Transitions(*stacked[:6], NOTHING, NOTHING, *stacked[6:]), env.market


def steps(rewards: list[float], ended: list[bool], terminated: bool = False) -> Transitions:
    """One account and asset; position, gross exposure and drawdown of session t are 10 t, 10 t + 1 and 10 t + 2, one
    more where they follow an action. Its market shows nothing but those."""
    count = len(rewards)
    own = 10.0 * torch.arange(count)[:, None, None, None] + torch.tensor([0.0, 0.0, 1.0, 2.0])
    over = torch.tensor(ended)[:, None]
    return Transitions(
        observations=own, actions=torch.arange(count)[:, None], rewards=torch.tensor(rewards)[:, None],
        next_observations=own + 5.0, terminated=over & terminated, ended=over, action_inputs=NOTHING,
        action_logp=NOTHING, rows=torch.arange(count)[:, None], assets=torch.zeros(count, 1, 1, dtype=torch.int64),
    )  # fmt: skip


def bare_market(sessions: int = 60) -> MarketArrays:
    return market_arrays(planted_panel(sessions, 1, 0.1, seed=5, features=1))


def contents(ring: ReplayRing) -> dict[str, Any]:
    """Columns by what was done at the start."""
    columns = ring.get_state()["columns"]
    order = np.argsort(columns["actions"], kind="stable")
    return {name: column[order].tolist() for name, column in columns.items()}


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("levels", [False, True])
def test_observations_drawn_are_bit_for_bit_those_sampled(panel: MarketPanel, window: int, levels: bool) -> None:
    more: dict[str, Any] = {"action": "levels", "symbols_per_episode": 1} if levels else {}
    sampled, market = traded(panel, EnvConfig(episode_days=5, reward_scale=50.0, window=window, **more), 14)
    ring = ReplayRing(capacity=56, seed=0)
    ring.add(replace(sampled, rewards=torch.arange(56.0).reshape(14, 4)))  # so that each can be told from the others
    drawn = ring.draw(200, market)
    flat = {
        "obs": sampled.observations.flatten(0, 1), "new_obs": sampled.next_observations.flatten(0, 1),
        "actions": sampled.actions.flatten(0, 1), "terminateds": sampled.terminated.flatten(),
    }  # fmt: skip
    place = drawn["rewards"].long()
    assert len(place.unique()) > 40
    for name, column in flat.items():
        assert torch.equal(drawn[name], column[place]), name
    assert not bool((drawn["obs"][..., -3] == 1.0).all())
    assert drawn["n_step"].tolist() == drawn["weights"].tolist() == [1.0] * 200


def test_rewards_of_several_sessions_are_discounted_and_stop_where_an_episode_ends() -> None:
    ring = ReplayRing(capacity=9, seed=0, n_step=3, gamma=0.5)
    ring.add(steps([1.0, 2.0, 4.0, 8.0, 16.0], [False, False, False, True, False], terminated=True))
    held = contents(ring)
    assert held["rewards"] == [1.0 + 1.0 + 1.0, 2.0 + 2.0 + 2.0, 4.0 + 4.0]
    assert held["n_step"] == [3, 3, 2]
    assert held["terminateds"] == [False, True, True]
    assert [column[0] for column in held["next_account"]] == [25.0, 35.0, 35.0]
    drawn = ring.draw(50, bare_market())
    assert set(drawn["n_step"].tolist()) == {2.0, 3.0}


def test_sessions_added_one_by_one_make_the_same_ring_as_all_at_once(panel: MarketPanel) -> None:
    sampled, _ = traded(panel, EnvConfig(episode_days=5), 12)
    whole, parts = (ReplayRing(capacity=30, seed=0, n_step=3, gamma=0.9) for _ in range(2))
    whole.add(sampled)
    for t in range(12):
        parts.add(Transitions(*(getattr(sampled, name)[t : t + 1] for name in Transitions.__slots__)))
    assert len(whole) == len(parts) == 30
    for name, column in whole.get_state()["columns"].items():
        assert np.array_equal(np.sort(column, axis=0), np.sort(parts.get_state()["columns"][name], axis=0)), name


@settings(max_examples=30)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=12))
def test_ring_holds_the_latest_transitions_and_keeps_their_columns_together(sizes: list[int]) -> None:
    total = sum(sizes)
    everything = steps([float(t) for t in range(total)], [False] * total)
    ring, first = ReplayRing(capacity=10, seed=0), 0
    for size in sizes:
        ring.add(Transitions(*(getattr(everything, name)[first : first + size] for name in Transitions.__slots__)))
        first += size
    drawn = ring.draw(200, bare_market(90))
    assert len(ring) == min(total, 10)
    assert set(drawn["rewards"].tolist()) <= set(map(float, range(max(0, total - 10), total)))
    assert torch.equal(drawn["actions"].float(), drawn["rewards"])
    assert torch.equal(drawn["obs"][:, 0, -1], 10.0 * drawn["rewards"] + 2.0)
    assert torch.equal(drawn["new_obs"][:, 0, -2], 10.0 * drawn["rewards"] + 6.0)


def test_the_seed_decides_what_is_drawn_and_the_global_generators_do_not() -> None:
    def draw(seed: int) -> list[float]:
        ring = ReplayRing(capacity=50, seed=seed)
        ring.add(steps([float(t) for t in range(50)], [False] * 50))
        torch.rand(7), np.random.rand(7)
        rewards: list[float] = ring.draw(20, bare_market())["rewards"].tolist()
        return rewards

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


@pytest.mark.parametrize("sessions", [3, 40])
def test_a_ring_goes_on_from_its_state(panel: MarketPanel, sessions: int) -> None:
    sampled, market = traded(panel, EnvConfig(episode_days=5), sessions + 5)
    before, after = (
        Transitions(*(getattr(sampled, name)[part] for name in Transitions.__slots__))
        for part in (slice(0, sessions), slice(sessions, None))
    )
    ring, other = (ReplayRing(capacity=60, seed=seed, n_step=2, gamma=0.9) for seed in (0, 1))
    ring.add(before)
    ring.draw(8, market)
    state = ring.get_state()
    assert all(len(column) == len(ring) for column in state["columns"].values())
    other.set_state(state)
    for each in (ring, other):
        each.add(after)
    for _ in range(3):
        drawn, same = ring.draw(8, market), other.draw(8, market)
        assert all(torch.equal(column, same[name]) for name, column in drawn.items())


def test_a_ring_takes_a_fraction_of_the_memory_of_observation_pairs(panel: MarketPanel) -> None:
    sampled, market = traded(panel, EnvConfig(episode_days=5, window=12), 5)
    ring = ReplayRing(capacity=1_000, seed=0)
    ring.add(sampled)
    pair = 2 * sampled.observations[0, 0].numpy().nbytes
    assert ring.nbytes < 1_000 * pair / 10
    assert market.window == 12


def test_nothing_is_drawn_from_an_empty_ring() -> None:
    ring = ReplayRing(capacity=10, seed=0, n_step=3)
    ring.add(steps([1.0, 2.0], [False, False]))
    with pytest.raises(TrainingError, match="must hold transitions before any are drawn, got none"):
        ring.draw(4, bare_market())

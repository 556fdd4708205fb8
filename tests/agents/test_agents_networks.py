"""Networks treat assets as a set: order, absentees and strangers change nothing for the others."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wealtharena.agents.networks import (
    MASK_COLUMN,
    NETWORKS,
    GaussianScores,
    LevelScores,
    LevelValues,
    NetworkSpec,
    ObservationStatistics,
    PooledActionValue,
    PooledValue,
    ScoringNetwork,
    TorchPolicy,
)
from wealtharena.core.errors import ExecutionError, SettingsError
from wealtharena.settings.models import Network

STATISTICS = ObservationStatistics(mean=(0.3, -1.0, 0.0), deviation=(2.0, 0.5, 1.0))
LEVELS = (-1.0, 0.0, 1.0)
ACTORS: dict[str, Callable[[NetworkSpec], ScoringNetwork]] = {
    "ppo long only": lambda spec: GaussianScores(spec, low=0.0, bounded=True),
    "ppo": lambda spec: GaussianScores(spec, low=-1.0, bounded=True),
    "ppo levels": lambda spec: LevelScores(spec, LEVELS),
    "sac": lambda spec: GaussianScores(spec, low=0.0, bounded=False),
}
SETS = tuple(kind for kind in Network if kind is not Network.PLAIN)
DQN = (Network.FEED_FORWARD, Network.LSTM)


def spec_of(network: Network, num_assets: int | None = None) -> NetworkSpec:
    return NetworkSpec(3, (16, 8), network, window=2, num_assets=num_assets, statistics=STATISTICS)


def with_large_weights(network: nn.Module) -> nn.Module:
    """Away from the small initial outputs, so that equality means something."""
    generator = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return network


KINDS = [(name, kind) for name in ACTORS for kind in SETS] + [("dqn", kind) for kind in DQN]
MADE: dict[tuple[str, Network], ScoringNetwork] = {
    (name, kind): with_large_weights(
        LevelValues(spec_of(kind), LEVELS) if name == "dqn" else ACTORS[name](spec_of(kind))
    )
    for name, kind in KINDS
}
CRITICS = {kind: (PooledValue(spec_of(kind)), PooledActionValue(spec_of(kind))) for kind in SETS}
WIDTH = spec_of(Network.FEED_FORWARD).row_width
any_network = st.sampled_from(KINDS).map(MADE.get)
quick = settings(max_examples=25)


@st.composite
def observations(draw: st.DrawFn, min_assets: int = 1, observed: bool = True) -> torch.Tensor:
    """(N, A, D) of up to 4 accounts and 6 assets; strangers are unobserved but have rows as full as the others'."""
    shape = draw(st.integers(1, 4)), draw(st.integers(min_assets, 6)), WIDTH
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    rows = torch.randn(shape, generator=generator)
    rows[..., MASK_COLUMN] = 1.0 if observed else (torch.rand(shape[:2], generator=generator) < 0.6).float()
    return rows


def strangers(rows: torch.Tensor, count: int = 2) -> torch.Tensor:
    """Masked assets that would matter if anyone looked at them."""
    more = torch.full((len(rows), count, WIDTH), 3.0)
    more[..., MASK_COLUMN] = 0.0
    return more


def same(left: torch.Tensor, right: torch.Tensor) -> bool:
    return torch.allclose(left, right, atol=2e-5)


@quick
@given(any_network, observations(observed=False), st.randoms(use_true_random=False))
def test_scores_follow_the_assets_when_their_order_changes(network, rows, random) -> None:
    order = random.sample(range(rows.shape[1]), rows.shape[1])
    assert same(network.scores(rows[:, order]), network.scores(rows)[:, order])


@quick
@given(any_network, observations(observed=False))
def test_masked_assets_get_zero_and_influence_nobody(network, rows) -> None:
    scores = network.scores(torch.cat([rows, strangers(rows)], dim=1))
    assert same(scores[:, : rows.shape[1]], network.scores(rows))
    assert torch.equal(scores[:, rows.shape[1] :].abs(), torch.zeros(len(rows), 2))


@quick
@given(any_network, observations(min_assets=2))
def test_masking_an_asset_equals_dropping_it(network, rows) -> None:
    masked = rows.clone()
    masked[:, 1, MASK_COLUMN] = 0.0
    kept = [k for k in range(rows.shape[1]) if k != 1]
    assert same(network.scores(masked)[:, kept], network.scores(rows[:, kept]))


@quick
@given(any_network, observations(observed=False))
def test_scores_stay_within_limits_and_finite_for_extreme_inputs(network, rows) -> None:
    rows[..., : MASK_COLUMN - 1] *= 1e30
    scores = network.scores(rows)
    assert bool(((scores >= getattr(network, "low", -1.0)) & (scores <= 1.0)).all())


@quick
@given(st.sampled_from(SETS), observations(observed=False), st.randoms(use_true_random=False))
def test_values_ignore_order_and_masked_assets(kind, rows, random) -> None:
    value, action_value = CRITICS[kind]
    scores = rows[..., 0].tanh()
    order = random.sample(range(rows.shape[1]), rows.shape[1])
    assert same(value(rows[:, order]), value(rows))
    assert same(action_value(rows[:, order], scores[:, order]), action_value(rows, scores))
    more, chosen = torch.cat([rows, strangers(rows)], 1), torch.cat([scores, torch.ones(len(rows), 2)], 1)
    assert same(value(more), value(rows))
    assert same(action_value(more, chosen), action_value(rows, scores))


@pytest.mark.parametrize("key", KINDS, ids=str)
def test_an_account_that_sees_nothing_gets_zero_scores(key: tuple[str, Network]) -> None:
    assert torch.equal(MADE[key].scores(torch.zeros(2, 3, WIDTH)).abs(), torch.zeros(2, 3))


@pytest.mark.parametrize("key", [key for key in KINDS if key[0] != "dqn"], ids=str)
def test_a_stranger_that_is_observed_may_change_the_others(key: tuple[str, Network]) -> None:
    rows = torch.randn(64, 4, WIDTH, generator=torch.Generator().manual_seed(1))
    rows[..., MASK_COLUMN] = 1.0
    known, crowd = MADE[key](rows[:, :3]), MADE[key](rows)
    assert torch.isfinite(crowd).all()
    assert not same(crowd.unflatten(1, (-1, 4))[:, 0, :3], known.unflatten(1, (-1, 3))[:, 0])


@pytest.mark.parametrize("kind", DQN)
def test_dqn_levels_do_not_depend_on_the_rest_of_the_account(kind: Network) -> None:
    rows = torch.ones(3, 2, WIDTH)
    elsewhere = rows.clone()
    elsewhere[..., -2:] = 0.7
    network = MADE["dqn", kind]
    assert torch.equal(network(elsewhere), network(rows))
    assert same(network(rows)[:, :1], network(rows[:, :1]))


@pytest.mark.parametrize("name", ACTORS)
def test_attention_sees_more_than_the_mean_of_the_others(name: str) -> None:
    """Two crowds with the same mean encoding: who only pools cannot tell them apart."""
    rows = torch.zeros(2, 3, WIDTH)
    rows[..., MASK_COLUMN] = 1.0
    rows[0, 1:, 0] = torch.tensor([2.3, -1.7])
    rows[1, 1:, 0] = 0.3
    linear = replace(STATISTICS, mean=(0.3, 0.0, 0.0), deviation=(1.0, 1.0, 1.0))
    for kind, differs in ((Network.FEED_FORWARD, False), (Network.ATTENTION, True)):
        network = with_large_weights(ACTORS[name](NetworkSpec(3, (8,), kind, window=2, statistics=linear)))
        layers = network.encoder.layers if kind is Network.FEED_FORWARD else network.encoder.encoder.layers
        layers[1] = nn.Identity()
        out = network(rows).unflatten(1, (-1, 3))[:, 0, 0]
        assert bool((out[0] - out[1]).abs() > 1e-3) is differs


def test_the_lstm_reads_sessions_in_their_order() -> None:
    rows = torch.zeros(2, 1, WIDTH)
    rows[..., MASK_COLUMN] = 1.0
    rows[0, 0, :6] = torch.tensor([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    rows[1, 0, :6] = torch.tensor([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    scores = MADE["ppo", Network.LSTM].scores(rows)
    assert bool((scores[0] - scores[1]).abs() > 1e-3)


def plain(num_assets: int = 3) -> GaussianScores:
    made = GaussianScores(spec_of(Network.PLAIN, num_assets), low=-1.0, bounded=True)
    with_large_weights(made)
    return made


def test_the_plain_network_has_weights_and_a_deviation_for_every_asset() -> None:
    network = plain()
    rows = torch.randn(4, 3, WIDTH)
    rows[..., MASK_COLUMN] = 1.0
    assert network.log_std.shape == (3,)
    assert network(rows).shape == (4, 9)
    order = [2, 0, 1]
    assert not same(network.scores(rows[:, order]), network.scores(rows)[:, order])


def test_the_plain_network_does_not_look_at_masked_assets_either() -> None:
    network, rows = plain(), torch.randn(4, 3, WIDTH)
    rows[..., MASK_COLUMN] = torch.tensor([1.0, 0.0, 1.0])
    other = rows.clone()
    other[:, 1, :MASK_COLUMN] = 2.0
    assert torch.equal(network.scores(other), network.scores(rows))
    assert torch.equal(network.scores(rows)[:, 1].abs(), torch.zeros(4))


def test_the_plain_network_refuses_another_number_of_assets() -> None:
    with pytest.raises(ExecutionError, match="must show the 3 assets that it was made for, got 4"):
        plain().scores(torch.zeros(2, 4, WIDTH))
    with pytest.raises(SettingsError, match="num_assets must be given"):
        PooledValue(spec_of(Network.PLAIN))


def test_plain_critics_value_accounts_and_their_scores() -> None:
    spec, rows = spec_of(Network.PLAIN, 3), torch.randn(4, 3, WIDTH)
    rows[..., MASK_COLUMN] = 1.0
    value, action_value = PooledValue(spec), with_large_weights(PooledActionValue(spec))
    assert value(rows).shape == action_value(rows, torch.ones(4, 3)).shape == (4, 1)
    assert not same(action_value(rows, torch.ones(4, 3)), action_value(rows, torch.zeros(4, 3)))


def test_every_network_of_the_settings_has_an_encoder() -> None:
    assert set(NETWORKS) == set(Network)


def test_long_only_scores_are_never_negative() -> None:
    rows = torch.randn(64, 4, WIDTH)
    rows[..., MASK_COLUMN] = 1.0
    assert float(MADE["ppo long only", Network.FEED_FORWARD].scores(rows).detach().min()) >= 0.0


def test_torch_policy_gives_float64_scores_of_the_right_shape() -> None:
    policy = TorchPolicy(MADE["ppo", Network.FEED_FORWARD])
    scores = policy.act(torch.ones(2, 6, WIDTH).numpy())
    assert scores.shape == (2, 6)
    assert scores.dtype == np.float64

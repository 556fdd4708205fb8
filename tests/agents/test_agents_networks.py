"""Networks treat assets as a set: order, absentees and strangers change nothing for the others."""

import numpy as np
import pytest
import torch

from wealtharena.agents.networks import (
    MASK_COLUMN,
    GaussianScores,
    LevelValues,
    PooledActionValue,
    PooledValue,
    TorchPolicy,
)

WIDTH = 9
NETWORKS = {
    "ppo long only": lambda: GaussianScores(WIDTH, (16, 8), long_only=True, bounded=True),
    "ppo": lambda: GaussianScores(WIDTH, (16,), long_only=False, bounded=True),
    "sac": lambda: GaussianScores(WIDTH, (16, 8), long_only=True, bounded=False),
    "dqn": lambda: LevelValues(WIDTH, (16,), (-1.0, 0.0, 1.0)),
}


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> GaussianScores | LevelValues:
    torch.manual_seed(3)
    made = NETWORKS[request.param]()
    for parameter in made.parameters():
        torch.nn.init.normal_(
            parameter, std=0.5
        )  # away from the small initial outputs, so that equality means something
    return made


def observations(accounts: int, assets: int, seed: int = 0) -> torch.Tensor:
    rows = torch.randn(accounts, assets, WIDTH, generator=torch.Generator().manual_seed(seed))
    rows[..., MASK_COLUMN] = 1.0
    return rows


def test_scores_follow_the_assets_when_their_order_changes(network: GaussianScores | LevelValues) -> None:
    rows = observations(4, 5)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(network.scores(rows[:, order]), network.scores(rows)[:, order], atol=1e-6)


def test_masked_assets_get_zero_and_influence_nobody(network: GaussianScores | LevelValues) -> None:
    rows = observations(4, 5)
    strangers = observations(4, 3, seed=1)
    strangers[..., MASK_COLUMN] = 0.0
    scores = network.scores(torch.cat([rows, strangers], dim=1))
    assert torch.allclose(scores[:, :5], network.scores(rows), atol=1e-6)
    assert torch.equal(scores[:, 5:].abs(), torch.zeros(4, 3))


def test_masking_an_asset_equals_dropping_it(network: GaussianScores | LevelValues) -> None:
    rows = observations(4, 5)
    masked = rows.clone()
    masked[:, 2] = 0.0
    kept = [0, 1, 3, 4]
    assert torch.allclose(network.scores(masked)[:, kept], network.scores(rows[:, kept]), atol=1e-6)


def test_scores_stay_within_limits_and_finite_for_extreme_inputs(network: GaussianScores | LevelValues) -> None:
    rows = observations(8, 4)
    rows[..., : MASK_COLUMN - 1] *= 1e30
    scores = network.scores(rows)
    low = getattr(network, "low", -1.0)
    assert bool(((scores >= low) & (scores <= 1.0)).all())


def test_an_account_that_sees_nothing_gets_zero_scores(network: GaussianScores | LevelValues) -> None:
    assert torch.equal(network.scores(torch.zeros(2, 3, WIDTH)).abs(), torch.zeros(2, 3))


def test_long_only_scores_are_never_negative() -> None:
    scores = GaussianScores(WIDTH, (8,), long_only=True, bounded=True).scores(observations(64, 4))
    assert float(scores.detach().min()) >= 0.0


def test_value_networks_ignore_order_and_masked_assets() -> None:
    torch.manual_seed(1)
    rows, scores = observations(4, 5), torch.rand(4, 5)
    stranger = observations(4, 1, seed=2)
    stranger[..., MASK_COLUMN] = 0.0
    order = [4, 2, 0, 1, 3]
    value, action_value = PooledValue(WIDTH, (8,)), PooledActionValue(WIDTH, (8,))
    assert torch.allclose(value(rows[:, order]), value(rows), atol=1e-6)
    assert torch.allclose(value(torch.cat([rows, stranger], 1)), value(rows), atol=1e-6)
    assert torch.allclose(action_value(rows[:, order], scores[:, order]), action_value(rows, scores), atol=1e-6)
    more = action_value(torch.cat([rows, stranger], 1), torch.cat([scores, torch.ones(4, 1)], 1))
    assert torch.allclose(more, action_value(rows, scores), atol=1e-6)


def test_dqn_levels_do_not_depend_on_the_rest_of_the_account() -> None:
    network = LevelValues(WIDTH, (8,), (-1.0, 0.0, 1.0))
    rows = observations(3, 2)
    elsewhere = rows.clone()
    elsewhere[..., -2:] = 0.7
    assert torch.equal(network(elsewhere), network(rows))


def test_torch_policy_gives_float64_scores_of_the_right_shape() -> None:
    policy = TorchPolicy(NETWORKS["ppo"]())
    scores = policy.act(observations(2, 6).numpy())
    assert scores.shape == (2, 6)
    assert scores.dtype == np.float64

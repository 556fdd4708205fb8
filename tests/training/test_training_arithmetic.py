"""Advantages and distributions against answers worked out by hand."""

import math

import gymnasium
import pytest
import torch

from wealtharena.training.advantages import generalised_advantages
from wealtharena.training.distributions import LongOnlySquashedGaussian, MaskedGaussian, SquashedGaussian


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def flags(*values: bool) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def test_advantages_of_three_sessions_by_hand() -> None:
    # errors: 1 + .5*2 - 1 = 1; 2 + .5*3 - 2 = 1.5; 3 + .5*0 - 3 = 0, carried on with .5 * .8 = .4
    advantages, targets = generalised_advantages(
        column(1.0, 2.0, 3.0), column(1.0, 2.0, 3.0), column(2.0, 3.0, 0.0), flags(False, False, False),
        flags(False, False, True), gamma=0.5, lambda_=0.8,
    )  # fmt: skip
    assert torch.allclose(advantages, column(1.6, 1.5, 0.0))
    assert torch.allclose(targets, column(2.6, 3.5, 3.0))


def test_a_ruined_account_has_no_future_and_a_cut_episode_has_one() -> None:
    rewards, values, following = column(1.0, 1.0), column(0.0, 0.0), column(10.0, 10.0)
    ruined, _ = generalised_advantages(rewards, values, following, flags(True, True), flags(True, True), 0.9, 1.0)
    cut, _ = generalised_advantages(rewards, values, following, flags(False, False), flags(True, True), 0.9, 1.0)
    assert torch.allclose(ruined, column(1.0, 1.0))
    assert torch.allclose(cut, column(10.0, 10.0))


def test_with_lambda_one_targets_are_discounted_returns() -> None:
    rewards = torch.tensor([[1.0, 0.0], [2.0, 0.5], [4.0, 0.25]])
    nothing, last = torch.zeros(3, 2), torch.tensor([[False, False], [False, False], [True, True]])
    _, targets = generalised_advantages(rewards, nothing, nothing, last, last, 0.5, 1.0)
    assert torch.allclose(targets[0], torch.tensor([1.0 + 1.0 + 1.0, 0.25 + 0.0625]))


def logits(location: list[float], log_std: list[float], mask: list[float]) -> torch.Tensor:
    return torch.tensor([[*location, *log_std, *mask]])


def test_masked_gaussian_agrees_with_torch_on_the_assets_it_sees() -> None:
    ours = MaskedGaussian.from_logits(logits([0.2, -0.4, 0.0], [-0.5, -1.0, 0.0], [1.0, 1.0, 0.0]))
    other = MaskedGaussian.from_logits(logits([0.0, 0.1, 0.0], [-0.7, -0.2, 0.0], [1.0, 1.0, 0.0]))
    reference = torch.distributions.Normal(torch.tensor([0.2, -0.4]), torch.exp(torch.tensor([-0.5, -1.0])))
    reference_other = torch.distributions.Normal(torch.tensor([0.0, 0.1]), torch.exp(torch.tensor([-0.7, -0.2])))
    value = torch.tensor([[0.3, 0.5, 9.0]])
    assert torch.allclose(ours.logp(value)[0], reference.log_prob(value[0, :2]).sum())
    assert torch.allclose(ours.entropy()[0], reference.entropy().sum())
    assert torch.allclose(ours.kl(other)[0], torch.distributions.kl_divergence(reference, reference_other).sum())


@pytest.mark.parametrize(("cls", "low"), [(SquashedGaussian, -1.0), (LongOnlySquashedGaussian, 0.0)])
def test_squashed_gaussian_stays_in_range_and_counts_the_jacobian(cls: type[SquashedGaussian], low: float) -> None:
    torch.manual_seed(0)
    distribution = cls.from_logits(logits([0.3, 0.0], [-0.5, 0.0], [1.0, 0.0]).expand(2_000, -1))
    scores, logp = distribution.rsample_and_logp()
    assert bool(((scores[:, 0] >= low) & (scores[:, 0] <= 1.0)).all())
    assert torch.equal(scores[:, 1], torch.zeros(2_000))
    raw = torch.atanh((scores[:, 0] - low) / (1.0 - low) * 2.0 - 1.0)
    base = torch.distributions.Normal(0.3, math.exp(-0.5)).log_prob(raw)
    assert torch.allclose(logp, base - torch.log(1.0 - torch.tanh(raw) ** 2), atol=1e-3)


def test_width_of_the_distribution_inputs() -> None:
    assert MaskedGaussian.required_input_dim(gymnasium.spaces.Box(-1.0, 1.0, (5,))) == 15

"""Distributions against torch's own where nothing is masked; what is masked has no probability to speak of."""

import math

import gymnasium
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Normal, kl_divergence

from wealtharena.training.distributions import (
    LongOnlySquashedGaussian,
    MaskedCategorical,
    MaskedGaussian,
    SquashedGaussian,
)

ASSETS, LEVELS = 3, 4
Levels = MaskedCategorical.get_partial_dist_cls(num_levels=LEVELS)
quick = settings(max_examples=20)
seeds = st.integers(0, 2**31)


def gaussian_inputs(seed: int, mask: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    location = torch.rand(len(mask), ASSETS, generator=generator)
    log_std = torch.empty(len(mask), ASSETS).uniform_(-3.0, 0.0, generator=generator)
    return torch.cat([location * mask, log_std * mask, mask], dim=-1)


def categorical_inputs(seed: int, mask: Tensor) -> Tensor:
    logits = torch.randn(len(mask), ASSETS, LEVELS, generator=torch.Generator().manual_seed(seed))
    return torch.cat([(2.0 * logits).flatten(1), mask], dim=-1)


def mask_of(seed: int) -> Tensor:
    return (torch.rand(5, ASSETS, generator=torch.Generator().manual_seed(seed)) < 0.6).float()


@quick
@given(seeds, seeds, seeds)
def test_a_gaussian_sums_torchs_own_over_observed_assets(one: int, two: int, three: int) -> None:
    mask = mask_of(three)
    mine, other = (MaskedGaussian.from_logits(gaussian_inputs(seed, mask)) for seed in (one, two))
    theirs, their_other = (Normal(item.location, item.log_std.exp()) for item in (mine, other))
    value = mine.sample()
    torch.testing.assert_close(mine.logp(value), (theirs.log_prob(value) * mask).sum(-1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mine.entropy(), (theirs.entropy() * mask).sum(-1), rtol=1e-4, atol=1e-4)
    expected = (kl_divergence(theirs, their_other) * mask).sum(-1)
    torch.testing.assert_close(mine.kl(other), expected, rtol=1e-4, atol=1e-4)


@quick
@given(seeds, seeds, seeds)
def test_levels_sum_torchs_own_over_observed_assets(one: int, two: int, three: int) -> None:
    mask = mask_of(three)
    inputs, other_inputs = categorical_inputs(one, mask), categorical_inputs(two, mask)
    mine, other = Levels.from_logits(inputs), Levels.from_logits(other_inputs)
    theirs, their_other = (
        Categorical(logits=item[:, : ASSETS * LEVELS].reshape(-1, ASSETS, LEVELS)) for item in (inputs, other_inputs)
    )
    places = mine.sample()
    assert places.shape == mask.shape
    assert places.dtype == torch.int64
    torch.testing.assert_close(mine.logp(places), (theirs.log_prob(places) * mask).sum(-1))
    torch.testing.assert_close(mine.entropy(), (theirs.entropy() * mask).sum(-1))
    torch.testing.assert_close(mine.kl(other), (kl_divergence(theirs, their_other) * mask).sum(-1))
    torch.testing.assert_close(mine.kl(mine), torch.zeros(len(mask)))


@quick
@given(seeds, seeds, st.sampled_from([gaussian_inputs, categorical_inputs]))
def test_what_a_masked_asset_is_asked_changes_nothing(one, two, made) -> None:
    kind = MaskedGaussian if made is gaussian_inputs else Levels
    mask = mask_of(one)
    mask[:, 1] = 0.0
    inputs = made(two, mask)
    otherwise = inputs.clone()
    if kind is MaskedGaussian:
        otherwise[:, 1], otherwise[:, ASSETS + 1] = 0.9, -2.0
    else:
        otherwise[:, LEVELS : 2 * LEVELS] = torch.arange(float(LEVELS))
    one_, other = kind.from_logits(inputs), kind.from_logits(otherwise)
    value = one_.sample()
    assert torch.equal(value[:, 1], torch.zeros_like(value[:, 1]))
    moved = value.clone()
    moved[:, 1] = 1
    torch.testing.assert_close(one_.logp(value), other.logp(moved))
    torch.testing.assert_close(one_.entropy(), other.entropy())
    torch.testing.assert_close(one_.kl(other), torch.zeros(len(mask)))


def test_levels_are_drawn_as_often_as_they_are_likely() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    inputs = torch.cat([probabilities.log().repeat(40_000, 1), torch.ones(40_000, 1)], dim=-1)
    drawn = Levels.from_logits(inputs).sample(generator=torch.Generator().manual_seed(1))
    assert drawn.shape == (40_000,)  # one asset: places as Discrete has them
    shares = torch.bincount(drawn, minlength=LEVELS) / len(drawn)
    torch.testing.assert_close(shares, probabilities, rtol=0.0, atol=0.01)


def test_one_asset_has_places_of_a_discrete_space() -> None:
    distribution = Levels.from_logits(torch.tensor([[0.0, 2.0, 1.0, 0.0, 1.0]]))
    assert distribution.to_deterministic().sample().tolist() == [1]
    logp = distribution.logp(torch.tensor([1]))
    assert logp.tolist() == pytest.approx([2.0 - math.log(2.0 + math.e + math.e**2)])
    assert MaskedCategorical.required_input_dim(gymnasium.spaces.Discrete(LEVELS), num_levels=LEVELS) == 5
    several = gymnasium.spaces.MultiDiscrete([LEVELS] * ASSETS)
    assert MaskedCategorical.required_input_dim(several, num_levels=LEVELS) == ASSETS * 5


@pytest.mark.parametrize(
    ("kind", "made"),
    [(MaskedGaussian, gaussian_inputs), (SquashedGaussian, gaussian_inputs),
     (LongOnlySquashedGaussian, gaussian_inputs), (Levels, categorical_inputs)],
)  # fmt: skip
def test_equal_generators_draw_equal_actions_and_the_global_one_stays(kind, made) -> None:
    distribution = kind.from_logits(made(3, torch.ones(5, ASSETS)))
    before = torch.get_rng_state()
    one, two = (distribution.sample(generator=torch.Generator().manual_seed(8)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, distribution.sample(generator=torch.Generator().manual_seed(9)))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_deterministic_action_is_the_likeliest() -> None:
    mask = torch.tensor([[1.0, 0.0, 1.0]])
    gaussian = torch.tensor([[0.5, 0.7, -0.3, -1.0, -1.0, -1.0]])
    inputs = torch.cat([gaussian * mask.repeat(1, 2), mask], dim=-1)
    torch.testing.assert_close(
        MaskedGaussian.from_logits(inputs).to_deterministic().sample(), torch.tensor([[0.5, 0.0, -0.3]])
    )
    squashed = SquashedGaussian.from_logits(inputs).to_deterministic().sample()
    torch.testing.assert_close(squashed, torch.tensor([[math.tanh(0.5), 0.0, math.tanh(-0.3)]]))
    logits = torch.tensor([[0.0, 1.0, 2.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]])
    places = Levels.from_logits(torch.cat([logits, mask], dim=-1)).to_deterministic().sample()
    assert places.tolist() == [[2, 0, 3]]

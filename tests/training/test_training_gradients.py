"""Gradients written by hand are those of RLlib's loss by autograd, whatever the shapes, masks and weights."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learner_samples import MID, Batch, make_learner, one_thread, roughen, sampled_batch  # noqa: F401 - a fixture
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns

from wealtharena.training import gradients
from wealtharena.training.a2c import A2CTorchLearner
from wealtharena.training.flat import FlatAdam, FlatParameters
from wealtharena.training.gradients import hand_written
from wealtharena.training.lean_on_policy import LeanA2CLearner, LeanPPOLearner
from wealtharena.training.losses import Sampled, explained_variance, policy_term, tanh32

LEARNERS = {LeanPPOLearner: PPOTorchLearner, LeanA2CLearner: A2CTorchLearner}
KINDS = st.sampled_from(
    [("plain", "weights"), ("plain", "levels"), ("feed_forward", "weights"), ("feed_forward", "levels")]
)


def by_autograd(learner: Any, batch: Batch) -> tuple[float, dict[str, torch.Tensor], dict[str, float]]:
    """RLlib's loss, its gradients by name, and what it logs."""
    module, kept = learner.module[MID], {}
    learner.metrics.log_dict = lambda figures, **_: kept.update({k: float(v.detach()) for k, v in figures.items()})
    loss = learner.compute_loss_for_module(
        module_id=MID, config=learner.config, batch=batch, fwd_out=module.forward_train(batch)
    )
    names, parameters = zip(*module.named_parameters(), strict=True)
    return float(loss.detach()), dict(zip(names, torch.autograd.grad(loss, parameters), strict=True)), kept


def by_hand(learner: Any, batch: Batch, rows: torch.Tensor) -> tuple[float, dict[str, torch.Tensor], dict[str, float]]:
    own, terms = learner._by_hand, learner.loss_terms(MID)
    figures = own.learn(own.inputs(batch[Columns.OBS]), Sampled.of(batch), rows, terms)
    found = {name: parameter.grad.clone() for name, parameter in learner.module[MID].named_parameters()}
    return terms.total(figures), found, learner.loss_figures(figures)


def assert_same(learner: Any, batch: Batch, rows: torch.Tensor) -> None:
    loss, found, figures = by_hand(learner, batch, rows)
    known_loss, known, known_figures = by_autograd(learner, {name: values[rows] for name, values in batch.items()})
    scale = max(1.0, *(float(gradient.abs().max()) for gradient in known.values()))
    assert loss == pytest.approx(known_loss, rel=2e-6, abs=2e-6)
    assert set(found) == set(known)
    for name in known:
        assert torch.allclose(found[name], known[name], rtol=0.0, atol=1e-6 * scale), name
    assert figures == pytest.approx({name: known_figures[name] for name in figures}, rel=1e-4, abs=2e-5)


@settings(max_examples=20)
@given(
    learner_class=st.sampled_from(list(LEARNERS)),
    kind=KINDS,
    assets=st.integers(1, 4),
    window=st.integers(1, 3),
    hidden=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    observed=st.sampled_from([0.0, 0.6, 1.0]),
    long_only=st.booleans(),
    weights=st.tuples(st.sampled_from([0.02, 0.3]), st.sampled_from([0.5, 10.0]), st.sampled_from([0.0, 0.05])),
    divergence=st.sampled_from([0.0, 0.3]),
    log_std=st.sampled_from([-1.0, 0.4]),
    block=st.sampled_from([3, 512]),
    seed=st.integers(0, 1_000),
)
def test_they_equal_autograd(
    learner_class: type, kind: tuple[str, str], assets: int, window: int, hidden: tuple[int, ...], observed: float,
    long_only: bool, weights: tuple[float, float, float], divergence: float, log_std: float, block: int, seed: int,
) -> None:  # fmt: skip
    clip, value_clip, entropy = weights
    figures: dict[str, Any] = {"entropy_coeff": entropy, "vf_loss_coeff": 0.7}
    if learner_class is LeanPPOLearner:
        figures |= {
            "clip_param": clip, "vf_clip_param": value_clip, "use_kl_loss": divergence > 0.0, "kl_coeff": divergence
        }  # fmt: skip
    statistics = {"mean": (0.3, -0.2), "deviation": (0.5, 2.0)}
    network, actions = kind
    learner = make_learner(
        learner_class, assets, network=network, actions=actions, window=window, hidden_sizes=hidden,
        long_only=long_only, statistics=statistics, **figures,
    )  # fmt: skip
    roughen(learner)
    if actions == "weights":
        learner.module[MID].pi.log_std.data.fill_(log_std)
    batch = sampled_batch(learner, 11, observed, seed)
    rows = torch.randperm(11, generator=torch.Generator().manual_seed(seed))[:7]
    whole, gradients._BLOCK = gradients._BLOCK, block
    try:
        assert_same(learner, batch, rows)
    finally:
        gradients._BLOCK = whole


@pytest.mark.parametrize("log_std", [-3.1, 0.1])
def test_deviations_beyond_their_bounds_have_no_gradient(log_std: float) -> None:
    learner = make_learner(LeanPPOLearner)
    learner.module[MID].pi.log_std.data.fill_(log_std)
    batch = sampled_batch(learner, 20)
    _, found, _ = by_hand(learner, batch, torch.arange(20))
    _, known, _ = by_autograd(learner, batch)
    assert torch.equal(found["pi.log_std"], known["pi.log_std"])
    assert float(found["pi.log_std"].abs().max()) == 0.0


@pytest.mark.parametrize("network", ["plain", "feed_forward"])
def test_values_are_those_of_the_critic(network: str) -> None:
    learner = make_learner(LeanPPOLearner, network=network, window=2)
    roughen(learner)
    batch = sampled_batch(learner, 20)
    expected = learner.module[MID].compute_values(batch)
    assert torch.allclose(learner.values(learner.inputs(batch[Columns.OBS])), expected, atol=1e-6)


@pytest.mark.parametrize("advantage", [1.0, -1.0, 0.0])
@pytest.mark.parametrize("logp", [-1.0, 0.0, 1.0])
def test_at_the_very_edge_of_the_clip_the_gradient_is_autograds(advantage: float, logp: float) -> None:
    # Without room for the ratio, one that has not moved lies on both bounds.
    new = torch.tensor(logp, requires_grad=True)
    ratio = torch.exp(new)
    loss = -torch.min(advantage * ratio, advantage * ratio.clamp(1.0, 1.0))
    loss.backward()
    found, slope = policy_term(*(torch.tensor([advantage, logp, 0.0, 0.0]).numpy()))
    assert found == pytest.approx(float(loss.detach()))
    assert slope == pytest.approx(float(new.grad))


def test_the_approximated_tangent_is_exact_to_the_last_bits_and_lets_nan_through() -> None:
    points = torch.linspace(-12.0, 12.0, 2_001)
    found = torch.tensor([tanh32(value) for value in points.numpy()])  # one by one, as float32
    assert torch.allclose(found, torch.tanh(points), rtol=0.0, atol=3e-7)
    assert math.isnan(tanh32(np.float32(math.nan)))


def test_networks_without_gradients_by_hand_are_left_to_autograd() -> None:
    for network, window in (("attention", 1), ("lstm", 2)):
        learner = make_learner(LeanPPOLearner, network=network, window=window)
        assert hand_written(learner.module[MID]) is None
        assert learner._by_hand is None


def test_explained_variance_is_rllibs() -> None:
    targets, values = torch.tensor([1.0, 2.0, 4.0]).double(), torch.tensor([1.5, 1.5, 3.0]).double()
    error = values - targets
    figures = [0.0, 0.0, error.square().mean(), 0.0, 0.0, targets.mean(), targets.square().mean(), error.mean()]
    expected = 1.0 - float(error.var() / targets.var())
    assert explained_variance(torch.stack([torch.as_tensor(each) for each in figures]).numpy()) == pytest.approx(
        expected, rel=1e-5
    )


def parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(2)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 2), (3,), (1, 3))]


def test_adam_in_one_pass_takes_the_steps_of_torch_and_either_goes_on_from_the_others_state() -> None:
    ours, theirs = parameters(), parameters()
    flat = FlatParameters([ours[1], ours[0], ours[2]])
    own, other = FlatAdam(ours, flat), torch.optim.Adam(theirs)
    for step in range(6):
        if step == 3:
            own_state, other_state = own.state_dict(), other.state_dict()
            own.load_state_dict(other_state)
            other.load_state_dict(own_state)
        for mine, yours in zip(ours, theirs, strict=True):
            gradient = torch.full_like(yours, 0.3 * (step - 2.0)) * yours.detach()
            mine.grad.copy_(gradient)
            yours.grad = gradient
        own.step()
        other.step()
    for mine, yours in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, yours, rtol=0.0, atol=1e-6)


def test_parameters_that_were_given_other_storage_are_taken_back() -> None:
    ours = parameters()
    flat = FlatParameters(ours)
    with torch.no_grad():
        ours[0].data = torch.full((3, 2), 7.0)
    flat.adopt()
    assert torch.equal(flat.values[:6], torch.full((6,), 7.0))
    flat.values.zero_()
    assert all(float(each.detach().abs().sum()) == 0.0 for each in ours)

"""Lean learners do what RLlib's do, count and report as they do, and go on exactly where they were stopped."""

import pickle
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from learner_samples import MID, as_batch, make_learner, one_thread, sampled_batch, weights_of  # noqa: F401 - a fixture
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from wealtharena.core.errors import TrainingError
from wealtharena.training.a2c import A2CTorchLearner
from wealtharena.training.lean_on_policy import INPUTS, LeanA2CLearner, LeanPPOLearner

ROWS = 24
STEPS = {"timesteps": {"num_env_steps_sampled_lifetime": 100}}
PASSES: dict[str, Any] = {"num_epochs": 2, "minibatch_size": 8, "shuffle_batch_per_epoch": True, **STEPS}


def pair(lean: type, stock: type, **figures: Any) -> list[Any]:
    """A learner of ours and one of RLlib's, equal in all; their optimizers do not blow up differences of rounding."""
    learners = [make_learner(each, **figures) for each in (lean, stock)]
    for learner in learners:
        learner.get_optimizer(MID).param_groups[0]["eps"] = 0.01
    return learners


def assert_equal_weights(ours: Any, theirs: Any) -> None:
    own = weights_of(ours)
    for name, values in weights_of(theirs).items():
        assert torch.allclose(own[name], values, rtol=0.0, atol=1e-6), name


def through_bytes(state: Any) -> Any:
    """As a checkpoint has it."""
    return pickle.loads(pickle.dumps(state))  # noqa: S301 - made here


def plain_values(results: Any) -> dict[str, float]:
    """Metrics by path, but for those that a clock is part of and numbers of parameters."""
    found: dict[str, float] = {}
    for module, figures in results.items():
        for name, figure in figures.items():
            if "throughput" not in name and "trainable" not in name:
                found[f"{module}/{name}"] = float(getattr(figure, "peek", lambda figure=figure: figure)())
    return found


@pytest.mark.parametrize("network", ["attention", "plain", "feed_forward"])
@pytest.mark.parametrize(("lean", "stock"), [(LeanPPOLearner, PPOTorchLearner), (LeanA2CLearner, A2CTorchLearner)])
def test_an_update_changes_weights_and_metrics_as_rllibs(lean: type, stock: type, network: str) -> None:
    ours, theirs = pair(lean, stock, network=network, entropy_coeff=0.01, lr=0.01)
    batches = [sampled_batch(each, ROWS) for each in (ours, theirs)]
    for _ in range(2):
        found, expected = (
            plain_values(each.update(batch=as_batch(columns), num_epochs=2, **STEPS))
            for each, columns in zip((ours, theirs), batches, strict=True)
        )
    assert_equal_weights(ours, theirs)
    # RLlib counts the batch's environment steps once per minibatch.
    counted = {name for name in expected if "num_env_steps_trained" in name}
    assert set(found) == set(expected)
    kept = set(expected) - counted
    assert {name: found[name] for name in kept} == pytest.approx({k: expected[k] for k in kept}, rel=1e-3, abs=1e-4)
    assert found["__all_modules__/num_env_steps_trained_lifetime"] == ROWS
    assert found[f"{MID}/num_module_steps_trained_lifetime"] == 2 * ROWS


class Watched(LeanPPOLearner):
    """Notes the minibatches."""

    def minibatch_step(self, module_id: str, columns: dict[str, torch.Tensor]) -> Any:
        self.seen: list[list[int]] = []
        step = super().minibatch_step(module_id, columns)

        def noting(rows: torch.Tensor | None) -> Any:
            self.seen.append(list(range(len(columns[Columns.OBS]))) if rows is None else rows.tolist())
            return step(rows)

        return noting


def test_every_epoch_shows_every_row_once_in_an_order_of_the_learners_own() -> None:
    orders = []
    for disturbance in (1, 2):
        learner = make_learner(Watched)
        batch = as_batch(sampled_batch(learner, ROWS))
        torch.manual_seed(disturbance)
        np.random.seed(disturbance)
        learner.update(batch=batch, **PASSES)
        orders.append(learner.seen)
        first, second = [*chain(*learner.seen[:3])], [*chain(*learner.seen[3:])]
        assert sorted(first) == sorted(second) == list(range(ROWS))
        assert first != second
    assert orders[0] == orders[1]


def test_minibatches_are_whole_and_unshuffled_rows_in_their_order() -> None:
    learner = make_learner(Watched)
    batch = as_batch(sampled_batch(learner, 10))
    learner.update(batch=batch, num_epochs=2, minibatch_size=8, shuffle_batch_per_epoch=True)
    assert [len(rows) for rows in learner.seen] == [8, 8, 8]
    learner.update(batch=batch, minibatch_size=5)
    assert learner.seen == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    learner.update(batch=batch)
    assert learner.seen == [list(range(10))]


def test_inputs_that_were_scaled_before_are_taken_as_they_are() -> None:
    for network in ("plain", "attention"):
        weights = []
        for scaled in (False, True):
            learner = make_learner(LeanPPOLearner, network=network)
            columns = sampled_batch(learner, ROWS)
            columns |= {INPUTS: learner.inputs(columns[Columns.OBS])} if scaled else {}
            learner.update(batch=as_batch(columns), **PASSES)
            weights.append(weights_of(learner))
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("network", ["plain", "attention"])
@pytest.mark.parametrize("column", [Columns.ADVANTAGES, Columns.VALUE_TARGETS, Columns.ACTION_LOGP])
def test_a_loss_that_is_not_finite_is_refused_before_it_spoils_anything(network: str, column: str) -> None:
    learner = make_learner(LeanPPOLearner, network=network)
    columns = sampled_batch(learner, ROWS)
    columns[column][5] = float("nan")
    before = weights_of(learner)
    with pytest.raises(TrainingError, match="loss must be finite, got nan"):
        learner.update(batch=as_batch(columns), num_epochs=1, **STEPS)
    assert all(torch.equal(before[name], values) for name, values in weights_of(learner).items())
    learner.update(batch=as_batch(sampled_batch(learner, ROWS)), num_epochs=1, **STEPS)  # it works on


@pytest.mark.parametrize("network", ["plain", "attention"])
def test_a_gradient_that_is_not_finite_is_refused_by_name(network: str) -> None:
    learner = make_learner(LeanPPOLearner, network=network)
    before = weights_of(learner)
    gradients = {parameter: torch.zeros_like(parameter) for parameter in learner.module[MID].parameters()}
    gradients[learner.module[MID].vf.out.bias].fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"gradients must be finite, got NaN or infinity in that of vf\.out\.bias"):
        learner.apply_checked(MID, gradients)
    assert all(torch.equal(before[name], values) for name, values in weights_of(learner).items())


@pytest.mark.parametrize("network", ["plain", "attention"])
def test_an_error_beyond_what_float32_can_square_is_refused(network: str) -> None:
    learner = make_learner(LeanPPOLearner, network=network, vf_clip_param=3e38)
    columns = sampled_batch(learner, ROWS)
    columns[Columns.VALUE_TARGETS].fill_(
        1.5e19
    )  # its square is just within float32, that of the gradient's norm is not
    before = weights_of(learner)
    with pytest.raises(TrainingError, match="must be finite, got"):
        learner.update(batch=as_batch(columns), num_epochs=1, **STEPS)
    assert all(torch.equal(before[name], values) for name, values in weights_of(learner).items())


@pytest.mark.parametrize("how", ["value", "norm", "global_norm"])
@pytest.mark.parametrize("network", ["plain", "attention"])
def test_gradients_are_clipped_as_the_configuration_says(network: str, how: str) -> None:
    figures = {"network": network, "grad_clip": 0.01, "grad_clip_by": how, "lr": 0.1}
    ours, theirs = pair(LeanA2CLearner, A2CTorchLearner, **figures)
    for learner in (ours, theirs):
        learner.update(batch=as_batch(sampled_batch(learner, ROWS)), num_epochs=1, **STEPS)
    assert_equal_weights(ours, theirs)


SCHEDULES = {"lr": [[0, 0.01], [1_000, 0.001]], "entropy_coeff": [[0, 0.1], [1_000, 0.0]], "kl_coeff": 0.3}


@pytest.mark.parametrize("network", ["plain", "attention"])
def test_a_restored_learner_goes_on_bit_for_bit(network: str) -> None:
    learner = make_learner(LeanPPOLearner, network=network, kl_target=1e-4, **SCHEDULES)
    batch = sampled_batch(learner, ROWS)

    def update(which: Any, sampled: int) -> dict[str, float]:
        passes = PASSES | {"timesteps": {"num_env_steps_sampled_lifetime": sampled}}
        return plain_values(which.update(batch=as_batch(batch), **passes))

    for sampled in (100, 200, 300):
        first = update(learner, sampled)
    assert first[f"{MID}/curr_kl_coeff"] != pytest.approx(0.3)
    assert first[f"{MID}/curr_entropy_coeff"] == pytest.approx(0.07)
    assert first[f"{MID}/default_optimizer_learning_rate"] < 0.01
    state, exact = through_bytes(learner.get_state()), through_bytes(learner.exact_state())
    other = make_learner(LeanPPOLearner, network=network, kl_target=1e-4, **SCHEDULES)
    update(other, 50)
    other.set_state(state)
    other.set_exact_state(exact)
    for sampled in (400, 500):
        assert update(other, sampled) == update(learner, sampled)
    restored = weights_of(other)
    assert all(torch.equal(restored[name], values) for name, values in weights_of(learner).items())


@pytest.mark.parametrize(("lean", "stock"), [(LeanPPOLearner, PPOTorchLearner), (LeanA2CLearner, A2CTorchLearner)])
def test_states_of_either_kind_of_learner_go_on_in_the_other(lean: type, stock: type) -> None:
    ours, theirs = pair(lean, stock, use_kl_loss=False)  # whose coefficient RLlib's state leaves out
    batch = sampled_batch(ours, ROWS)
    ours.update(batch=as_batch(batch), num_epochs=3, **STEPS)
    theirs.set_state(through_bytes(ours.get_state()))
    for learner in (ours, theirs):
        learner.update(batch=as_batch(batch), num_epochs=2, **STEPS)
    assert_equal_weights(ours, theirs)
    ours.set_state(through_bytes(theirs.get_state()))
    for learner in (ours, theirs):
        learner.update(batch=as_batch(batch), num_epochs=2, **STEPS)
    assert_equal_weights(ours, theirs)


def test_an_older_state_is_taken_too() -> None:
    learner = make_learner(LeanPPOLearner)
    batch = sampled_batch(learner, ROWS)
    learner.update(batch=as_batch(batch), **PASSES)
    old, before = through_bytes(learner.get_state()), weights_of(learner)
    for _ in range(3):
        learner.update(batch=as_batch(batch), **PASSES)
    learner.set_state(old)
    assert all(torch.equal(before[name], values) for name, values in weights_of(learner).items())
    assert learner.exact_state()["weights_seq_no"] == 1


def test_only_batches_of_one_module_are_taken() -> None:
    learner = make_learner(LeanPPOLearner)
    columns = SampleBatch(sampled_batch(learner, ROWS))
    with pytest.raises(TrainingError, match="needs a batch of one module, got none"):
        learner.update()
    with pytest.raises(TrainingError, match=r"needs a batch of one module, got \['one', 'two'\]"):
        learner.update(batch=MultiAgentBatch({"one": columns, "two": columns}, env_steps=ROWS))

"""What PPO and A2C make of sampled sessions before their learners see them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from learner_samples import MID, make_learner, one_thread, sampled_batch  # noqa: F401 - a fixture
from ray.rllib.core.columns import Columns
from training_samples import planted_panel, weights_hash

from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.a2c import A2CTorchLearner
from wealtharena.training.advantages import following_values, generalised_advantages
from wealtharena.training.lean_on_policy import INPUTS
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.transitions import Transitions

SMALL = {"hidden_sizes": (8, 8), "num_accounts": 4, "train_batch_size": 48, "minibatch_size": 16}


def algorithm_in(folder: Path, algorithm: Algorithm = Algorithm.PPO, seed: int = 1, **recipe: Any) -> Any:
    agent = AgentSettings(**{"algorithm": algorithm, **SMALL, **recipe})
    config = EnvConfig(episode_days=5, reward_scale=50.0, action=agent.action_kind.value, levels=agent.position_levels)
    market = TrainingMarket.write(planted_panel(60, 3, 0.1, seed=5), config, 3, folder)
    return build_config(agent, market, market.spaces(), seed, TrainingSettings()).build_algo()


def sessions(rewards: int, ended: list[list[bool]]) -> Transitions:
    """Observations that are counted through; each following one is the next, or 100 more where an episode ended."""
    flags = torch.tensor(ended)
    shape = (rewards, flags.shape[1])
    shown = torch.arange(float(shape[0] * shape[1])).reshape(shape)
    following = torch.cat([shown[1:], shown[-1:] + shape[1]])
    following = torch.where(flags, shown + 100.0, following)
    nothing = torch.zeros(shape)
    return Transitions(
        shown[..., None, None], nothing, nothing, following[..., None, None], flags & False, flags, nothing, nothing,
        nothing.long(), nothing.long(),
    )  # fmt: skip


def test_only_what_was_not_acted_on_next_is_valued_anew() -> None:
    sampled = sessions(3, [[False, True], [False, False], [True, False]])
    asked: list[float] = []

    def values_of(observations: torch.Tensor) -> torch.Tensor:
        asked.extend(observations.flatten().tolist())
        return 10.0 * observations.flatten()

    values = values_of(sampled.observations).reshape(3, 2)
    asked.clear()
    following = following_values(sampled, values, values_of)
    assert torch.equal(following, 10.0 * sampled.next_observations[..., 0, 0])
    assert sorted(asked) == [7.0, 101.0, 104.0]


def test_advantages_in_one_pass_are_those_of_the_textbook() -> None:
    generator = torch.Generator().manual_seed(1)
    rewards, values, following = (torch.randn((7, 3), generator=generator) for _ in range(3))
    ended = torch.rand((7, 3), generator=generator) < 0.3
    terminated = ended & (torch.rand((7, 3), generator=generator) < 0.5)
    found, targets = generalised_advantages(rewards, values, following, terminated, ended, 0.9, 0.8)
    expected = torch.zeros(7, 3)
    for account in range(3):
        for session in range(7):
            weight = 1.0
            for later in range(session, 7):
                future = 0.0 if terminated[later, account] else 0.9 * float(following[later, account])
                error = float(rewards[later, account]) + future - float(values[later, account])
                expected[session, account] += weight * error
                weight *= 0.9 * 0.8
                if ended[later, account]:
                    break
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(targets, found + values)


@pytest.mark.parametrize("network", ["plain", "feed_forward", "attention"])
def test_a_batch_has_the_values_of_both_observations_and_normalised_advantages(network: str, tmp_path: Path) -> None:
    algorithm = algorithm_in(tmp_path / "market", network=network)
    sampled = algorithm.rollout(12)
    batch = algorithm._batch(sampled)
    values, following = (
        algorithm.module.compute_values({Columns.OBS: shown.flatten(0, 1)}).reshape(12, 4).detach()
        for shown in (sampled.observations, sampled.next_observations)
    )
    config = algorithm.config
    advantages, targets = generalised_advantages(
        sampled.rewards, values, following, sampled.terminated, sampled.ended, config.gamma, config.lambda_
    )
    assert bool(sampled.ended.any())
    assert torch.allclose(batch[Columns.VALUE_TARGETS], targets.flatten(), atol=1e-5)
    expected = (advantages - advantages.mean()) / advantages.std()
    assert torch.allclose(batch[Columns.ADVANTAGES], expected.flatten(), atol=1e-4)
    assert torch.equal(batch[Columns.OBS], sampled.observations.flatten(0, 1))
    assert len(batch[INPUTS]) == 48
    algorithm.stop()


def test_a2cs_loss_leaves_out_the_rows_that_rllibs_connectors_add() -> None:
    learner = make_learner(A2CTorchLearner)
    batch = sampled_batch(learner, 6)
    added = batch | {Columns.LOSS_MASK: torch.tensor([True, True, False, True, True, False])}
    kept = {name: values[added[Columns.LOSS_MASK]] for name, values in batch.items()}
    losses = [
        learner.compute_loss_for_module(
            module_id=MID, config=learner.config, batch=rows, fwd_out=learner.module[MID].forward_train(rows)
        )
        for rows in (added, kept, batch)
    ]
    assert torch.allclose(losses[0], losses[1])
    assert not torch.allclose(losses[0], losses[2])


@pytest.mark.parametrize("algorithm", [Algorithm.PPO, Algorithm.A2C])
@pytest.mark.parametrize("recipe", [{"network": "plain"}, {"actions": "levels"}, {"network": "attention"}])
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    algorithm: Algorithm, recipe: dict[str, Any], tmp_path: Path
) -> None:
    hashes = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        built = algorithm_in(tmp_path / "market", algorithm, seed, **recipe)
        for _ in range(2):
            results = built.train()["learners"]["default_policy"]
        hashes.append(weights_hash(built))
        built.stop()
    assert hashes[0] == hashes[1] != hashes[2]
    assert {"policy_loss", "vf_loss", "total_loss", "entropy", "default_optimizer_learning_rate"} <= set(results)
    assert results["num_module_steps_trained_lifetime"] == 2 * 48 * (4 if algorithm is Algorithm.PPO else 1)

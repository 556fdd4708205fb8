"""Learners of PPO and A2C without an algorithm around them, and batches that a policy could have sampled."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from torch import Tensor

from wealtharena.agents.networks import MASK_COLUMN
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.training.a2c import A2CTorchLearner
from wealtharena.training.modules import ActorCriticModule
from wealtharena.training.on_policy import MarketA2CConfig, MarketPPOConfig

MID = DEFAULT_MODULE_ID
Batch = dict[str, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As trainings run; several threads on busy cores take a hundred times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_learner(learner_class: type, assets: int = 3, features: int = 2, **figures: Any) -> Any:
    """A learner with networks of its own; figures that RLlib's configuration does not know go to the networks."""
    is_a2c = issubclass(learner_class, A2CTorchLearner)
    model = {
        "network": "plain", "window": 1, "hidden_sizes": (8, 8), "actions": "weights", "levels": (-1.0, 0.0, 1.0),
        "long_only": False, "statistics": None,
    }  # fmt: skip
    model |= {name: figures.pop(name) for name in list(figures) if name in model}
    shown = gymnasium.spaces.Box(-np.inf, np.inf, (assets, model["window"] * features + ACCOUNT_COLUMNS))
    actions: Any = gymnasium.spaces.Box(-1.0, 1.0, (assets,))
    if model["actions"] == "levels":
        actions = gymnasium.spaces.MultiDiscrete([len(model["levels"])] * assets)
    config: Any = MarketA2CConfig() if is_a2c else MarketPPOConfig()
    config.environment(observation_space=shown, action_space=actions)
    config.rl_module(rl_module_spec=RLModuleSpec(ActorCriticModule, model_config=model))
    config.training(**figures)
    config.debugging(seed=1)
    torch.manual_seed(4)
    learner = learner_class(config=config, module_spec=config.get_multi_rl_module_spec(spaces={MID: (shown, actions)}))
    learner.build()
    return learner


def roughen(learner: Any, size: float = 0.2, seed: int = 5) -> None:
    """Moves every weight, biases and deviations too, so that nothing is zero or the same by construction."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in learner.module[MID].parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))


def sampled_batch(learner: Any, rows: int, observed: float = 0.8, seed: int = 6) -> Batch:
    """Actions of the learner's policy on random observations, a share of whose assets is observed; then the policy
    moves on a little, so that ratios are not one."""
    generator = torch.Generator().manual_seed(seed)
    module = learner.module[MID]
    observations = 2.0 * torch.randn((rows, *module.observation_space.shape), generator=generator)
    mask = (torch.rand(observations.shape[:2], generator=generator) < observed).float()
    observations[..., MASK_COLUMN] = mask
    observations *= torch.where(torch.rand(observations.shape, generator=generator) < 0.2, 0.0, 1.0)
    observations[..., MASK_COLUMN] = mask
    with torch.no_grad():
        inputs = module.forward_train({Columns.OBS: observations})[Columns.ACTION_DIST_INPUTS]
        distribution = module.get_exploration_action_dist_cls().from_logits(inputs)
        actions = distribution.sample(generator=generator)
        logp = distribution.logp(actions)
    roughen(learner, 0.05, seed)
    return {
        Columns.OBS: observations,
        Columns.ACTIONS: actions,
        Columns.ACTION_DIST_INPUTS: inputs,
        Columns.ACTION_LOGP: logp,
        Columns.ADVANTAGES: torch.randn(rows, generator=generator),
        Columns.VALUE_TARGETS: 2.0 * torch.randn(rows, generator=generator),
    }


def as_batch(columns: Batch) -> MultiAgentBatch:
    """As the algorithms hand it to ``update``."""
    return MultiAgentBatch({MID: SampleBatch(columns)}, env_steps=len(columns[Columns.OBS]))


def weights_of(learner: Any) -> dict[str, Tensor]:
    """Copies."""
    return {name: values.clone() for name, values in learner.module[MID].state_dict().items()}

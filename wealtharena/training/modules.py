"""RLlib modules around the networks of ``wealtharena.agents``: stock forward passes, our layers, no catalog."""

from dataclasses import asdict
from typing import Any

import torch
from ray.rllib.algorithms.dqn.default_dqn_rl_module import QF_PREDS
from ray.rllib.algorithms.dqn.torch.default_dqn_torch_rl_module import DefaultDQNTorchRLModule
from ray.rllib.algorithms.sac.torch.default_sac_torch_rl_module import DefaultSACTorchRLModule
from ray.rllib.core.columns import Columns
from ray.rllib.core.distribution.torch.torch_distribution import TorchCategorical
from ray.rllib.core.models.base import ENCODER_OUT
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.utils.schedules.scheduler import Scheduler
from torch import Tensor, nn

from wealtharena.agents.networks import (
    GaussianScores,
    LevelScores,
    LevelValues,
    NetworkSpec,
    ObservationStatistics,
    PooledActionValue,
    PooledValue,
    ScoringNetwork,
)
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.settings.models import Actions, AgentSettings, Network
from wealtharena.training.distributions import (
    LongOnlySquashedGaussian,
    MaskedCategorical,
    MaskedGaussian,
    SquashedGaussian,
)


def model_config(agent: AgentSettings, statistics: ObservationStatistics | None = None) -> dict[str, Any]:
    """What the modules below are made from, in plain values that a checkpoint can hold.

    Args:
        agent: the recipe.
        statistics: of the training window, by which the network normalises what it sees; None: not at all.
    """
    return {
        "network": str(agent.network),
        "window": agent.window,
        "hidden_sizes": tuple(agent.hidden_sizes),
        "actions": str(agent.action_kind),
        "levels": agent.position_levels,
        "long_only": agent.long_only,
        "statistics": None if statistics is None else asdict(statistics),
    }


def network_spec(observation_space: Any, config: dict[str, Any]) -> NetworkSpec:
    """Inputs and size of a module's networks, from its space (A, D) and ``model_config``."""
    num_assets, row_width = observation_space.shape
    statistics = config["statistics"]
    return NetworkSpec(
        num_features=(row_width - ACCOUNT_COLUMNS) // config["window"],
        hidden_sizes=config["hidden_sizes"],
        network=Network(config["network"]),
        window=config["window"],
        num_assets=num_assets,
        statistics=None if statistics is None else ObservationStatistics(**statistics),
    )


class ActorCriticModule(TorchRLModule, ValueFunctionAPI):
    """PPO and A2C: a distribution over scores or levels, and a value of its own."""

    def setup(self) -> None:
        """Builds actor and critic from the spaces and ``model_config``."""
        config, spec = self.model_config, network_spec(self.observation_space, self.model_config)
        if config["actions"] == Actions.LEVELS:
            self.pi: GaussianScores | LevelScores = LevelScores(spec, config["levels"])
            self.action_dist_cls = MaskedCategorical.get_partial_dist_cls(num_levels=len(config["levels"]))
        else:
            self.pi = GaussianScores(spec, _least_score(config), bounded=True)
            self.action_dist_cls = MaskedGaussian
        self.vf = PooledValue(spec)

    @property
    def scoring_network(self) -> ScoringNetwork:
        """The part that trades."""
        return self.pi

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """(N,) values of the observations."""
        values: Tensor = self.vf(batch[Columns.OBS])
        return values.squeeze(-1)

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: self.pi(batch[Columns.OBS])}


class SoftActorCriticModule(DefaultSACTorchRLModule):
    """SAC: stock forward passes over a squashed Gaussian and twin pooled critics."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("catalog_class", None)
        # Past the parent's constructor, which insists on a catalog that knows no (A, D) observations.
        super(DefaultSACTorchRLModule, self).__init__(*args, **kwargs)

    def setup(self) -> None:
        """Builds actor and twin critics from the spaces and ``model_config``."""
        spec, low = network_spec(self.observation_space, self.model_config), _least_score(self.model_config)
        self.twin_q = self.model_config["twin_q"]
        self.pi_encoder, self.pi = _Observations(), GaussianScores(spec, low, bounded=False)
        self.qf_encoder, self.qf = _Observations(), PooledActionValue(spec)
        self.qf_twin_encoder, self.qf_twin = _Observations(), PooledActionValue(spec)
        self.action_dist_cls = LongOnlySquashedGaussian if low == 0.0 else SquashedGaussian

    @property
    def scoring_network(self) -> ScoringNetwork:
        """The part that trades."""
        network: GaussianScores = self.pi
        return network

    def _qf_forward_train_helper(self, batch: dict[str, Any], encoder: Any, head: Any, squeeze: bool = True) -> Tensor:
        value: Tensor = head(batch[Columns.OBS], batch[Columns.ACTIONS])
        return value.squeeze(-1) if squeeze else value


class LevelModule(DefaultDQNTorchRLModule):
    """DQN: stock forward passes and exploration over the values of position levels for one asset."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("catalog_class", None)
        # Past the parent's constructor, which insists on a catalog that knows no (A, D) observations.
        super(DefaultDQNTorchRLModule, self).__init__(*args, **kwargs)

    def setup(self) -> None:
        """Builds the Q-network from the spaces and ``model_config``."""
        self.uses_dueling, self.num_atoms = False, 1
        self.uses_double_q = self.model_config["double_q"]
        self.epsilon_schedule = Scheduler(self.model_config["epsilon"], framework=self.framework)
        self.encoder = _Observations()
        spec = network_spec(self.observation_space, self.model_config)
        self.af = LevelValues(spec, self.model_config["levels"])
        self.action_dist_cls = TorchCategorical

    @property
    def scoring_network(self) -> ScoringNetwork:
        """The part that trades."""
        network: LevelValues = self.af
        return network

    def _forward_exploration(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        # The stock version takes a value of exactly 0, which an unobserved asset has, for a forbidden action.
        values: Tensor = self.compute_q_values(batch)[QF_PREDS]
        self.epsilon_schedule.update(kwargs["t"])
        best, generator = values.argmax(-1), kwargs.get("generator")
        explored = torch.rand(len(best), generator=generator) < float(self.epsilon_schedule.get_current_value())
        anything = torch.randint(values.shape[-1], (len(best),), generator=generator)
        # Drawn where the generator is, and the network may be on a GPU.
        return {Columns.ACTIONS: torch.where(explored.to(best.device), anything.to(best.device), best)}

    def _qf_forward_helper(self, batch: dict[str, Any], encoder: Any, head: Any) -> dict[str, Any]:
        return {QF_PREDS: head(batch[Columns.OBS])[:, 0]}  # a training account sees one asset


def _least_score(config: dict[str, Any]) -> float:
    """A change of weight may be negative in any account."""
    return 0.0 if config["long_only"] and config["actions"] == Actions.WEIGHTS else -1.0


class _Observations(nn.Module):
    """The stock modules' encoder, which here hands the observation on."""

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {ENCODER_OUT: batch[Columns.OBS]}

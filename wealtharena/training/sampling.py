"""Sampling from the vectorised market: whole arrays, no episode objects, actions from the learner's own module."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModule
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.policy.sample_batch import DEFAULT_POLICY_ID
from ray.rllib.utils.checkpoints import Checkpointable
from torch import Tensor

from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import FloatArray
from wealtharena.envs import TradingVectorEnv


@dataclass(frozen=True, slots=True)
class Transitions:
    """S sessions of N accounts.

    Attributes:
        observations: (S, N, A, D) float32.
        actions: (S, N, A) scores, or (S, N) level indices.
        rewards: (S, N) float32, as scaled by the environment.
        next_observations: (S, N, A, D); where an episode ended, its last observation.
        terminated: (S, N) True where the account is ruined.
        ended: (S, N) True where the episode ended, ruined or not.
        action_inputs: (S, N, ...) parameters of the action distribution; empty when actions were not drawn from one.
        action_logp: (S, N) log-probabilities of the actions; empty likewise.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor
    ended: Tensor
    action_inputs: Tensor
    action_logp: Tensor


class ShadowAccounts:
    """Accounts that live through the same sessions as those in training, with the mean of the policy's actions.

    What they earn does not depend on the explored actions, so taking it from the reward leaves the policy gradient
    unbiased and removes most of the market's noise: an input-driven baseline (Mao et al. 2019, arXiv:1807.02264),
    greedy as in self-critical training (Rennie et al. 2017, arXiv:1612.00563).
    """

    def __init__(self, twin: TradingVectorEnv) -> None:
        """``twin`` has the panel and seed of the market in training, so it draws the same episodes."""
        self._twin = twin
        self._observation = twin.reset()[0]

    def rewards(self, module: Any, market: TradingVectorEnv) -> FloatArray:
        """Scaled rewards (N,) of the session that ``market`` has just traded."""
        with torch.no_grad():
            scores = module.scoring_network.scores(torch.from_numpy(self._observation))
        self._observation, rewards, *_ = self._twin.step(scores.numpy())
        if not np.array_equal(self._twin.accounts.row, market.accounts.row):
            # An account was ruined in one of the two: from here on both live through the same sessions again.
            self._observation = self._twin.set_state(market.get_state())
        return rewards


class BatchedEnvRunner(EnvRunner, Checkpointable):  # type: ignore[misc]
    """RLlib's runner without a market of its own.

    The market is attached after the algorithm is built, so that a checkpoint holds no data and loads without any. The
    module is the learner's, so weights are never copied.
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        self.module: RLModule | None = None
        self._market: TradingVectorEnv | None = None
        self._shadow: ShadowAccounts | None = None
        self._observation = np.empty(0, dtype=np.float32)
        self._returns = np.empty(0)
        self._finished: list[float] = []
        self.steps_sampled = 0

    def attach(self, market: TradingVectorEnv, shadow: TradingVectorEnv | None = None) -> None:
        """Takes a market to sample from, and its twin (same panel, same seed) for shadow accounts if rewards are
        to be net of what those earn (see ``ShadowAccounts``).

        Raises:
            TrainingError: the market does not restart ended episodes within the same step.
        """
        if market.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise TrainingError(f"autoreset_mode must be SameStep, got {market.autoreset_mode.value}")
        self._market = market
        self._shadow = None if shadow is None else ShadowAccounts(shadow)
        self._observation = market.reset()[0]
        self._returns = np.zeros(market.num_envs)

    def sample(self, *, num_sessions: int, random_actions: bool = False, **_: Any) -> Transitions:
        """Trades ``num_sessions`` sessions of every account with the exploring policy.

        Raises:
            TrainingError: no market is attached.
        """
        if self._market is None:
            raise TrainingError("this algorithm has no market to sample from: attach one before train()")
        columns: list[tuple[Tensor, ...]] = []
        for _session in range(num_sessions):
            observation = torch.from_numpy(self._observation.copy())
            action, inputs, logp = self._random(observation) if random_actions else self._explore(observation)
            columns.append((observation, action, inputs, logp, *self._step(action)))
        observations, actions, inputs, logps, rewards, following, terminated, ended = (
            torch.stack(column) for column in zip(*columns, strict=True)
        )
        return Transitions(observations, actions, rewards, following, terminated, ended, inputs, logps)

    def episode_return_mean(self) -> float:
        """Mean undiscounted return, unscaled, of the episodes that ended since the last call; NaN if none did."""
        finished, self._finished = self._finished, []
        return float(np.mean(finished)) if finished else float("nan")

    def get_spaces(self) -> dict[str, Any]:
        """Spaces of one account, as RLlib asks for them."""
        spaces = (self.config.observation_space, self.config.action_space)
        return {INPUT_ENV_SPACES: spaces, DEFAULT_POLICY_ID: spaces}

    def assert_healthy(self) -> None:
        """Nothing can be half built here."""

    def get_metrics(self) -> dict[str, Any]:
        """Nothing: the algorithm logs what it samples."""
        return {}

    def get_state(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Steps sampled so far."""
        return {"steps_sampled": self.steps_sampled}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores what ``get_state`` gave; RLlib also sends weights, which the learner's module has already."""
        self.steps_sampled = state.get("steps_sampled", self.steps_sampled)

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What a checkpoint needs to build this runner anew."""
        return (), {"config": self.config}

    def _explore(self, observation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        module = self.module
        assert module is not None  # noqa: S101 - set by every algorithm of ours in setup()
        with torch.no_grad():
            out = module.forward_exploration({Columns.OBS: observation}, **self._exploration_time())
            if Columns.ACTIONS in out:
                nothing = torch.empty(0)
                return out[Columns.ACTIONS], nothing, nothing
            inputs = out[Columns.ACTION_DIST_INPUTS]
            distribution = module.get_exploration_action_dist_cls().from_logits(inputs)
            action = distribution.sample()
            return action, inputs, distribution.logp(action)

    def _exploration_time(self) -> dict[str, int]:
        return {"t": self.steps_sampled} if self.config.explores_by_time else {}

    def _random(self, observation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        space, nothing = self.config.action_space, torch.empty(0)
        if hasattr(space, "n"):
            return torch.randint(int(space.n), (len(observation),)), nothing, nothing
        low, high = torch.from_numpy(space.low), torch.from_numpy(space.high)
        return low + (high - low) * torch.rand(len(observation), *space.shape), nothing, nothing

    def _step(self, action: Tensor) -> tuple[Tensor, ...]:
        market = self._market
        assert market is not None  # noqa: S101 - checked in sample()
        observation, rewards, terminated, truncated, info = market.step(action.numpy())
        ended = terminated | truncated
        following = observation.copy()
        if ended.any():
            following[ended] = np.stack(info["final_obs"][ended].tolist())
        self._returns += rewards / market.config.reward_scale
        self._finished += self._returns[ended].tolist()
        self._returns[ended] = 0.0
        self._observation = observation
        self.steps_sampled += len(rewards)
        if self._shadow is not None:
            rewards = rewards - self._shadow.rewards(self.module, market)
        return (
            torch.from_numpy(rewards.astype(np.float32)),
            torch.from_numpy(following),
            torch.from_numpy(terminated.copy()),
            torch.from_numpy(ended),
        )

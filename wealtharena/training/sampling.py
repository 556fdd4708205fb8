"""Sampling from the vectorised market: whole arrays, no episode objects, actions from the learner's own module."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from ray.rllib.core.columns import Columns
from torch import Tensor

from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import FloatArray
from wealtharena.envs import TradingVectorEnv
from wealtharena.training.statistics import SessionStatistics


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
        if not np.array_equal(self._twin.accounts.state["row"], market.accounts.state["row"]):
            # An account was ruined in one of the two: from here on both live through the same sessions again.
            self._observation = self._twin.set_state(market.get_state())
        return rewards


class MarketSampler:
    """Trades all accounts with the learner's own module, so that weights are never copied."""

    def __init__(self, module: Any, action_space: gymnasium.Space[Any], explores_by_time: bool) -> None:
        """``explores_by_time``: the module's exploration depends on the number of steps so far (DQN)."""
        self.steps_sampled = 0
        self._module = module
        self._action_space = action_space
        self._explores_by_time = explores_by_time
        self._market: TradingVectorEnv | None = None
        self._shadow: ShadowAccounts | None = None
        self._observation = np.empty(0, dtype=np.float32)
        self._returns = np.empty(0)
        self._finished: list[float] = []
        self._last_mean: float | None = None
        self._statistics: SessionStatistics | None = None

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
        self._statistics = SessionStatistics(market)
        self._observation = market.reset()[0]
        self._returns = np.zeros(market.num_envs)

    def sample(self, num_sessions: int, random_actions: bool = False) -> Transitions:
        """Trades ``num_sessions`` sessions of every account with the exploring policy.

        Raises:
            TrainingError: no market is attached, or it shows or pays something that is not finite.
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
        for name, values in (("observations", following), ("rewards", rewards)):
            if not bool(torch.isfinite(values).all()):
                raise TrainingError(f"{name} must be finite, got NaN or infinity")
        return Transitions(observations, actions, rewards, following, terminated, ended, inputs, logps)

    def episode_return_mean(self) -> float:
        """Mean undiscounted return, unscaled, of the episodes that ended since the last call.

        If none did, the last such mean; before the first has ended, the mean of what the running ones have earned.
        """
        if self._finished:
            self._last_mean = float(np.mean(self._finished))
            self._finished = []
        return float(np.mean(self._returns)) if self._last_mean is None else self._last_mean

    def session_statistics(self) -> tuple[dict[str, float], dict[str, float]]:
        """Terms of the reward and shares of bound limits since the last call, see ``SessionStatistics.take``.

        Raises:
            TrainingError: no market is attached.
        """
        if self._statistics is None:
            raise TrainingError("this algorithm has no market to sample from: attach one before train()")
        return self._statistics.take()

    def _explore(self, observation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        module = self._module
        clock = {"t": self.steps_sampled} if self._explores_by_time else {}
        with torch.no_grad():
            out = module.forward_exploration({Columns.OBS: observation}, **clock)
            if Columns.ACTIONS in out:
                nothing = torch.empty(0)
                return out[Columns.ACTIONS], nothing, nothing
            inputs = out[Columns.ACTION_DIST_INPUTS]
            distribution = module.get_exploration_action_dist_cls().from_logits(inputs)
            action = distribution.sample()
            return action, inputs, distribution.logp(action)

    def _random(self, observation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        space, nothing = self._action_space, torch.empty(0)
        if isinstance(space, gymnasium.spaces.Discrete):
            return torch.randint(int(space.n), (len(observation),)), nothing, nothing
        assert isinstance(space, gymnasium.spaces.Box)  # noqa: S101 - the environment has no other spaces
        low, high = torch.from_numpy(space.low), torch.from_numpy(space.high)
        return low + (high - low) * torch.rand(len(observation), *space.shape), nothing, nothing

    def _step(self, action: Tensor) -> tuple[Tensor, ...]:
        market, statistics = self._market, self._statistics
        assert market is not None and statistics is not None  # noqa: S101 - checked in sample()
        observation, rewards, terminated, truncated, info = market.step(action.numpy())
        ended = terminated | truncated
        statistics.add(ended)
        following = observation.copy()
        if ended.any():
            following[ended] = np.stack(info["final_obs"][ended].tolist())
        self._returns += rewards / market.config.reward_scale
        self._finished += self._returns[ended].tolist()
        self._returns[ended] = 0.0
        self._observation = observation
        self.steps_sampled += len(rewards)
        if self._shadow is not None:
            rewards = rewards - self._shadow.rewards(self._module, market)
        return (
            torch.from_numpy(rewards.astype(np.float32)),
            torch.from_numpy(following),
            torch.from_numpy(terminated.copy()),
            torch.from_numpy(ended),
        )

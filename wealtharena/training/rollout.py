"""Accounts that trade with an RLModule: whole arrays, no episode objects, one forward pass per session."""

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from ray.rllib.core.columns import Columns
from torch import Tensor

from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.envs import TradingVectorEnv
from wealtharena.execution import TERMS
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.statistics import SessionStatistics
from wealtharena.training.transitions import Transitions

_NOTHING = torch.empty(0)


class TradingAccounts:
    """N accounts, their shadows, and every generator that they draw from.

    Shadows live through the same sessions as the accounts, with the mean of the policy's actions. What they earn does
    not depend on the explored actions, so taking it from the reward leaves the policy gradient unbiased and removes
    most of the market's noise: an input-driven baseline (Mao et al. 2019, arXiv:1807.02264), greedy as in
    self-critical training (Rennie et al. 2017, arXiv:1612.00563).

    Attributes:
        statistics: what was met since somebody took it.
        steps: sessions × accounts traded so far.

    Args:
        market: what is traded.
        num_accounts: N.
        stream: number of the runner; each draws other episodes and actions.
        shadows: rewards are net of what shadow accounts earn.

    Raises:
        TrainingError: the market's folder is gone.
    """

    def __init__(self, market: TrainingMarket, num_accounts: int, stream: int, shadows: bool) -> None:
        episodes, exploration = (int(seed) for seed in np.random.SeedSequence([market.seed, stream]).generate_state(2))
        self.statistics = SessionStatistics(market.config)
        self.steps = 0
        self._env = market.environment(num_accounts, episodes)
        self._shadow = _Shadow(market.environment(num_accounts, episodes)) if shadows else None
        self._generator = torch.Generator().manual_seed(exploration)
        self._observation: Float32Array = self._env.reset()[0]
        self._returns: FloatArray = np.zeros(num_accounts)

    @property
    def env(self) -> TradingVectorEnv:
        """The accounts' environment, live."""
        return self._env

    def reset(self) -> None:
        """New episodes for all."""
        self._observation = self._env.reset()[0]
        self._returns[:] = 0.0
        if self._shadow is not None:
            self._shadow.follow(self._env)

    def trade(
        self, module: Any, num_sessions: int, *, random_actions: bool = False, explore: bool = True, runners: int = 1
    ) -> Transitions:
        """``num_sessions`` sessions of every account.

        Args:
            module: an RLModule on any device.
            num_sessions: S.
            random_actions: uniform ones instead of the module's.
            explore: draw actions instead of taking the best.
            runners: how many such groups trade side by side; the exploration of DQN depends on all their steps.

        Raises:
            TrainingError: the market shows or pays something that is not finite.
        """
        record = _Record(num_sessions, self._env, self._observation)
        policy = _Policy(module, self._generator, explore)
        with torch.inference_mode():
            for session in range(num_sessions):
                seen = record.trail[session]
                if random_actions:
                    shadow_action, choice = None, (self._random_actions(), _NOTHING)
                elif self._shadow is None:
                    shadow_action, choice = None, policy.act(seen, self.steps * runners)
                else:
                    shadow_action, choice = policy.act_with_shadow(seen, self._shadow.seen, self.steps * runners)
                record.decided(session, *choice)
                self._step(session, record, choice[0].numpy())
                if self._shadow is not None:
                    self._shadow.trade(shadow_action, self._env, record.rewards[session])
        self.statistics.add(record.terms, record.limits, record.ended)
        self.statistics.add_returns(record.finished, self._returns.copy())
        return record.transitions(policy)

    def get_state(self) -> dict[str, Any]:
        """Everything that influences the future."""
        return {
            "env": self._env.get_state(),
            "shadow": None if self._shadow is None else self._shadow.env.get_state(),
            "generator": self._generator.get_state().numpy(),
            "returns": self._returns.copy(),
            "steps": self.steps,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from ``get_state``, bit for bit.

        Raises:
            ExecutionError: the state is of other accounts or assets.
        """
        self._observation = self._env.set_state(state["env"])
        if self._shadow is not None:
            self._shadow.set_state(state["shadow"])
        self._generator.set_state(torch.from_numpy(state["generator"].copy()))
        self._returns = state["returns"].copy()
        self.steps = state["steps"]

    def _step(self, session: int, record: "_Record", action: Any) -> None:
        env = self._env
        observation, rewards, terminated, truncated, info = env.step(action)
        ended = terminated | truncated
        record.traded(session, env, observation, rewards, terminated, ended)
        self._observation = observation
        self._returns += rewards / env.config.reward_scale
        self.steps += len(rewards)
        if ended.any():
            record.final += info["final_obs"][ended].tolist()
            record.finished += self._returns[ended].tolist()
            self._returns[ended] = 0.0

    def _random_actions(self) -> Tensor:
        space, count, draw = self._env.single_action_space, self._env.num_envs, self._generator
        if isinstance(space, gymnasium.spaces.Discrete):
            return torch.randint(int(space.n), (count,), generator=draw)
        if isinstance(space, gymnasium.spaces.MultiDiscrete):
            return torch.randint(int(space.nvec[0]), (count, len(space.nvec)), generator=draw)
        assert isinstance(space, gymnasium.spaces.Box)  # noqa: S101 - the environment has no other spaces
        low, high = torch.from_numpy(space.low), torch.from_numpy(space.high)
        return low + (high - low) * torch.rand(count, *space.shape, generator=draw)


class _Shadow:
    """The accounts that follow the mean action."""

    def __init__(self, env: TradingVectorEnv) -> None:
        self.env = env
        self.seen = torch.from_numpy(env.reset()[0])

    def trade(self, action: Tensor | None, leader: TradingVectorEnv, rewards: Tensor) -> None:
        """One session with ``action``, random ones excepted, and its reward taken from ``rewards`` (N,)."""
        if action is not None:
            observation, earned, *_ = self.env.step(action.numpy())
            self.seen = torch.from_numpy(observation)
            rewards -= torch.from_numpy(earned)
        if action is None or not np.array_equal(self.env.accounts.state["row"], leader.accounts.state["row"]):
            # An account was ruined in one of the two: from here on both live through the same sessions again.
            self.follow(leader)

    def follow(self, leader: TradingVectorEnv) -> None:
        """Stand where ``leader`` stands."""
        self.set_state(leader.get_state())

    def set_state(self, state: dict[str, Any]) -> None:
        self.seen = torch.from_numpy(self.env.set_state(state))


class _Policy:
    """A module's actions for the accounts of one rollout."""

    def __init__(self, module: Any, generator: torch.Generator, explore: bool) -> None:
        # RLlib sets the mode in every forward pass, which takes longer than the pass; a learner sets its own.
        if module.training:
            module.eval()
        self._module, self._generator = module, generator
        self._explore = explore
        self._device = next(module.parameters()).device
        self._distribution = (
            module.get_exploration_action_dist_cls() if explore else module.get_inference_action_dist_cls()
        )

    def act(self, seen: Tensor, clock: int) -> tuple[Tensor, Tensor]:
        """Actions and parameters of their distribution, empty if there is none."""
        out = self._forward(seen, clock)
        if Columns.ACTIONS in out:
            return out[Columns.ACTIONS].cpu(), _NOTHING
        return self._draw(out[Columns.ACTION_DIST_INPUTS].cpu())

    def log_probabilities(self, actions: Tensor, inputs: Tensor) -> Tensor:
        """(S, N) of actions that were drawn with parameters (S, N, ...); empty if they were not drawn."""
        if not (self._explore and inputs.numel()):
            return _NOTHING
        distribution = self._distribution.from_logits(inputs.flatten(0, 1))
        logp: Tensor = distribution.logp(actions.flatten(0, 1))
        return logp.reshape(actions.shape[:2])

    def act_with_shadow(self, seen: Tensor, shadow: Tensor, clock: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Mean actions of the shadows, and ``act`` for the accounts, in one forward pass."""
        inputs = self._forward(torch.cat((seen, shadow)), clock)[Columns.ACTION_DIST_INPUTS].cpu()
        count = len(seen)
        mean: Tensor = self._distribution.from_logits(inputs[count:]).to_deterministic().sample()
        return mean, self._draw(inputs[:count])

    def _forward(self, seen: Tensor, clock: int) -> dict[str, Tensor]:
        batch = {Columns.OBS: seen.to(self._device)}
        out: dict[str, Tensor] = (
            self._module._forward_exploration(batch, t=clock, generator=self._generator)
            if self._explore
            else self._module._forward_inference(batch)
        )
        return out

    def _draw(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        distribution = self._distribution.from_logits(inputs)
        if not self._explore:
            return distribution.to_deterministic().sample(), inputs
        return distribution.sample(generator=self._generator), inputs


class _Record:
    """Arrays of one rollout, made once and written session by session."""

    def __init__(self, sessions: int, env: TradingVectorEnv, observation: Float32Array) -> None:
        shape = (sessions, env.num_envs)
        self.trail = torch.empty((sessions + 1, *observation.shape))
        self.trail_array = self.trail.numpy()
        self.trail_array[0] = observation
        self.rewards = torch.empty(shape)
        self._rewards = self.rewards.numpy()
        self._terminated, self.ended = np.empty(shape, np.bool_), np.empty(shape, np.bool_)
        self._rows = np.empty(shape, np.int64)
        self._assets = np.empty((*shape, env.accounts.assets.shape[1]), np.int64)
        self.limits = np.empty(shape, np.int64)
        self.terms = np.empty((*shape, len(TERMS)))
        self.final: list[Float32Array] = []
        self.finished: list[float] = []
        self._rows[0], self._assets[0] = env.accounts.state["row"], env.accounts.assets
        self._decisions: list[Tensor] = []

    def decided(self, session: int, *decision: Tensor) -> None:
        """Actions and distribution inputs (N, ...)."""
        if session == 0:
            sessions = len(self.rewards)
            # Made outside inference mode: what is learned from must be able to enter a gradient.
            with torch.inference_mode(False):
                self._decisions = [
                    torch.empty((sessions, *part.shape), dtype=part.dtype) if part.numel() else _NOTHING
                    for part in decision
                ]
        for column, part in zip(self._decisions, decision, strict=True):
            if part.numel():
                column[session] = part

    def traded(
        self, session: int, env: TradingVectorEnv, observation: Float32Array, rewards: FloatArray,
        terminated: Any, ended: Any,
    ) -> None:  # fmt: skip
        """What a session brought."""
        self.trail_array[session + 1] = observation
        self._rewards[session] = rewards
        self._terminated[session], self.ended[session] = terminated, ended
        self.limits[session], self.terms[session] = env.report.summary["limits"], env.report.terms
        if session + 1 < len(self._rows):
            self._rows[session + 1], self._assets[session + 1] = env.accounts.state["row"], env.accounts.assets

    def transitions(self, policy: _Policy) -> Transitions:
        """The whole; raises TrainingError if something is not finite."""
        _require_finite("observations", self.trail)
        _require_finite("rewards", self.rewards)
        following = self.trail[1:]
        if self.final:
            _require_finite("observations", torch.from_numpy(np.stack(self.final)))
            following = following.clone()
            following.numpy()[self.ended] = self.final
        actions, inputs = self._decisions
        logp = policy.log_probabilities(actions, inputs)
        return Transitions(
            self.trail[:-1], actions, self.rewards, following,
            torch.from_numpy(self._terminated), torch.from_numpy(self.ended), inputs, logp,
            torch.from_numpy(self._rows), torch.from_numpy(self._assets),
        )  # fmt: skip


def _require_finite(name: str, values: Tensor) -> None:
    smallest, largest = torch.aminmax(values)  # NaN if any is
    if not math.isfinite(float(smallest) + float(largest)):
        raise TrainingError(f"{name} must be finite, got NaN or infinity")

"""An RLlib EnvRunner that trades all its accounts at once and hands out whole arrays."""

import math
from typing import Any

from gymnasium.vector.utils import batch_space
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env import INPUT_ENV_SINGLE_SPACES, INPUT_ENV_SPACES
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.env.single_agent_episode import SingleAgentEpisode

from wealtharena.training.episodes import EpisodeCutter
from wealtharena.training.markets import MARKET, Spaces, TrainingMarket
from wealtharena.training.rollout import TradingAccounts
from wealtharena.training.statistics import SessionStatistics
from wealtharena.training.transitions import Transitions

EXACT = "exact"
"""Key in the states of runners and algorithms: what RLlib's own leave out and the future depends on."""


class BatchedEnvRunner(SingleAgentEnvRunner):
    """Accounts on the ``TrainingMarket`` in ``env_config``, opened when first needed.

    Algorithms of ours take arrays from ``rollout``; RLlib's own take episodes from ``sample``, for which its callbacks
    per step are not called.

    Args:
        config: RLlib's configuration; with ``shadow_accounts`` in it, rewards are net of what those earn.
        module: acts instead of one of the runner's own: the learner's, if both are in one process.
    """

    env: Any
    num_envs: int
    module: Any

    def __init__(self, *, config: Any, module: Any = None, **kwargs: Any) -> None:
        self._given_module = module
        self._accounts: TradingAccounts | None = None
        self._accounts_state: dict[str, Any] | None = None
        super().__init__(config=config, **kwargs)

    def make_env(self) -> None:
        """Nothing is opened before it is needed: a checkpoint loads without its data."""
        self.env, self._accounts = None, None
        self.num_envs = self.config.num_envs_per_env_runner
        self.spaces = self.get_spaces()
        self._cutter = EpisodeCutter(self.spaces[INPUT_ENV_SINGLE_SPACES], self.num_envs)

    def make_module(self) -> None:
        """Takes the module that was handed in, or builds one."""
        if self._given_module is not None:
            self.module = self._given_module
        else:
            super().make_module()

    def get_spaces(self) -> dict[str, Spaces]:
        """Spaces of the configuration, or of the market if it names none."""
        single: Spaces = (self.config.observation_space, self.config.action_space)
        if None in single:
            single = self._market.spaces()
        together = (batch_space(single[0], self.num_envs), batch_space(single[1], self.num_envs))
        return {INPUT_ENV_SPACES: together, INPUT_ENV_SINGLE_SPACES: single, DEFAULT_MODULE_ID: single}

    def assert_healthy(self) -> None:
        """Raises AssertionError if the runner was not built properly; the market may be opened later."""
        assert self.module is not None  # noqa: S101 - RLlib's interface

    def rollout(self, num_sessions: int, random_actions: bool = False) -> Transitions:
        """Trades ``num_sessions`` sessions of every account with the exploring policy.

        Raises:
            TrainingError: the market's folder is gone, or it shows or pays something that is not finite.
        """
        return self._trade(num_sessions, random_actions=random_actions)

    def take_statistics(self) -> SessionStatistics:
        """What was met since the last call."""
        accounts = self._opened()
        taken, accounts.statistics = accounts.statistics, SessionStatistics(self._market.config)
        return taken

    def exact_state(self) -> dict[str, Any] | None:
        """Accounts and generators; None before the first session."""
        return self._accounts_state if self._accounts is None else self._accounts.get_state()

    def set_exact_state(self, state: dict[str, Any] | None) -> None:
        """Go on from ``exact_state``, bit for bit, or start afresh; the market is opened when it is needed."""
        if state is not None and self._accounts is not None:
            self._accounts.set_state(state)
        else:
            self.env, self._accounts, self._accounts_state = None, None, state

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, and under ``EXACT`` the accounts."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        return state | ({EXACT: self.exact_state()} if components is None else {})

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``get_state``; states of RLlib's own making leave the accounts as they are."""
        super().set_state(state)
        if state.get(EXACT) is not None:
            self.set_exact_state(state[EXACT])

    def stop(self) -> None:
        """Closes the accounts."""
        self.set_exact_state(None)

    @property
    def _market(self) -> TrainingMarket:
        market: TrainingMarket = self.config.env_config[MARKET]
        return market

    def _opened(self) -> TradingAccounts:
        if self._accounts is None:
            shadows = bool(self.config.get("shadow_accounts", False))
            self._accounts = TradingAccounts(self._market, self.num_envs, self.worker_index or 0, shadows)
            if self._accounts_state is not None:
                self._accounts.set_state(self._accounts_state)
            self._accounts_state = None
            self.env = self._accounts.env
        return self._accounts

    def _trade(self, num_sessions: int, **how: Any) -> Transitions:
        return self._opened().trade(self.module, num_sessions, runners=self.config.num_env_runners or 1, **how)

    def sample(self, **kwargs: Any) -> list[SingleAgentEpisode]:
        """Episodes and pieces of episodes, as RLlib's own runner returns them; see there for the arguments."""
        self._opened()
        episodes: list[SingleAgentEpisode] = super().sample(**kwargs)
        return episodes

    def get_metrics(self) -> dict[str, Any]:
        """RLlib's figures of the episodes that ended since the last call."""
        for length, reward in self._cutter.finished:
            self._log_episode_metrics(length, reward, 0.0)
        self._cutter.finished.clear()
        metrics: dict[str, Any] = super().get_metrics()
        return metrics

    def _sample(
        self,
        *,
        num_timesteps: int | None = None,
        num_episodes: int | None = None,
        explore: bool,
        random_actions: bool = False,
        force_reset: bool = False,
    ) -> list[SingleAgentEpisode]:
        if force_reset or num_episodes is not None:
            self._restart()
        how = {"explore": explore, "random_actions": random_actions}
        if num_episodes is None:
            sampled = self._trade(math.ceil((num_timesteps or 0) / self.num_envs), **how)
            self.take_statistics()  # RLlib's own algorithms have no use for them
            done, going = self._cutter.cut(sampled, self._weights_seq_no)
            self._increase_sampled_metrics(sampled.rewards.numel(), len(done))
            return done + going
        return self._whole_episodes(num_episodes, how)

    def _whole_episodes(self, count: int, how: dict[str, bool]) -> list[SingleAgentEpisode]:
        episodes: list[SingleAgentEpisode] = []
        finished_before = len(self._cutter.finished)
        while len(episodes) < count:
            # Nobody's first episode lasts longer than this.
            sampled = self._trade(self._market.config.episode_days, **how)
            episodes += self._cutter.cut(sampled, self._weights_seq_no)[0]
            self.take_statistics()
            self._restart()
        del episodes[count:], self._cutter.finished[finished_before + count :]
        self._increase_sampled_metrics(sum(len(episode) for episode in episodes), count)
        return episodes

    def _restart(self) -> None:
        self._opened().reset()
        self._cutter.restart()

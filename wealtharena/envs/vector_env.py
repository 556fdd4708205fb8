"""N accounts that trade one market side by side, stepped in one call of the compiled kernel."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.episodes import EpisodeSampler
from wealtharena.envs.spaces import action_space, observation_shape, observation_space, scores_of
from wealtharena.execution.accounts import Accounts, empty_report, open_accounts, reopen_accounts
from wealtharena.execution.kernel import kernel_rules, step_accounts, write_observations
from wealtharena.execution.market import market_arrays

StepResult = tuple[Float32Array, FloatArray, BoolArray, BoolArray, dict[str, Any]]


class TradingVectorEnv(VectorEnv[Float32Array, npt.NDArray[Any], npt.NDArray[Any]]):
    """Gymnasium vector environment over the execution kernel.

    Observations are float32 (N, A, D), see ``wealtharena.envs.spaces``; the action taken after the close of session
    ``t`` fills at the open of ``t + 1``. The reward is (log return − risk_aversion / 2 × log return²) × reward_scale.
    ``truncated`` at the end of the episode or of the panel, ``terminated`` on bankruptcy.

    Args:
        panel: market to trade.
        config: episodes, actions, reward.
        num_envs: number of accounts.
        seed: of the generator that draws episodes; ``reset(seed=…)`` starts a new one.
        autoreset_mode: see https://farama.org/Vector-Autoreset-Mode. RLlib assumes ``NEXT_STEP``.
        detailed_infos: adds equity, weights, turnover, cost, limits and reward_terms to ``infos``.
        copy: return a fresh observation array each step; otherwise the same one, overwritten by the next step.
    """

    def __init__(
        self,
        panel: MarketPanel,
        config: EnvConfig | None = None,
        num_envs: int = 1,
        seed: int = 0,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        detailed_infos: bool = False,
        copy: bool = True,
    ) -> None:
        self.config = config or EnvConfig()
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": []}
        self._np_random = np.random.default_rng(seed)
        self._np_random_seed = seed
        self._sampler = EpisodeSampler(panel, self.config)
        self._num_assets = self._sampler.assets_per_episode
        self.single_observation_space = observation_space(self._num_assets, len(panel.feature_names))
        self.single_action_space = action_space(self.config, self._num_assets)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._market = market_arrays(panel)
        self._last_row = len(panel.dates) - 1
        self._rules = kernel_rules(self.config.rules, self.config.cost_multiplier)
        self._no_shift = np.zeros(len(panel.symbols))
        self._accounts = open_accounts(np.zeros((num_envs, self._num_assets), np.int64))
        self._report = empty_report(num_envs, self._num_assets)
        self._age = np.zeros(num_envs, np.int64)
        self._done = np.ones(num_envs, np.bool_)
        self._everyone = np.ones(num_envs, np.bool_)
        shape = (num_envs, *observation_shape(self._num_assets, len(panel.feature_names)))
        self._observations: Float32Array = np.zeros(shape, np.float32)
        self._detailed_infos = detailed_infos
        self._copy = copy

    @property
    def accounts(self) -> Accounts:
        """The live state; do not write to it."""
        return self._accounts

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode in every account, or in those of ``options["reset_mask"]`` (bool, (N,))."""
        super().reset(seed=seed)
        which = (options or {}).get("reset_mask", self._everyone)
        self._start_episodes(which)
        self._observe(which)
        return self._returned_observations(), self._infos()

    def step(self, actions: npt.NDArray[Any]) -> StepResult:
        """One session of every account; an account whose episode has just ended starts a new one (``NEXT_STEP``).

        Raises:
            ExecutionError: the actions are of the wrong shape or not finite, or an ended episode was not reset.
        """
        scores = scores_of(actions, self.config, self.num_envs, self._num_assets)
        restarted = self._restart_ended()
        step_accounts(self._market, self._accounts, self._report, self._rules, scores, False, self._no_shift, restarted)
        self._age += ~restarted
        terminated = self._accounts.equity <= 0.0
        truncated = (self._age >= self.config.episode_days) | (self._accounts.row >= self._last_row)
        truncated &= ~(terminated | restarted)
        self._done = terminated | truncated
        rewards = (self._report.log_return - self._report.risk_penalty) * self.config.reward_scale
        self._observe(self._everyone)
        infos = self._infos()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
            infos = self._restart_in_same_step(infos)
        return self._returned_observations(), rewards, terminated, truncated, infos

    def get_state(self) -> dict[str, Any]:
        """Copy of everything that influences the future; ``set_state`` in any process continues bit for bit."""
        return {
            "accounts": {name: array.copy() for name, array in self._accounts._asdict().items()},
            "age": self._age.copy(),
            "done": self._done.copy(),
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> Float32Array:
        """Continue from ``get_state``; returns the observations (N, A, D) that the next actions answer."""
        for name, array in self._accounts._asdict().items():
            np.copyto(array, state["accounts"][name])
        self._age = state["age"].copy()
        self._done = state["done"].copy()
        self.np_random.bit_generator.state = state["rng"]
        self._observe(self._everyone)
        return self._returned_observations()

    def _restart_ended(self) -> BoolArray:
        """Accounts that spend this step on a reset."""
        ended = self._done
        if self.autoreset_mode is AutoresetMode.NEXT_STEP:
            if ended.any():
                self._start_episodes(ended)
        elif ended.any():
            raise ExecutionError(f"{int(ended.sum())} episodes have ended; call reset before step")
        return ended

    def _restart_in_same_step(self, infos: dict[str, Any]) -> dict[str, Any]:
        ended = self._done
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final[i] = self._observations[i].copy()
        self._start_episodes(ended)
        self._observe(ended)
        return {
            **self._infos(),
            "final_obs": final,
            "_final_obs": ended.copy(),
            "final_info": infos,
            "_final_info": ended.copy(),
        }

    def _start_episodes(self, which: BoolArray) -> None:
        rows, assets = self._sampler.draw(int(which.sum()), self.np_random)
        reopen_accounts(self._accounts, which, rows, assets)
        for array in self._report:
            array[which] = 0
        self._age[which] = 0
        self._done = self._done & ~which

    def _observe(self, which: BoolArray) -> None:
        write_observations(self._market, self._accounts, self._rules, which, self._observations)

    def _returned_observations(self) -> Float32Array:
        return self._observations.copy() if self._copy else self._observations

    def _infos(self) -> dict[str, Any]:
        if not self._detailed_infos:
            return {}
        scale = self.config.reward_scale
        values = {
            "equity": self._accounts.equity.copy(),
            "weights": self._accounts.weights.copy(),
            "turnover": self._report.turnover.copy(),
            "cost": self._report.cost.copy(),
            "limits": self._report.limits.copy(),
        }
        terms = {
            "log_return": self._report.log_return * scale,
            "risk_penalty": -self._report.risk_penalty * scale,
        }
        return {**self._masked(values), "reward_terms": self._masked(terms), "_reward_terms": self._everyone.copy()}

    def _masked(self, values: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Gymnasium's vector infos: next to each key a mask of the accounts that have it, here all."""
        return values | {f"_{name}": self._everyone.copy() for name in values}

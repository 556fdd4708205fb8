"""N accounts that trade one market side by side, stepped in one call of the compiled kernel."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.desk import TradingDesk
from wealtharena.envs.spaces import action_space, observation_space
from wealtharena.execution.accounts import Accounts, as_columns
from wealtharena.execution.market import MarketArrays
from wealtharena.execution.reward import TERMS

StepResult = tuple[Float32Array, FloatArray, BoolArray, BoolArray, dict[str, Any]]


class TradingVectorEnv(VectorEnv[Float32Array, npt.NDArray[Any], npt.NDArray[Any]]):
    """Gymnasium vector environment over the execution kernel.

    Observations are float32 (N, A, D), see ``wealtharena.envs.spaces``; the action taken after the close of session
    ``t`` fills at the open of ``t + 1``. The reward is the weighted sum of ``RewardWeights``'s terms × reward_scale.
    ``truncated`` at the end of the episode or of the panel, ``terminated`` on bankruptcy.

    Args:
        panel: market to trade; environments on the same panel share its arrays. Or the arrays themselves
            (``wealtharena.execution.load_market`` maps them from a file that all processes share).
        config: episodes, actions, reward.
        num_envs: number of accounts.
        seed: of the generator that draws episodes; ``reset(seed=…)`` starts a new one.
        autoreset_mode: see https://farama.org/Vector-Autoreset-Mode. RLlib assumes ``NEXT_STEP``.
        detailed_infos: adds equity, weights, the session's report (``wealtharena.execution.accounts.REPORT``) and
            reward_terms to ``infos``.
        copy: return a fresh observation array each step; otherwise the same one, overwritten by the next step.

    Raises:
        DataWindowError: the panel is empty, too short for the window, or has no session to start from.
        ExecutionError: ``num_envs`` is below 1.
    """

    def __init__(
        self,
        panel: MarketPanel | MarketArrays,
        config: EnvConfig | None = None,
        num_envs: int = 1,
        seed: int = 0,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        detailed_infos: bool = False,
        copy: bool = True,
    ) -> None:
        if num_envs < 1:
            raise ExecutionError(f"num_envs must be at least 1, got {num_envs}")
        self.config = config or EnvConfig()
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": []}
        self._np_random = np.random.default_rng(seed)
        self._np_random_seed = seed
        self._desk = TradingDesk(panel, self.config, num_envs, monitor=detailed_infos)
        num_assets, num_features = self._desk.num_assets, self._desk.market.num_features
        self.single_observation_space = observation_space(num_assets, num_features, self.config.window)
        self.single_action_space = action_space(self.config, num_assets)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._done = np.ones(num_envs, np.bool_)
        self._everyone = np.ones(num_envs, np.bool_)
        self._detailed_infos = detailed_infos
        self._copy = copy

    @property
    def accounts(self) -> Accounts:
        """The live state; do not write to it."""
        return self._desk.accounts

    @property
    def market(self) -> MarketArrays:
        """The market's arrays, shared by all environments on the same panel."""
        return self._desk.market

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode in every account, or in those of ``options["reset_mask"]`` (bool, (N,))."""
        super().reset(seed=seed)
        which = (options or {}).get("reset_mask", self._everyone)
        self._start_episodes(which)
        self._desk.observe(which, self._desk.observations)
        return self._returned_observations(), self._infos()

    def step(self, actions: npt.NDArray[Any]) -> StepResult:
        """One session of every account; an account whose episode has just ended starts a new one (``NEXT_STEP``).

        Raises:
            ExecutionError: the actions are of the wrong shape or not finite, or an ended episode was not reset.
        """
        self._desk.decide(actions)
        restarted = self._restart_ended()
        rewards, flags = np.empty(self.num_envs), np.empty((2, self.num_envs), np.bool_)
        terminated, truncated = flags
        self._desk.trade(restarted, rewards, terminated, truncated, self._desk.observations)
        self._done = terminated | truncated
        rewards *= self.config.reward_scale
        infos = self._infos()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._done.any():
            infos = self._restart_in_same_step(infos)
        return self._returned_observations(), rewards, terminated, truncated, infos

    def get_state(self) -> dict[str, Any]:
        """Copy of everything that influences the future; ``set_state`` in any process continues bit for bit."""
        return {
            "accounts": self._desk.get_state(),
            "done": self._done.copy(),
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> Float32Array:
        """Continue from ``get_state``; returns the observations (N, A, D) that the next actions answer."""
        self._desk.set_state(state["accounts"])
        self._done = state["done"].copy()
        self.np_random.bit_generator.state = state["rng"]
        self._desk.observe(self._everyone, self._desk.observations)
        return self._returned_observations()

    def _restart_ended(self) -> BoolArray:
        """Accounts that spend this step on a reset."""
        ended = self._done
        if not ended.any():
            return ended
        if self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            raise ExecutionError(f"{int(ended.sum())} episodes have ended; call reset before step")
        self._start_episodes(ended)
        return ended

    def _restart_in_same_step(self, infos: dict[str, Any]) -> dict[str, Any]:
        ended = self._done
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final[i] = self._desk.observations[i].copy()
        self._start_episodes(ended)
        self._desk.observe(ended, self._desk.observations)
        return {
            **self._infos(),
            "final_obs": final,
            "_final_obs": ended.copy(),
            "final_info": infos,
            "_final_info": ended.copy(),
        }

    def _start_episodes(self, which: BoolArray) -> None:
        self._desk.start(np.flatnonzero(which), self.np_random)
        self._done = self._done & ~which

    def _returned_observations(self) -> Float32Array:
        return self._desk.observations.copy() if self._copy else self._desk.observations

    def _infos(self) -> dict[str, Any]:
        if not self._detailed_infos:
            return {}
        desk, scale = self._desk, self.config.reward_scale
        values = {
            "equity": desk.accounts.state["equity"].copy(),
            "weights": desk.held_weights(),
            **as_columns(desk.report.summary),
        }
        terms = {name: desk.report.terms[:, k] * scale for k, name in enumerate(TERMS)}
        return {**self._masked(values), "reward_terms": self._masked(terms), "_reward_terms": self._everyone.copy()}

    def _masked(self, values: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Gymnasium's vector infos: next to each key a mask of the accounts that have it, here all."""
        return values | {f"_{name}": self._everyone.copy() for name in values}

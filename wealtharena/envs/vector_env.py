"""N accounts that trade one market side by side, stepped in one call of the compiled kernel."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from wealtharena.core.errors import ExecutionError, SettingsError, unknown_name
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.desk import TradingDesk
from wealtharena.envs.spaces import action_space, observation_space
from wealtharena.execution.accounts import Accounts, SessionReport, as_columns
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
        detailed_infos: gives ``infos`` everything that ``TradingEnv`` has in ``info``; otherwise they are empty but
            for ``is_demo`` of a reset.
        copy: return a fresh observation array each step; otherwise the same one, overwritten by the next step.
        is_demo: the market is simulated, which the infos are to say.

    Raises:
        DataWindowError: the panel is empty, too short for the window, or has no session to start from.
        ExecutionError: ``num_envs`` is not a positive number, or ``panel`` is neither a panel nor its arrays.
        SettingsError: there is no such autoreset mode.
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
        is_demo: bool = False,
    ) -> None:
        if not (isinstance(num_envs, int | np.integer) and num_envs >= 1):
            raise ExecutionError(f"num_envs must be a whole number of at least 1, got {num_envs!r}")
        self.config = config or EnvConfig()
        self.num_envs = num_envs
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {"autoreset_mode": self.autoreset_mode, "render_modes": []}
        self._np_random = np.random.default_rng(seed)
        self._np_random_seed = seed
        self._desk = TradingDesk(panel, self.config, num_envs, monitor=detailed_infos)
        num_assets, num_features = self._desk.num_assets, self._desk.market.num_features
        self.single_observation_space = observation_space(num_assets, num_features, self.config.window)
        self.single_action_space = action_space(self.config, num_assets)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._started = False
        self._ended = np.zeros(num_envs, np.bool_)
        self._everyone = np.ones(num_envs, np.bool_)
        self._detailed_infos = detailed_infos
        self._copy = copy
        self._is_demo = is_demo
        self._shown = self._desk.empty_observations()

    @property
    def accounts(self) -> Accounts:
        """The live state; do not write to it."""
        return self._desk.accounts

    @property
    def report(self) -> SessionReport:
        """What the last session did, live; zeros for accounts that started an episode since. Do not write to it."""
        return self._desk.report

    @property
    def market(self) -> MarketArrays:
        """The market's arrays, shared by all environments on the same panel."""
        return self._desk.market

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode in every account, or in those of ``options["reset_mask"]`` (bool, (N,)).

        Raises:
            ExecutionError: the mask is not of this kind, or the first reset leaves accounts out.
        """
        which = self._checked_mask((options or {}).get("reset_mask", self._everyone))
        super().reset(seed=seed)
        self._start_episodes(which)
        self._started = True
        observations = self._observations_to_write()
        self._desk.observe(self._everyone, observations)
        return observations, self._infos(which) or _masked({"is_demo": self._demo_flags()}, which)

    def step(self, actions: npt.NDArray[Any]) -> StepResult:
        """One session of every account; an account whose episode has just ended starts a new one (``NEXT_STEP``).

        Raises:
            ExecutionError: the actions are of the wrong shape or type, or not finite, or not levels, which leaves every
                account as it was; or there was no reset, or an ended episode was not reset.
        """
        if not self._started:
            raise ExecutionError("there is no running episode; call reset before step")
        desk, observations = self._desk, self._observations_to_write()
        desk.decide(np.asarray(actions))
        self._rest_ended()
        desk.trade(observations)
        rewards, terminated, truncated = desk.rewards.copy(), desk.terminated.copy(), desk.truncated.copy()
        self._ended = terminated | truncated
        infos = self._infos(self._everyone)
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            infos = self._restart_in_same_step(observations)
        return observations, rewards, terminated, truncated, infos

    def get_state(self) -> dict[str, Any]:
        """Copy of everything that influences the future; ``set_state`` in any process continues bit for bit."""
        return {
            "accounts": self._desk.get_state(),
            "started": self._started,
            "ended": self._ended.copy(),
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> Float32Array:
        """Continue from ``get_state``; returns the observations (N, A, D) that the next actions answer.

        Raises:
            ExecutionError: the state is of another number of accounts, or of other assets.
        """
        self._desk.set_state(state["accounts"])
        self._started = state["started"]
        self._ended = state["ended"].copy()
        self.np_random.bit_generator.state = state["rng"]
        observations = self._observations_to_write()
        self._desk.observe(self._everyone, observations)
        return observations

    def _rest_ended(self) -> None:
        """Accounts whose episode has ended spend this step on a reset."""
        ended = self._ended
        np.copyto(self._desk.resting, ended)
        if not ended.any():
            return
        if self.autoreset_mode is not AutoresetMode.NEXT_STEP:
            raise ExecutionError(f"{int(ended.sum())} episodes have ended; call reset before step")
        self._start_episodes(ended)

    def _restart_in_same_step(self, observations: Float32Array) -> dict[str, Any]:
        """New episodes; what the ended ones showed last goes into the infos."""
        ended = self._ended
        final_info = self._infos(ended)
        final = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            final[i] = observations[i].copy()
        self._start_episodes(ended)
        self._desk.observe(ended, observations)
        return {
            **self._infos(self._everyone),
            "final_obs": final,
            "_final_obs": ended.copy(),
            "final_info": final_info,
            "_final_info": ended.copy(),
        }

    def _start_episodes(self, which: BoolArray) -> None:
        self._desk.start(np.flatnonzero(which), self.np_random)
        self._ended = self._ended & ~which

    def _checked_mask(self, mask: Any) -> BoolArray:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ExecutionError(f"reset_mask must be a bool array of shape ({self.num_envs},), got {mask!r}")
        if not mask.any() or not (self._started or mask.all()):
            raise ExecutionError("reset_mask must name an account, and all of them the first time, got " + repr(mask))
        return mask

    def _observations_to_write(self) -> Float32Array:
        return self._desk.empty_observations() if self._copy else self._shown

    def _infos(self, which: BoolArray) -> dict[str, Any]:
        """Gymnasium's vector infos: next to each key a mask of the accounts that have it; zeros for the others."""
        if not self._detailed_infos:
            return {}
        desk = self._desk
        values = {
            **as_columns(desk.report.summary),
            "equity": desk.equity.copy(),
            "weights": desk.weights.copy(),
            "row": desk.rows.copy(),
            "is_demo": self._demo_flags(),
        }
        terms = {name: desk.report.terms[:, k].copy() for k, name in enumerate(TERMS)}
        return {**_masked(values, which), "reward_terms": _masked(terms, which), "_reward_terms": which.copy()}

    def _demo_flags(self) -> BoolArray:
        return np.full(self.num_envs, self._is_demo)


def _masked(values: dict[str, npt.NDArray[Any]], which: BoolArray) -> dict[str, npt.NDArray[Any]]:
    for array in values.values():
        array[~which] = 0
    return values | {f"_{name}": which.copy() for name in values}


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    known = {known.value: known for known in AutoresetMode}
    if mode not in known:
        raise SettingsError(unknown_name("autoreset mode", str(mode), known))
    return known[mode]

"""One account as a plain Gymnasium environment, over the same kernel as the vector environment."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import Float32Array, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.desk import TradingDesk
from wealtharena.envs.spaces import action_space, observation_space
from wealtharena.execution.accounts import REPORT
from wealtharena.execution.market import MarketArrays
from wealtharena.execution.reward import TERMS

_ONE = np.zeros(1, np.int64)
_REPORT_NAMES = REPORT.names or ()


class TradingEnv(gymnasium.Env[Float32Array, npt.NDArray[Any]]):
    """One account; see ``TradingVectorEnv`` for observations (A, D), actions and reward.

    ``info`` has equity, weights (A,), the session's report by name (``wealtharena.execution.accounts.REPORT``:
    turnover, costs, limits …) and reward_terms, the summands of the reward by name.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # Gymnasium declares it this way

    def __init__(self, panel: MarketPanel | MarketArrays, config: EnvConfig | None = None, seed: int = 0) -> None:
        self.config = config or EnvConfig()
        self._np_random = np.random.default_rng(seed)
        self._np_random_seed = seed
        self._desk = TradingDesk(panel, self.config, 1)
        num_assets = self._desk.num_assets
        self.observation_space = observation_space(num_assets, self._desk.market.num_features, self.config.window)
        self.action_space = action_space(self.config, num_assets)
        self._rewards = np.zeros(1)
        self._flags = np.zeros((3, 1), np.bool_)
        self._outputs = (self._flags[0], self._rewards, self._flags[1], self._flags[2], self._desk.observations)
        self._ended = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode; ``seed`` replaces the generator that draws start and assets."""
        super().reset(seed=seed)
        self._desk.start(_ONE, self.np_random)
        self._ended = False
        return self._observation(), self._info()

    def step(self, action: npt.NDArray[Any]) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """One session. Raises ExecutionError for an unusable action or after the end of an episode."""
        if self._ended:
            raise ExecutionError("the episode has ended; call reset before step")
        self._desk.decide(np.asarray(action)[None])
        self._desk.trade(*self._outputs)
        terminated, truncated = bool(self._flags[1, 0]), bool(self._flags[2, 0])
        self._ended = terminated or truncated
        reward = float(self._rewards[0]) * self.config.reward_scale
        return self._desk.observations[0].copy(), reward, terminated, truncated, self._info()

    def get_state(self) -> dict[str, Any]:
        """Copy of everything that influences the future; ``set_state`` in any process continues bit for bit."""
        return {
            "accounts": self._desk.get_state(),
            "ended": self._ended,
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> Float32Array:
        """Continue from ``get_state``; returns the observation (A, D) that the next action answers."""
        self._desk.set_state(state["accounts"])
        self._ended = state["ended"]
        self.np_random.bit_generator.state = state["rng"]
        return self._observation()

    def _observation(self) -> Float32Array:
        self._desk.observe(np.ones(1, np.bool_), self._desk.observations)
        observation: Float32Array = self._desk.observations[0].copy()
        return observation

    def _info(self) -> dict[str, Any]:
        desk, scale = self._desk, self.config.reward_scale
        info: dict[str, Any] = dict(zip(_REPORT_NAMES, desk.report.summary[0].item(), strict=True))
        info["equity"] = float(desk.accounts.state["equity"][0])
        info["weights"] = desk.accounts.weights[0, : desk.num_assets].copy()
        terms = desk.report.terms[0].tolist()
        info["reward_terms"] = {name: term * scale for name, term in zip(TERMS, terms, strict=True)}
        return info

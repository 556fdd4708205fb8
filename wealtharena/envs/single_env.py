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
from wealtharena.execution.market import MarketArrays

_ONE = np.zeros(1, np.int64)
_EVERYONE = np.ones(1, np.bool_)


class TradingEnv(gymnasium.Env[Float32Array, npt.NDArray[Any]]):
    """One account; see ``TradingVectorEnv`` for observations (A, D), actions and reward.

    ``info`` has the session's report by name (``wealtharena.execution.accounts.REPORT``: turnover, costs, limits …),
    equity, weights (A,), row (of the panel, whose close the account has seen), reward_terms (the summands of the reward
    by name) and is_demo (a simulated market, no real prices).

    Args:
        panel: market to trade; environments on the same panel share its arrays. Or the arrays themselves.
        config: episodes, actions, reward.
        seed: of the generator that draws episodes; ``reset(seed=…)`` starts a new one.
        is_demo: the market is simulated, which ``info`` is to say.

    Raises:
        DataWindowError: the panel is empty, too short for the window, or has no session to start from.
        ExecutionError: ``panel`` is neither a panel nor its arrays.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # Gymnasium declares it this way

    def __init__(
        self,
        panel: MarketPanel | MarketArrays,
        config: EnvConfig | None = None,
        seed: int = 0,
        *,
        is_demo: bool = False,
    ) -> None:
        self.config = config or EnvConfig()
        self._np_random = np.random.default_rng(seed)
        self._np_random_seed = seed
        self._desk = TradingDesk(panel, self.config, 1)
        num_assets, num_features = self._desk.num_assets, self._desk.market.num_features
        self.observation_space = observation_space(num_assets, num_features, self.config.window)
        self.action_space = action_space(self.config, num_assets)
        self._is_demo = is_demo
        self._ended = True

    @property
    def market(self) -> MarketArrays:
        """The market's arrays, shared by all environments on the same panel."""
        return self._desk.market

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode; ``seed`` replaces the generator that draws start, assets, length and costs."""
        super().reset(seed=seed)
        self._desk.start(_ONE, self.np_random)
        self._ended = False
        return self._observation(), self._info()

    def step(self, action: npt.NDArray[Any]) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """One session.

        Raises:
            ExecutionError: the action is of the wrong shape or type, or not finite, or not one of the levels, which
                leaves the account as it was; or there is no running episode.
        """
        if self._ended:
            raise ExecutionError("there is no running episode; call reset before step")
        desk = self._desk
        desk.decide(np.asarray(action)[None])
        observations = desk.empty_observations()
        desk.trade(observations)
        terminated, truncated = desk.terminated.item(), desk.truncated.item()
        self._ended = terminated or truncated
        return observations[0], desk.rewards.item(), terminated, truncated, self._info()

    def get_state(self) -> dict[str, Any]:
        """Copy of everything that influences the future; ``set_state`` in any process continues bit for bit."""
        return {
            "accounts": self._desk.get_state(),
            "ended": self._ended,
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> Float32Array:
        """Continue from ``get_state``; returns the observation (A, D) that the next action answers.

        Raises:
            ExecutionError: the state is of other assets.
        """
        self._desk.set_state(state["accounts"])
        self._ended = state["ended"]
        self.np_random.bit_generator.state = state["rng"]
        return self._observation()

    def _observation(self) -> Float32Array:
        observations = self._desk.empty_observations()
        self._desk.observe(_EVERYONE, observations)
        observation: Float32Array = observations[0]
        return observation

    def _info(self) -> dict[str, Any]:
        info = self._desk.first_report()
        info["is_demo"] = self._is_demo
        return info

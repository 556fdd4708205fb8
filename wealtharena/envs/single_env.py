"""One account as a plain Gymnasium environment, over the same kernel as the vector environment."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from wealtharena.core.panel import Float32Array, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.vector_env import TradingVectorEnv


class TradingEnv(gymnasium.Env[Float32Array, npt.NDArray[Any]]):
    """One account; see ``TradingVectorEnv`` for observations (A, D), actions and reward.

    ``info`` has equity, weights (A,), turnover, cost, limits (``wealtharena.execution.Limit``) and reward_terms, the
    summands of the reward by name.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # Gymnasium declares it this way

    def __init__(self, panel: MarketPanel, config: EnvConfig | None = None, seed: int = 0) -> None:
        self._vector = TradingVectorEnv(
            panel, config, num_envs=1, seed=seed, autoreset_mode=AutoresetMode.DISABLED, detailed_infos=True
        )
        self._np_random = self._vector.np_random
        self._np_random_seed = seed
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Start an episode; ``seed`` replaces the generator that draws start and assets."""
        super().reset(seed=seed)
        self._vector.np_random = self.np_random
        observations, infos = self._vector.reset()
        return observations[0], _first_account(infos)

    def step(self, action: npt.NDArray[Any]) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """One session. Raises ExecutionError for an unusable action or after the end of an episode."""
        observations, rewards, terminated, truncated, infos = self._vector.step(np.asarray(action)[None])
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _first_account(infos)

    def get_state(self) -> dict[str, Any]:
        """See ``TradingVectorEnv.get_state``."""
        return self._vector.get_state()

    def set_state(self, state: dict[str, Any]) -> Float32Array:
        """See ``TradingVectorEnv.set_state``; returns the observation (A, D) that the next action answers."""
        observation: Float32Array = self._vector.set_state(state)[0]
        return observation


def _first_account(infos: dict[str, Any]) -> dict[str, Any]:
    """A vector environment's infos without the masks, for its first account."""
    return {
        name: _first_account(value) if isinstance(value, dict) else value[0]
        for name, value in infos.items()
        if not name.startswith("_")
    }

"""N accounts at the kernel: what the single and the vector environment have in common."""

from typing import Any

import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.episodes import EpisodeSampler
from wealtharena.envs.spaces import observation_shape
from wealtharena.execution.accounts import Accounts, IntArray, empty_report, open_accounts, reopen_accounts
from wealtharena.execution.kernel import (
    CHANGES,
    SCORES,
    find_unusable,
    kernel_rules,
    padded_decisions,
    step_accounts,
    workspace,
    write_observations,
)
from wealtharena.execution.market import MarketArrays, market_arrays


class TradingDesk:
    """Accounts, their episodes and the arrays that the kernel writes.

    Attributes:
        market: shared by all environments on the same panel.
        accounts, report: the live state and what the last session did.
        num_assets: K, assets that an account trades in an episode.
        observations: (N, K, D), as of the last call.

    Args:
        panel: market to trade, a panel or its arrays (``load_market``).
        num_accounts: N.
        monitor: report value at risk every session, see ``kernel_rules``.

    Raises:
        DataWindowError: the panel is empty, or too short for the window, or holds no session to start from.
        SettingsError: the window of ``panel``'s arrays is not the configuration's.
    """

    def __init__(
        self, panel: MarketPanel | MarketArrays, config: EnvConfig, num_accounts: int, *, monitor: bool = True
    ) -> None:
        self.market = market_of(panel, config)
        self.config = config
        self._sampler = EpisodeSampler(self.market, config)
        self.num_assets = self._sampler.assets_per_episode
        self.accounts: Accounts = open_accounts(np.zeros((num_accounts, self.num_assets), np.int64))
        self.report = empty_report(num_accounts, self.num_assets)
        shape = observation_shape(self.num_assets, self.market.num_features, config.window)
        self.observations: Float32Array = np.zeros((num_accounts, *shape), np.float32)
        self._rules = kernel_rules(config.rules, self.market, monitor=monitor)
        self._levels: FloatArray = np.array(config.levels)
        self._mode = CHANGES if config.action == "changes" else SCORES
        self._decisions = padded_decisions(np.zeros((num_accounts, self.num_assets)))
        self._inputs: tuple[Any, ...] = (
            *self.market.kernel_arguments(), *self.accounts, *self.report, self._rules, config.reward.vector(),
            *workspace(self._rules, self.num_assets), self._decisions, self._mode,
        )  # fmt: skip
        self._seen: tuple[Any, ...] = (
            self.market.observation, self.market.prices, self.market.num_observed, self.accounts.state,
            self.accounts.assets, self.accounts.weights, self._rules,
        )  # fmt: skip

    def start(self, which: IntArray, rng: np.random.Generator) -> None:
        """New episodes in the accounts at the places ``which``; their reports are emptied."""
        episodes = self._sampler.draw(len(which), rng)
        reopen_accounts(
            self.accounts, which, episodes.rows, episodes.assets, episodes.last_rows, episodes.cost_multipliers
        )
        for array in self.report:
            array[which] = 0

    def decide(self, actions: npt.NDArray[Any]) -> None:
        """Take the actions of all accounts, (N, K) or (N,) for one asset.

        Raises:
            ExecutionError: the shape is wrong, a value is not finite, or a level does not exist.
        """
        num_accounts, num_assets = len(self._decisions), self.num_assets
        actions = np.asarray(actions)
        if actions.size != num_accounts * num_assets or len(actions) != num_accounts:
            raise ExecutionError(f"actions must be ({num_accounts}, {num_assets}), got shape {actions.shape}")
        if self.config.action == "levels":
            actions = self._of_levels(actions)
        self._decisions[:, :num_assets] = actions.reshape(num_accounts, num_assets)
        bad = find_unusable(self._decisions, self._mode)
        if bad >= 0:
            self._decisions[:] = 0.0
            raise ExecutionError(f"actions must be finite, got NaN or infinity in account {bad}")

    def trade(
        self,
        skip: BoolArray,
        rewards: FloatArray,
        terminated: BoolArray,
        truncated: BoolArray,
        observations: Float32Array,
    ) -> None:
        """One session of every account that is not in ``skip``; see ``wealtharena.execution.kernel.step_accounts``."""
        arguments: tuple[Any, ...] = (*self._inputs, skip, rewards, terminated, truncated, observations)
        step_accounts(*arguments)

    def observe(self, which: BoolArray, observations: Float32Array) -> None:
        """Write the observations of the accounts in ``which``."""
        arguments: tuple[Any, ...] = (*self._seen, which, observations)
        write_observations(*arguments)

    def held_weights(self) -> FloatArray:
        """(N, K) copy of the weights at the last close."""
        return self.accounts.weights[:, : self.num_assets].copy()

    def get_state(self) -> dict[str, Any]:
        """Copies of everything that the next session depends on."""
        return {name: array.copy() for name, array in self.accounts._asdict().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``get_state``."""
        for name, array in self.accounts._asdict().items():
            np.copyto(array, state[name])

    def _of_levels(self, actions: npt.NDArray[Any]) -> FloatArray:
        count = len(self._levels)
        if not np.issubdtype(actions.dtype, np.integer) or actions.min() < 0 or actions.max() >= count:
            raise ExecutionError(
                f"actions must be integers in [0, {count}), got {actions.dtype}: {actions.ravel()[:8]}"
            )
        levels: FloatArray = self._levels[actions]
        return levels


def market_of(panel: MarketPanel | MarketArrays, config: EnvConfig) -> MarketArrays:
    """The arrays of a panel, shared by all that ask for the same; or the arrays handed in."""
    if isinstance(panel, MarketPanel):
        return market_arrays(panel, config.window)
    if panel.window != config.window:
        raise ExecutionError(f"the market's window must be the configuration's ({config.window}), got {panel.window}")
    return panel

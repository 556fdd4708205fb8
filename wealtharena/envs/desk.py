"""N accounts at the kernel: what the single and the vector environment have in common."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import ExecutionError, SettingsError
from wealtharena.core.panel import BoolArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.episodes import EpisodeSampler
from wealtharena.envs.spaces import decision_mode, observation_shape
from wealtharena.execution.accounts import REPORT, Accounts, IntArray, empty_report, open_accounts, reopen_accounts
from wealtharena.execution.kernel import (
    kernel_rules,
    observe,
    padded_decisions,
    step_accounts,
    take_actions,
    take_levels,
    workspace,
)
from wealtharena.execution.market import MarketArrays, market_arrays
from wealtharena.execution.reward import TERMS

NUMBERS = "fiu"
"""Kinds of arrays that actions may be."""

_INTEGERS = "iu"
_REPORT_NAMES = REPORT.names or ()


class TradingDesk:
    """Accounts, their episodes and the arrays that the kernel reads and writes, all of them made once.

    Copied and pickled desks start from the state of ``get_state``; copies share the market.

    Attributes:
        market: shared by all environments on the same panel.
        accounts, report: the live state and what the last session did; rewards in it are scaled.
        num_assets: K, assets that an account trades in an episode.
        resting: (N,) accounts that ``trade`` leaves as they are; written by the caller.
        rewards, terminated, truncated: (N,) of the last session.
        equity: (N,) at the last close, live.
        rows: (N,) of the panel, whose close each account has seen, live.
        weights: (N, K) at the last close, live.

    Args:
        panel: market to trade, a panel or its arrays (``load_market``).
        num_accounts: N.
        monitor: report value at risk every session, see ``kernel_rules``.

    Raises:
        DataWindowError: the panel is empty, or too short for the window, or holds no session to start from.
        ExecutionError: ``panel`` is neither a panel nor its arrays.
        SettingsError: the window of ``panel``'s arrays is not the configuration's.
    """

    def __init__(
        self, panel: MarketPanel | MarketArrays, config: EnvConfig, num_accounts: int, *, monitor: bool = True
    ) -> None:
        self.market = market_of(panel, config)
        self.config = config
        self._monitor = monitor
        self._sampler = EpisodeSampler(self.market, config)
        self.num_assets = self._sampler.assets_per_episode
        self.accounts: Accounts = open_accounts(np.zeros((num_accounts, self.num_assets), np.int64))
        self.report = empty_report(num_accounts, self.num_assets)
        self.resting: BoolArray = np.zeros(num_accounts, np.bool_)
        self.rewards: FloatArray = np.zeros(num_accounts)
        self.terminated: BoolArray = np.zeros(num_accounts, np.bool_)
        self.truncated: BoolArray = np.zeros(num_accounts, np.bool_)
        self.equity: FloatArray = self.accounts.state["equity"]
        self.rows: IntArray = self.accounts.state["row"]
        self.weights: FloatArray = self.accounts.weights[:, : self.num_assets]
        self._shape = (num_accounts, *observation_shape(self.num_assets, self.market.num_features, config.window))
        self._rules = kernel_rules(config.rules, self.market, monitor=monitor)
        self._levels: FloatArray = np.array(config.levels, np.float64)
        self._by_levels = config.action == "levels"
        self._mode = decision_mode(config.action)
        self._decisions = padded_decisions(np.zeros((num_accounts, self.num_assets)))
        # A lone account is read at every session, so that looking these up would count.
        self._first_summary = self.report.summary[:1].item
        self._first_terms = self.report.terms[0].tolist
        self._first_weights = self.weights[0].copy
        self._inputs: tuple[Any, ...] = (
            *self.market.kernel_arguments(), *self.accounts, *self.report, self._rules,
            config.reward.vector() * config.reward_scale, *workspace(self._rules, self.market, self.num_assets),
            self._decisions, self._mode, self.resting, self.rewards, self.terminated, self.truncated,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.market, self.config, len(self.rewards), self._monitor, self.get_state())

    def __deepcopy__(self, memo: dict[int, Any]) -> "TradingDesk":
        return _restored(self.market, self.config, len(self.rewards), self._monitor, self.get_state())

    def start(self, which: IntArray, rng: np.random.Generator) -> None:
        """New episodes in the accounts at the places ``which``; their reports are emptied."""
        episodes = self._sampler.draw(len(which), rng)
        reopen_accounts(
            self.accounts, which, episodes.rows, episodes.assets, episodes.last_rows, episodes.cost_multipliers
        )
        for array in self.report:
            array[which] = 0

    def decide(self, actions: npt.NDArray[Any]) -> None:
        """Take the actions of all accounts, (N, K) or (N,) for one asset; refused ones change nothing.

        Raises:
            ExecutionError: the shape or type is wrong, a value is not finite, or a level does not exist.
        """
        if actions.shape != self.weights.shape:
            if actions.shape != self.rewards.shape or self.num_assets > 1:
                raise ExecutionError(f"actions must have shape {self.weights.shape}, got {actions.shape}")
            actions = actions[:, None]
        kind = actions.dtype.kind
        if self._by_levels:
            if kind not in _INTEGERS:
                raise ExecutionError(f"actions must be integers, the places of levels, got {actions.dtype}")
            account = take_levels(np.ascontiguousarray(actions, np.int64), self._levels, self._decisions)
        elif kind in NUMBERS:
            # Two kinds of numbers are enough to compile for.
            kept = actions.dtype in (np.float32, np.float64)
            numbers: npt.NDArray[Any] = np.ascontiguousarray(actions, None if kept else np.float64)
            account = take_actions(numbers, self._decisions)
        else:
            raise ExecutionError(f"actions must be numbers, got {actions.dtype}")
        if account >= 0:
            self._refuse(account, actions[account])

    def trade(self, observations: Float32Array) -> None:
        """One session of every account that is not ``resting``, and what all of them see after its close.

        Args:
            observations: (N, K, D) written.
        """
        self._step(*self._inputs, observations)

    def empty_observations(self) -> Float32Array:
        """(N, K, D) for ``trade`` and ``observe`` to write."""
        return np.empty(self._shape, np.float32)

    def observe(self, which: BoolArray, observations: Float32Array) -> None:
        """Write the observations (N, K, D) of the accounts in ``which``."""
        observe(self.market, self.accounts, self._rules, which, observations)

    def first_report(self) -> dict[str, Any]:
        """The report of the first account by name, with its equity, weights, row and reward_terms."""
        report: dict[str, Any] = dict(zip(_REPORT_NAMES, self._first_summary(), strict=True))
        report["equity"] = self.equity.item(0)
        report["weights"] = self._first_weights()
        report["row"] = self.rows.item(0)
        report["reward_terms"] = dict(zip(TERMS, self._first_terms(), strict=True))
        return report

    def get_state(self) -> dict[str, Any]:
        """Copies of everything that the next session depends on."""
        return {name: array.copy() for name, array in self.accounts._asdict().items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``get_state``.

        Raises:
            ExecutionError: the state is of other accounts or assets.
        """
        for name, array in self.accounts._asdict().items():
            if state[name].shape != array.shape:
                raise ExecutionError(f"{name} of the state must have shape {array.shape}, got {state[name].shape}")
        for name, array in self.accounts._asdict().items():
            np.copyto(array, state[name])

    @cached_property
    def _step(self) -> Callable[..., None]:
        """The kernel's machine code for these arguments: with one account, finding it anew by the types of them all
        would take longer than the session."""
        kernel: Any = step_accounts
        type_of: Any = numba.typeof
        types = tuple(type_of(argument) for argument in (*self._inputs, self.empty_observations()))
        code: Callable[..., None] = kernel.compile(types)
        return code

    def _refuse(self, account: int, action: npt.NDArray[Any]) -> None:
        usable = (action >= 0) & (action < len(self._levels)) if self._by_levels else np.isfinite(action)
        k = int(np.flatnonzero(~usable)[0])
        rule = f"in [0, {len(self._levels)})" if self._by_levels else "finite"
        raise ExecutionError(f"actions must be {rule}, got {action[k]} for asset {k} of account {account}")


def market_of(panel: MarketPanel | MarketArrays, config: EnvConfig) -> MarketArrays:
    """The arrays of a panel, shared by all that ask for the same; or the arrays handed in."""
    if isinstance(panel, MarketPanel):
        return market_arrays(panel, config.window)
    if not isinstance(panel, MarketArrays):
        raise ExecutionError(f"panel must be a MarketPanel or the MarketArrays of one, got {type(panel).__name__}")
    if panel.window != config.window:
        raise SettingsError(f"window must be the market's ({panel.window}), got {config.window}")
    return panel


def _restored(
    market: MarketArrays, config: EnvConfig, num_accounts: int, monitor: bool, state: dict[str, Any]
) -> TradingDesk:
    for array in market.kernel_arguments():
        # Pickling forgets it, and the kernel is compiled for arrays that are not written to.
        array.flags.writeable = False
    desk = TradingDesk(market, config, num_accounts, monitor=monitor)
    desk.set_state(state)
    return desk

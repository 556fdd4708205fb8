"""A ring of transitions for SAC and DQN: it remembers where an account stood, and shows what it saw there when drawn.

An observation is features of the market, which the market's arrays hold already, and a few columns of the account's
own. The ring stores the panel row and those columns, and puts observations together, bit for bit those that were
sampled, for whole batches at a time.
"""

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.execution import MarketArrays
from wealtharena.execution.accounts import IntArray
from wealtharena.execution.columns import ACCOUNT_COLUMNS, OBSERVED
from wealtharena.training.transitions import Transitions

POSITION, GROSS, DRAWDOWN = -4, -2, -1

Columns = dict[str, NDArray[Any]]


class ReplayRing:
    """The last ``capacity`` transitions of ``n_step`` sessions; older ones are overwritten.

    A transition is a start, what was done there, the discounted rewards of up to ``n_step`` sessions, and where they
    ended: fewer where the episode ended before. Starts enter the ring ``n_step - 1`` sessions late.

    Args:
        capacity: transitions.
        seed: of the generator that draws.
        n_step: sessions per transition.
        gamma: discount per session.
    """

    def __init__(self, capacity: int, seed: int, n_step: int = 1, gamma: float = 1.0) -> None:
        self._capacity = capacity
        self._rng = np.random.default_rng(seed)
        self._discounts = np.float32(gamma) ** np.arange(n_step, dtype=np.float32)
        self._pending: Columns = {}
        self._columns: Columns = {}
        self._next = 0
        self._count = 0
        self._batch: dict[str, Tensor] = {}
        self._written: Columns = {}

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of a full ring."""
        return sum(column.nbytes for column in self._columns.values())

    def add(self, transitions: Transitions) -> None:
        """Appends the sessions of all accounts, which must follow those of the last call."""
        sessions = _joined(self._pending, _sessions(transitions))
        lag = len(self._discounts) - 1
        self._pending = {name: column[len(column) - lag :].copy() for name, column in sessions.items()} if lag else {}
        if len(sessions["reward"]) > lag:
            self._append({name: column.reshape(-1, *column.shape[2:]) for name, column in self._summed(sessions)})

    def draw(self, rows: int, market: MarketArrays) -> dict[str, Tensor]:
        """``rows`` transitions, drawn with replacement; the next call overwrites them.

        Args:
            rows: B.
            market: in which the transitions were sampled.

        Returns:
            RLlib's columns: ``obs`` and ``new_obs`` (B, A, D), ``actions`` (B, ...), ``rewards`` (B,) summed and
            discounted, ``n_step`` (B,) sessions that they are of, ``terminateds`` (B,), ``weights`` (B,) ones.

        Raises:
            TrainingError: the ring is empty.
        """
        if not self._count:
            raise TrainingError("a replay ring must hold transitions before any are drawn, got none")
        if len(self._batch.get("rewards", ())) != rows:
            self._prepare(rows, market)
        index, columns, written = self._rng.integers(self._count, size=rows), self._columns, self._written
        for name in ("actions", "rewards", "terminateds", "n_step"):
            written[name][:] = columns[name][index]
        _show(
            index, columns["row"], columns["n_step"], columns["assets"], columns["account"], columns["next_account"],
            market.window, market.observation, market.prices[:, OBSERVED], written["obs"], written["new_obs"],
        )  # fmt: skip
        return self._batch

    def get_state(self) -> dict[str, Any]:
        """Everything that influences later draws: copies, cut to the part of the ring that is filled."""
        return {
            "columns": {name: column[: self._count].copy() for name, column in self._columns.items()},
            "pending": {name: column.copy() for name, column in self._pending.items()},
            "next": self._next,
            "generator": self._rng.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from ``get_state``.

        Raises:
            TrainingError: the state holds more than ``capacity``.
        """
        self._columns, self._batch, self._written = {}, {}, {}
        self._next, self._count = 0, 0
        if state["columns"]:
            self._append(state["columns"])
        self._next = state["next"]
        self._pending = {name: column.copy() for name, column in state["pending"].items()}
        self._rng.bit_generator.state = state["generator"]

    def _summed(self, sessions: Columns) -> list[tuple[str, NDArray[Any]]]:
        """Transitions that start in all but the last ``n_step - 1`` of (S, N) sessions."""
        reward, ended = sessions["reward"], sessions["ended"]
        starts = len(reward) - len(self._discounts) + 1
        total, steps = np.zeros_like(reward[:starts]), np.zeros(reward[:starts].shape, np.int16)
        going = np.ones(reward[:starts].shape, np.bool_)
        for k, discount in enumerate(self._discounts):
            total += np.where(going, discount * reward[k : k + starts], np.float32(0.0))
            steps += going
            going &= ~ended[k : k + starts]
        last = np.arange(starts)[:, None] + steps - 1
        accounts = np.arange(reward.shape[1])
        at_start = [(name, sessions[name][:starts]) for name in ("row", "assets", "account", "actions")]
        at_end = [(name, sessions[name][last, accounts]) for name in ("next_account", "terminateds")]
        return [*at_start, *at_end, ("rewards", total), ("n_step", steps)]

    def _append(self, rows: Columns) -> None:
        if not self._columns:
            self._columns = {
                name: np.zeros((self._capacity, *column.shape[1:]), column.dtype) for name, column in rows.items()
            }
        count = len(rows["rewards"])
        index = (self._next + np.arange(count)) % self._capacity
        for name, column in rows.items():
            self._columns[name][index] = column
        self._next = (self._next + count) % self._capacity
        self._count = min(self._count + count, self._capacity)

    def _prepare(self, rows: int, market: MarketArrays) -> None:
        """Arrays for a batch, written anew by every draw, and the tensors over them."""
        num_assets = self._columns["account"].shape[1] - 2
        shape = (rows, num_assets, market.window * market.num_features + ACCOUNT_COLUMNS)
        actions = self._columns["actions"]
        self._written = {
            "obs": np.empty(shape, np.float32),
            "new_obs": np.empty(shape, np.float32),
            "actions": np.empty((rows, *actions.shape[1:]), actions.dtype),
            "rewards": np.empty(rows, np.float32),
            "terminateds": np.empty(rows, np.bool_),
            "n_step": np.empty(rows, np.float32),
            "weights": np.ones(rows, np.float32),
        }
        self._batch = {name: torch.from_numpy(array) for name, array in self._written.items()}


def _sessions(transitions: Transitions) -> Columns:
    """(S, N, ...) columns of what an account did and had, without features."""
    return {
        "row": transitions.rows.numpy().astype(np.int32),
        "assets": transitions.assets.numpy().astype(np.int16),
        "account": _account(transitions.observations),
        "actions": transitions.actions.numpy(),
        "reward": transitions.rewards.numpy(),
        "next_account": _account(transitions.next_observations),
        "terminateds": transitions.terminated.numpy(),
        "ended": transitions.ended.numpy(),
    }


def _account(observations: Tensor) -> Float32Array:
    """(S, N, A + 2): position of each asset, gross exposure, drawdown."""
    seen = observations.numpy()
    return np.concatenate([seen[..., POSITION], seen[..., 0, [GROSS, DRAWDOWN]]], axis=-1)


def _joined(first: Columns, second: Columns) -> Columns:
    return {name: np.concatenate([first[name], column]) for name, column in second.items()} if first else second


@njit(cache=True, error_model="numpy")
def _show(
    index: IntArray,
    rows: IntArray,
    steps: IntArray,
    assets: IntArray,
    accounts: Float32Array,
    next_accounts: Float32Array,
    window: int,
    observation: Float32Array,
    observed: FloatArray,
    shown: Float32Array,
    next_shown: Float32Array,
) -> None:
    """Write the observations (B, A, D) at both ends of the transitions ``index`` (B,)."""
    for b in range(len(index)):
        i = index[b]
        _observe(rows[i], assets[i], accounts[i], window, observation, observed, shown[b])
        _observe(rows[i] + steps[i], assets[i], next_accounts[i], window, observation, observed, next_shown[b])


@njit(cache=True, error_model="numpy")
def _observe(
    row: int,
    own: IntArray,
    account: Float32Array,
    window: int,
    observation: Float32Array,
    observed: FloatArray,
    shown: Float32Array,
) -> None:
    """What the execution kernel shows after the close of ``row``, the account's columns taken from memory."""
    num_assets, num_columns = shown.shape
    length = num_columns - ACCOUNT_COLUMNS
    for k in range(num_assets):
        target = shown[k, :length]
        if window > 1:
            source = observation[own[k], row + 1 - window : row + 1].reshape(length)
        else:
            source = observation[row, own[k], :length]
        for j in range(length):
            target[j] = source[j]
        shown[k, length] = account[k]
        shown[k, length + 1] = observed[row, own[k]]
        shown[k, length + 2] = account[num_assets]
        shown[k, length + 3] = account[num_assets + 1]

"""State of N accounts and what one session did to them."""

from enum import IntFlag
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.execution.columns import padded
from wealtharena.execution.memory import spaced_zeros
from wealtharena.execution.reward import TERMS

INITIAL_EQUITY = 1.0
IntArray = NDArray[np.int64]
Records = NDArray[np.void]

ACCOUNT = np.dtype(
    [
        ("row", np.int64),
        ("last_row", np.int64),
        ("stopped", np.int64),
        ("cash", np.float64),
        ("equity", np.float64),
        ("peak", np.float64),
        ("gross", np.float64),
        ("mean_return", np.float64),
        ("mean_square", np.float64),
        ("cost_multiplier", np.float64),
    ]
)
"""One account, everything but its positions.

``row``: panel row whose close it has seen; ``last_row``: row at whose close its episode ends; ``stopped``: sessions
that a stopped account stays in cash, 0 if it trades; ``cash``, ``equity`` (at the last close; a bankrupt account's
stays where it fell) and ``peak`` (highest equity at a close) in units of the initial equity; ``gross``: sum of absolute
weights; ``mean_return``, ``mean_square``: running moments of the differential Sharpe ratio; ``cost_multiplier``: of
spread, commission and impact.
"""

REPORT = np.dtype(
    [
        ("equity_open", np.float64),
        ("turnover", np.float64),
        ("commission", np.float64),
        ("spread", np.float64),
        ("impact", np.float64),
        ("carrying", np.float64),
        ("interest", np.float64),
        ("dividends", np.float64),
        ("delisting", np.float64),
        ("cost", np.float64),
        ("log_return", np.float64),
        ("reward", np.float64),
        ("volatility", np.float64),
        ("value_at_risk", np.float64),
        ("expected_shortfall", np.float64),
        ("limits", np.int64),
    ]
)
"""What the last session did to one account; written by the kernel, no input of the next session.

``equity_open``: value at the open, before trading; ``turnover``: traded value over it. In units of the initial equity:
``commission``, ``spread``, ``impact`` (with the joint impact of several agents), ``carrying`` (borrow and holding cost
less carry), ``interest`` and ``dividends`` received, ``delisting`` (haircut). ``cost``: commission, spread, impact and
carrying over ``equity_open``. ``log_return``: from close to close; a loss of more than 99 % counts as 99 %. ``reward``:
sum of the weighted terms. ``volatility`` (per session), ``value_at_risk`` and ``expected_shortfall``: what the risk
window gives for the targets, after the limits; 0 while too few sessions are known, where no such limit is on and,
without monitoring, where none can bind. ``limits``: ``Limit`` flags.
"""


class Limit(IntFlag):
    """Why an account holds something else than it asked for."""

    LONG_ONLY = 1
    """A negative score or weight counted as 0."""
    MAX_WEIGHT = 2
    """A target weight was cut to ``max_weight``."""
    MAX_GROSS = 4
    """All targets were scaled down to ``max_gross``."""
    LOCKED = 8
    """Targets were scaled down to leave room for positions that could not be sold."""
    UNFILLED = 16
    """An order did not fill because its asset was not tradable."""
    MAX_NET = 32
    """The longs, or the shorts, were scaled down to ``max_net``."""
    EFFECTIVE_POSITIONS = 64
    """Targets were scaled down to ``min_effective_positions``."""
    MAX_TURNOVER = 128
    """Only a part of the way to the targets was gone, ``max_turnover``."""
    MAX_VOLATILITY = 256
    """Targets were scaled to ``max_volatility``."""
    MAX_VAR = 512
    """Targets were scaled down to ``max_var``."""
    MAX_CVAR = 1024
    """Targets were scaled down to ``max_cvar``."""
    DRAWDOWN_STOP = 2048
    """The account was out of the market after a fall from its peak."""
    PARTICIPATION = 4096
    """An order was cut to ``max_participation`` of its asset's volume."""


class Accounts(NamedTuple):
    """N accounts that hold K assets each; everything that the next session depends on.

    Attributes:
        state: (N,) records of ``ACCOUNT``.
        assets: (N, K) panel column of each position, ascending.
        quantity: (N, P) units held, negative when short; P is K padded (``columns.padded``), with zeros.
        weights: (N, P) value at the last close over equity.
    """

    state: Records
    assets: IntArray
    quantity: FloatArray
    weights: FloatArray


class SessionReport(NamedTuple):
    """What the last session did; written by the kernel.

    Attributes:
        summary: (N,) records of ``REPORT``.
        terms: (N, terms) weighted terms of the reward, in the order of ``TERMS``.
        targets: (N, P) weights asked for, after the limits; NaN where no order was given.
        orders: (N, P) units bought (sold when negative) at the open.
    """

    summary: Records
    terms: FloatArray
    targets: FloatArray
    orders: FloatArray


def open_accounts(assets: IntArray, row: int = 0) -> Accounts:
    """Accounts with ``INITIAL_EQUITY`` in cash after the close of panel row ``row``; ``assets`` is (N, K)."""
    accounts = Accounts(
        state=spaced_zeros(len(assets), ACCOUNT),
        assets=spaced_zeros(assets.shape, np.int64),
        quantity=spaced_zeros((len(assets), padded(assets.shape[1]))),
        weights=spaced_zeros((len(assets), padded(assets.shape[1]))),
    )
    reopen_accounts(accounts, np.arange(len(assets)), np.full(len(assets), row), assets)
    return accounts


def reopen_accounts(
    accounts: Accounts,
    which: IntArray | BoolArray,
    rows: IntArray,
    assets: IntArray,
    last_rows: IntArray | None = None,
    cost_multipliers: FloatArray | float = 1.0,
) -> None:
    """Put some accounts back to ``INITIAL_EQUITY`` in cash.

    Args:
        which: the accounts to reopen, M of them, as places or as a mask.
        rows: (M,) panel row whose close each has seen.
        assets: (M, K) panel columns that each trades.
        last_rows: (M,) row at whose close each episode ends; none by default.
        cost_multipliers: (M,) factor on spread, commission and impact.
    """
    state = accounts.state
    fresh = np.zeros(len(rows), ACCOUNT)
    fresh["row"] = rows
    fresh["last_row"] = np.iinfo(np.int64).max if last_rows is None else last_rows
    fresh["cash"] = fresh["equity"] = fresh["peak"] = INITIAL_EQUITY
    fresh["cost_multiplier"] = cost_multipliers
    state[which] = fresh
    accounts.assets[which] = assets
    accounts.quantity[which] = 0.0
    accounts.weights[which] = 0.0


def empty_report(num_accounts: int, num_assets: int) -> SessionReport:
    """A report to be written by the kernel."""
    return SessionReport(
        summary=spaced_zeros(num_accounts, REPORT),
        terms=spaced_zeros((num_accounts, len(TERMS))),
        targets=spaced_zeros((num_accounts, padded(num_assets))),
        orders=spaced_zeros((num_accounts, padded(num_assets))),
    )


def as_columns(records: Records) -> dict[str, NDArray[Any]]:
    """Copies of the fields of records by name."""
    return {name: records[name].copy() for name in records.dtype.names or ()}

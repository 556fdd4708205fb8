"""State of N accounts and what one session did to them."""

from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import BoolArray, FloatArray

INITIAL_EQUITY = 1.0
IntArray = NDArray[np.int64]


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


class Accounts(NamedTuple):
    """N accounts that hold K assets each; everything that the next session depends on.

    Attributes:
        row: (N,) panel row whose close the account has seen.
        assets: (N, K) panel column of each position.
        quantity: (N, K) units held, negative when short.
        cash: (N,) in units of the initial equity.
        equity: (N,) value at the last close; a bankrupt account's stays where it fell.
        peak: (N,) highest equity at a close so far.
        weights: (N, K) value at the last close over equity.
        gross: (N,) sum of absolute weights.
    """

    row: IntArray
    assets: IntArray
    quantity: FloatArray
    cash: FloatArray
    equity: FloatArray
    peak: FloatArray
    weights: FloatArray
    gross: FloatArray


class SessionReport(NamedTuple):
    """What the last session did; written by the kernel, no input of the next session.

    Attributes:
        observed: (N, K) assets that could be scored; not written when weights are given.
        targets: (N, K) weights asked for, after the limits; NaN where no order was given.
        orders: (N, K) units bought (sold when negative) at the open.
        equity_open: (N,) value at the open, before trading.
        turnover: (N,) traded value over equity at the open.
        cost: (N,) trading cost, impact and borrow over equity at the open.
        log_return: (N,) from close to close; a loss of more than 99 % counts as 99 %.
        risk_penalty: (N,) ``risk_aversion / 2 * log_return**2``.
        limits: (N,) ``Limit`` flags.
    """

    observed: BoolArray
    targets: FloatArray
    orders: FloatArray
    equity_open: FloatArray
    turnover: FloatArray
    cost: FloatArray
    log_return: FloatArray
    risk_penalty: FloatArray
    limits: IntArray


def open_accounts(assets: IntArray, row: int = 0) -> Accounts:
    """Accounts with ``INITIAL_EQUITY`` in cash after the close of panel row ``row``; ``assets`` is (N, K)."""
    num_accounts, num_assets = assets.shape
    accounts = Accounts(
        row=np.zeros(num_accounts, np.int64),
        assets=np.array(assets, np.int64, order="C"),
        quantity=np.zeros((num_accounts, num_assets)),
        cash=np.zeros(num_accounts),
        equity=np.zeros(num_accounts),
        peak=np.zeros(num_accounts),
        weights=np.zeros((num_accounts, num_assets)),
        gross=np.zeros(num_accounts),
    )
    everyone = np.ones(num_accounts, np.bool_)
    reopen_accounts(accounts, everyone, np.full(num_accounts, row), accounts.assets)
    return accounts


def reopen_accounts(accounts: Accounts, which: BoolArray, rows: IntArray, assets: IntArray) -> None:
    """Put the accounts in ``which`` back to ``INITIAL_EQUITY`` in cash.

    Args:
        which: (N,) accounts to reopen, M of them.
        rows: (M,) panel row whose close each has seen.
        assets: (M, K) panel columns that each trades.
    """
    accounts.row[which] = rows
    accounts.assets[which] = assets
    accounts.quantity[which] = 0.0
    accounts.cash[which] = INITIAL_EQUITY
    accounts.equity[which] = INITIAL_EQUITY
    accounts.peak[which] = INITIAL_EQUITY
    accounts.weights[which] = 0.0
    accounts.gross[which] = 0.0


def empty_report(num_accounts: int, num_assets: int) -> SessionReport:
    """A report to be written by the kernel."""
    return SessionReport(
        observed=np.zeros((num_accounts, num_assets), np.bool_),
        targets=np.zeros((num_accounts, num_assets)),
        orders=np.zeros((num_accounts, num_assets)),
        equity_open=np.zeros(num_accounts),
        turnover=np.zeros(num_accounts),
        cost=np.zeros(num_accounts),
        log_return=np.zeros(num_accounts),
        risk_penalty=np.zeros(num_accounts),
        limits=np.zeros(num_accounts, np.int64),
    )

"""The compiled execution kernel: decisions after a close become positions at the next open.

One session of one account, in this order: delisted positions are closed at the last close less a haircut; equity is
taken at the open; target weights are limited and turned into orders; orders fill at the open where the asset is
tradable; borrow is paid on shorts; equity is taken at the close. All compiled functions live in this one file
because Numba's on-disk cache notices changes in a function's own file only.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from wealtharena.core.panel import BoolArray, Float32Array, FloatArray
from wealtharena.execution.accounts import Accounts, Limit, SessionReport
from wealtharena.execution.market import MarketArrays
from wealtharena.execution.rules import TradingRules

ACCOUNT_COLUMNS = 4
"""Observation columns after the features: position, observed, gross exposure, drawdown."""

_LONG_ONLY = int(Limit.LONG_ONLY)
_MAX_WEIGHT = int(Limit.MAX_WEIGHT)
_MAX_GROSS = int(Limit.MAX_GROSS)
_LOCKED = int(Limit.LOCKED)
_UNFILLED = int(Limit.UNFILLED)
_WORST_RATIO = 0.01
_TOLERANCE = 1e-9


class KernelRules(NamedTuple):
    """``TradingRules`` and the cost multiplier, as the scalars that the kernel takes."""

    floor: float
    max_weight: float
    max_gross: float
    concentration: float
    delisting_haircut: float
    borrow_per_session: float
    risk_aversion: float
    cost_multiplier: float


def kernel_rules(rules: TradingRules, cost_multiplier: float = 1.0) -> KernelRules:
    """Rules in the kernel's form; ``cost_multiplier`` scales the one-way cost of every trade."""
    return KernelRules(
        floor=0.0 if rules.long_only else -1.0,
        max_weight=float(rules.max_weight),
        max_gross=float(rules.max_gross),
        concentration=float(rules.concentration),
        delisting_haircut=float(rules.delisting_haircut),
        borrow_per_session=float(rules.borrow_per_session),
        risk_aversion=float(rules.risk_aversion),
        cost_multiplier=float(cost_multiplier),
    )


@njit(cache=True)
def step_accounts(
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    decisions: FloatArray,
    as_weights: bool,
    price_shift: FloatArray,
    skip: BoolArray,
) -> None:
    """Trade one session of every account that is not in ``skip``.

    Args:
        decisions: (N, K) scores, or target weights if ``as_weights`` (NaN: no order for this asset).
        price_shift: (A,) by how much fills are dearer than the open, as a fraction (impact); normally 0.
    """
    for i in range(accounts.row.shape[0]):
        if skip[i]:
            _clear_report(i, report)
        else:
            _decide(i, market, accounts, report, rules, decisions, as_weights)
            _open_session(i, market, accounts, report, rules)
            _place_orders(i, market, accounts, report, rules)
            _fill_orders(i, market, accounts, report, rules, price_shift)
            _close_session(i, market, accounts, report, rules)


@njit(cache=True)
def place_orders(
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    decisions: FloatArray,
    as_weights: bool,
) -> None:
    """First half of ``step_accounts``: everything up to the orders, so that their joint flow can move the price."""
    for i in range(accounts.row.shape[0]):
        _decide(i, market, accounts, report, rules, decisions, as_weights)
        _open_session(i, market, accounts, report, rules)
        _place_orders(i, market, accounts, report, rules)


@njit(cache=True)
def fill_orders(
    market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules, price_shift: FloatArray
) -> None:
    """Second half of ``step_accounts``: the orders fill at the shifted open, and the session closes."""
    for i in range(accounts.row.shape[0]):
        _fill_orders(i, market, accounts, report, rules, price_shift)
        _close_session(i, market, accounts, report, rules)


@njit(cache=True)
def write_observations(
    market: MarketArrays, accounts: Accounts, rules: KernelRules, which: BoolArray, out: Float32Array
) -> None:
    """Observations (N, K, F + 4) of the accounts in ``which`` after the close that they have seen."""
    for i in range(accounts.row.shape[0]):
        if which[i]:
            _observe(i, market, accounts, rules, out)


@njit(cache=True)
def weigh_scores(scores: FloatArray, observed: BoolArray, rules: KernelRules, out: FloatArray) -> None:
    """Target weights (N, A) of scores (N, A); see ``wealtharena.execution.targets``."""
    for i in range(scores.shape[0]):
        _weigh_scores(scores[i], observed[i], rules, out[i])


@njit(cache=True)
def _decide(
    i: int,
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    decisions: FloatArray,
    as_weights: bool,
) -> None:
    """Targets from what is known after the close of the account's row."""
    if as_weights:
        report.limits[i] = _limit_weights(decisions[i], rules, report.targets[i])
    else:
        row = accounts.row[i]
        for k in range(accounts.assets.shape[1]):
            report.observed[i, k] = market.observed[row, accounts.assets[i, k]]
        report.limits[i] = _weigh_scores(decisions[i], report.observed[i], rules, report.targets[i])


@njit(cache=True)
def _weigh_scores(scores: FloatArray, observed: BoolArray, rules: KernelRules, out: FloatArray) -> int:
    """Target weights of one account's scores; returns the limits that bound."""
    limits = 0
    count = 0
    for k in range(scores.shape[0]):
        count += observed[k]
    unit = _position_unit(count, rules)
    gross = 0.0
    for k in range(scores.shape[0]):
        weight = 0.0
        if observed[k]:
            if scores[k] < 0.0 and rules.floor == 0.0:
                limits |= _LONG_ONLY
            weight = min(max(scores[k], rules.floor), 1.0) * unit
        out[k] = weight
        gross += abs(weight)
    return limits | _scale_to_gross(out, gross, rules)


@njit(cache=True)
def _limit_weights(weights: FloatArray, rules: KernelRules, out: FloatArray) -> int:
    """Target weights within the limits; NaN (no order) stays; returns the limits that bound."""
    limits = 0
    gross = 0.0
    for k in range(weights.shape[0]):
        weight = weights[k]
        if weight < 0.0 and rules.floor == 0.0:
            limits |= _LONG_ONLY
            weight = 0.0
        if abs(weight) > rules.max_weight:
            limits |= _MAX_WEIGHT
            weight = rules.max_weight if weight > 0.0 else -rules.max_weight
        out[k] = weight
        if not np.isnan(weight):
            gross += abs(weight)
    return limits | _scale_to_gross(out, gross, rules)


@njit(cache=True)
def _scale_to_gross(weights: FloatArray, gross: float, rules: KernelRules) -> int:
    if gross <= rules.max_gross * (1.0 + _TOLERANCE):
        return 0
    scale = rules.max_gross / gross
    for k in range(weights.shape[0]):
        weights[k] *= scale
    return _MAX_GROSS


@njit(cache=True)
def _position_unit(num_observed: int, rules: KernelRules) -> float:
    if num_observed == 0:
        return 0.0
    return min(rules.max_weight, rules.concentration * rules.max_gross / num_observed)


@njit(cache=True)
def _open_session(i: int, market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules) -> None:
    """Advance to the next row, close what was delisted, and value the account at the open."""
    row = accounts.row[i] + 1
    accounts.row[i] = row
    equity = accounts.cash[i]
    for k in range(accounts.assets.shape[1]):
        quantity = accounts.quantity[i, k]
        if quantity != 0.0:
            asset = accounts.assets[i, k]
            if market.delisted[row, asset]:
                value = quantity * market.close_mark[row - 1, asset]
                value -= rules.delisting_haircut * abs(value)
                accounts.quantity[i, k] = 0.0
                accounts.cash[i] += value
            else:
                value = quantity * market.open_mark[row, asset]
            equity += value
    report.equity_open[i] = equity
    if equity <= 0.0:
        _bankrupt(i, accounts, equity)


@njit(cache=True)
def _place_orders(i: int, market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules) -> None:
    """Order quantities that move the account to its targets, as far as assets are tradable."""
    row = accounts.row[i]
    equity = report.equity_open[i]
    report.orders[i, :] = 0.0
    if equity <= 0.0:
        return
    locked = 0.0
    wanted = 0.0
    for k in range(accounts.assets.shape[1]):
        asset = accounts.assets[i, k]
        target = report.targets[i, k]
        quantity = accounts.quantity[i, k]
        if market.tradable[row, asset] and not np.isnan(target):
            wanted += abs(target)
        else:
            held = quantity * market.open_mark[row, asset] / equity if quantity != 0.0 else 0.0
            locked += abs(held)
            if abs(target - held) > _TOLERANCE:
                report.limits[i] |= _UNFILLED
    room = max(rules.max_gross - locked, 0.0)
    scale = 1.0
    if wanted > room * (1.0 + _TOLERANCE):
        scale = room / wanted
        report.limits[i] |= _LOCKED
    for k in range(accounts.assets.shape[1]):
        asset = accounts.assets[i, k]
        target = report.targets[i, k]
        if market.tradable[row, asset] and not np.isnan(target):
            wanted_quantity = target * scale * equity / market.open_mark[row, asset]
            report.orders[i, k] = wanted_quantity - accounts.quantity[i, k]


@njit(cache=True)
def _fill_orders(
    i: int,
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    price_shift: FloatArray,
) -> None:
    """Exchange cash for quantities at the (shifted) open and pay the cost of trading."""
    row = accounts.row[i]
    traded = 0.0
    cost = 0.0
    impact = 0.0
    cash = accounts.cash[i]
    for k in range(accounts.assets.shape[1]):
        order = report.orders[i, k]
        if order != 0.0:
            asset = accounts.assets[i, k]
            value = order * market.open_mark[row, asset]
            traded += abs(value)
            cost += abs(value) * market.one_way_cost[asset] * rules.cost_multiplier
            impact += value * price_shift[asset]
            cash -= value
            accounts.quantity[i, k] += order
    accounts.cash[i] = cash - cost - impact
    equity = report.equity_open[i]
    report.turnover[i] = traded / equity if equity > 0.0 else 0.0
    report.cost[i] = (cost + impact) / equity if equity > 0.0 else 0.0


@njit(cache=True)
def _close_session(i: int, market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules) -> None:
    """Pay borrow, value the account at the close, and work out the terms of the reward."""
    row = accounts.row[i]
    before = accounts.equity[i]
    held = 0.0
    short = 0.0
    for k in range(accounts.assets.shape[1]):
        quantity = accounts.quantity[i, k]
        value = quantity * market.close_mark[row, accounts.assets[i, k]] if quantity != 0.0 else 0.0
        accounts.weights[i, k] = value
        held += value
        if quantity < 0.0:
            short += abs(value)
    borrow = short * rules.borrow_per_session
    accounts.cash[i] -= borrow
    if report.equity_open[i] > 0.0:
        report.cost[i] += borrow / report.equity_open[i]
    equity = accounts.cash[i] + held
    accounts.equity[i] = equity
    accounts.peak[i] = max(accounts.peak[i], equity)
    if equity <= 0.0:
        _bankrupt(i, accounts, equity)
    else:
        gross = 0.0
        for k in range(accounts.assets.shape[1]):
            accounts.weights[i, k] /= equity
            gross += abs(accounts.weights[i, k])
        accounts.gross[i] = gross
    log_return = np.log(max(equity / before, _WORST_RATIO)) if before > 0.0 else 0.0
    report.log_return[i] = log_return
    report.risk_penalty[i] = 0.5 * rules.risk_aversion * log_return * log_return


@njit(cache=True)
def _bankrupt(i: int, accounts: Accounts, equity: float) -> None:
    """Nothing is held any more; the equity stays where it fell."""
    accounts.cash[i] = equity
    accounts.gross[i] = 0.0
    accounts.quantity[i, :] = 0.0
    accounts.weights[i, :] = 0.0


@njit(cache=True)
def _clear_report(i: int, report: SessionReport) -> None:
    report.targets[i, :] = 0.0
    report.orders[i, :] = 0.0
    report.equity_open[i] = 0.0
    report.turnover[i] = 0.0
    report.cost[i] = 0.0
    report.log_return[i] = 0.0
    report.risk_penalty[i] = 0.0
    report.limits[i] = 0


@njit(cache=True)
def _count_observed(i: int, market: MarketArrays, accounts: Accounts) -> int:
    row = accounts.row[i]
    count = 0
    for k in range(accounts.assets.shape[1]):
        count += market.observed[row, accounts.assets[i, k]]
    return count


@njit(cache=True)
def _observe(i: int, market: MarketArrays, accounts: Accounts, rules: KernelRules, out: Float32Array) -> None:
    row = accounts.row[i]
    num_features = market.features.shape[2]
    unit = _position_unit(_count_observed(i, market, accounts), rules)
    per_unit = 1.0 / unit if unit > 0.0 else 0.0
    gross = np.float32(accounts.gross[i])
    drawdown = np.float32(accounts.equity[i] / accounts.peak[i] - 1.0)
    for k in range(accounts.assets.shape[1]):
        asset = accounts.assets[i, k]
        # Slices on both sides let LLVM turn the loop into a block copy; scalar indices are several times slower.
        line = out[i, k]
        if market.observed[row, asset]:
            source = market.features[row, asset]
            for f in range(num_features):
                line[f] = source[f]
            line[num_features] = np.float32(accounts.weights[i, k] * per_unit)
            line[num_features + 1] = np.float32(1.0)
        else:
            line[: num_features + 2] = np.float32(0.0)
        line[num_features + 2] = gross
        line[num_features + 3] = drawdown

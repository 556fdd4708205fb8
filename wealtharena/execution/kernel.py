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
        skip: (N,) accounts that stay as they are, report included.
    """
    place_orders(market, accounts, report, rules, decisions, as_weights, skip)
    fill_orders(market, accounts, report, rules, price_shift, skip)


@njit(cache=True)
def place_orders(
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    decisions: FloatArray,
    as_weights: bool,
    skip: BoolArray,
) -> None:
    """First half of ``step_accounts``: everything up to the orders, so that their joint flow can move the price."""
    _decide(market, accounts, report, rules, decisions, as_weights, skip)
    _open_session(market, accounts, report, rules, skip)
    _size_orders(market, accounts, report, rules, skip)


@njit(cache=True)
def fill_orders(
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    price_shift: FloatArray,
    skip: BoolArray,
) -> None:
    """Second half of ``step_accounts``: the orders fill at the shifted open, and the session closes."""
    _fill(market, accounts, report, rules, price_shift, skip)
    _close_session(market, accounts, report, rules, skip)


@njit(cache=True)
def write_observations(
    market: MarketArrays, accounts: Accounts, rules: KernelRules, which: BoolArray, out: Float32Array
) -> None:
    """Observations (N, K, F + 4) of the accounts in ``which`` after the close that they have seen."""
    num_sessions, num_assets, num_columns = market.observation.shape
    num_accounts, num_held = accounts.assets.shape
    templates = market.observation.reshape(num_sessions, num_assets * num_columns)
    lines = out.reshape(num_accounts, num_held * num_columns)
    for i in range(num_accounts):
        if which[i]:
            template = templates[accounts.row[i]]
            line = lines[i]
            # Slices on both sides let LLVM turn the loops into block copies; scalar indices are several times slower.
            if num_held == num_assets:
                for j in range(line.shape[0]):
                    line[j] = template[j]
            else:
                for k in range(num_held):
                    start = accounts.assets[i, k] * num_columns
                    source = template[start : start + num_columns]
                    target = line[k * num_columns : (k + 1) * num_columns]
                    for j in range(num_columns):
                        target[j] = source[j]
            _write_account_columns(i, accounts, rules, line, num_columns)


@njit(cache=True)
def weigh_scores(scores: FloatArray, observed: BoolArray, rules: KernelRules, out: FloatArray) -> None:
    """Target weights (N, A) of scores (N, A); see ``wealtharena.execution.targets``."""
    for i in range(scores.shape[0]):
        _weigh_scores(scores[i], observed[i], rules, out[i])


@njit(cache=True)
def _decide(
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    decisions: FloatArray,
    as_weights: bool,
    skip: BoolArray,
) -> None:
    """Targets from what is known after the close of each account's row."""
    for i in range(skip.shape[0]):
        if skip[i]:
            continue
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
def _open_session(
    market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules, skip: BoolArray
) -> None:
    """Advance to the next row, close what was delisted, and value the accounts at the open."""
    assets, quantities = accounts.assets, accounts.quantity
    for i in range(skip.shape[0]):
        if skip[i]:
            continue
        row = accounts.row[i] + 1
        accounts.row[i] = row
        cash = accounts.cash[i]
        held = 0.0
        for k in range(assets.shape[1]):
            quantity = quantities[i, k]
            if quantity != 0.0:
                asset = assets[i, k]
                if market.delisted[row, asset]:
                    value = quantity * market.close_mark[row - 1, asset]
                    cash += value - rules.delisting_haircut * abs(value)
                    quantities[i, k] = 0.0
                else:
                    held += quantity * market.open_mark[row, asset]
        equity = cash + held
        if equity <= 0.0:
            cash = equity
            quantities[i, :] = 0.0
        accounts.cash[i] = cash
        report.equity_open[i] = equity


@njit(cache=True)
def _size_orders(
    market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules, skip: BoolArray
) -> None:
    """Order quantities that move the accounts to their targets, as far as assets are tradable."""
    assets, quantities, targets, orders = accounts.assets, accounts.quantity, report.targets, report.orders
    for i in range(skip.shape[0]):
        if skip[i]:
            continue
        row = accounts.row[i]
        equity = report.equity_open[i]
        locked = 0.0
        wanted = 0.0
        for k in range(assets.shape[1]):
            target = targets[i, k]
            if market.tradable[row, assets[i, k]] and not np.isnan(target):
                wanted += abs(target)
            elif equity > 0.0:
                quantity = quantities[i, k]
                value = quantity * market.open_mark[row, assets[i, k]] if quantity != 0.0 else 0.0
                locked += abs(value) / equity
                if abs(target * equity - value) > _TOLERANCE * equity:
                    report.limits[i] |= _UNFILLED
        room = max(rules.max_gross - locked, 0.0)
        budget = max(equity, 0.0)
        if wanted > room * (1.0 + _TOLERANCE):
            budget *= room / wanted
            report.limits[i] |= _LOCKED
        for k in range(assets.shape[1]):
            target = targets[i, k]
            order = 0.0
            if market.tradable[row, assets[i, k]] and not np.isnan(target):
                order = target * budget / market.open_mark[row, assets[i, k]] - quantities[i, k]
            orders[i, k] = order


@njit(cache=True)
def _fill(
    market: MarketArrays,
    accounts: Accounts,
    report: SessionReport,
    rules: KernelRules,
    price_shift: FloatArray,
    skip: BoolArray,
) -> None:
    """Exchange cash for quantities at the (shifted) open and pay the cost of trading."""
    assets, quantities, orders = accounts.assets, accounts.quantity, report.orders
    for i in range(skip.shape[0]):
        if skip[i]:
            continue
        row = accounts.row[i]
        bought = 0.0
        traded = 0.0
        cost = 0.0
        impact = 0.0
        for k in range(assets.shape[1]):
            order = orders[i, k]
            if order != 0.0:
                asset = assets[i, k]
                value = order * market.open_mark[row, asset]
                bought += value
                traded += abs(value)
                cost += abs(value) * market.one_way_cost[asset]
                impact += value * price_shift[asset]
                quantities[i, k] += order
        cost = cost * rules.cost_multiplier + impact
        accounts.cash[i] -= bought + cost
        per_equity = 1.0 / report.equity_open[i] if report.equity_open[i] > 0.0 else 0.0
        report.turnover[i] = traded * per_equity
        report.cost[i] = cost * per_equity


@njit(cache=True)
def _close_session(
    market: MarketArrays, accounts: Accounts, report: SessionReport, rules: KernelRules, skip: BoolArray
) -> None:
    """Pay borrow, value the accounts at the close, and work out the terms of the reward."""
    assets, quantities, weights = accounts.assets, accounts.quantity, accounts.weights
    for i in range(skip.shape[0]):
        if skip[i]:
            continue
        row = accounts.row[i]
        held = 0.0
        short = 0.0
        gross = 0.0
        for k in range(assets.shape[1]):
            quantity = quantities[i, k]
            value = quantity * market.close_mark[row, assets[i, k]] if quantity != 0.0 else 0.0
            weights[i, k] = value
            held += value
            gross += abs(value)
            if quantity < 0.0:
                short += abs(value)
        borrow = short * rules.borrow_per_session
        if report.equity_open[i] > 0.0:
            report.cost[i] += borrow / report.equity_open[i]
        accounts.cash[i] -= borrow
        equity = accounts.cash[i] + held
        if equity <= 0.0:
            accounts.cash[i] = equity
            quantities[i, :] = 0.0
        per_equity = 1.0 / equity if equity > 0.0 else 0.0
        for k in range(assets.shape[1]):
            weights[i, k] *= per_equity
        accounts.gross[i] = gross * per_equity
        before = accounts.equity[i]
        accounts.equity[i] = equity
        accounts.peak[i] = max(accounts.peak[i], equity)
        log_return = np.log(max(equity / before, _WORST_RATIO)) if before > 0.0 else 0.0
        report.log_return[i] = log_return
        report.risk_penalty[i] = 0.5 * rules.risk_aversion * log_return * log_return


@njit(cache=True)
def _write_account_columns(
    i: int, accounts: Accounts, rules: KernelRules, line: Float32Array, num_columns: int
) -> None:
    """Fill in position, gross exposure and drawdown next to the features and the observed mask."""
    num_held = accounts.assets.shape[1]
    count = 0
    for k in range(num_held):
        count += line[(k + 1) * num_columns - 3] > 0.0
    unit = _position_unit(count, rules)
    per_unit = 1.0 / unit if unit > 0.0 else 0.0
    gross = np.float32(accounts.gross[i])
    drawdown = np.float32(accounts.equity[i] / accounts.peak[i] - 1.0)
    for k in range(num_held):
        end = (k + 1) * num_columns
        line[end - 4] = np.float32(accounts.weights[i, k] * per_unit) * line[end - 3]
        line[end - 2] = gross
        line[end - 1] = drawdown

"""The compiled execution kernel: decisions after a close become positions at the next open.

One session of one account, in this order. After the close of ``t``: targets from the decision, within the limits. At
the open of ``t + 1``: interest, borrow and carry of the nights since; splits, dividends and delistings; the account's
value; orders towards the targets, as far as assets are tradable and volume allows; fills at the open, with their costs.
At the close: value, reward. All compiled functions live in this one file because Numba's on-disk cache notices changes
in a function's own file only.

Loops run over one-dimensional slices because LLVM turns those into vector code; sums may be reassociated for the same
reason, which is deterministic on one kind of machine. Division follows NumPy: no exceptions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from wealtharena.core.panel import BoolArray, Float32Array, FloatArray
from wealtharena.execution.accounts import Accounts, IntArray, Limit, Records
from wealtharena.execution.columns import (
    ACCOUNT_COLUMNS,
    ALL_TRADABLE,
    BORROW,
    CAPACITY,
    CASH_RATE,
    CLOSE,
    COMMISSION,
    DAYS,
    DELISTED,
    DIVIDEND,
    EVENTFUL,
    HALF_SPREAD,
    HOLDING,
    IMPACT,
    MIN_COMMISSION,
    NUM_EVENTS,
    NUM_FIELDS,
    NUM_RATES,
    OBSERVED,
    OPEN,
    PER_UNIT,
    SPLIT,
    UNITS,
    padded,
)
from wealtharena.execution.market import MarketArrays
from wealtharena.execution.rules import MIN_RISK_SESSIONS, TradingRules

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Decorator(Protocol):
    """Numba's decorator, which keeps a function's signature."""

    def __call__(self, function: _Function, /) -> _Function: ...


SCORES, WEIGHTS, CHANGES = range(3)
"""What a decision is: a score in [-1, 1] per asset, a target weight (NaN: no order), a change of weight in [-1, 1]."""

_LONG_ONLY = int(Limit.LONG_ONLY)
_MAX_WEIGHT = int(Limit.MAX_WEIGHT)
_MAX_GROSS = int(Limit.MAX_GROSS)
_LOCKED = int(Limit.LOCKED)
_UNFILLED = int(Limit.UNFILLED)
_MAX_NET = int(Limit.MAX_NET)
_EFFECTIVE_POSITIONS = int(Limit.EFFECTIVE_POSITIONS)
_MAX_TURNOVER = int(Limit.MAX_TURNOVER)
_MAX_VOLATILITY = int(Limit.MAX_VOLATILITY)
_MAX_VAR = int(Limit.MAX_VAR)
_MAX_CVAR = int(Limit.MAX_CVAR)
_DRAWDOWN_STOP = int(Limit.DRAWDOWN_STOP)
_PARTICIPATION = int(Limit.PARTICIPATION)

_WORST_RATIO = 0.01
_TOLERANCE = 1e-9
# Differences of this share of an account are rounding, not orders: a least commission would be charged on them.
_DUST = 1e-12
_SHARPE_RATE = 1.0 / 63.0
# Single precision sums of a book may come out this much above the sum of its assets' figures.
_ROUNDING = 1.0 + 1e-4
_NO_VARIANCE = 1e-12

_BOUNDS: "WeakKeyDictionary[MarketArrays, dict[tuple[int, float], FloatArray]]" = WeakKeyDictionary()

RULES = np.dtype(
    [(name, np.float64) for name in (
        "floor", "max_weight", "max_gross", "max_net", "max_turnover", "max_squares", "concentration",
        "delisting_haircut", "max_volatility", "scale_up", "max_var", "max_cvar", "tail_share", "drawdown_stop",
        "capital", "per_capital", "root_capital", "debit_rate", "own_impact",
    )]
    + [(name, np.int64) for name in ("risk_window", "measure_risk", "monitor", "reentry_sessions", "window")]
)  # fmt: skip
"""``TradingRules`` as the kernel takes them: no limit is infinity, rates are per session or day."""

# Without Numba's reference counts (nothing here allocates) and with every helper inlined a session takes a tenth of the
# time: each slice and each call with arrays would otherwise cost as much as the arithmetic on a row.
_OPTIONS: Any = {"cache": True, "error_model": "numpy", "fastmath": {"reassoc", "nsz"}, "_nrt": False}
_compiled: _Decorator = njit(**_OPTIONS)
_inlined: _Decorator = njit(**_OPTIONS, forceinline=True)


def kernel_rules(
    rules: TradingRules, market: MarketArrays, *, own_impact: bool = True, monitor: bool = True
) -> Records:
    """Rules in the kernel's form, (1,) of ``RULES``.

    Args:
        monitor: report value at risk and expected shortfall every session; otherwise only where they may bind, which
            changes no limit and is faster.
        own_impact: charge each account the square-root impact of its own orders; off where joint flow is charged.
    """
    record = size_rules(rules)
    record["max_volatility"] /= np.sqrt(market.annualisation)
    record["own_impact"] = own_impact
    record["monitor"] = monitor
    record["window"] = market.window
    return record


def size_rules(rules: TradingRules) -> Records:
    """The part of ``kernel_rules`` that no market is needed for; volatility is still yearly."""
    positions = rules.min_effective_positions
    record = np.zeros(1, RULES)
    values = {
        "floor": 0.0 if rules.long_only else -1.0,
        "max_weight": rules.max_weight,
        "max_gross": rules.max_gross,
        "max_net": _or_none(rules.max_net),
        "max_turnover": _or_none(rules.max_turnover),
        "max_squares": np.inf if positions <= 1.0 else rules.max_gross**2 / positions,
        "concentration": rules.concentration,
        "delisting_haircut": rules.delisting_haircut,
        "max_volatility": _or_none(rules.max_volatility),
        "scale_up": rules.scale_to_volatility and rules.max_volatility is not None,
        "max_var": _or_none(rules.max_var),
        "max_cvar": _or_none(rules.max_cvar),
        "tail_share": 1.0 - rules.risk_confidence,
        "drawdown_stop": _or_none(rules.drawdown_stop),
        "capital": rules.capital,
        "per_capital": 1.0 / rules.capital,
        "root_capital": np.sqrt(rules.capital),
        "debit_rate": rules.debit_rate / 365.0,
        "risk_window": rules.risk_window,
        "measure_risk": any(limit is not None for limit in (rules.max_volatility, rules.max_var, rules.max_cvar)),
        "reentry_sessions": rules.reentry_sessions,
    }
    for name, value in values.items():
        record[name] = value
    return record


class Workspace(NamedTuple):
    """Memory that the kernel works in; it allocates none itself."""

    scratch: FloatArray
    no_shift: FloatArray
    path: Float32Array
    worst: Float32Array
    bounds: FloatArray


def workspace(rules: Records, market: MarketArrays, num_assets: int) -> Workspace:
    """Memory for accounts that hold ``num_assets`` each."""
    window, share = int(rules["risk_window"][0]), float(rules["tail_share"][0])
    width = padded(num_assets)
    return Workspace(
        scratch=np.zeros((_SCRATCH_ROWS, width)),
        no_shift=np.zeros(width),
        path=np.zeros(window, np.float32),
        worst=np.zeros(int(np.ceil(share * window)) + 1, np.float32),
        bounds=_risk_bounds(market, rules),
    )


def _risk_bounds(market: MarketArrays, rules: Records) -> FloatArray:
    """(T, 2, P) standard deviation and two-sided expected shortfall of each asset alone over the risk window, a little
    above; shared by all accounts on the market with that window. One row of zeros where no account would ask: where
    nothing is measured, or everything is.
    """
    measured = bool(rules["measure_risk"][0] and not rules["monitor"][0])
    key = (int(rules["risk_window"][0]), float(rules["tail_share"][0])) if measured else (0, 0.0)
    shared = _BOUNDS.setdefault(market, {})
    if key not in shared:
        num_assets, num_sessions = market.returns.shape
        bounds = np.zeros((num_sessions if measured else 1, 2, padded(num_assets)))
        if measured:
            size = int(np.ceil(key[0] * key[1])) + 1
            _bound_assets(market.returns, *key, np.zeros(size, np.float32), np.zeros(key[0], np.float32), bounds)
        bounds.flags.writeable = False
        shared[key] = bounds
    return shared[key]


def padded_decisions(decisions: FloatArray) -> FloatArray:
    """Decisions (..., K) as the kernel takes them, (..., P) with zeros in the padding."""
    extra = padded(decisions.shape[-1]) - decisions.shape[-1]
    return np.pad(np.asarray(decisions, np.float64), [(0, 0)] * (decisions.ndim - 1) + [(0, extra)])


def observe(
    market: MarketArrays, accounts: Accounts, rules: Records, which: BoolArray, observations: Float32Array
) -> None:
    """``write_observations`` of accounts on a market."""
    arguments: tuple[Any, ...] = (
        market.observation, market.prices, market.num_observed, accounts.state, accounts.assets, accounts.weights,
        rules, which, observations,
    )  # fmt: skip
    write_observations(*arguments)


@_compiled
def _bound_assets(
    returns: Float32Array, window: int, share: float, worst: Float32Array, path: Float32Array, bounds: FloatArray
) -> None:
    """Write ``_risk_bounds``; the kernel's own measures on each asset, in the same order of sums but for rounding."""
    for a in range(returns.shape[0]):
        for row in range(MIN_RISK_SESSIONS, returns.shape[1]):
            sessions = min(window, row)
            past = returns[a][row + 1 - sessions : row + 1]
            size = _tail_size(sessions, share)
            deviation = _deviation(past)
            loss = _tail(past, worst[:size])[1]
            for s in range(sessions):
                path[s] = -past[s]
            gain = _tail(path[:sessions], worst[:size])[1]
            bounds[row, 0, a] = deviation * _ROUNDING
            bounds[row, 1, a] = max(loss, gain, 0.0) * _ROUNDING


@_compiled
def take_actions(actions: FloatArray | Float32Array, decisions: FloatArray) -> int:
    """Copy actions (N, K) into the decisions (N, P) of scores or changes; first row with a value that is not finite, or
    -1."""
    unusable = -1
    for i in range(actions.shape[0]):
        row, out = actions[i], decisions[i]
        bad = 0
        for k in range(row.shape[0]):
            out[k] = row[k]
            bad += not abs(row[k]) < np.inf
        if bad and unusable < 0:
            unusable = i
    return unusable


@_compiled
def take_levels(places: IntArray, levels: FloatArray, decisions: FloatArray) -> int:
    """Write the levels at ``places`` (N, K) into the decisions (N, P); first row with a place outside, or -1."""
    unusable = -1
    for i in range(places.shape[0]):
        for k in range(places.shape[1]):
            place = places[i, k]
            if 0 <= place < levels.shape[0]:
                decisions[i, k] = levels[place]
            elif unusable < 0:
                unusable = i
    return unusable


@_compiled
def step_accounts(
    observation: Float32Array,
    prices: FloatArray,
    rates: FloatArray,
    events: FloatArray,
    carry: FloatArray,
    overnight: FloatArray,
    returns: Float32Array,
    num_observed: IntArray,
    state: Records,
    assets: IntArray,
    quantity: FloatArray,
    weights: FloatArray,
    summary: Records,
    terms: FloatArray,
    targets: FloatArray,
    orders: FloatArray,
    rules: Records,
    reward: FloatArray,
    scratch: FloatArray,
    no_shift: FloatArray,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
    decisions: FloatArray,
    mode: int,
    skip: BoolArray,
    rewards: FloatArray,
    terminated: BoolArray,
    truncated: BoolArray,
    observations: Float32Array,
) -> None:
    """Trade one session of every account that is not in ``skip``, then write every account's observation.

    Args:
        observation, prices, …, num_observed: ``MarketArrays.kernel_arguments``.
        state, …, weights: ``Accounts``. summary, …, orders: ``SessionReport``.
        rules: ``kernel_rules``. reward: (terms,) weights. scratch, …, worst: ``workspace``.
        decisions: (N, P), finite, 0 in the padding.
        mode: ``SCORES``, ``WEIGHTS`` or ``CHANGES``.
        skip: (N,) accounts that stay as they are, report included.
        rewards, terminated, truncated: (N,) written; 0 and False for those in ``skip``.
        observations: (N, K, D) written; (0, 0, 0) for none.
    """
    limits = rules[0]
    num_held = assets.shape[1]
    whole = num_held == returns.shape[0]
    for i in range(skip.shape[0]):
        if skip[i]:
            rewards[i], terminated[i], truncated[i] = 0.0, False, False
            continue
        row = state[i].row + 1
        event_row = row if overnight[row, EVENTFUL] else 0
        carry_row = row - 1 if carry.shape[0] > 1 else 0
        if whole:
            _place(
                i, prices[row - 1], prices[row], rates, events[event_row], carry[carry_row], overnight[row],
                num_observed[row - 1], returns, state, assets, quantity, weights, summary, targets, orders, limits,
                decisions[i], mode, path, worst, bounds,
            )  # fmt: skip
            _settle(
                i, prices[row - 1], prices[row], rates, state, quantity, weights, summary, terms, orders, limits,
                reward, no_shift,
            )  # fmt: skip
        else:
            _gather(prices, rates, events, carry, row, event_row, carry_row, assets[i], scratch)
            known, coming = scratch[:NUM_FIELDS], scratch[NUM_FIELDS:_RATES_AT]
            own_rates = scratch[_RATES_AT:_EVENTS_AT]
            count = _count(known[OBSERVED])
            _place(
                i, known, coming, own_rates, scratch[_EVENTS_AT:_CARRY_AT], scratch[_CARRY_AT], overnight[row],
                count, returns, state, assets, quantity, weights, summary, targets, orders, limits,
                decisions[i], mode, path, worst, bounds,
            )  # fmt: skip
            _settle(
                i, known, coming, own_rates, state, quantity, weights, summary, terms, orders, limits, reward, no_shift
            )
        rewards[i] = summary[i].reward
        terminated[i] = state[i].equity <= 0.0
        truncated[i] = state[i].row >= state[i].last_row and not terminated[i]
    if observations.shape[0] > 0:
        for i in range(skip.shape[0]):
            _observe(i, observation, prices, num_observed, state, assets, weights, limits, observations)


@_compiled
def place_orders(
    prices: FloatArray,
    rates: FloatArray,
    events: FloatArray,
    carry: FloatArray,
    overnight: FloatArray,
    returns: Float32Array,
    num_observed: IntArray,
    state: Records,
    assets: IntArray,
    quantity: FloatArray,
    weights: FloatArray,
    summary: Records,
    targets: FloatArray,
    orders: FloatArray,
    rules: Records,
    scratch: FloatArray,
    no_shift: FloatArray,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
    decisions: FloatArray,
    mode: int,
) -> None:
    """First half of ``step_accounts`` for accounts that trade all assets: up to the orders, which can move prices."""
    limits = rules[0]
    for i in range(state.shape[0]):
        row = state[i].row + 1
        event_row = row if overnight[row, EVENTFUL] else 0
        carry_row = row - 1 if carry.shape[0] > 1 else 0
        _place(
            i, prices[row - 1], prices[row], rates, events[event_row], carry[carry_row], overnight[row],
            num_observed[row - 1], returns, state, assets, quantity, weights, summary, targets, orders, limits,
            decisions[i], mode, path, worst, bounds,
        )  # fmt: skip


@_compiled
def fill_orders(
    prices: FloatArray,
    rates: FloatArray,
    state: Records,
    quantity: FloatArray,
    weights: FloatArray,
    summary: Records,
    terms: FloatArray,
    orders: FloatArray,
    rules: Records,
    reward: FloatArray,
    price_shift: FloatArray,
) -> None:
    """Second half of ``step_accounts``: fills at the open times 1 + ``price_shift`` (P,), and the session closes."""
    for i in range(state.shape[0]):
        row = state[i].row
        _settle(
            i, prices[row - 1], prices[row], rates, state, quantity, weights, summary, terms, orders, rules[0], reward,
            price_shift,
        )  # fmt: skip


@_compiled
def trade_weights(
    prices: FloatArray,
    rates: FloatArray,
    events: FloatArray,
    carry: FloatArray,
    overnight: FloatArray,
    returns: Float32Array,
    num_observed: IntArray,
    state: Records,
    assets: IntArray,
    quantity: FloatArray,
    weights: FloatArray,
    summary: Records,
    terms: FloatArray,
    targets: FloatArray,
    orders: FloatArray,
    rules: Records,
    reward: FloatArray,
    scratch: FloatArray,
    no_shift: FloatArray,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
    decisions: FloatArray,
    equity: FloatArray,
    path_summary: Records,
    path_gross: FloatArray,
    path_weights: FloatArray,
    path_targets: FloatArray,
    path_orders: FloatArray,
) -> None:
    """Trade whole paths of given weights: ``step_accounts`` over T sessions in one call, one account after another.

    Args:
        decisions: (N, T, A) target weights, ``[:, t]`` filled at the open of the account's ``t``-th session.
        equity: (N, T) written: value at the close.
        path_summary, path_gross: (N, T) written: report of each session, gross exposure at the close; (N, 0) for none.
        path_weights, path_targets, path_orders: (N, T, A) written; (N, 0, A) for none.
    """
    limits = rules[0]
    for i in range(state.shape[0]):
        for t in range(decisions.shape[1]):
            _copy(decisions[i, t], scratch[_DECISION_AT, : decisions.shape[2]])
            row = state[i].row + 1
            event_row = row if overnight[row, EVENTFUL] else 0
            carry_row = row - 1 if carry.shape[0] > 1 else 0
            _place(
                i, prices[row - 1], prices[row], rates, events[event_row], carry[carry_row], overnight[row],
                num_observed[row - 1], returns, state, assets, quantity, weights, summary, targets, orders, limits,
                scratch[_DECISION_AT], WEIGHTS, path, worst, bounds,
            )  # fmt: skip
            _settle(
                i, prices[row - 1], prices[row], rates, state, quantity, weights, summary, terms, orders, limits,
                reward, no_shift,
            )  # fmt: skip
            equity[i, t] = state[i].equity
            if path_summary.shape[1] > 0:
                path_summary[i, t] = summary[i]
                path_gross[i, t] = state[i].gross
            if path_weights.shape[1] > 0:
                _copy(weights[i], path_weights[i, t])
                _copy(targets[i], path_targets[i, t])
                _copy(orders[i], path_orders[i, t])


@_inlined
def _copy(source: FloatArray, out: FloatArray) -> None:
    for k in range(out.shape[0]):
        out[k] = source[k]


@_compiled
def write_observations(
    observation: Float32Array,
    prices: FloatArray,
    num_observed: IntArray,
    state: Records,
    assets: IntArray,
    weights: FloatArray,
    rules: Records,
    which: BoolArray,
    observations: Float32Array,
) -> None:
    """Observations (N, K, D) of the accounts in ``which`` after the close that they have seen."""
    for i in range(which.shape[0]):
        if which[i]:
            _observe(i, observation, prices, num_observed, state, assets, weights, rules[0], observations)


@_compiled
def decide_targets(
    prices: FloatArray,
    returns: Float32Array,
    num_observed: IntArray,
    state: Records,
    assets: IntArray,
    weights: FloatArray,
    summary: Records,
    targets: FloatArray,
    rules: Records,
    scratch: FloatArray,
    no_shift: FloatArray,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
    decisions: FloatArray,
    mode: int,
) -> None:
    """Target weights of accounts that trade all assets, as ``step_accounts`` would take them, without trading."""
    for i in range(state.shape[0]):
        row = state[i].row
        _set_targets(
            state[i], summary[i], prices[row, OBSERVED], num_observed[row], decisions[i], mode, assets[i], weights[i],
            targets[i], returns, rules[0], path, worst, bounds,
        )  # fmt: skip


@_compiled
def weigh_scores(scores: FloatArray, observed: FloatArray, rules: Records, out: FloatArray) -> None:
    """Target weights (N, P) of scores (N, P) by size limits alone; ``observed`` is 1 or 0."""
    for i in range(scores.shape[0]):
        _weigh_scores(scores[i], observed[i], _count(observed[i]), rules[0], out[i])
        _limit_sizes(out[i], rules[0])


# Rows of the scratch block into which the columns of one account's assets are gathered.
_RATES_AT = 2 * NUM_FIELDS
_EVENTS_AT = _RATES_AT + NUM_RATES
_CARRY_AT = _EVENTS_AT + NUM_EVENTS
_DECISION_AT = _CARRY_AT + 1
_SCRATCH_ROWS = _DECISION_AT + 1


@_inlined
def _gather(
    prices: FloatArray,
    rates: FloatArray,
    events: FloatArray,
    carry: FloatArray,
    row: int,
    event_row: int,
    carry_row: int,
    own: IntArray,
    scratch: FloatArray,
) -> None:
    for k in range(own.shape[0]):
        a = own[k]
        for f in range(NUM_FIELDS):
            scratch[f, k] = prices[row - 1, f, a]
            scratch[NUM_FIELDS + f, k] = prices[row, f, a]
        for f in range(NUM_RATES):
            scratch[_RATES_AT + f, k] = rates[f, a]
        for f in range(NUM_EVENTS):
            scratch[_EVENTS_AT + f, k] = events[event_row, f, a]
        scratch[_CARRY_AT, k] = carry[carry_row, a]


@_inlined
def _place(
    i: int,
    known: FloatArray,
    coming: FloatArray,
    rates: FloatArray,
    event: FloatArray,
    carry: FloatArray,
    night: FloatArray,
    count: int,
    returns: Float32Array,
    state: Records,
    assets: IntArray,
    quantity: FloatArray,
    weights: FloatArray,
    summary: Records,
    targets: FloatArray,
    orders: FloatArray,
    limits: Any,
    decision: FloatArray,
    mode: int,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
) -> None:
    """Everything up to the orders; ``known`` and ``coming`` are the fields of the row seen and of the next one."""
    account, report = state[i], summary[i]
    _set_targets(
        account, report, known[OBSERVED], count, decision, mode, assets[i], weights[i], targets[i], returns,
        limits, path, worst, bounds,
    )  # fmt: skip
    account.row += 1
    _open_session(account, report, known[CLOSE], coming[OPEN], rates, carry, event, night, quantity[i], limits)
    whole_book = mode != WEIGHTS and night[ALL_TRADABLE] > 0.0
    budget = max(report.equity_open, 0.0)
    if not whole_book:
        budget = _budget(report, coming[OPEN], coming[UNITS], quantity[i], targets[i], limits)
    _size_orders(report, known[CAPACITY], coming, budget, quantity[i], targets[i], orders[i], limits)


@_inlined
def _set_targets(
    account: Any,
    report: Any,
    observed: FloatArray,
    count: int,
    decision: FloatArray,
    mode: int,
    own: IntArray,
    weight: FloatArray,
    target: FloatArray,
    returns: Float32Array,
    limits: Any,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
) -> None:
    """Target weights within all limits, from what is known after the close."""
    bound = _decide(observed, count, decision, mode, weight, target, limits)
    bound |= _limit_sizes(target, limits)
    bound |= _limit_risk(account, report, own, target, returns, limits, limits.scale_up, path, worst, bounds)
    bound |= _limit_turnover(account, report, own, weight, target, returns, limits, path, worst, bounds)
    report.limits = bound | _stop(account, report, target, limits)


@_inlined
def _settle(
    i: int,
    known: FloatArray,
    coming: FloatArray,
    rates: FloatArray,
    state: Records,
    quantity: FloatArray,
    weights: FloatArray,
    summary: Records,
    terms: FloatArray,
    orders: FloatArray,
    limits: Any,
    reward: FloatArray,
    price_shift: FloatArray,
) -> None:
    """Fills at the open, then the close."""
    _fill(state[i], summary[i], known, coming[OPEN], rates, quantity[i], orders[i], price_shift, limits)
    _close_session(state[i], summary[i], coming[CLOSE], quantity[i], weights[i], terms[i], reward)


@_inlined
def _decide(
    observed: FloatArray,
    count: int,
    decision: FloatArray,
    mode: int,
    weight: FloatArray,
    target: FloatArray,
    limits: Any,
) -> int:
    """Targets before the limits on the whole book, from what is known after the close."""
    if mode == SCORES:
        return _weigh_scores(decision, observed, count, limits, target)
    if mode == CHANGES:
        unit = _position_unit(count, limits)
        for k in range(decision.shape[0]):
            target[k] = (weight[k] + min(max(decision[k], -1.0), 1.0) * unit) * observed[k]
        return _limit_weights(target, limits, target)
    return _limit_weights(decision, limits, target)


@_inlined
def _weigh_scores(scores: FloatArray, observed: FloatArray, count: int, limits: Any, out: FloatArray) -> int:
    """Target weights of one account's scores."""
    unit = _position_unit(count, limits)
    floor = limits.floor
    # A count becomes vector code, a lowest score would not.
    negative = 0.0
    for k in range(scores.shape[0]):
        score = scores[k]
        negative += 1.0 if score * observed[k] < 0.0 else 0.0
        out[k] = min(max(score, floor), 1.0) * unit * observed[k]
    return _LONG_ONLY if floor == 0.0 and negative > 0.0 else 0


@_inlined
def _limit_weights(wanted: FloatArray, limits: Any, out: FloatArray) -> int:
    """Weights cut asset by asset; NaN (no order) stays."""
    highest, floor = limits.max_weight, limits.floor * limits.max_weight
    negative, above = 0.0, 0.0
    for k in range(wanted.shape[0]):
        value = wanted[k]
        negative += 1.0 if value < -_DUST else 0.0
        above += 1.0 if abs(value) > highest * (1.0 + _TOLERANCE) else 0.0
        value = highest if value > highest else value
        out[k] = floor if value < floor else value
    bound = _MAX_WEIGHT if above > 0.0 else 0
    return bound | _LONG_ONLY if negative > 0.0 and limits.floor == 0.0 else bound


@_inlined
def _position_unit(count: int, limits: Any) -> float:
    if count == 0:
        return 0.0
    return float(min(limits.max_weight, limits.concentration * limits.max_gross / count))


@_inlined
def _limit_sizes(target: FloatArray, limits: Any) -> int:
    """Scale targets to the effective number of positions, net and gross exposure."""
    gross, net, squares = _exposures(target)
    bound = 0
    if squares > limits.max_squares * (1.0 + _TOLERANCE):
        factor = np.sqrt(limits.max_squares / squares)
        _scale(target, factor)
        gross, net = gross * factor, net * factor
        bound |= _EFFECTIVE_POSITIONS
    if abs(net) > limits.max_net * (1.0 + _TOLERANCE):
        heavy = 0.5 * (gross + abs(net))
        factor = (heavy - abs(net) + limits.max_net) / heavy
        sign = 1.0 if net > 0.0 else -1.0
        for k in range(target.shape[0]):
            target[k] *= factor if target[k] * sign > 0.0 else 1.0
        gross -= abs(net) - limits.max_net
        bound |= _MAX_NET
    if gross > limits.max_gross * (1.0 + _TOLERANCE):
        _scale(target, limits.max_gross / gross)
        bound |= _MAX_GROSS
    return bound


@_inlined
def _exposures(target: FloatArray) -> tuple[float, float, float]:
    """Sums of absolute, signed and squared weights; NaN counts as 0."""
    gross, net, squares = 0.0, 0.0, 0.0
    for k in range(target.shape[0]):
        value = 0.0 if np.isnan(target[k]) else target[k]
        gross += abs(value)
        net += value
        squares += value * value
    return gross, net, squares


@_inlined
def _scale(target: FloatArray, factor: float) -> None:
    for k in range(target.shape[0]):
        target[k] *= factor


@_inlined
def _limit_risk(
    account: Any,
    report: Any,
    own: IntArray,
    target: FloatArray,
    returns: Float32Array,
    limits: Any,
    scale_up: float,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
) -> int:
    """Scale targets by what the last sessions would have done to them: all three measures scale with the weights."""
    report.volatility, report.value_at_risk, report.expected_shortfall = 0.0, 0.0, 0.0
    if not limits.measure_risk:
        return 0
    sessions = min(limits.risk_window, account.row)
    if sessions < MIN_RISK_SESSIONS:
        return 0
    if (
        not limits.monitor
        and scale_up == 0.0
        and _cannot_bind(own, own.shape[0] == returns.shape[0], target, bounds[account.row], limits)
    ):
        return 0
    _replay(own, target, returns, account.row + 1 - sessions, path[:sessions])
    volatility = _deviation(path[:sessions])
    value_at_risk, shortfall = 0.0, 0.0
    # Neither loss can be above the largest one, which is much faster to find.
    if limits.monitor or scale_up > 0.0 or _worst(path[:sessions]) > min(limits.max_var, limits.max_cvar):
        value_at_risk, shortfall = _tail(path[:sessions], worst[: _tail_size(sessions, limits.tail_share)])
    factor, bound = 1.0, 0
    if volatility > limits.max_volatility * (1.0 + _TOLERANCE):
        factor, bound = limits.max_volatility / volatility, _MAX_VOLATILITY
    elif scale_up > 0.0 and volatility > 0.0:
        factor = min(limits.max_volatility / volatility, _room(target, limits))
        bound = _MAX_VOLATILITY if factor > 1.0 + _TOLERANCE else 0
    if value_at_risk * factor > limits.max_var * (1.0 + _TOLERANCE):
        factor, bound = limits.max_var / value_at_risk, bound | _MAX_VAR
    if shortfall * factor > limits.max_cvar * (1.0 + _TOLERANCE):
        factor, bound = limits.max_cvar / shortfall, bound | _MAX_CVAR
    if factor != 1.0:
        _scale(target, factor)
    report.volatility = volatility * factor
    report.value_at_risk = value_at_risk * factor
    report.expected_shortfall = shortfall * factor
    return bound


@_inlined
def _cannot_bind(own: IntArray, whole: bool, target: FloatArray, bounds: FloatArray, limits: Any) -> bool:
    """Whether even assets that all move together would keep the book within the limits.

    A standard deviation is at most the weighted sum of the assets' own, and so is a mean of the worst returns, which no
    quantile inside them exceeds.
    """
    deviations, shortfalls = bounds[0], bounds[1]
    volatility, shortfall = 0.0, 0.0
    if whole:
        for k in range(target.shape[0]):
            size = 0.0 if np.isnan(target[k]) else abs(target[k])
            volatility += size * deviations[k]
            shortfall += size * shortfalls[k]
    else:
        for k in range(own.shape[0]):
            size = 0.0 if np.isnan(target[k]) else abs(target[k])
            volatility += size * deviations[own[k]]
            shortfall += size * shortfalls[own[k]]
    return bool(volatility <= limits.max_volatility and shortfall <= min(limits.max_var, limits.max_cvar))


@_inlined
def _room(target: FloatArray, limits: Any) -> float:
    """Largest factor on the weights that keeps every limit on their size."""
    gross, net, squares = _exposures(target)
    largest = 0.0
    for k in range(target.shape[0]):
        largest = max(largest, 0.0 if np.isnan(target[k]) else abs(target[k]))
    if largest == 0.0:
        return 1.0
    factor = min(limits.max_weight / largest, limits.max_gross / gross, np.sqrt(limits.max_squares / squares))
    return float(max(1.0, min(factor, limits.max_net / abs(net)) if net != 0.0 else factor))


@_inlined
def _replay(own: IntArray, target: FloatArray, returns: Float32Array, start: int, path: Float32Array) -> None:
    """Daily returns of the book of targets over past sessions; assets without a return there count as unmoved."""
    sessions, num_held = path.shape[0], own.shape[0]
    stop = start + sessions
    path[:] = np.float32(0.0)
    # Four assets at a time: the path is read and written once for them.
    for k in range(0, num_held - 3, 4):
        first, second = _weight_of(target, k), _weight_of(target, k + 1)
        third, fourth = _weight_of(target, k + 2), _weight_of(target, k + 3)
        one, two = returns[own[k]][start:stop], returns[own[k + 1]][start:stop]
        three, four = returns[own[k + 2]][start:stop], returns[own[k + 3]][start:stop]
        for s in range(sessions):
            path[s] += first * one[s] + second * two[s] + third * three[s] + fourth * four[s]
    for k in range(num_held - num_held % 4, num_held):
        weight, past = _weight_of(target, k), returns[own[k]][start:stop]
        for s in range(sessions):
            path[s] += weight * past[s]


@_inlined
def _weight_of(target: FloatArray, k: int) -> np.float32:
    return np.float32(0.0) if np.isnan(target[k]) else np.float32(target[k])


@_inlined
def _worst(path: Float32Array) -> float:
    """Largest loss."""
    lowest = np.float32(0.0)
    for s in range(path.shape[0]):
        lowest = min(lowest, path[s])
    return -np.float64(lowest)


@_inlined
def _deviation(path: Float32Array) -> float:
    """Sample standard deviation."""
    total, squares = 0.0, 0.0
    for s in range(path.shape[0]):
        value = np.float64(path[s])
        total += value
        squares += value * value
    sessions = path.shape[0]
    return float(np.sqrt(max(squares - total * total / sessions, 0.0) / (sessions - 1)))


@_inlined
def _tail(path: Float32Array, worst: Float32Array) -> tuple[float, float]:
    """Loss at the edge of the tail and mean loss in it: the ``len(worst)`` smallest returns, found by insertion."""
    size = worst.shape[0]
    worst[:] = np.float32(np.inf)
    for s in range(path.shape[0]):
        value = path[s]
        if value < worst[size - 1]:
            place = size - 1
            while place > 0 and worst[place - 1] > value:
                worst[place] = worst[place - 1]
                place -= 1
            worst[place] = value
    total = 0.0
    for j in range(size):
        total += worst[j]
    return -np.float64(worst[size - 1]), -total / size


@_inlined
def _tail_size(sessions: int, share: float) -> int:
    return max(1, int(np.ceil(share * sessions - _TOLERANCE)))


@_inlined
def _limit_turnover(
    account: Any,
    report: Any,
    own: IntArray,
    weight: FloatArray,
    target: FloatArray,
    returns: Float32Array,
    limits: Any,
    path: Float32Array,
    worst: Float32Array,
    bounds: FloatArray,
) -> int:
    """Go only a part of the way; if what is held breaks a limit by itself, the limit comes first."""
    if limits.max_turnover == np.inf:
        return 0
    distance = 0.0
    for k in range(target.shape[0]):
        step = target[k] - weight[k]
        distance += 0.0 if np.isnan(step) else abs(step)
    if distance <= limits.max_turnover * (1.0 + _TOLERANCE):
        return 0
    share = limits.max_turnover / distance
    for k in range(target.shape[0]):
        target[k] = weight[k] + share * (target[k] - weight[k])
    bound = _limit_weights(target, limits, target) | _limit_sizes(target, limits)
    bound |= _limit_risk(account, report, own, target, returns, limits, 0.0, path, worst, bounds)
    return bound | _MAX_TURNOVER


@_inlined
def _stop(account: Any, report: Any, target: FloatArray, limits: Any) -> int:
    """Out of the market after a fall from the peak, and back after a while with a new peak."""
    if limits.drawdown_stop == np.inf or account.equity <= 0.0:
        return 0
    if account.stopped > 0:
        account.stopped -= 1
        if account.stopped == 0:
            account.peak = account.equity
            return 0
    elif account.equity <= account.peak * (1.0 - limits.drawdown_stop):
        account.stopped = limits.reentry_sessions
    else:
        return 0
    target[:] = 0.0
    report.volatility, report.value_at_risk, report.expected_shortfall = 0.0, 0.0, 0.0
    return _DRAWDOWN_STOP


@_inlined
def _open_session(
    account: Any,
    report: Any,
    close: FloatArray,
    opening: FloatArray,
    rates: FloatArray,
    carry: FloatArray,
    event: FloatArray,
    night: FloatArray,
    held: FloatArray,
    limits: Any,
) -> None:
    """Interest on cash, what positions cost or earn overnight, events, and the account's value at the open."""
    borrow, holding = rates[BORROW], rates[HOLDING]
    paid, value = 0.0, 0.0
    for k in range(held.shape[0]):
        own = held[k] * close[k]
        short = max(-held[k], 0.0) * abs(close[k])
        paid += short * borrow[k] + abs(own) * holding[k] - own * carry[k]
        value += held[k] * opening[k]
    # What a bankrupt account owes bears no interest: it stays where it fell.
    days = night[DAYS] if account.equity > 0.0 else 0.0
    report.carrying = paid * days
    report.interest = days * (account.cash * night[CASH_RATE] - max(-account.cash, 0.0) * limits.debit_rate)
    report.dividends, report.delisting = 0.0, 0.0
    account.cash += report.interest - report.carrying
    if night[EVENTFUL]:
        value = _apply_events(account, report, close, opening, event, held, limits)
    equity = account.cash + value
    if equity <= 0.0:
        account.cash = equity
        held[:] = 0.0
    report.equity_open = equity


@_inlined
def _apply_events(
    account: Any,
    report: Any,
    close: FloatArray,
    opening: FloatArray,
    event: FloatArray,
    held: FloatArray,
    limits: Any,
) -> float:
    """Splits change units, dividends pay cash, a delisted position goes at the last close less a haircut.

    Returns the value of the positions at the open.
    """
    split, dividend, delisted = event[SPLIT], event[DIVIDEND], event[DELISTED]
    paid, lost, proceeds, worth = 0.0, 0.0, 0.0, 0.0
    for k in range(held.shape[0]):
        gone = delisted[k] > 0.0
        value = held[k] * close[k] if gone else 0.0
        units = 0.0 if gone else held[k] * split[k]
        proceeds += value
        lost += limits.delisting_haircut * abs(value)
        paid += units * dividend[k]
        worth += units * opening[k]
        held[k] = units
    report.dividends = paid
    report.delisting = lost
    account.cash += paid + proceeds - lost
    return worth


@_inlined
def _budget(
    report: Any, opening: FloatArray, units: FloatArray, held: FloatArray, target: FloatArray, limits: Any
) -> float:
    """Value that target weights refer to: less than the account's where positions that cannot be sold take room."""
    equity = max(report.equity_open, 0.0)
    wanted, locked, missed = 0.0, 0.0, 0.0
    for k in range(held.shape[0]):
        value = held[k] * opening[k]
        fills = units[k] > 0.0 and not np.isnan(target[k])
        wanted += abs(target[k]) if fills else 0.0
        locked += 0.0 if fills else abs(value)
        missed += 1.0 if not fills and abs(target[k] * equity - value) > _TOLERANCE * equity else 0.0
    if equity == 0.0:
        return 0.0
    report.limits |= _UNFILLED if missed > 0.0 else 0
    room = max(limits.max_gross - locked / equity, 0.0)
    if wanted <= room * (1.0 + _TOLERANCE):
        return float(equity)
    report.limits |= _LOCKED
    return float(equity * room / wanted)


@_inlined
def _size_orders(
    report: Any,
    capacity: FloatArray,
    coming: FloatArray,
    budget: float,
    held: FloatArray,
    target: FloatArray,
    order: FloatArray,
    limits: Any,
) -> None:
    """Order quantities that move the account to its targets, as far as assets are tradable and volume allows."""
    opening, units = coming[OPEN], coming[UNITS]
    dust = _DUST * max(report.equity_open, 0.0)
    cut = 0.0
    for k in range(held.shape[0]):
        goal, value = target[k] * budget, held[k] * opening[k]
        wish = goal - value
        wish = wish if units[k] > 0.0 and abs(wish) > dust else 0.0
        most = capacity[k] * limits.per_capital
        # Held against the volume in currency: rounding of a share of the account would cut what just fits.
        above = abs(wish) * limits.capital > capacity[k]
        cut += 1.0 if above else 0.0
        wish = (most if wish > 0.0 else -most) if above else wish
        wish = wish if most > dust else 0.0
        # What is sold altogether leaves nothing behind, not even rounding.
        order[k] = -held[k] if goal == 0.0 and wish == -value else wish * units[k]
    report.limits |= _PARTICIPATION if cut > 0.0 else 0


@_inlined
def _fill(
    account: Any,
    report: Any,
    known: FloatArray,
    opening: FloatArray,
    rates: FloatArray,
    held: FloatArray,
    order: FloatArray,
    price_shift: FloatArray,
    limits: Any,
) -> None:
    """Exchange cash for units at the open and pay the cost of trading."""
    half_spread, impact_per_root = known[HALF_SPREAD], known[IMPACT]
    rate, per_unit, least = rates[COMMISSION], rates[PER_UNIT], rates[MIN_COMMISSION]
    root = limits.root_capital * limits.own_impact
    bought, traded, commission, spread, impact = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(held.shape[0]):
        value = order[k] * opening[k]
        size = abs(value)
        bought += value
        traded += size
        fee = size * rate[k] + abs(order[k]) * per_unit[k]
        commission += max(fee, least[k] * limits.per_capital) if size > 0.0 else 0.0
        spread += size * half_spread[k]
        impact += size * impact_per_root[k] * np.sqrt(size) * root + value * price_shift[k]
        held[k] += order[k]
    factor = account.cost_multiplier
    report.commission, report.spread, report.impact = commission * factor, spread * factor, impact * factor
    cost = report.commission + report.spread + report.impact
    account.cash -= bought + cost
    per_equity = 1.0 / report.equity_open if report.equity_open > 0.0 else 0.0
    report.turnover = traded * per_equity
    report.cost = (cost + report.carrying) * per_equity


@_inlined
def _close_session(
    account: Any,
    report: Any,
    close: FloatArray,
    held: FloatArray,
    weight: FloatArray,
    terms: FloatArray,
    reward: FloatArray,
) -> None:
    """Value the account at the close and work out the reward."""
    value, gross, squares = 0.0, 0.0, 0.0
    for k in range(held.shape[0]):
        own = held[k] * close[k]
        weight[k] = own
        value += own
        gross += abs(own)
        squares += own * own
    equity = account.cash + value
    if equity <= 0.0:
        account.cash = equity
        held[:] = 0.0
    per_equity = 1.0 / equity if equity > 0.0 else 0.0
    _scale(weight, per_equity)
    account.gross = gross * per_equity
    before = account.equity
    account.equity = equity
    account.peak = max(account.peak, equity)
    log_return = np.log(max(equity / before, _WORST_RATIO)) if before > 0.0 else 0.0
    report.log_return = log_return
    loss = min(log_return, 0.0)
    terms[0] = reward[0] * log_return
    terms[1] = reward[1] * -0.5 * log_return * log_return
    terms[2] = reward[2] * _differential_sharpe(account, log_return) if reward[2] > 0.0 else 0.0
    terms[3] = reward[3] * -0.5 * loss * loss
    terms[4] = reward[4] * (max(equity, 0.0) / account.peak - 1.0)
    terms[5] = reward[5] * -report.cost
    terms[6] = reward[6] * -report.turnover
    terms[7] = reward[7] * -squares * per_equity * per_equity
    terms[8] = 0.0
    report.reward = (
        terms[0] + terms[1] + terms[2] + terms[3] + terms[4] + terms[5] + terms[6] + terms[7]
    )  # fmt: skip


@_inlined
def _differential_sharpe(account: Any, log_return: float) -> float:
    mean, square = account.mean_return, account.mean_square
    variance = square - mean * mean
    value = 0.0
    if variance > _NO_VARIANCE:
        rise, spread = log_return - mean, log_return * log_return - square
        value = (square * rise - 0.5 * mean * spread) / variance**1.5
    account.mean_return = mean + _SHARPE_RATE * (log_return - mean)
    account.mean_square = square + _SHARPE_RATE * (log_return * log_return - square)
    return min(max(value * _SHARPE_RATE, -1.0), 1.0)


@_inlined
def _observe(
    i: int,
    observation: Float32Array,
    prices: FloatArray,
    num_observed: IntArray,
    state: Records,
    assets: IntArray,
    weights: FloatArray,
    limits: Any,
    observations: Float32Array,
) -> None:
    """Features and mask, then position, gross exposure and drawdown of one account."""
    num_held, num_columns = observations.shape[1], observations.shape[2]
    table, line = observations[i], observations[i].reshape(num_held * num_columns)
    own, row = assets[i], state[i].row
    whole = num_held == observation.shape[0 if limits.window > 1 else 1]
    count = num_observed[row]
    # Slices on both sides let LLVM turn the loops into block copies; scalar indices are several times slower.
    if limits.window > 1:
        start, length = row + 1 - limits.window, num_columns - ACCOUNT_COLUMNS
        for k in range(num_held):
            source = observation[own[k]][start : row + 1].reshape(length)
            target = line[k * num_columns : k * num_columns + length]
            for j in range(length):
                target[j] = source[j]
            table[k, num_columns - 3] = prices[row, OBSERVED, own[k]]
    elif whole:
        source = observation[row].reshape(num_held * num_columns)
        for j in range(line.shape[0]):
            line[j] = source[j]
    else:
        for k in range(num_held):
            source = observation[row, own[k]]
            target = line[k * num_columns : (k + 1) * num_columns]
            for j in range(num_columns):
                target[j] = source[j]
    if not whole:
        count = 0
        for k in range(num_held):
            count += table[k, num_columns - 3] > 0.0
    unit = _position_unit(count, limits)
    per_unit = 1.0 / unit if unit > 0.0 else 0.0
    gross = np.float32(state[i].gross)
    drawdown = np.float32(state[i].equity / state[i].peak - 1.0)
    for k in range(num_held):
        table[k, num_columns - 4] = np.float32(weights[i, k] * per_unit) * table[k, num_columns - 3]
        table[k, num_columns - 2] = gross
        table[k, num_columns - 1] = drawdown


@_inlined
def _count(flags: FloatArray) -> int:
    total = 0
    for k in range(flags.shape[0]):
        total += flags[k] > 0.0
    return total


def _or_none(limit: float | None) -> float:
    return np.inf if limit is None else limit

"""One account in plain Python, one asset at a time, straight from the panel and what the docstrings say."""

import math
from dataclasses import dataclass, field

import numpy as np
from execution_markets import Path

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import Limit, RewardWeights, TradingRules
from wealtharena.execution.kernel import CHANGES, SCORES

_ROUNDING = 1 + 1e-9
_DUST = 1e-12
_RATE = 1 / 63


@dataclass
class _Account:
    """What the next session depends on, and what the last one did."""

    num_assets: int
    cash: float = 1.0
    equity: float = 1.0
    peak: float = 1.0
    gross: float = 0.0
    stopped: int = 0
    mean: float = 0.0
    square: float = 0.0
    held: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    report: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.held, self.weights = [0.0] * self.num_assets, [0.0] * self.num_assets


def reference(
    market: MarketPanel,
    decisions: FloatArray,
    account_rules: TradingRules,
    *,
    mode: int,
    cost_multiplier: float = 1.0,
    reward: RewardWeights | None = None,
) -> Path:
    """What ``trade`` should give."""
    at_open, at_close = marks(market)
    past = returns(market, at_close)
    account = _Account(len(market.symbols))
    rows = []
    for t, wanted in enumerate(np.asarray(decisions, float).tolist(), start=1):
        account.report = {"limits": Limit(0), "volatility": 0.0, "value_at_risk": 0.0, "expected_shortfall": 0.0}
        unit = full_position(market, t - 1, account_rules)
        targets = _wanted(account, wanted, market.observed[t - 1], unit, account_rules, mode)
        targets = _limited(account, targets, past, t - 1, account_rules)
        targets = _unless_stopped(account, targets, account_rules)
        _night(account, market, t, at_close[t - 1], account_rules)
        _events(account, market, t, at_close[t - 1], account_rules)
        _open(account, at_open[t])
        orders = _orders(account, market, t, at_open[t], targets, account_rules)
        _fill(account, market, t, orders, account_rules, cost_multiplier)
        before = account.equity
        _close(account, at_close[t])
        terms = _terms(account, before, reward or RewardWeights())
        own = {"targets": targets, "orders": orders, "terms": terms, "quantity": list(account.held)}
        own["observations"] = _observation(account, market, t, account_rules)
        state = {name: getattr(account, name) for name in ("cash", "equity", "peak", "gross", "stopped")}
        rows.append({**account.report, **state, **own, "weights": list(account.weights)})
    return Path(**{name: np.array([row[name] for row in rows]) for name in Path.__dataclass_fields__})


def marks(market: MarketPanel) -> tuple[list[list[float]], list[list[float]]]:
    """Value of a unit at open and close: that of the bar, else the last close on the day's basis; 0 before any."""
    sessions, assets = market.close.shape
    at_open = [[0.0] * assets for _ in range(sessions)]
    at_close = [[0.0] * assets for _ in range(sessions)]
    for k in range(assets):
        last = 0.0
        for t in range(sessions):
            if last != 0.0:
                last = last / _split(market, t, k) - _dividend(market, t, k)
            bar = not np.isnan(market.close[t, k])
            at_open[t][k] = float(market.open[t, k]) if bar else last
            last = at_close[t][k] = float(market.close[t, k]) if bar else last
    return at_open, at_close


def returns(market: MarketPanel, at_close: list[list[float]]) -> list[list[float]]:
    """Total return of each asset from the close before; 0 where a price is unknown or not above 0."""
    rows = [[0.0] * len(market.symbols)]
    for t in range(1, len(at_close)):
        row = []
        for k, (old, new) in enumerate(zip(at_close[t - 1], at_close[t], strict=True)):
            value = (new + _dividend(market, t, k)) * _split(market, t, k)
            row.append(value / old - 1.0 if old > 0.0 and new > 0.0 else 0.0)
        rows.append(row)
    return rows


def full_position(market: MarketPanel, t: int, account_rules: TradingRules) -> float:
    """Weight that a score of 1 asks for."""
    count = int(market.observed[t].sum())
    share = account_rules.concentration * account_rules.max_gross / count if count else 0.0
    return min(account_rules.max_weight, share)


def risk_of(
    weights: list[float], past: list[list[float]], t: int, account_rules: TradingRules
) -> tuple[float, float, float]:
    """Volatility per session, value at risk and expected shortfall of a book over the window that ends with ``t``."""
    sessions = min(account_rules.risk_window, t)
    if sessions < 21:
        return 0.0, 0.0, 0.0
    book = [0.0 if math.isnan(weight) else weight for weight in weights]
    path = [sum(w * r for w, r in zip(book, past[s], strict=True)) for s in range(t + 1 - sessions, t + 1)]
    mean = sum(path) / sessions
    deviation = math.sqrt(sum((value - mean) ** 2 for value in path) / (sessions - 1))
    tail = sorted(path)[: max(1, math.ceil((1 - account_rules.risk_confidence) * sessions - 1e-9))]
    return deviation, -tail[-1], -sum(tail) / len(tail)


def _split(market: MarketPanel, t: int, k: int) -> float:
    return 1.0 if market.split is None else float(market.split[t, k])


def _dividend(market: MarketPanel, t: int, k: int) -> float:
    return 0.0 if market.dividend is None else float(market.dividend[t, k])


def _wanted(
    account: _Account,
    wanted: list[float],
    observed: list[bool],
    unit: float,
    account_rules: TradingRules,
    mode: int,
) -> list[float]:
    """Targets asset by asset."""
    targets = []
    for k, (value, seen) in enumerate(zip(wanted, observed, strict=True)):
        if mode == SCORES:
            targets.append(_score(account, value, unit, account_rules) if seen else 0.0)
        elif mode == CHANGES:
            change = min(max(value, -1.0), 1.0) * unit
            targets.append(_cut(account, (account.weights[k] + change) if seen else 0.0, account_rules))
        else:
            targets.append(_cut(account, value, account_rules))
    return targets


def _score(account: _Account, score: float, unit: float, account_rules: TradingRules) -> float:
    if account_rules.long_only and score < 0.0:
        account.report["limits"] |= Limit.LONG_ONLY
        return 0.0
    return min(max(score, -1.0), 1.0) * unit


def _cut(account: _Account, weight: float, account_rules: TradingRules) -> float:
    most = account_rules.max_weight
    if abs(weight) > most * _ROUNDING:
        account.report["limits"] |= Limit.MAX_WEIGHT
    if account_rules.long_only and weight < 0.0:
        account.report["limits"] |= Limit.LONG_ONLY if weight < -_DUST else Limit(0)
        return 0.0
    return weight if math.isnan(weight) else min(max(weight, -most), most)


def _limited(
    account: _Account, targets: list[float], past: list[list[float]], t: int, account_rules: TradingRules
) -> list[float]:
    """Sizes, then risk, then turnover, after which sizes and risk are looked at again."""
    targets = _sized(account, targets, account_rules)
    targets = _risked(account, targets, past, t, account_rules, scale_up=account_rules.scale_to_volatility)
    way = sum(abs(a - b) for a, b in zip(targets, account.weights, strict=True) if not math.isnan(a))
    if account_rules.max_turnover is None or way <= account_rules.max_turnover * _ROUNDING:
        return targets
    account.report["limits"] |= Limit.MAX_TURNOVER
    share = account_rules.max_turnover / way
    part = [b + share * (a - b) for a, b in zip(targets, account.weights, strict=True)]
    part = _sized(account, [_cut(account, weight, account_rules) for weight in part], account_rules)
    return _risked(account, part, past, t, account_rules, scale_up=False)


def _sized(account: _Account, targets: list[float], account_rules: TradingRules) -> list[float]:
    positions = account_rules.min_effective_positions
    most_squares = account_rules.max_gross**2 / positions if positions > 1.0 else math.inf
    squares = sum(weight**2 for weight in targets if not math.isnan(weight))
    if squares > most_squares * _ROUNDING:
        account.report["limits"] |= Limit.EFFECTIVE_POSITIONS
        targets = [weight * math.sqrt(most_squares / squares) for weight in targets]
    net = sum(weight for weight in targets if not math.isnan(weight))
    if account_rules.max_net is not None and abs(net) > account_rules.max_net * _ROUNDING:
        account.report["limits"] |= Limit.MAX_NET
        heavy = sum(abs(weight) for weight in targets if weight * net > 0.0)
        factor = (heavy - abs(net) + account_rules.max_net) / heavy
        targets = [weight * factor if weight * net > 0.0 else weight for weight in targets]
    gross = sum(abs(weight) for weight in targets if not math.isnan(weight))
    if gross > account_rules.max_gross * _ROUNDING:
        account.report["limits"] |= Limit.MAX_GROSS
        targets = [weight * account_rules.max_gross / gross for weight in targets]
    return targets


def _risked(
    account: _Account,
    targets: list[float],
    past: list[list[float]],
    t: int,
    account_rules: TradingRules,
    *,
    scale_up: bool,
) -> list[float]:
    limits = (account_rules.max_volatility, account_rules.max_var, account_rules.max_cvar)
    most_volatility, most_var, most_cvar = (math.inf if limit is None else limit for limit in limits)
    if limits == (None, None, None):
        return targets
    volatility, value_at_risk, shortfall = risk_of(targets, past, t, account_rules)
    most_volatility /= math.sqrt(252)
    factor = 1.0
    if volatility > most_volatility * _ROUNDING:
        account.report["limits"] |= Limit.MAX_VOLATILITY
        factor = most_volatility / volatility
    elif scale_up and volatility > 0.0 and account_rules.max_volatility is not None:
        factor = min(most_volatility / volatility, _room(targets, account_rules))
        account.report["limits"] |= Limit.MAX_VOLATILITY if factor > _ROUNDING else Limit(0)
    for measure, most, flag in ((value_at_risk, most_var, Limit.MAX_VAR), (shortfall, most_cvar, Limit.MAX_CVAR)):
        if measure * factor > most * _ROUNDING:
            account.report["limits"] |= flag
            factor = most / measure
    account.report |= {
        "volatility": volatility * factor,
        "value_at_risk": value_at_risk * factor,
        "expected_shortfall": shortfall * factor,
    }
    return [weight * factor for weight in targets]


def _room(targets: list[float], account_rules: TradingRules) -> float:
    """Factor, at least 1, up to which the book may grow."""
    book = [weight for weight in targets if not math.isnan(weight) and weight != 0.0]
    gross, net = sum(map(abs, book)), abs(sum(book))
    positions = account_rules.min_effective_positions
    most_squares = account_rules.max_gross**2 / positions if positions > 1.0 else math.inf
    factors = [
        account_rules.max_weight / max(map(abs, book)),
        account_rules.max_gross / gross,
        math.sqrt(most_squares / sum(weight**2 for weight in book)),
    ]
    if account_rules.max_net is not None and net > 0.0:
        factors.append(account_rules.max_net / net)
    return max(1.0, min(factors))


def _unless_stopped(account: _Account, targets: list[float], account_rules: TradingRules) -> list[float]:
    if account_rules.drawdown_stop is None or account.equity <= 0.0:
        return targets
    if account.stopped > 0:
        account.stopped -= 1
        if account.stopped == 0:
            account.peak = account.equity
            return targets
    elif account.equity <= account.peak * (1.0 - account_rules.drawdown_stop):
        account.stopped = account_rules.reentry_sessions
    else:
        return targets
    account.report["limits"] |= Limit.DRAWDOWN_STOP
    account.report |= {"volatility": 0.0, "value_at_risk": 0.0, "expected_shortfall": 0.0}
    return [0.0] * account.num_assets


def _night(account: _Account, market: MarketPanel, t: int, close: list[float], account_rules: TradingRules) -> None:
    """Interest, borrow, holding cost and carry of the days since the last session."""
    calendar = float((market.dates[t] - market.dates[t - 1]).astype(int))
    days = calendar if market.accrual_days is None else float(market.accrual_days[t])
    years = days / 365 if account.equity > 0.0 else 0.0
    carrying = 0.0
    for k, units in enumerate(account.held):
        value = abs(units * close[k])
        carrying += value * float(market.costs.holding[k]) * years
        carrying += value * float(market.costs.borrow[k]) * years if units < 0.0 else 0.0
        carrying -= units * close[k] * float(market.carry[t - 1, k]) * years if market.carry is not None else 0.0
    rate = 0.0 if market.cash_rate is None else float(market.cash_rate[t - 1])
    interest = account.cash * (rate + (account_rules.debit_rate if account.cash < 0.0 else 0.0)) * years
    account.cash += interest - carrying
    account.report |= {"interest": interest, "carrying": carrying, "dividends": 0.0, "delisting": 0.0}


def _events(account: _Account, market: MarketPanel, t: int, close: list[float], account_rules: TradingRules) -> None:
    for k, units in enumerate(account.held):
        if market.delisted[t, k]:
            lost = account_rules.delisting_haircut * abs(units * close[k])
            account.cash += units * close[k] - lost
            account.report["delisting"] += lost
            account.held[k] = 0.0
        else:
            account.held[k] = units * _split(market, t, k)
            paid = account.held[k] * _dividend(market, t, k)
            account.cash += paid
            account.report["dividends"] += paid


def _open(account: _Account, at_open: list[float]) -> None:
    equity = account.cash + sum(units * price for units, price in zip(account.held, at_open, strict=True))
    if equity <= 0.0:
        account.cash, account.held = equity, [0.0] * account.num_assets
    account.report["equity_open"] = equity


def _orders(
    account: _Account,
    market: MarketPanel,
    t: int,
    at_open: list[float],
    targets: list[float],
    account_rules: TradingRules,
) -> list[float]:
    """Units to buy at the open; targets leave room for what cannot be sold, and volume is limited."""
    equity, orders = account.report["equity_open"], [0.0] * account.num_assets
    if equity <= 0.0:
        return orders
    values = [units * price for units, price in zip(account.held, at_open, strict=True)]
    tradable = [bool(market.tradable[t, k]) and float(market.open[t, k]) > 0.0 for k in range(account.num_assets)]
    fills = [can and not math.isnan(target) for can, target in zip(tradable, targets, strict=True)]
    for k in range(account.num_assets):
        if not fills[k] and abs(targets[k] * equity - values[k]) > 1e-9 * equity:
            account.report["limits"] |= Limit.UNFILLED
    locked = sum(abs(values[k]) for k in range(account.num_assets) if not fills[k])
    asked = sum(abs(targets[k]) for k in range(account.num_assets) if fills[k])
    room, scale = max(account_rules.max_gross - locked / equity, 0.0), 1.0
    if asked > room * _ROUNDING:
        account.report["limits"] |= Limit.LOCKED
        scale = room / asked
    for k in range(account.num_assets):
        order = targets[k] * scale * equity - values[k] if fills[k] else 0.0
        if abs(order) <= _DUST * equity:
            continue
        most = _capacity(market, t - 1, k) / account_rules.capital
        if abs(order) > most:
            account.report["limits"] |= Limit.PARTICIPATION
            order = math.copysign(most, order)
        orders[k] = -account.held[k] if order == -values[k] else order / at_open[k]
    return orders


def _capacity(market: MarketPanel, t: int, k: int) -> float:
    """Currency that one order may take, as known at the close before; no volume known, no cap."""
    volume, share = float(market.dollar_volume[t, k]), float(market.costs.max_participation[k])
    return math.inf if math.isnan(volume) or math.isinf(share) else share * volume


def _fill(
    account: _Account,
    market: MarketPanel,
    t: int,
    orders: list[float],
    account_rules: TradingRules,
    cost_multiplier: float,
) -> None:
    paid = {"commission": 0.0, "spread": 0.0, "impact": 0.0}
    traded, capital, own = 0.0, account_rules.capital, market.costs
    for k, units in enumerate(orders):
        if units == 0.0:
            continue
        value = abs(units) * float(market.open[t, k])
        volatility = float(np.nan_to_num(market.volatility[t - 1, k]))
        volume = float(np.nan_to_num(market.dollar_volume[t - 1, k]))
        traded += value
        fee = value * float(own.commission[k]) + abs(units) * float(own.commission_per_unit[k])
        paid["commission"] += max(fee, float(own.min_commission[k]) / capital)
        paid["spread"] += value * float(own.half_spread[k] + own.spread_volatility[k] * volatility)
        share = math.sqrt(value * capital / volume) if volume > 0.0 else 0.0
        paid["impact"] += value * float(own.impact[k]) * volatility * share
        account.cash -= units * float(market.open[t, k])
        account.held[k] += units
    account.report |= {name: amount * cost_multiplier for name, amount in paid.items()}
    cost = sum(paid.values()) * cost_multiplier
    account.cash -= cost
    equity = account.report["equity_open"]
    account.report["turnover"] = traded / equity if equity > 0.0 else 0.0
    account.report["cost"] = (cost + account.report["carrying"]) / equity if equity > 0.0 else 0.0


def _close(account: _Account, at_close: list[float]) -> None:
    values = [units * price for units, price in zip(account.held, at_close, strict=True)]
    account.equity = account.cash + sum(values)
    if account.equity <= 0.0:
        account.cash, account.held, values = account.equity, [0.0] * account.num_assets, [0.0] * account.num_assets
    account.weights = [value / account.equity if account.equity > 0.0 else 0.0 for value in values]
    account.gross = sum(map(abs, account.weights))
    account.peak = max(account.peak, account.equity)


def _terms(account: _Account, before: float, reward: RewardWeights) -> list[float]:
    ratio = max(account.equity / before, 0.01) if before > 0.0 else 1.0
    r = math.log(ratio)
    account.report["log_return"] = r
    sharpe = _differential_sharpe(account, r) if reward.differential_sharpe > 0.0 else 0.0
    terms = [
        reward.log_return * r,
        reward.variance * -(r**2) / 2,
        reward.differential_sharpe * sharpe,
        reward.downside * -(min(r, 0.0) ** 2) / 2,
        reward.drawdown * (max(account.equity, 0.0) / account.peak - 1.0),
        reward.cost * -account.report["cost"],
        reward.turnover * -account.report["turnover"],
        reward.concentration * -sum(weight**2 for weight in account.weights),
        0.0,
    ]
    account.report["reward"] = sum(terms)
    return terms


def _differential_sharpe(account: _Account, r: float) -> float:
    """Moody and Saffell 2001, eq. 4, times the rate."""
    variance = account.square - account.mean**2
    numerator = account.square * (r - account.mean) - 0.5 * account.mean * (r**2 - account.square)
    value = numerator / variance**1.5 if variance > 1e-12 else 0.0
    account.mean += _RATE * (r - account.mean)
    account.square += _RATE * (r**2 - account.square)
    return min(max(_RATE * value, -1.0), 1.0)


def _observation(account: _Account, market: MarketPanel, t: int, account_rules: TradingRules) -> list[list[float]]:
    """Features, position in full positions, observed, gross exposure, drawdown."""
    unit, rows = full_position(market, t, account_rules), []
    for k, seen in enumerate(market.observed[t]):
        features = [float(value) if seen else 0.0 for value in market.features[t, k]]
        position = account.weights[k] / unit if seen and unit > 0.0 else 0.0
        rows.append([*features, position, float(seen), account.gross, account.equity / account.peak - 1.0])
    return rows

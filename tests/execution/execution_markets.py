"""Hand-made markets, a driver over the compiled kernel, and a plain reference to check it against."""

from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution.accounts import empty_report, open_accounts
from wealtharena.execution.kernel import kernel_rules, step_accounts
from wealtharena.execution.market import market_arrays
from wealtharena.execution.rules import TradingRules


def rules(**changes: object) -> TradingRules:
    """Rules that bind nowhere, unless told otherwise."""
    values: dict[str, object] = {
        "long_only": False,
        "max_weight": 1.0,
        "max_gross": 1.0,
        "concentration": 100.0,
        "delisting_haircut": 0.0,
        "borrow_per_session": 0.0,
        "risk_aversion": 1.0,
    }
    return TradingRules(**(values | changes))  # type: ignore[arg-type]


def panel(opens: object, closes: object, cost: float = 0.0, **changes: object) -> MarketPanel:
    """A panel from (T, A) prices; NaN is no bar; an asset is observed and tradable where it has a bar."""
    open_, close = np.asarray(opens, float), np.asarray(closes, float)
    sessions, assets = open_.shape
    has_bar = ~np.isnan(open_)
    values: dict[str, object] = {
        "dates": np.datetime64("2024-01-01") + np.arange(sessions),
        "symbols": tuple(f"S{k}" for k in range(assets)),
        "feature_names": ("f",),
        "features": np.zeros((sessions, assets, 1), np.float32),
        "open": open_,
        "close": close,
        "tradable": has_bar & (np.nan_to_num(open_, nan=-1.0) > 0.0),
        "observed": has_bar,
        "delisted": np.zeros((sessions, assets), bool),
        "dollar_volume": np.full((sessions, assets), 1e6),
        "volatility": np.full((sessions, assets), 0.01),
        "one_way_cost": np.full(assets, cost),
        "annualisation": 252,
    }
    return MarketPanel(**(values | changes))  # type: ignore[arg-type]


@dataclass
class Path:
    """Columns (T,) and (T, A) of one account."""

    equity_open: FloatArray
    equity: FloatArray
    turnover: FloatArray
    cost: FloatArray
    gross: FloatArray
    weights: FloatArray
    targets: FloatArray
    limits: FloatArray


def trade(
    market: MarketPanel,
    decisions: object,
    account_rules: TradingRules,
    *,
    as_weights: bool = True,
    cost_multiplier: float = 1.0,
) -> Path:
    """Trade rows 1, 2, … with one row of decisions each, through the compiled kernel."""
    wanted = np.ascontiguousarray(decisions, dtype=float)
    num_assets = len(market.symbols)
    arrays, compiled = market_arrays(market), kernel_rules(account_rules, cost_multiplier)
    accounts, report = open_accounts(np.arange(num_assets)[None, :]), empty_report(1, num_assets)
    columns: dict[str, list[object]] = {name: [] for name in Path.__dataclass_fields__}
    for t in range(len(wanted)):
        step_accounts(
            arrays,
            accounts,
            report,
            compiled,
            wanted[t : t + 1],
            as_weights,
            np.zeros(num_assets),
            np.zeros(1, bool),
        )
        for name, rows in columns.items():
            rows.append((getattr(report, name, None) if hasattr(report, name) else getattr(accounts, name))[0].copy())
    return Path(**{name: np.array(rows) for name, rows in columns.items()})  # type: ignore[arg-type]


def reference(
    market: MarketPanel,
    decisions: FloatArray,
    account_rules: TradingRules,
    *,
    as_weights: bool,
    cost_multiplier: float = 1.0,
) -> Path:
    """The same in plain Python, one asset at a time, straight from the panel and the contract."""
    num_assets = len(market.symbols)
    cash, held, equity = 1.0, [0.0] * num_assets, 1.0
    rows: list[tuple[object, ...]] = []
    for t, wanted in enumerate(decisions, start=1):
        targets, limits = _targets(wanted, market.observed[t - 1], account_rules, as_weights)
        for k in range(num_assets):
            if market.delisted[t, k] and held[k] != 0.0:
                value = held[k] * _last_close(market, t - 1, k)
                cash += value - account_rules.delisting_haircut * abs(value)
                held[k] = 0.0
        equity_open = cash + sum(held[k] * _mark_at_open(market, t, k) for k in range(num_assets) if held[k] != 0.0)
        cost = turnover = 0.0
        if equity_open <= 0.0:
            cash, held = equity_open, [0.0] * num_assets
        else:
            fills = [
                market.tradable[t, k] and market.open[t, k] > 0 and targets[k] == targets[k] for k in range(num_assets)
            ]
            stuck = [held[k] * _mark_at_open(market, t, k) if held[k] else 0.0 for k in range(num_assets)]
            locked = sum(abs(stuck[k]) for k in range(num_assets) if not fills[k]) / equity_open
            asked = sum(abs(targets[k]) for k in range(num_assets) if fills[k])
            room = max(account_rules.max_gross - locked, 0.0)
            scale = 1.0
            if asked > room * (1 + 1e-9):
                scale, limits = room / asked, limits | 8
            for k in range(num_assets):
                if fills[k]:
                    quantity = targets[k] * scale * equity_open / market.open[t, k]
                    traded = abs(quantity - held[k]) * market.open[t, k]
                    turnover += traded / equity_open
                    cost += traded * market.one_way_cost[k] * cost_multiplier
                    cash -= (quantity - held[k]) * market.open[t, k]
                    held[k] = quantity
                elif abs(targets[k] - stuck[k] / equity_open) > 1e-9:
                    limits |= 16
            cash -= cost
        values = [held[k] * _last_close(market, t, k) if held[k] else 0.0 for k in range(num_assets)]
        borrow = account_rules.borrow_per_session * sum(abs(v) for v, q in zip(values, held, strict=True) if q < 0)
        cash -= borrow
        equity = cash + sum(values)
        if equity <= 0.0:
            cash, held, values = equity, [0.0] * num_assets, [0.0] * num_assets
        weights = [value / equity for value in values] if equity > 0 else values
        relative_cost = (cost + borrow) / equity_open if equity_open > 0 else 0.0
        gross = sum(abs(weight) for weight in weights)
        rows.append((equity_open, equity, turnover, relative_cost, gross, weights, targets, limits))
    return Path(*(np.array(column) for column in zip(*rows, strict=True)))


def _targets(
    wanted: FloatArray, observed: FloatArray, account_rules: TradingRules, as_weights: bool
) -> tuple[list[float], int]:
    limits = 0
    count = int(observed.sum())
    unit = min(account_rules.max_weight, account_rules.concentration * account_rules.max_gross / max(count, 1))
    targets = []
    for value, seen in zip(wanted, observed, strict=True):
        if not as_weights and not seen:
            targets.append(0.0)
            continue
        cap = account_rules.max_weight if as_weights else 1.0
        forbidden = value < 0 and account_rules.long_only
        limits |= 1 if forbidden else 0
        limits |= 2 if as_weights and not forbidden and abs(value) > cap else 0
        targets.append(0.0 if forbidden else float(np.clip(value, -cap, cap)) * (1.0 if as_weights else unit))
    gross = sum(abs(target) for target in targets if not np.isnan(target))
    if gross > account_rules.max_gross * (1 + 1e-9):
        targets, limits = [target * account_rules.max_gross / gross for target in targets], limits | 4
    return targets, limits


def _last_close(market: MarketPanel, t: int, k: int) -> float:
    bars = np.flatnonzero(~np.isnan(market.close[: t + 1, k]))
    return float(market.close[bars[-1], k])


def _mark_at_open(market: MarketPanel, t: int, k: int) -> float:
    price = float(market.open[t, k])
    return _last_close(market, t - 1, k) if np.isnan(price) else price

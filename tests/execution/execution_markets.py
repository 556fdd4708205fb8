"""Hand-made and random markets, and a driver over the compiled kernel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from wealtharena.core.panel import AssetCosts, FloatArray, MarketPanel
from wealtharena.execution import MarketArrays, RewardWeights, TradingRules, market_arrays
from wealtharena.execution.accounts import IntArray, empty_report, open_accounts
from wealtharena.execution.kernel import WEIGHTS, kernel_rules, padded_decisions, step_accounts, workspace

FIRST_DAY = np.datetime64("2024-01-01")  # a Monday


def rules(**changes: Any) -> TradingRules:
    """Rules that bind nowhere; a score of 1 asks for ``max_weight``."""
    return TradingRules.unlimited(**{"concentration": 100.0} | changes)


def costs(num_assets: int, **columns: Any) -> AssetCosts:
    """No costs and no cap but those given, as one figure for all assets or one each."""
    free = AssetCosts.flat(num_assets, 0.0)
    given = {name: np.broadcast_to(np.asarray(value, float), num_assets).copy() for name, value in columns.items()}
    return AssetCosts(**{name: getattr(free, name) for name in AssetCosts.__dataclass_fields__} | given)


def panel(opens: object, closes: object | None = None, cost: float = 0.0, **changes: Any) -> MarketPanel:
    """A panel from (T, A) prices on consecutive days; NaN is no bar; the close is the open unless given."""
    open_ = np.asarray(opens, float)
    close = open_.copy() if closes is None else np.asarray(closes, float)
    sessions, assets = open_.shape
    has_bar = ~np.isnan(open_)
    values: dict[str, Any] = {
        "dates": FIRST_DAY + np.arange(sessions),
        "symbols": tuple(f"S{k:02d}" for k in range(assets)),
        "feature_names": ("f",),
        "features": np.zeros((sessions, assets, 1), np.float32),
        "open": open_,
        "close": close,
        "tradable": has_bar & (np.nan_to_num(open_, nan=-1.0) > 0.0),
        "observed": has_bar,
        "delisted": np.zeros((sessions, assets), bool),
        "dollar_volume": np.full((sessions, assets), 1e6),
        "volatility": np.full((sessions, assets), 0.01),
        "costs": AssetCosts.flat(assets, cost),
        "annualisation": 252,
    }
    return MarketPanel(**values | changes)


def random_walk(rng: np.random.Generator, sessions: int, assets: int, volatility: float = 0.03) -> MarketPanel:
    """Every asset trades every day; nothing costs anything."""
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, volatility, (sessions, assets)), axis=0))
    return panel(close * np.exp(rng.normal(0.0, volatility / 3, (sessions, assets))), close)


def random_market(rng: np.random.Generator, sessions: int, assets: int, volatility: float = 0.08) -> MarketPanel:
    """Everything at once: late listings, gaps, halts, delistings, prices below zero, splits, dividends (some on days
    without a bar), unknown and absent volume, costs of every kind, carry, interest, weekends."""
    shape = (sessions, assets)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, volatility, shape), axis=0))
    open_ = close * np.exp(rng.normal(0.0, volatility / 3, shape))
    negative = rng.random(shape) < 0.01
    close = np.where(negative, -close, close)
    open_ = np.where(negative & (rng.random(shape) < 0.5), -open_, open_)
    gap = rng.random(shape) < 0.1
    delisted = np.zeros(shape, bool)
    for k in range(assets):
        if rng.random() < 0.3:
            gap[: rng.integers(sessions), k] = True
        if rng.random() < 0.4:
            row = int(rng.integers(1, sessions + 1))
            gap[row:, k] = True
            delisted[row : row + 1, k] = True
    close, open_ = np.where(gap, np.nan, close), np.where(gap, np.nan, open_)
    volume = 10 ** rng.uniform(5.0, 9.0, shape)
    volume[rng.random(shape) < 0.03] = 0.0
    volume[:, rng.random(assets) < 0.2] = np.nan
    deviation = rng.uniform(0.005, 0.08, shape)
    deviation[: sessions // 8] = np.nan
    some = rng.random
    return panel(
        open_,
        close,
        dates=FIRST_DAY + np.cumsum(rng.choice([1, 1, 1, 3, 4], sessions)),
        features=rng.normal(size=(*shape, 2)).astype(np.float32),
        feature_names=("f", "g"),
        tradable=~gap & (np.nan_to_num(open_, nan=-1.0) > 0.0) & (some(shape) > 0.1),
        observed=~gap & (some(shape) < 0.9),
        delisted=delisted,
        dollar_volume=volume,
        volatility=deviation,
        costs=random_costs(rng, assets),
        split=np.where(some(shape) < 0.05, rng.choice([0.1, 0.5, 2.0, 3.0], shape), 1.0) if some() < 0.7 else None,
        dividend=np.where(some(shape) < 0.05, rng.uniform(0.0, 1.0, shape), 0.0) if some() < 0.7 else None,
        carry=rng.normal(0.0, 0.2, shape) if some() < 0.5 else None,
        cash_rate=rng.normal(0.02, 0.05, sessions) if some() < 0.5 else None,
        accrual_days=rng.integers(0, 5, sessions).astype(float) if some() < 0.3 else None,
    )


def random_costs(rng: np.random.Generator, assets: int) -> AssetCosts:
    """Each kind of cost is there or not, alike for all assets or not."""
    largest = {
        "commission": 0.01, "commission_per_unit": 0.1, "min_commission": 20.0, "half_spread": 0.005,
        "spread_volatility": 0.2, "impact": 1.5, "borrow": 2.0, "holding": 1.0,
    }  # fmt: skip
    columns = {name: rng.uniform(0.0, most, assets) * (rng.random() < 0.6) for name, most in largest.items()}
    columns["max_participation"] = rng.uniform(0.0001, 0.1, assets) if rng.random() < 0.6 else np.full(assets, np.inf)
    return AssetCosts(**columns)


def random_rules(rng: np.random.Generator, *, risk: bool) -> TradingRules:
    """Each limit is there or not; ``risk``: those that past returns tell."""

    def maybe(low: float, high: float, chance: float = 0.5) -> float | None:
        return float(rng.uniform(low, high)) if rng.random() < chance else None

    gross = float(rng.uniform(0.5, 3.0))
    return TradingRules(
        long_only=bool(rng.random() < 0.4),
        max_weight=float(rng.uniform(0.2, 1.0)),
        max_gross=gross,
        concentration=float(rng.uniform(1.0, 4.0)),
        delisting_haircut=float(rng.uniform(0.0, 1.0)),
        max_net=maybe(0.1, 2.0),
        max_turnover=maybe(0.1, 3.0),
        min_effective_positions=float(rng.uniform(1.0, 6.0)),
        max_volatility=maybe(0.2, 2.0) if risk else None,
        scale_to_volatility=bool(rng.random() < 0.3),
        max_var=maybe(0.01, 0.1) if risk else None,
        max_cvar=maybe(0.02, 0.15) if risk else None,
        risk_confidence=float(rng.uniform(0.8, 0.99)),
        risk_window=int(rng.integers(21, 40)),
        drawdown_stop=maybe(0.05, 0.4, 0.4),
        reentry_sessions=int(rng.integers(1, 8)),
        capital=float(10 ** rng.uniform(3.0, 7.0)),
        debit_rate=float(rng.uniform(0.0, 0.2)),
    )


def random_reward(rng: np.random.Generator) -> RewardWeights:
    """Every term that an account has by itself, or none of some."""
    values = rng.uniform(0.0, 2.0, 8) * (rng.random(8) < 0.7)
    return RewardWeights(*values.tolist())


@dataclass
class Path:
    """Columns (T,), (T, A), (T, terms) and (T, A, D) of one account, row by session traded."""

    equity_open: FloatArray
    turnover: FloatArray
    commission: FloatArray
    spread: FloatArray
    impact: FloatArray
    carrying: FloatArray
    interest: FloatArray
    dividends: FloatArray
    delisting: FloatArray
    cost: FloatArray
    log_return: FloatArray
    reward: FloatArray
    volatility: FloatArray
    value_at_risk: FloatArray
    expected_shortfall: FloatArray
    limits: IntArray
    cash: FloatArray
    equity: FloatArray
    peak: FloatArray
    gross: FloatArray
    stopped: IntArray
    quantity: FloatArray
    weights: FloatArray
    targets: FloatArray
    orders: FloatArray
    terms: FloatArray
    observations: FloatArray

    def up_to(self, sessions: int) -> dict[str, bytes]:
        """The first sessions bit by bit."""
        return {name: column[:sessions].tobytes() for name, column in vars(self).items()}


def trade(
    market: MarketPanel | MarketArrays,
    decisions: object,
    account_rules: TradingRules,
    *,
    mode: int = WEIGHTS,
    cost_multiplier: float = 1.0,
    reward: RewardWeights | None = None,
    monitor: bool = True,
    window: int = 1,
    assets: IntArray | None = None,
) -> Path:
    """Trade with one row of decisions (T, K) each from the first session that shows a whole window.

    Args:
        assets: (K,) panel columns that the account trades; all by default.
    """
    wanted = np.asarray(decisions, float)
    arrays = market_arrays(market, window) if isinstance(market, MarketPanel) else market
    own = np.arange(len(arrays.symbols)) if assets is None else assets
    limits, count = kernel_rules(account_rules, arrays, monitor=monitor), len(own)
    accounts, report = open_accounts(own[None, :], row=window - 1), empty_report(1, count)
    accounts.state["cost_multiplier"] = cost_multiplier
    padded = padded_decisions(np.zeros((1, count)))
    observations = np.zeros((1, count, window * arrays.num_features + 4), np.float32)
    arguments: tuple[Any, ...] = (
        *arrays.kernel_arguments(), *accounts, *report, limits, (reward or RewardWeights()).vector(),
        *workspace(limits, arrays, count), padded, mode, np.zeros(1, np.bool_), np.zeros(1), np.zeros(1, np.bool_),
        np.zeros(1, np.bool_), observations,
    )  # fmt: skip
    columns: dict[str, list[Any]] = {name: [] for name in Path.__dataclass_fields__}
    for row in wanted:
        padded[0, :count] = row
        step_accounts(*arguments)
        for name, rows in columns.items():
            rows.append(_read(name, accounts, report, observations, count))
    return Path(**{name: np.array(rows) for name, rows in columns.items()})


def _read(name: str, accounts: Any, report: Any, observations: Any, count: int) -> Any:
    if name in report.summary.dtype.names:
        return report.summary[name][0]
    if name in accounts.state.dtype.names:
        return accounts.state[name][0]
    if name == "observations":
        return observations[0].copy()
    if name == "terms":
        return report.terms[0].copy()
    values: FloatArray = getattr(report, name, None) if hasattr(report, name) else getattr(accounts, name)
    return values[0, :count].copy()

"""Small hand-made and random markets for the environments, and rounds of trading on them."""

from dataclasses import fields, replace
from typing import Any

import numpy as np

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import TradingEnv, TradingVectorEnv
from wealtharena.execution import TradingRules

FREE = TradingRules.unlimited(concentration=2.0, delisting_haircut=0.3)
"""Nothing binds; with two assets a full position is the whole account."""

BOUND = TradingRules(
    long_only=False,
    max_weight=0.6,
    max_gross=1.0,
    concentration=2.0,
    delisting_haircut=0.3,
    max_net=0.9,
    max_turnover=0.7,
    min_effective_positions=2.0,
    max_volatility=0.21,
    max_var=0.023,
    max_cvar=0.026,
    risk_window=32,
    drawdown_stop=0.04,
    reentry_sessions=4,
    debit_rate=0.02,
)
"""Every limit is on, and binds on ``random_panel`` at times."""

Step = tuple[Any, ...]


def random_panel(
    sessions: int = 60, assets: int = 4, features: int = 3, seed: int = 0, warmup: int = 5, **changes: Any
) -> MarketPanel:
    """Prices with gaps, halts and every cost and event that there is; in the first rows nothing is observed."""
    rng = np.random.default_rng(seed)
    draws = rng.random((sessions, 8, assets))
    moves = rng.standard_normal((sessions, 2, assets))
    close = 100.0 * np.exp(np.cumsum(0.02 * moves[:, 0], axis=0))
    open_ = close * np.exp(0.01 * moves[:, 1])
    gap = draws[:, 0] < 0.05
    close[gap], open_[gap] = np.nan, np.nan
    observed = ~gap
    observed[:warmup] = False
    values = np.random.default_rng(seed + 1).normal(size=(sessions, assets, features)).astype(np.float32)
    panel = MarketPanel(
        dates=np.datetime64("2024-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k}" for k in range(assets)),
        feature_names=tuple(f"f{k}" for k in range(features)),
        features=np.where(observed[:, :, None], values, np.float32(0.0)),
        open=open_,
        close=close,
        tradable=~gap & (draws[:, 1] > 0.03),
        observed=observed,
        delisted=np.zeros((sessions, assets), bool),
        dollar_volume=np.where(draws[:, 2] < 0.1, 1e6, 1e9),
        volatility=0.01 + 0.01 * draws[:, 3],
        costs=every_cost(assets),
        annualisation=252,
        dividend=np.where((draws[:, 4] < 0.03) & ~gap, 0.5, 0.0),
        split=np.where((draws[:, 5] < 0.02) & ~gap, 1.05, 1.0),
        carry=0.02 * (draws[:, 6] - 0.5),
        cash_rate=0.03 + 0.01 * draws[:, 7, 0],
    )
    return replace(panel, **changes)


def priced_panel(prices: Any, costs: AssetCosts | None = None, **changes: Any) -> MarketPanel:
    """Open equals close; everything observed and tradable; the feature of row ``t`` and asset ``a`` is 100 t + a."""
    close = np.asarray(prices, float)
    sessions, assets = close.shape
    everything = np.ones((sessions, assets), bool)
    grid = 100.0 * np.arange(sessions)[:, None] + np.arange(assets)
    panel = MarketPanel(
        dates=np.datetime64("2024-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k}" for k in range(assets)),
        feature_names=("f0",),
        features=grid[:, :, None].astype(np.float32),
        open=close.copy(),
        close=close.copy(),
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full((sessions, assets), 1e8),
        volatility=np.full((sessions, assets), 0.02),
        costs=costs or AssetCosts.flat(assets, 0.0),
        annualisation=252,
    )
    return replace(panel, **changes)


def every_cost(assets: int) -> AssetCosts:
    """Something of each."""
    values = {
        "commission": 2e-4,
        "commission_per_unit": 0.005,
        "min_commission": 1.0,
        "half_spread": 3e-4,
        "spread_volatility": 0.02,
        "impact": 1.0,
        "max_participation": 0.05,
        "borrow": 0.01,
        "holding": 0.002,
    }
    assert list(values) == [entry.name for entry in fields(AssetCosts)]
    return AssetCosts(**{name: np.full(assets, value) for name, value in values.items()})


def with_another_future(panel: MarketPanel, row: int) -> MarketPanel:
    """Everything after a row is of another market."""
    other = random_panel(len(panel.dates), len(panel.symbols), len(panel.feature_names), seed=77, warmup=0)
    changes = {}
    for entry in fields(MarketPanel):
        values = getattr(panel, entry.name)
        if isinstance(values, np.ndarray) and entry.name != "dates":
            changes[entry.name] = np.concatenate([values[: row + 1], getattr(other, entry.name)[row + 1 :]])
    return replace(panel, **changes)


def random_actions(env: TradingEnv | TradingVectorEnv, steps: int, seed: int = 0) -> list[np.ndarray]:
    """Actions of the environment's space."""
    rng = np.random.default_rng(seed)
    shape = env.action_space.shape
    if env.config.action == "levels":
        return [np.asarray(rng.integers(len(env.config.levels), size=shape)) for _ in range(steps)]
    return [rng.uniform(-1, 1, shape).astype(np.float32) for _ in range(steps)]


def play(env: TradingEnv | TradingVectorEnv, steps: int, seed: int = 0) -> list[Step]:
    """Observation, reward, terminated and truncated of each step."""
    return [env.step(action)[:4] for action in random_actions(env, steps, seed)]


def assert_bit_equal(first: list[Step], second: list[Step]) -> None:
    """The same to the last bit."""
    for one, other in zip(first, second, strict=True):
        assert [np.asarray(value).tobytes() for value in one] == [np.asarray(value).tobytes() for value in other]

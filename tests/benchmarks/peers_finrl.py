"""FinRL's ``StockTradingEnv``, the environment class alone: the package's own imports want brokers and vendors.

The class reads a DataFrame with one row per session and stock, indexed by the number of the session.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

NAME = "FinRL 0.3.7 (StockTradingEnv)"
_MODULE = "meta/env_stock_trading/env_stocktrading.py"


def is_installed() -> bool:
    """Whether the package and what its environment imports are there."""
    return all(importlib.util.find_spec(name) for name in ("finrl", "stable_baselines3"))


def stepper(close: np.ndarray, indicators: np.ndarray, cost: float, seed: int) -> Callable[[], object]:
    """A call steps the environment once with random actions; episodes run through all sessions.

    Args:
        close: (T, A) prices.
        indicators: (T, A, I).
        cost: of buying and selling, as a fraction of traded value.
    """
    env = _environment(close, indicators, cost)
    actions = np.random.default_rng(seed).uniform(-1.0, 1.0, (1_024, close.shape[1])).astype(np.float32)
    count = 0
    env.reset()

    def step() -> None:
        nonlocal count
        ended = env.step(actions[count % len(actions)])[2]
        count += 1
        if ended:
            env.reset()

    return step


def _environment(close: np.ndarray, indicators: np.ndarray, cost: float) -> Any:
    num_sessions, num_stocks, num_indicators = indicators.shape
    names = [f"indicator_{k}" for k in range(num_indicators)]
    dates = pd.bdate_range("2010-01-04", periods=num_sessions)
    prices = {name: close.ravel() for name in ("open", "high", "low", "close")}
    # The columns that FinRL's own preprocessing leaves, of the types that it gives them.
    table = pd.DataFrame(
        {
            "date": np.repeat(dates.strftime("%Y-%m-%d"), num_stocks),
            "tic": np.tile([f"S{k:02d}" for k in range(num_stocks)], num_sessions),
            **prices,
            "volume": np.full(close.size, 1e6),
            "day": np.repeat(dates.dayofweek, num_stocks).astype(float),
            **{name: indicators[:, :, k].ravel().astype(float) for k, name in enumerate(names)},
            "vix": np.full(close.size, 20.0),
            "turbulence": np.full(close.size, 0.0),
        },
        index=np.repeat(np.arange(num_sessions), num_stocks),
    )
    return _module().StockTradingEnv(
        df=table,
        stock_dim=num_stocks,
        hmax=100,
        initial_amount=1_000_000,
        num_stock_shares=[0] * num_stocks,
        buy_cost_pct=[cost] * num_stocks,
        sell_cost_pct=[cost] * num_stocks,
        reward_scaling=1e-4,
        state_space=1 + (2 + num_indicators) * num_stocks,
        action_space=num_stocks,
        tech_indicator_list=names,
        print_verbosity=10**9,
    )


def _module() -> ModuleType:
    package = importlib.util.find_spec("finrl")
    if package is None or package.submodule_search_locations is None:
        raise ModuleNotFoundError("finrl")
    path = Path(package.submodule_search_locations[0]) / _MODULE
    spec = importlib.util.spec_from_file_location("peers_finrl_environment", path)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

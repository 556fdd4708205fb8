"""Gym-Trading-Env's ``TradingEnv``: one asset, positions from a list."""

import importlib.util
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

NAME = "Gym-Trading-Env 0.3.5 (TradingEnv)"
POSITIONS = [-1, 0, 1]


def is_installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("gym_trading_env") is not None


def stepper(
    close: np.ndarray, features: np.ndarray, fees: float, borrow_per_session: float, seed: int
) -> Callable[[], object]:
    """A call steps the environment once with random positions; episodes run through all sessions.

    Args:
        close: (T,) prices.
        features: (T, F).
        fees: as a fraction of traded value.
    """
    with warnings.catch_warnings():  # importing it turns every later warning of the process into an error
        from gym_trading_env.environments import TradingEnv

    bars = dict.fromkeys(("open", "high", "low", "close"), close)
    columns = {f"feature_{k}": features[:, k].astype(float) for k in range(features.shape[1])}
    table = pd.DataFrame({**bars, **columns}, index=pd.bdate_range("2010-01-04", periods=len(close)))
    env = TradingEnv(
        table,
        positions=POSITIONS,
        trading_fees=fees,
        borrow_interest_rate=borrow_per_session,
        initial_position=0,
        verbose=0,
    )
    actions = [int(action) for action in np.random.default_rng(seed).integers(0, len(POSITIONS), 1_024)]
    count = 0
    env.reset()

    def step() -> None:
        nonlocal count
        _, _, terminated, truncated, _ = env.step(actions[count % len(actions)])
        count += 1
        if terminated or truncated:
            env.reset()

    return step

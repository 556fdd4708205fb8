"""What the accounts in training met: returns of episodes, terms of the reward, limits that bound."""

from typing import Any

import numpy as np

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.envs import EnvConfig
from wealtharena.execution import TERMS, bound_shares
from wealtharena.execution.accounts import IntArray


class SessionStatistics:
    """Collects sessions; those of several runners add up. Sessions at whose end an account started anew count for the
    returns of episodes only."""

    def __init__(self, config: EnvConfig) -> None:
        self._config = config
        self._last_mean: float | None = None
        self._last_std: float | None = None
        self._running: list[FloatArray] = []
        self._finished: list[float] = []
        self._terms: FloatArray = np.zeros(len(TERMS))
        self._limits: list[IntArray] = []

    def add(self, terms: FloatArray, limits: IntArray, ended: BoolArray) -> None:
        """Count sessions.

        Args:
            terms: (S, N, terms of the reward), scaled; 0 where the account started anew.
            limits: (S, N) flags.
            ended: (S, N) accounts that started anew.
        """
        self._terms += terms.sum(axis=(0, 1))
        self._limits.append(limits[~ended])

    def add_returns(self, finished: list[float], running: FloatArray) -> None:
        """Count unscaled returns: of episodes that ended, and what each running one (N,) has earned so far."""
        self._finished += finished
        self._running = [running]

    def merge(self, others: "list[SessionStatistics]") -> None:
        """Add what the runners of one round counted."""
        for other in others:
            self._terms += other._terms
            self._limits += other._limits
            self._finished += other._finished
        self._running = [array for other in others for array in other._running]

    def episode_return_mean(self) -> float:
        """Mean undiscounted return, unscaled, of the episodes that ended since the last call.

        If none did, the last such mean; before the first has ended, the mean of what the running ones have earned.
        """
        if self._finished:
            self._last_mean = float(np.mean(self._finished))
            self._last_std = float(np.std(self._finished))
            self._finished = []
        if self._last_mean is not None:
            return self._last_mean
        return float(np.mean(np.concatenate(self._running))) if self._running else float("nan")

    def episode_return_std(self) -> float | None:
        """Standard deviation of the returns behind the last ``episode_return_mean``; None before one has ended."""
        return self._last_std

    def take(self) -> tuple[dict[str, float], dict[str, float]]:
        """Mean reward per session of each term that has a weight, unscaled, and the share of sessions in which each
        limit bound, since the last call; NaN without a session."""
        limits = np.concatenate([*self._limits, np.zeros(0, np.int64)])
        scale = len(limits) * self._config.reward_scale
        means = self._terms / scale if len(limits) else np.full(len(TERMS), np.nan)
        weights = self._config.reward.vector()
        terms = {name: float(means[k]) for k, name in enumerate(TERMS) if weights[k] > 0.0}
        self._terms, self._limits = np.zeros(len(TERMS)), []
        return terms, bound_shares(limits, self._config.rules)

    def get_state(self) -> dict[str, Any]:
        """Everything counted so far."""
        return {
            "last_mean": self._last_mean,
            "last_std": self._last_std,
            "finished": list(self._finished),
            "running": [array.copy() for array in self._running],
            "terms": self._terms.copy(),
            "limits": list(self._limits),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from ``get_state``."""
        self._last_mean, self._last_std = state["last_mean"], state["last_std"]
        self._finished, self._running = list(state["finished"]), list(state["running"])
        self._terms, self._limits = state["terms"].copy(), list(state["limits"])

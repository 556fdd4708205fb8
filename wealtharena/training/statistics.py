"""What the accounts in training met: terms of the reward and limits that bound, between two rows of the curve."""

import numpy as np

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.envs import TradingVectorEnv
from wealtharena.execution import TERMS, bound_shares
from wealtharena.execution.accounts import IntArray


class SessionStatistics:
    """Collects sessions of one market; sessions at whose end an account started anew are not counted."""

    def __init__(self, market: TradingVectorEnv) -> None:
        self._market = market
        self._weights = market.config.reward.vector()
        self._clear()

    def add(self, ended: BoolArray) -> None:
        """Count the session that the market has just traded; ``ended`` (N,) are the accounts that started anew."""
        report, going = self._market.report, ~ended
        self._terms += report.terms[going].sum(axis=0)
        self._limits.append(report.summary["limits"][going])

    def take(self) -> tuple[dict[str, float], dict[str, float]]:
        """Mean reward per session of each term that has a weight, unscaled, and the share of sessions in which each
        limit bound, since the last call; NaN without a session."""
        config, limits = self._market.config, np.concatenate([*self._limits, np.zeros(0, np.int64)])
        means = self._terms / (len(limits) * config.reward_scale) if len(limits) else np.full(len(TERMS), np.nan)
        terms = {name: float(means[k]) for k, name in enumerate(TERMS) if self._weights[k] > 0.0}
        self._clear()
        return terms, bound_shares(limits, config.rules)

    def _clear(self) -> None:
        self._terms: FloatArray = np.zeros(len(TERMS))
        self._limits: list[IntArray] = []

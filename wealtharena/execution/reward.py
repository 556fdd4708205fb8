"""The terms of the reward and their weights."""

from dataclasses import astuple, dataclass, fields

import numpy as np

from wealtharena.core.errors import SettingsError
from wealtharena.core.panel import FloatArray
from wealtharena.settings.models import RewardSettings, Settings


@dataclass(frozen=True, slots=True)
class RewardWeights:
    """Weights of the terms, all at least 0; a session's reward is the weighted sum.

    With r the log return of the session:

    Attributes:
        log_return: of ``r``.
        variance: of ``-r**2 / 2``.
        differential_sharpe: of what the session adds to the running Sharpe ratio (Moody and Saffell 2001, eq. 4), with
            moments that forget at a rate of 1/63 a session; cut to [-1, 1].
        downside: of ``-min(r, 0)**2 / 2``.
        drawdown: of equity over its peak less 1, at the close.
        cost: of minus the trading and carrying cost over the equity at the open.
        turnover: of minus the traded value over the equity at the open.
        concentration: of minus the sum of squared weights at the close.
        coordination: of minus the overlap with the other agents of one market; 0 for an account alone.
    """

    log_return: float = 1.0
    variance: float = 1.0
    differential_sharpe: float = 0.0
    downside: float = 0.0
    drawdown: float = 0.0
    cost: float = 0.0
    turnover: float = 0.0
    concentration: float = 0.0
    coordination: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not (np.isfinite(value) and value >= 0.0):
                raise SettingsError(f"reward weight {entry.name} must be finite and at least 0, got {value}")

    @classmethod
    def from_settings(cls, settings: Settings, agent: str) -> "RewardWeights":
        """Weights of one agent, or of ``meta``."""
        return cls(**settings.reward_of(agent).model_dump())

    def vector(self) -> FloatArray:
        """(terms,) in the order of ``TERMS``."""
        return np.array(astuple(self))


TERMS = tuple(entry.name for entry in fields(RewardWeights))
"""Names of the terms in the kernel's order."""

assert set(TERMS) == set(RewardSettings.model_fields)  # noqa: S101 - one list of terms in settings and kernel

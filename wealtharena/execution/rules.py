"""The limits that one agent's accounts trade under."""

import math
from dataclasses import dataclass, fields
from typing import Any

from wealtharena.core.asset_class import META_AGENT, AssetClass
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.settings.models import RiskSettings, Settings

_BPS = 1e4
_OWN_FIELDS = ("long_only", "capital", "debit_rate")
_NOT_NEGATIVE = (
    "max_weight", "max_gross", "concentration", "delisting_haircut", "max_net", "max_turnover", "max_volatility",
    "max_var", "max_cvar", "debit_rate",
)  # fmt: skip
MIN_RISK_SESSIONS = 21
_LEAST = {"min_effective_positions": 1.0, "risk_window": MIN_RISK_SESSIONS, "reentry_sessions": 1}


@dataclass(frozen=True, slots=True)
class TradingRules:
    """What the execution kernel enforces on every account; None is no limit.

    Targets are first cut asset by asset, then scaled: position, effective positions, net, gross, volatility, value at
    risk, expected shortfall, turnover. Limits on targets hold at the fill, whatever the open is.

    Attributes:
        long_only: negative scores and weights count as 0.
        max_weight: largest absolute target weight of one asset.
        max_gross: largest sum of absolute target weights.
        concentration: weight of a full position, as a multiple of an equal share of ``max_gross``.
        delisting_haircut: share of a position's value lost when its asset is delisted, long or short.
        max_net: largest absolute sum of target weights.
        max_turnover: largest sum of absolute differences between target and held weights; the other limits come first,
            and a stopped account sells at once.
        min_effective_positions: squared target weights sum to at most ``max_gross**2`` over this.
        max_volatility: yearly, over ``risk_window``.
        scale_to_volatility: scales smaller books up to ``max_volatility``.
        max_var, max_cvar: daily historical value at risk and expected shortfall at ``risk_confidence``, as fractions.
        risk_confidence: in [0.5, 1).
        risk_window: sessions that volatility and value at risk are taken from, at least 21; with fewer known, neither
            binds.
        drawdown_stop: fall from the peak at which everything is sold, as a fraction.
        reentry_sessions: sessions in cash after that; the peak counts anew from there.
        capital: currency that one unit of equity stands for.
        debit_rate: yearly margin over the cash rate on borrowed cash, as a fraction.
    """

    long_only: bool
    max_weight: float
    max_gross: float
    concentration: float
    delisting_haircut: float
    max_net: float | None = None
    max_turnover: float | None = None
    min_effective_positions: float = 1.0
    max_volatility: float | None = None
    scale_to_volatility: bool = False
    max_var: float | None = None
    max_cvar: float | None = None
    risk_confidence: float = 0.95
    risk_window: int = 64
    drawdown_stop: float | None = None
    reentry_sessions: int = 21
    capital: float = 1_000_000.0
    debit_rate: float = 0.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is not None and not math.isfinite(value):
                raise SettingsError(f"{entry.name} must be finite (None is no limit), got {value}")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0.0:
                raise SettingsError(f"{name} must be at least 0, got {value}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise SettingsError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.capital <= 0.0:
            raise SettingsError(f"capital must be above 0, got {self.capital}")
        if self.delisting_haircut > 1.0:
            raise SettingsError(f"delisting_haircut must be at most 1, got {self.delisting_haircut}")
        if not 0.5 <= self.risk_confidence < 1.0:
            raise SettingsError(f"risk_confidence must be in [0.5, 1), got {self.risk_confidence}")
        if self.drawdown_stop is not None and not 0.0 < self.drawdown_stop <= 1.0:
            raise SettingsError(f"drawdown_stop must be in (0, 1], got {self.drawdown_stop}")

    @classmethod
    def unlimited(cls, **changes: Any) -> "TradingRules":
        """Rules that bind nowhere: long and short, up to the whole account in one asset; ``changes`` by name."""
        values: dict[str, Any] = {
            "long_only": False,
            "max_weight": 1.0,
            "max_gross": 1.0,
            "concentration": 1.0,
            "delisting_haircut": 0.0,
        }
        return cls(**values | changes)

    @classmethod
    def from_settings(cls, settings: Settings, agent: str) -> "TradingRules":
        """Rules of one agent or lane; ``meta`` is long only.

        Raises:
            SettingsError: ``agent`` is neither ``meta`` nor has a recipe in ``settings.agents`` or ``settings.lanes``.
        """
        owner = settings.agent_of(agent)
        if agent != META_AGENT and (owner not in settings.agents or owner not in set(AssetClass)):
            raise SettingsError(unknown_name("agent", agent, [META_AGENT, *settings.agents]))
        risk = settings.risk_of(agent)
        limits = {entry.name: getattr(risk, entry.name) for entry in fields(cls) if entry.name not in _OWN_FIELDS}
        return cls(
            long_only=agent == META_AGENT or settings.recipe_of(agent).long_only,
            capital=settings.execution.capital,
            debit_rate=settings.execution.debit_bps_per_year / _BPS,
            **limits,
        )


assert {entry.name for entry in fields(TradingRules)} - set(_OWN_FIELDS) <= set(RiskSettings.model_fields)  # noqa: S101

"""The limits and carrying costs that one agent's accounts trade under."""

from dataclasses import dataclass

from wealtharena.core.asset_class import META_AGENT, AssetClass
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.markets import MARKETS
from wealtharena.settings.models import AgentSettings, Settings

_BPS = 1e4


@dataclass(frozen=True, slots=True)
class TradingRules:
    """What the execution kernel enforces on every account.

    Attributes:
        long_only: negative scores and weights count as 0.
        max_weight: largest absolute target weight of one asset.
        max_gross: largest sum of absolute target weights.
        concentration: weight of a full position, as a multiple of an equal share of ``max_gross``.
        delisting_haircut: share of a position's value lost when its asset is delisted, long or short.
        borrow_per_session: cost of a short position per session, as a fraction of its value at the close.
        risk_aversion: reward per session is the log return less ``risk_aversion / 2`` times its square.
    """

    long_only: bool
    max_weight: float
    max_gross: float
    concentration: float
    delisting_haircut: float
    borrow_per_session: float
    risk_aversion: float

    @classmethod
    def from_settings(cls, settings: Settings, agent: str) -> "TradingRules":
        """Rules of one agent; ``meta`` is long only, pays no borrow and has the default risk aversion.

        Raises:
            SettingsError: ``agent`` is neither ``meta`` nor an asset class with a recipe in ``settings.agents``.
        """
        if agent == META_AGENT:
            long_only, borrow = True, 0.0
            risk_aversion = float(AgentSettings.model_fields["risk_aversion"].default)
        else:
            if agent not in settings.agents or agent not in set(AssetClass):
                raise SettingsError(unknown_name("agent", agent, [META_AGENT, *settings.agents]))
            recipe = settings.agents[agent]
            long_only, risk_aversion = recipe.long_only, recipe.risk_aversion
            borrow = _borrow_per_session(settings, AssetClass(agent))
        risk = settings.risk
        return cls(
            long_only=long_only,
            max_weight=risk.max_weight,
            max_gross=risk.max_gross,
            concentration=risk.concentration,
            delisting_haircut=risk.delisting_haircut,
            borrow_per_session=borrow,
            risk_aversion=risk_aversion,
        )


def _borrow_per_session(settings: Settings, asset_class: AssetClass) -> float:
    if asset_class not in settings.costs:
        raise SettingsError(unknown_name("cost class", asset_class, [str(name) for name in settings.costs]))
    return settings.costs[asset_class].borrow_bps_per_year / _BPS / MARKETS[asset_class].annualisation

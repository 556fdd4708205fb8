"""The agents by name. Which algorithm trains an agent is a setting (``settings.agents``), not part of its identity."""

from dataclasses import dataclass

from wealtharena.core.asset_class import META_AGENT, AssetClass
from wealtharena.core.errors import SettingsError, unknown_name

__all__ = ["AGENTS", "META_AGENT", "STRATEGY_FEATURES", "AgentSpec", "resolve_agent"]

STRATEGY_FEATURES = (
    "return_5",
    "return_21",
    "return_63",
    "volatility_ratio",
    "drawdown",
    "turnover_21",
    "gross",
)
"""What the meta-agent observes of each agent's book; ``wealtharena.evaluation.strategy_panel`` says what they are."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent.

    Attributes:
        name: key of ``AGENTS``, of the settings and of the registered model.
        asset_class: what it trades; None for the meta-agent, whose assets are the other agents' books.
        aliases: other names that the public API accepts.
    """

    name: str
    asset_class: AssetClass | None
    aliases: tuple[str, ...] = ()


AGENTS: dict[str, AgentSpec] = {
    "stocks": AgentSpec("stocks", AssetClass.STOCKS, ("asx_stocks", "us_stocks", "stock", "equities")),
    "crypto": AgentSpec("crypto", AssetClass.CRYPTO, ("cryptocurrencies", "cryptocurrency")),
    "etfs": AgentSpec("etfs", AssetClass.ETFS, ("etf",)),
    "currencies": AgentSpec("currencies", AssetClass.CURRENCIES, ("currency_pairs", "forex", "fx")),
    "reits": AgentSpec("reits", AssetClass.REITS, ("reit",)),
    "commodities": AgentSpec("commodities", AssetClass.COMMODITIES, ("commodity",)),
    META_AGENT: AgentSpec(META_AGENT, None, ("meta_agent", "allocator")),
}


def resolve_agent(name: str) -> AgentSpec:
    """The agent of a name or alias, in any case.

    Raises:
        SettingsError: no agent has this name; the message lists those that exist.
    """
    wanted = name.strip().lower()
    for spec in AGENTS.values():
        if wanted == spec.name or wanted in spec.aliases:
            return spec
    raise SettingsError(unknown_name("agent", name, AGENTS))

"""Markets of a night and their windows: what trainings, backtests and signals read."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt, load_panel
from tasks.night import Night
from tasks.receipts import finished
from wealtharena.agents.specs import AGENTS
from wealtharena.core import MarketPanel, TableRef
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError
from wealtharena.evaluation.windows import Windows, split_windows
from wealtharena.execution import TradingRules
from wealtharena.markets import MARKETS
from wealtharena.serving.model import ServedModel


@dataclass(frozen=True)
class Market:
    """An agent's market.

    Attributes:
        panel: whole history up to ``as_of``.
        windows: row ranges for training, validation and held-out test.
        rules: limits and costs of the lane's accounts.
    """

    panel: MarketPanel
    windows: Windows
    rules: TradingRules


def agent_market(night: Night, lane: str) -> Market:
    """The market of a class agent, or of one of its lanes under the lane's own limits.

    Raises:
        DataWindowError: too few sessions for the windows.
        SettingsError: it is the meta-agent.
    """
    agent = night.settings.agent_of(lane)
    panel = agent_panel(night, agent)
    windows = split_windows(panel, night.settings.windows, agent)
    return Market(panel, windows, TradingRules.from_settings(night.settings, lane))


def agent_panel(night: Night, agent: str) -> MarketPanel:
    """The whole history of a class agent's market up to ``as_of``.

    Raises:
        SettingsError: it is the meta-agent.
    """
    return load_panel(night, class_of(agent))


def class_of(agent: str) -> AssetClass:
    """Asset class of a class agent.

    Raises:
        SettingsError: it is the meta-agent.
    """
    asset_class = AGENTS[agent].asset_class
    if asset_class is None:
        raise SettingsError(f"{agent} trades the agents' books, not a market of its own")
    return asset_class


def with_market(night: Night, agents: Iterable[str]) -> list[str]:
    """Those of some class agents whose class has features tonight."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    return [agent for agent in agents if str(class_of(agent)) in ready]


def annualisation_of(night: Night, agent: str) -> int:
    """Sessions per year of an agent's accounts; the meta-agent's has those of the class with the most."""
    own = AGENTS[agent].asset_class
    classes = night.settings.run.asset_classes if own is None else (own,)
    return max(MARKETS[asset_class].annualisation for asset_class in classes)


def tables_behind(night: Night, agent: str) -> dict[str, int]:
    """Version by name of every warehouse table that an agent's market is assembled from; all for the meta-agent."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    own = AGENTS[agent].asset_class
    receipts = [ready[str(own)]] if own is not None else list(ready.values())
    refs = [vars(receipt).values() for receipt in receipts]
    return {ref.name: ref.version for values in refs for ref in values if isinstance(ref, TableRef)}


def rules_for(night: Night, model: ServedModel) -> TradingRules:
    """Limits and costs of a model's lane; of its agent's own if the settings do not have the lane any more."""
    agent, lane = model.card.agent, model.card.lane
    known = lane in night.settings.lanes_of(agent)
    return TradingRules.from_settings(night.settings, lane if known else agent)

"""Markets of a night and their windows: what trainings, backtests and signals read."""

from dataclasses import dataclass

from tasks.features import load_panel
from tasks.night import Night
from wealtharena.agents.specs import AGENTS
from wealtharena.core import MarketPanel
from wealtharena.core.errors import SettingsError
from wealtharena.evaluation.windows import Windows, split_windows
from wealtharena.execution import TradingRules
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
    """
    agent = night.settings.agent_of(lane)
    asset_class = AGENTS[agent].asset_class
    if asset_class is None:
        raise SettingsError(f"{agent} trades the agents' books, not a market of its own")
    panel = load_panel(night, asset_class)
    windows = split_windows(panel, night.settings.windows, agent)
    return Market(panel, windows, TradingRules.from_settings(night.settings, lane))


def rules_for(night: Night, model: ServedModel) -> TradingRules:
    """Limits and costs of a model's lane; of its agent's own if the settings do not have the lane any more."""
    agent, lane = model.card.agent, model.card.lane
    known = lane in night.settings.lanes_of(agent)
    return TradingRules.from_settings(night.settings, lane if known else agent)

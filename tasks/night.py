"""The night that is being run: settings, date and identity, handed to every task."""

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from warehouse import Warehouse
from wealtharena.agents.specs import AGENTS, META_AGENT, AgentSpec
from wealtharena.core.asset_class import AssetClass
from wealtharena.settings import Settings, settings_hash


class Night(BaseModel):
    """One night: everything that its result depends on, and the id that its rows carry."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    as_of: date
    """Last session that the night may know of."""
    run_id: str
    """Identity of this execution; a rerun of the same night has another one."""
    agents: tuple[str, ...]
    """Class agents to train, promote and signal."""
    force: bool = False
    """Repeats stages that were finished before."""

    @property
    def night_id(self) -> str:
        """Same date and settings, same id: a rerun finds what was done before."""
        return f"{self.as_of.isoformat()}-{settings_hash(self.settings)[:8]}"

    @property
    def warehouse(self) -> Warehouse:
        """The tables under the home folder."""
        return Warehouse(self.settings.home / "warehouse")

    @property
    def folder(self) -> Path:
        """Where this night's files go."""
        return self.settings.home / "nights" / self.night_id

    @property
    def asset_classes(self) -> tuple[AssetClass, ...]:
        """Classes of the chosen agents, in the order of ``AssetClass``."""
        chosen = {AGENTS[name].asset_class for name in self.agents}
        return tuple(item for item in AssetClass if item in chosen)

    def agent_specs(self) -> dict[str, AgentSpec]:
        """The class agents of this night."""
        return {name: AGENTS[name] for name in self.agents}

    @property
    def with_meta(self) -> bool:
        """Whether there is more than one agent to spread capital over."""
        return META_AGENT in AGENTS and len(self.agents) > 1

"""The night that is being run: settings, date and identity, handed to every task."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from warehouse import Warehouse
from wealtharena.agents.specs import AGENTS, META_AGENT
from wealtharena.core.asset_class import AssetClass
from wealtharena.settings import Settings, settings_hash

KNOWN_AFTER = timedelta(days=2)
"""A session's data arrive within this time after its date; a past-dated run knows what was known then."""


class Night(BaseModel):
    """One night: everything that its result depends on, and the id that its rows carry."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    as_of: date
    """Last session that the night may know of."""
    opened_at: datetime
    """When this execution began: the only reading of the clock that anything depends on."""
    known_at: datetime | None = None
    """Moment whose knowledge the run has: what became known later is not read. None: all that is stored."""
    run_id: str
    """Identity of this execution; a rerun of the same night has another one."""
    agents: tuple[str, ...]
    """Class agents to train, promote and signal."""
    with_meta: bool
    """Whether the meta-agent is trained and the combined book made."""
    force: bool = False
    """Repeats stages that were finished before."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Prefect describes the parameters of every flow at import: all settings, a dozen times, took over a second.

        Nobody types a night into a form: the parent flow makes it.
        """
        return {"type": "object", "title": cls.__name__}

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
    def traded(self) -> tuple[str, ...]:
        """All class agents of the settings: the meta-agent's books, chosen tonight or not."""
        return tuple(name for name, spec in AGENTS.items() if spec.asset_class in self.settings.run.asset_classes)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Agents that this run works on, the meta-agent last."""
        return (*self.agents, META_AGENT) if self.with_meta else self.agents

    @property
    def asset_classes(self) -> tuple[AssetClass, ...]:
        """Classes whose market the chosen agents need, in the order of ``AssetClass``; the meta-agent needs all."""
        needed = {AGENTS[name].asset_class for name in (self.traded if self.with_meta else self.agents)}
        return tuple(item for item in AssetClass if item in needed)


def knowledge_moment(settings: Settings) -> datetime | None:
    """Moment whose knowledge a run has: ``run.known_at``, else two days after a given ``as_of``, else no limit."""
    wanted, as_of = settings.run.known_at, settings.run.as_of
    if isinstance(wanted, datetime):
        return wanted
    if wanted == "now" or as_of is None:
        return None
    return datetime.combine(as_of, time(), tzinfo=UTC) + KNOWN_AFTER

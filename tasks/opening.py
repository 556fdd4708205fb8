"""Opens a night: settles its date and its agents before any work is done."""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from tasks.keys import with_secret_blocks
from tasks.night import Night, knowledge_moment
from tasks.receipts import TABLE
from tasks.trials import CANDIDATE, CHAMPION, FUSION
from warehouse import Warehouse
from wealtharena.agents.specs import AGENTS, META_AGENT, resolve_agent
from wealtharena.core.errors import SettingsError
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.settings import Settings, settings_hash
from wealtharena.vendors import make_catalogue
from wealtharena.vendors.redaction import install_redaction, settings_secrets


def open_night(settings: Settings, agents: Sequence[str] | None, force: bool, latest_opened: bool = False) -> Night:
    """The night that these settings mean; the clock is read here and nowhere else.

    Args:
        settings: as loaded; ``run.as_of`` wins over everything else.
        agents: names or aliases; None for all agents of ``run.asset_classes`` and the meta-agent over them. A choice
            leaves the meta-agent out unless it names it.
        force: see ``Night``.
        latest_opened: without ``run.as_of``, take the last night that was opened with these settings, if any.

    Raises:
        SettingsError: an agent is unknown or its class is not collected, a lane has the name of another strategy, or
            the date is impossible.
        VendorUnavailable, VendorRejected: the source cannot be read.
    """
    _check_lanes(settings)
    names, with_meta = _chosen(settings, agents)
    opened_at = datetime.now(UTC)
    # Over the UTC day before, every exchange on earth and the day of crypto have closed.
    last_complete_day = opened_at.date() - timedelta(days=1)
    opened = _last_opened(settings) if latest_opened else None
    as_of = settings.run.as_of or opened or _latest_session(settings, last_complete_day)
    # East of Greenwich the day is already the next one.
    _check_date(settings, as_of, opened_at.date() + timedelta(days=1))
    settings = with_secret_blocks(settings)
    install_redaction(settings_secrets(settings))
    return Night(
        settings=settings,
        as_of=as_of,
        opened_at=opened_at,
        known_at=knowledge_moment(settings),
        run_id=uuid.uuid4().hex[:12],
        agents=names,
        with_meta=with_meta,
        force=force,
    )


def _chosen(settings: Settings, agents: Sequence[str] | None) -> tuple[tuple[str, ...], bool]:
    """Class agents in the order of ``AGENTS``, and whether the meta-agent is meant too."""
    traded = [name for name, spec in AGENTS.items() if spec.asset_class in settings.run.asset_classes]
    if not agents:
        return tuple(traded), len(traded) > 1
    names = {resolve_agent(name).name for name in agents}
    outside = sorted(names - {*traded, META_AGENT})
    if outside:
        raise SettingsError(
            f"run.asset_classes must hold the classes of the chosen agents, missing {', '.join(outside)}"
        )
    return tuple(name for name in traded if name in names), META_AGENT in names


def _check_lanes(settings: Settings) -> None:
    """Results of lanes stand beside those of other strategies, by name."""
    taken = sorted(set(settings.lanes) & {CANDIDATE, CHAMPION, FUSION, *BASELINES})
    if taken:
        raise SettingsError(f"lanes must not have the name of a baseline or another strategy, got {', '.join(taken)}")


def _latest_session(settings: Settings, today: date) -> date:
    return make_catalogue(settings).latest_session(settings.run.asset_classes, today, settings.vendors.min_coverage)


def _last_opened(settings: Settings) -> date | None:
    warehouse = Warehouse(settings.home / "warehouse")
    if not warehouse.exists(TABLE):
        return None
    suffix = f"-{settings_hash(settings)[:8]}"
    nights = [str(night) for night in warehouse.read(TABLE, columns=["night"])["night"]]
    days = [date.fromisoformat(night.removesuffix(suffix)) for night in nights if night.endswith(suffix)]
    return max(days, default=None)


def _check_date(settings: Settings, as_of: date, today: date) -> None:
    if as_of <= settings.run.history_start:
        raise SettingsError(f"as_of must be after run.history_start {settings.run.history_start}, got {as_of}")
    if as_of > today:
        raise SettingsError(f"as_of must not lie in the future, got {as_of} on {today}")

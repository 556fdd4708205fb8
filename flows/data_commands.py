"""`wealtharena data` and `wealtharena warehouse`: what was collected, and upkeep of where it is kept."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows import options, terminal
from wealtharena.settings import load_settings

data_app = typer.Typer(
    no_args_is_help=True, help="Show how complete the collected data are, what was known when, and whether it fits."
)
warehouse_app = typer.Typer(
    no_args_is_help=True, help="Tidy, back up and restore the warehouse; runs may go on meanwhile."
)


@data_app.command()
def status(
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
    gaps: Annotated[int, typer.Option("--gaps", min=0, help="Symbols with the most missing sessions to list.")] = 10,
) -> None:
    """Show coverage per class, the last session, gaps, missing symbols with reasons, and what the vendors still grant.

    Example: wealtharena data status --profile nightly
    """
    with terminal.friendly_errors(as_json):
        from flows.data_tables import print_data_status

        print_data_status(load_settings(profile, overrides or []), datetime.now(UTC), gaps, as_json)


@data_app.command()
def history(
    symbol: Annotated[str, typer.Argument(help="Symbol or macro series, e.g. BHP.AX or CPIAUCSL.")],
    session: Annotated[
        datetime | None,
        typer.Option("--session", formats=["%Y-%m-%d"], help="Every version of this bar (or reference date)."),
    ] = None,
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Lines to print per table.")] = 30,
) -> None:
    """Show what was known of a symbol when: every answer of a vendor, and every value that was changed later.

    Examples:

      wealtharena data history BHP.AX

      wealtharena data history CPIAUCSL --session 2024-03-01
    """
    with terminal.friendly_errors(as_json):
        from flows.data_tables import print_history

        day = session.date() if session else None
        print_history(load_settings(profile, overrides or []), symbol, day, limit, as_json)


@data_app.command()
def check(
    profile: options.Profile = "quickstart", overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """Check that the stored data fit together: ledger, raw and curated tables, schemas, coverage, leftovers.

    Ends with code 1 if something has to be mended.

    Example: wealtharena data check
    """
    with terminal.friendly_errors(as_json):
        from flows.data_tables import print_checks

        healthy = print_checks(load_settings(profile, overrides or []), datetime.now(UTC), as_json)
    if not healthy:
        raise typer.Exit(terminal.EXIT_FAILED)


@warehouse_app.command()
def maintain(
    profile: options.Profile = "quickstart", overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """Merge small files and remove old versions that nothing names any more (see `warehouse.keep_days`).

    Example: wealtharena warehouse maintain --set warehouse.keep_days=14
    """
    with terminal.friendly_errors(as_json):
        from flows.data_tables import print_maintenance

        print_maintenance(load_settings(profile, overrides or []), datetime.now(UTC), as_json)


@warehouse_app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that does not exist yet, or is empty.")],
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Copy the warehouse as it is at this moment; a run may go on writing.

    Example: wealtharena warehouse backup /srv/backup/2026-11-20
    """
    with terminal.friendly_errors(as_json):
        from flows.data_tables import print_backup

        print_backup(load_settings(profile, overrides or []), folder, as_json)


@warehouse_app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `warehouse backup` made.")],
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Put a backup's contents in place of the tables', after its checksums were found right.

    Example: wealtharena warehouse restore /srv/backup/2026-11-20
    """
    with terminal.friendly_errors(as_json):
        from flows.data_tables import print_restore

        print_restore(load_settings(profile, overrides or []), folder, as_json)

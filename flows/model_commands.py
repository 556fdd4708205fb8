"""`wealtharena models`: versions of the agents' models, their history, and retention."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from flows import options, terminal
from wealtharena.agents.specs import AGENTS, resolve_agent
from wealtharena.settings import load_settings

models_app = typer.Typer(help="Show the agents' models and their history; remove the files of those nothing needs.")


@models_app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    agent: options.Agents = None,
    history: Annotated[
        bool, typer.Option("--history", help="Every promotion, rollback, change of state and retirement.")
    ] = False,
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the registered versions of the agents' models, or how their champions came and went.

    Examples:

      wealtharena models --agent stocks

      wealtharena models --agent stocks --history
    """
    if context.invoked_subcommand is not None:
        return
    with terminal.friendly_errors(as_json):
        settings = load_settings(profile, overrides or [])
        names = [resolve_agent(name).name for name in agent or AGENTS]
        from flows.model_tables import print_history, print_versions

        (print_history if history else print_versions)(settings, names, as_json)


@models_app.command()
def prune(
    delete: Annotated[bool, typer.Option("--delete", help="Really remove the files.")] = False,
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Show which versions could lose their files and why the others stay; with --delete, remove those files.

    A version that an alias, the audit trail, a decision, newest paper orders or evidence points to always stays (see
    `registry.keep_versions`, `registry.keep_days`). A version without files stays on record.

    Examples:

      wealtharena models prune

      wealtharena models prune --delete --set registry.keep_days=30
    """
    with terminal.friendly_errors(as_json):
        settings = load_settings(profile, overrides or [])
        from flows.model_tables import print_verdicts
        from tasks.retention import prune_models, review_models

        with terminal.progress_bars(verbose=False):
            verdicts = (prune_models if delete else review_models)(settings, datetime.now(UTC))
        print_verdicts(verdicts, delete)
        if as_json:
            rows = [{**asdict(verdict), "goes": verdict.goes} for verdict in verdicts]
            terminal.print_json({"deleted": delete, "versions": rows})

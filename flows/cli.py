"""The command line: one command per stage, one for the whole night, and some to look at what is there."""

import json
import os
import subprocess
import sys
from datetime import date, datetime
from typing import Annotated, Any

import typer

from flows import options, terminal
from flows.agent_commands import agents
from flows.data_commands import data_app, warehouse_app
from flows.evaluate_commands import evaluate_app
from flows.model_commands import models_app
from flows.simulate_commands import simulate_app
from wealtharena.agents.specs import resolve_agent
from wealtharena.core.errors import PipelineError
from wealtharena.settings import Settings, load_settings

app = typer.Typer(
    name="wealtharena",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Retrains a team of trading agents every night and promotes one only when it has proved better.\n\n"
    "Start with [bold]wealtharena nightly[/]: it runs on a simulated market and needs no network and no key.",
)
app.add_typer(data_app, name="data")
app.add_typer(warehouse_app, name="warehouse")
app.add_typer(simulate_app, name="simulate")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_app, name="models")
app.command()(agents)


def main() -> None:
    """Entry point of the ``wealtharena`` command."""
    app(args=options.repeat_lists(sys.argv[1:]))


@app.command()
def nightly(
    profile: options.Profile = "quickstart",
    as_of: options.AsOf = None,
    overrides: options.Overrides = None,
    agent: options.Agents = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Run the whole night, from collected data to trained, tested and promoted agents, signals and a report.

    Examples:

      wealtharena nightly

      wealtharena nightly --profile files --set vendors.files.root=../market-data

      wealtharena nightly --agent stocks --agent crypto --as-of 2024-06-28 --force
    """
    with terminal.friendly_errors(as_json):
        for name in agent or []:
            resolve_agent(name)  # a misspelt name should not have to wait for the server
        server = _prepare(profile, overrides, verbose)
        from prefect import tags

        from flows.nightly import nightly as flow
        from flows.summary import print_conclusion

        terminal.errors.print(f"Prefect UI: {server.ui_url}")
        with terminal.progress_bars(verbose), tags("wealtharena", "ad-hoc"):
            state: Any = flow(
                profile=profile,
                as_of=_day(as_of),
                overrides=list(overrides or []),
                agents=list(agent or []) or None,
                force=force,
                return_state=True,
            )
        result = state.result(raise_on_failure=False)
        if isinstance(result, BaseException):
            raise result
        print_conclusion(result, server.ui_url, as_json)
    if not result.succeeded:
        raise typer.Exit(terminal.EXIT_FAILED)


@app.command()
def collect(
    profile: options.Profile = "quickstart",
    classes: options.Classes = None,
    exchanges: options.Exchanges = None,
    max_symbols: options.MaxSymbols = None,
    start: options.Start = None,
    end: options.End = None,
    source: options.Source = None,
    overrides: options.Overrides = None,
    agent: options.Agents = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
) -> None:
    """Fetch market and macro data, check it, and store what is good; the rest goes to quarantine.

    Only what is not stored yet is asked of the vendors; a run that was killed goes on where it stopped.

    Examples:

      wealtharena collect --profile files --set vendors.files.root=../market-data

      wealtharena collect --source live --classes stocks crypto --exchanges ASX NYSE --max-symbols 20 --start 2020-01-02
    """
    chosen = {
        "run.asset_classes": classes,
        "run.exchanges": exchanges,
        "run.max_symbols": max_symbols,
        "run.history_start": start.date().isoformat() if start else None,
        "vendors.source": source,
    }
    narrowed = [f"{key}={json.dumps(value)}" for key, value in chosen.items() if value]
    _run_stage("collect", profile, end, [*(overrides or []), *narrowed], agent, force, as_json, verbose)


@app.command()
def features(
    profile: options.Profile = "quickstart",
    as_of: options.AsOf = None,
    overrides: options.Overrides = None,
    agent: options.Agents = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    list_only: Annotated[bool, typer.Option("--list", help="Only list the features that there are.")] = False,
) -> None:
    """Compute the indicators of every class, point in time (after `collect`).

    Examples:

      wealtharena features --agent stocks

      wealtharena features --list --agent currencies
    """
    if not list_only:
        _run_stage("features", profile, as_of, overrides, agent, force, as_json, verbose)
        return
    with terminal.friendly_errors(as_json):
        from flows.feature_list import print_features

        print_features(_settings(profile, overrides), agent, as_json)


STAGE_COMMANDS = {
    "train": "Train the agents on their training windows (after `features`).\n\n"
    "Example: wealtharena train --agent crypto --set agents.crypto.env_steps=60000",
    "train-meta": "Train the allocator that spreads capital over the agents (after `train`).\n\n"
    "Example: wealtharena train-meta --set meta.env_steps=80000",
    "walk-forward": "Complete the history of every recipe, a training per calendar year, and print it beside the "
    "baselines' (after `features`).\n\nExample: wealtharena walk-forward --agent stocks --set walk_forward.max_years=3",
    "backtest": "Score the night's agents, the champions and the baselines on the held-out window (after `train`).\n\n"
    "Example: wealtharena backtest --agent etfs --json",
    "analyse": "Simulate how robust the held-out results are, and tell where they came from (after `backtest`).\n\n"
    "Example: wealtharena analyse --agent stocks",
    "paper": "Let every lane, rule and champion trade on paper up to the last close, and print what they earned (after "
    "`backtest`).\n\nExample: wealtharena paper --agent crypto --json",
    "promote": "Decide which of the night's agents become champions, and record why (after `backtest`).\n\n"
    "Example: wealtharena promote --agent reits",
    "signals": "Print the champions' target weights for the next session, and the combined book (after `promote`).\n\n"
    "Example: wealtharena signals --json",
    "drift": "Compare what the champions observe, do and earn with what they were tested on (after `promote`).\n\n"
    "Example: wealtharena drift --agent stocks --set drift.sessions=21",
    "report": "Write the night's report, one HTML file, from what the warehouse holds.\n\n"
    "Example: wealtharena report --as-of 2024-06-28",
}


def _add_stage_command(stage: str, help_text: str) -> None:
    """Every stage has a command of its own, with the options that all of them share."""

    @app.command(stage, help=help_text)
    def command(
        profile: options.Profile = "quickstart",
        as_of: options.AsOf = None,
        overrides: options.Overrides = None,
        agent: options.Agents = None,
        force: options.Force = False,
        as_json: options.AsJson = False,
        verbose: options.Verbose = False,
    ) -> None:
        _run_stage(stage, profile, as_of, overrides, agent, force, as_json, verbose)


def _run_stage(
    stage: str,
    profile: str,
    as_of: datetime | None,
    overrides: list[str] | None,
    agent: list[str] | None,
    force: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    with terminal.friendly_errors(as_json):
        _prepare(profile, overrides, verbose)
        from flows.stages import STAGES
        from flows.summary import print_stage
        from tasks.opening import open_night
        from tasks.tracking import night_run

        settings = _settings(profile, overrides, as_of)
        night = open_night(settings, list(agent or []) or None, force, latest_opened=stage != "collect")
        with terminal.progress_bars(verbose), night_run(night) as outcome:
            result = STAGES[stage](night)
            outcome.succeeded = result.succeeded
        print_stage(night, result, as_json)
    if not result.succeeded:
        raise typer.Exit(terminal.EXIT_FAILED)


for _stage, _help in STAGE_COMMANDS.items():
    _add_stage_command(_stage, _help)


@app.command()
def rollback(
    agent: Annotated[str, typer.Option("--agent", "-a", metavar="NAME", help="Agent whose champion is taken back.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")] = "asked for by a person",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; kept with the decision.")] = "person",
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Restore an agent's previous champion; the decision is recorded like every other.

    Example: wealtharena rollback --agent stocks --reason "drawdown on Friday"
    """
    with terminal.friendly_errors(as_json):
        settings = _settings(profile, overrides)
        from tasks.promotion import roll_back

        result = roll_back(settings, agent, reason, by)
        terminal.console.print(f"{result['agent']}: champion is version {result['version']} again. {result['reason']}")
        if as_json:
            terminal.print_json(result)


@app.command()
def approve(
    agent: Annotated[str, typer.Option("--agent", "-a", metavar="NAME", help="Agent whose champion would change.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; kept with the decision.")],
    reject: Annotated[bool, typer.Option("--reject", help="The champion stays.")] = False,
    comment: Annotated[str, typer.Option("--comment", help="Why; kept with the decision.")] = "",
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Answer a night that waits for a person's approval (`promotion.policy=manual`); Prefect's UI can do so too.

    Example: wealtharena approve --agent stocks --by Ada --comment "figures are plausible"
    """
    with terminal.friendly_errors(as_json):
        _prepare(profile, overrides, verbose=False)
        from tasks.approval import answer

        asked = answer(_settings(profile, overrides), agent, approve=not reject, by=by, comment=comment)
        verdict = "rejected" if reject else "approved"
        terminal.console.print(f"{agent}: {verdict} by {by}. It was asked: {asked}", soft_wrap=True, markup=False)
        if as_json:
            terminal.print_json({"agent": agent, "answer": verdict, "by": by, "asked": asked})


@app.command()
def status(
    profile: options.Profile = "quickstart", overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """Show champions, the last nights, and how full the warehouse is.

    Example: wealtharena status
    """
    with terminal.friendly_errors(as_json):
        settings = _settings(profile, overrides)
        from flows.status import print_status

        print_status(settings, as_json)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT over the warehouse tables, in DuckDB's SQL.")],
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows to print in the table.")] = 50,
) -> None:
    """Ask the warehouse a question in SQL.

    Examples:

      wealtharena sql "SHOW TABLES"

      wealtharena sql "SELECT symbol, count(*) AS bars FROM core_stocks__daily_bars GROUP BY ALL ORDER BY ALL"
    """
    with terminal.friendly_errors(as_json):
        settings = _settings(profile, overrides)
        from flows.status import print_query

        print_query(settings, query, limit, as_json)


@app.command()
def doctor(
    profile: options.Profile = "quickstart", overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """Check versions, keys, ports, disk and folders, and say how to mend what is wrong.

    Example: wealtharena doctor --profile files
    """
    with terminal.friendly_errors(as_json):
        settings = _settings(profile, overrides)
        from flows.doctor import examine, print_findings

        findings = examine(settings)
        print_findings(findings, as_json)
    if any(not finding.ok for finding in findings):
        raise typer.Exit(terminal.EXIT_FAILED)


@app.command()
def deploy(
    profile: options.Profile = "nightly", overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """Register the nightly deployment, its schedule and its work pool with Prefect.

    Afterwards: `wealtharena worker` serves it, `prefect deployment run nightly/nightly` starts it by hand.

    Example: wealtharena deploy --profile files --set vendors.files.root=/srv/market-data
    """
    with terminal.friendly_errors(as_json):
        _prepare(profile, overrides, verbose=False)
        from flows.deploy import deploy_all

        result = deploy_all(_settings(profile, overrides), profile, list(overrides or []))
        terminal.console.print(f"Deployed {', '.join(result['deployments'])} to work pool {result['work_pool']!r}.")
        terminal.console.print(f"  export PREFECT_API_URL={result['api_url']}")
        terminal.console.print("  wealtharena worker                          # serve it (keep it running)")
        terminal.console.print("  prefect deployment run nightly/nightly      # start a run by hand")
        if as_json:
            terminal.print_json(result)


@app.command()
def worker(
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    run_once: Annotated[bool, typer.Option("--run-once", help="Poll once, run what is due, and end.")] = False,
) -> None:
    """Serve the deployments: a Prefect process worker in the foreground (Ctrl-C ends it).

    Example: wealtharena worker
    """
    with terminal.friendly_errors(as_json=False):
        _prepare(profile, overrides, verbose=True)
        pool = _settings(profile, overrides).prefect.work_pool
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    raise typer.Exit(subprocess.call([*command, *(["--run-once"] if run_once else [])]))  # noqa: S603


@app.command()
def mlflow(
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Show runs, curves and models in MLflow's own interface (Ctrl-C ends it).

    Example: wealtharena mlflow
    """
    with terminal.friendly_errors(as_json=False):
        settings = _settings(profile, overrides)
        from wealtharena.tracking import tracking_uri

        uri = tracking_uri(settings)
    terminal.console.print(f"MLflow: http://127.0.0.1:{port}")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    raise typer.Exit(subprocess.call([*command, "--port", str(port), "--workers", "1"], env=environment))  # noqa: S603


@app.command()
def stop(
    profile: options.Profile = "quickstart", overrides: options.Overrides = None, as_json: options.AsJson = False
) -> None:
    """End the Prefect server that a run started and left running.

    Example: wealtharena stop
    """
    with terminal.friendly_errors(as_json):
        from flows.server import stop_server

        pid = stop_server(_settings(profile, overrides))
        terminal.console.print(f"Ended the Prefect server (process {pid})." if pid else "No server of ours is running.")
        if as_json:
            terminal.print_json({"ended_process": pid})


def _prepare(profile: str, overrides: list[str] | None, verbose: bool) -> Any:
    """Checks the settings first (cheap), then finds or starts the server; returns where it is."""
    settings = _settings(profile, overrides)
    _require_vendors(settings)
    terminal.quiet_libraries(verbose)
    if "prefect" in sys.modules:
        raise PipelineError("Prefect was imported before its server was settled: a defect of this program")
    from flows.server import ensure_server

    os.environ.setdefault("WEALTHARENA_HOME", str(settings.home))
    return ensure_server(settings)


def _require_vendors(settings: Settings) -> None:
    """A misspelt source should not have to wait for the server."""
    from wealtharena.vendors import vendor_order

    for asset_class in settings.run.asset_classes:
        vendor_order(settings, str(asset_class))


def _settings(profile: str, overrides: list[str] | None, as_of: datetime | None = None) -> Settings:
    extra = [f"run.as_of={as_of.date().isoformat()}"] if as_of else []
    return load_settings(profile, [*(overrides or []), *extra])


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


if __name__ == "__main__":
    main()

"""Error rates and power of the promotion gate on the terminal."""

import json
import math
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from wealtharena.promotion.simulation import HORIZONS, SCENARIOS, Rate, Summary, run_scenario, worlds_of
from wealtharena.settings import PromotionSettings


def run_gate(
    names: Sequence[str], years: int, rules: PromotionSettings, seed: int, *, quiet: bool = False
) -> list[Summary]:
    """Simulates scenarios one after another with a progress bar on standard error."""
    summaries = []
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as progress:
        for name in names:
            scenario = SCENARIOS[name]
            task = progress.add_task(name, total=worlds_of(scenario, years))
            summaries.append(
                run_scenario(scenario, years, rules, seed, lambda done, task=task: progress.advance(task, done))  # type: ignore[misc]
            )
    return summaries


def print_gate(summaries: Sequence[Summary], as_json: bool) -> None:
    """Takeovers, what became of them, and a line per bound."""
    if as_json:
        print(json.dumps([summary.as_record() for summary in summaries]))  # noqa: T201 - the answer of the command
        return
    console = Console()
    console.print(_takeovers(summaries))
    console.print(_aftermath(summaries))
    for summary in summaries:
        for bound in summary.bounds:
            mark = "[green]kept[/green]" if bound.kept else "[red]missed[/red]"
            figure = _rate(bound.rate).replace("\n", ", ")
            console.print(f"{summary.scenario.name}: {bound.meaning} {bound.limit:.0%}: {figure}: {mark}")


def _takeovers(summaries: Sequence[Summary]) -> Table:
    """Where a lane is truly better, by that lane."""
    table = _headed(
        "Takeovers within sessions (95 % interval)", "worlds", *(f"≤ {days}" for days in HORIZONS), "median"
    )
    for summary in summaries:
        rates = [_rate(summary.promoted[days]) for days in HORIZONS]
        table.add_row(summary.scenario.name, f"{summary.wrong.worlds:,}", *rates, _number(summary.median_session))
    return table


def _aftermath(summaries: Sequence[Summary]) -> Table:
    table = _headed(
        "Afterwards (95 % interval)", "confirmed ≤ 252", "confirmed ≤ 504", "wrong ≤ 252", "rolled back", "days served"
    )
    for summary in summaries:
        table.add_row(
            summary.scenario.name,
            _rate(summary.confirmed[252]),
            _rate(summary.confirmed[504]),
            _rate(summary.wrong),
            "–" if summary.rolled_back is None else _rate(summary.rolled_back),
            _number(summary.days_in_service),
        )
    return table


def _headed(title: str, *columns: str) -> Table:
    table = Table(title=title)
    table.add_column("scenario", no_wrap=True, min_width=max(map(len, SCENARIOS)))
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    digits = 2 if rate.value < 0.02 else 1
    return f"{rate.value:.{digits}%}\n{100 * low:.{digits}f}–{100 * high:.{digits}f}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0f}"

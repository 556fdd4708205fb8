"""What a person sees in the terminal: bars while work goes on, tables when it is done, one line when it fails."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from wealtharena.core.errors import WealthArenaError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2

# Without a terminal (a log, a pipe) there is no width to respect.
_PIPED_WIDTH = 200
console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
errors = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPED_WIDTH)


def print_json(value: Any) -> None:
    """One line of JSON on standard output, unformatted, so that a machine can read the last line."""
    sys.stdout.write(json.dumps(value, default=str, sort_keys=True) + "\n")
    sys.stdout.flush()


@contextmanager
def friendly_errors(as_json: bool) -> Iterator[None]:
    """Turns our own errors into one message and exit code 2; anything else is a defect and keeps its traceback."""
    try:
        yield
    except WealthArenaError as error:
        report_error(str(error), as_json)
        raise SystemExit(EXIT_BAD_INPUT) from None


def report_error(message: str, as_json: bool) -> None:
    """One clear message on standard error, and as the last line of standard output when a machine listens."""
    errors.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    if as_json:
        print_json({"error": message})


def print_table(title: str, columns: list[str], rows: list[list[str]], right: tuple[str, ...] = ()) -> None:
    """A table; the columns named in ``right`` are right-aligned numbers."""
    if title:
        console.print(f"[italic]{escape(title)}[/]", soft_wrap=True)
    table = Table(header_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


@contextmanager
def progress_bars(verbose: bool) -> Iterator[None]:
    """Shows a bar for every piece of work that the tasks tell of; with ``verbose``, the log instead."""
    from tasks.progress import ProgressEvent, listen, unlisten

    if verbose or not errors.is_terminal:
        with _lines(verbose):
            yield
        return
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(24),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=errors) as progress:
        bars: dict[tuple[str, str], TaskID] = {}

        def show(event: ProgressEvent) -> None:
            key = (event.stage, event.item)
            if key not in bars:
                bars[key] = progress.add_task(f"{event.stage:<10} {event.item:<12}", total=event.total or None, note="")
            progress.update(bars[key], completed=event.done, total=event.total or None, note=escape(event.note))

        listen(show)
        try:
            yield
        finally:
            unlisten(show)


@contextmanager
def _lines(verbose: bool) -> Iterator[None]:
    """Without a terminal: one plain line when a piece of work ends."""
    from tasks.progress import ProgressEvent, listen, unlisten

    def show(event: ProgressEvent) -> None:
        if event.total and event.done >= event.total:
            errors.print(f"{event.stage} {event.item}: {escape(event.note) or 'done'}")

    if verbose:
        yield
        return
    listen(show)
    try:
        yield
    finally:
        unlisten(show)


def quiet_libraries(verbose: bool) -> None:
    """Keeps the libraries' own chatter off the terminal; must run before Prefect is imported."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "INFO" if verbose else "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "wealtharena,warehouse,tasks")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    logging.getLogger("wealtharena").setLevel(logging.INFO)

"""Tear sheets: an account's returns in quantstats' figures and charts, one HTML file each that loads nothing.

quantstats downloads, opens browsers and changes matplotlib for the whole process, so it works in processes of its own,
which may open no socket and keep matplotlib's files under a folder that is given to them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from wealtharena.core.hashing import hash_json
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.reporting.page import render_page, write_page

MIN_SESSIONS = 30
"""Sessions below which months, rolling windows and tails say nothing."""
SECONDS_PER_SHEET = 120.0
"""A process that takes longer is ended."""

_LAYOUT = 1  # raised when the page changes: pages of earlier nights are then drawn anew
_MARK = '<meta name="inputs" content="{}">'
_EARLIER = 3


@dataclass(frozen=True)
class TearSheet:
    """One account over T sessions, to be drawn.

    Attributes:
        title: heading of the page.
        account: name of the account.
        dates: (T,) sessions, increasing.
        returns: (T,) simple net returns.
        cash_returns: (T,) what an account that holds nothing but cash earns.
        annualisation: sessions per year.
        benchmark: name of what it is compared with, ``""`` for nothing.
        benchmark_returns: (T,) of the same sessions, None without benchmark.
        notes: sentences below the heading.
    """

    title: str
    account: str
    dates: DateArray
    returns: FloatArray
    cash_returns: FloatArray
    annualisation: int
    benchmark: str = ""
    benchmark_returns: FloatArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def cash_rate(self) -> float:
        """Mean return of cash, per year: what the Sharpe ratios of the sheet subtract."""
        return float(np.expm1(np.log1p(self.cash_returns).mean() * self.annualisation))

    @property
    def inputs(self) -> str:
        """Hash of everything that the page depends on."""
        return hash_json([self.as_json(), version("quantstats"), version("matplotlib"), _LAYOUT])

    def as_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` makes the same sheet of them."""
        plain = asdict(self) | {"dates": [str(day) for day in self.dates.astype("datetime64[D]")]}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in plain.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TearSheet":
        """The sheet of ``as_json``."""
        series = {name: np.array(values[name], dtype=np.float64) for name in ("returns", "cash_returns")}
        benchmark = values["benchmark_returns"]
        return cls(
            **dict(values)
            | series
            | {
                "dates": np.array(values["dates"], dtype="datetime64[D]"),
                "benchmark_returns": None if benchmark is None else np.array(benchmark, dtype=np.float64),
                "notes": tuple(values["notes"]),
            }
        )


def objection(returns: FloatArray, cash_returns: FloatArray) -> str:
    """Why quantstats cannot take a series of returns, in words; ``""`` if it can.

    It divides by zero where nothing moves, shows Sharpe ratios of 1e14 for constant series, and takes returns that are
    never negative and exceed 1 for prices.
    """
    if returns.size < MIN_SESSIONS:
        return f"there are {returns.size} sessions, and at least {MIN_SESSIONS} are needed"
    missing = int((~np.isfinite(returns)).sum())
    if missing:
        return f"{missing} of {returns.size} returns are not finite"
    if np.ptp(returns) == 0.0 or np.ptp(returns - cash_returns) < 1e-12:
        return "the account never traded: it earned what cash earned and nothing else"
    if returns.min() <= -1.0:
        return f"the account was lost: the worst return is {returns.min():.0%}"
    if returns.min() >= 0.0 and returns.max() > 1.0:
        return "no return is negative and one exceeds 100 %: quantstats would take them for prices"
    return ""


def write_tear_sheets(sheets: Mapping[Path, TearSheet], work: Path) -> dict[Path, str]:
    """Writes each sheet to its path; a sheet that an earlier folder beside it has for the same inputs is copied.

    Args:
        sheets: by path ``<reports>/<night>/<name>.html``.
        work: folder for what matplotlib keeps between calls; made if missing.

    Returns:
        Why a page shows no charts, by path; such a page says so.
    """
    found = {path: objection(sheet.returns, sheet.cash_returns) for path, sheet in sheets.items()}
    reasons = {path: reason for path, reason in found.items() if reason}
    to_draw = {path: sheet for path, sheet in sheets.items() if path not in reasons and not _taken_over(path, sheet)}
    reasons |= _drawn_side_by_side(to_draw, work)
    for path, reason in reasons.items():
        write_page(path, render_sheet(sheets[path], "", reason))
    return reasons


def render_sheet(sheet: TearSheet, body: str, reason: str = "") -> str:
    """The page around quantstats' charts and tables, or around the reason why there are none."""
    return render_page(
        "tear_sheet.html.jinja", sheet=sheet, inputs=sheet.inputs, first=sheet.dates[:1], last=sheet.dates[-1:],
        body=Markup(body), reason=reason,  # noqa: S704 - quantstats escapes names
    )  # fmt: skip


def _taken_over(path: Path, sheet: TearSheet) -> bool:
    """Whether the page is there, or an earlier night's folder had it."""
    mark = _MARK.format(sheet.inputs)
    beside = sorted(path.parent.parent.glob(f"*/{path.name}"), reverse=True)
    for found in ([path] if path.is_file() else []) + beside[:_EARLIER]:
        html = found.read_text(encoding="utf-8")
        if mark in html:
            write_page(path, html)
            return True
    return False


def _drawn_side_by_side(sheets: Mapping[Path, TearSheet], work: Path) -> dict[Path, str]:
    """Draws the sheets in one process per core; gives reasons of those that could not be drawn."""
    if not sheets:
        return {}
    paths = list(sheets)
    count = min(len(paths), os.cpu_count() or 1)
    shares = [paths[start::count] for start in range(count)]
    with ThreadPoolExecutor(count, thread_name_prefix="tear-sheets") as pool:
        parts = list(pool.map(lambda share: _drawn({path: sheets[path] for path in share}, work), shares))
    return {path: reason for part in parts for path, reason in part.items()}


def _drawn(sheets: Mapping[Path, TearSheet], work: Path) -> dict[Path, str]:
    """Draws sheets one after another in one process."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as name:
        bodies = [Path(name) / f"{number}.html" for number in range(len(sheets))]
        error = _run([sheet.as_json() for sheet in sheets.values()], bodies, work)
        reasons = {}
        for (path, sheet), body in zip(sheets.items(), bodies, strict=True):
            if body.is_file():
                write_page(path, render_sheet(sheet, body.read_text(encoding="utf-8")))
            else:
                refusal = body.with_suffix(".txt")
                reasons[path] = refusal.read_text(encoding="utf-8") if refusal.is_file() else error
    return reasons


def _run(sheets: Sequence[Mapping[str, Any]], bodies: Sequence[Path], work: Path) -> str:
    """Why the process did not do all of it; ``""`` if it did."""
    jobs = [{"sheet": sheet, "body": str(body)} for sheet, body in zip(sheets, bodies, strict=True)]
    command = [sys.executable, "-m", "wealtharena.reporting.tear_sheet_process"]
    environment = os.environ | {"MPLBACKEND": "Agg", "MPLCONFIGDIR": str(work.resolve())}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=json.dumps(jobs), env=environment, capture_output=True, text=True, check=False,
            timeout=SECONDS_PER_SHEET * len(jobs),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"quantstats took longer than {SECONDS_PER_SHEET:.0f} s a sheet"
    last = done.stderr.strip().splitlines()[-1:]
    return f"the drawing process ended with code {done.returncode}: {''.join(last)}" if done.returncode else ""

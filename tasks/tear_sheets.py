"""Tear sheets beside the report: ``reports/<night>/tearsheet-<agent>.html``."""

from collections.abc import Mapping
from pathlib import Path

from tasks.backtest import BacktestReceipt
from tasks.markets import annualisation_of
from tasks.night import Night
from tasks.walk_forward import WalkForwardReceipt
from wealtharena.reporting import SheetLink
from wealtharena.reporting.display import display_name
from wealtharena.reporting.gather import NightTables
from wealtharena.reporting.pages import Records
from wealtharena.reporting.tear_sheet import TearSheet, write_tear_sheets
from wealtharena.reporting.tear_sheet_accounts import held_out_sheet, history_sheets


def sheets_folder(report: Path) -> Path:
    """Where the tear sheets of a report lie."""
    return report.with_suffix("")


def make_tear_sheets(
    night: Night,
    report: Path,
    tables: NightTables,
    records: Records,
    scored: Mapping[str, BacktestReceipt],
    histories: Mapping[str, WalkForwardReceipt],
) -> dict[str, tuple[SheetLink, ...]]:
    """Writes the sheets that the settings ask for; gives the links of each agent."""
    wanted = night.settings.report.tear_sheets
    sheets: dict[str, dict[str, TearSheet]] = {}
    if wanted != "none":
        for agent, receipt in scored.items():
            rows = tables.equity[tables.equity["agent"] == agent]
            sheet = held_out_sheet(agent, rows, receipt.best_baseline, annualisation_of(night, agent))
            sheets[agent] = {} if sheet is None else {agent: sheet}
    if wanted == "all":
        for agent, history in histories.items():
            rows = records.returns[records.returns["agent"] == agent]
            found = history_sheets(agent, rows, history.table, annualisation_of(night, agent))
            sheets.setdefault(agent, {}).update({f"{lane}-history": sheet for lane, sheet in found.items()})
    folder = sheets_folder(report)
    paths = {folder / f"tearsheet-{name}.html": sheet for own in sheets.values() for name, sheet in own.items()}
    reasons = write_tear_sheets(paths, night.settings.home / "cache" / "matplotlib")
    return {
        agent: tuple(_link(agent, folder / f"tearsheet-{name}.html", sheet, reasons) for name, sheet in own.items())
        for agent, own in sheets.items()
    }


def _link(agent: str, path: Path, sheet: TearSheet, reasons: Mapping[Path, str]) -> SheetLink:
    lane, _, shown = sheet.title.partition(": ")
    named = shown if lane == display_name(agent) else f"{shown} of {sheet.account}"
    return SheetLink(f"{path.parent.name}/{path.name}", named, reasons.get(path, ""))

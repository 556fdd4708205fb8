"""Prints what `wealtharena simulate` found."""

from collections.abc import Sequence
from pathlib import Path

from flows import terminal
from wealtharena.reporting.calibration_page import CalibrationPage, fact_records


def print_calibration(page: CalibrationPage, files: Sequence[Path], as_json: bool) -> None:
    """One table of facts per asset class, then where the files are."""
    columns = ["fact", "fitted", "real", "90 % interval", "simulated", "90 % of markets", ""]
    for item in page.comparisons:
        rows = [
            [
                row.name,
                "yes" if row.fitted else "",
                f"{row.real:.3f}",
                f"{row.low:.3f} to {row.high:.3f}",
                f"{row.simulated:.3f}",
                f"{row.simulated_low:.3f} to {row.simulated_high:.3f}",
                "agrees" if row.agrees else "misses",
            ]
            for row in item.rows
        ]
        title = f"{item.name}: {len(item.symbols)} assets, {item.sessions} sessions"
        terminal.print_table(title, columns, rows, right=("real", "simulated"))
    terminal.console.print(f"Written: {', '.join(str(path) for path in files)}", soft_wrap=True)
    if as_json:
        facts = {item.name: fact_records(item) for item in page.comparisons}
        terminal.print_json({"facts": facts, "files": [str(path) for path in files]})

"""The drift watch as a table in the terminal: alarms first, then what is nearest to one."""

from flows import terminal
from tasks.drift import DriftFigure, DriftReceipt

_MOST = 12


def print_drift(receipt: DriftReceipt) -> None:
    """The figures of one champion; those far from their threshold are only counted."""
    ordered = sorted(receipt.figures, key=lambda figure: (not figure.alarm, -_share(figure)))
    rows = [
        [figure.kind, figure.name, _number(figure.value), f"{figure.threshold:.2f}", "alarm" if figure.alarm else ""]
        for figure in ordered[:_MOST]
    ]
    title = f"{receipt.agent}: {receipt.model}"
    terminal.print_table(title, ["kind", "figure", "value", "alarm from", ""], rows, right=("value", "alarm from"))
    if len(ordered) > _MOST:
        terminal.console.print(f"… and {len(ordered) - _MOST} figures that are farther from an alarm (--json: all)")


def _share(figure: DriftFigure) -> float:
    return 0.0 if figure.value is None else figure.value / figure.threshold


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

"""Prints how robust an agent's held-out result is and where it came from."""

from flows import terminal
from tasks.analysis import AnalysisReceipt

_LEVELS = ("0.05", "0.25", "0.50", "0.75", "0.95")
_TOP = 5
_METHODS = {"return_bootstrap": "resampled returns", "market_bootstrap": "resampled markets"}
_FIGURES = {"total_return": "return", "sharpe": "Sharpe", "max_drawdown": "drawdown"}


def print_analysis(receipt: AnalysisReceipt) -> None:
    """Quantiles and probability of loss, break-even cost, what a delay costs, and the largest contributions."""
    title = f"{receipt.agent} ({receipt.strategy}): {receipt.total_return:+.1%} in the held-out window; simulated:"
    columns = ["simulation", "figure", *(f"{float(level):.0%}" for level in _LEVELS), "P(loss)"]
    rows = []
    for place, values in receipt.quantiles.items():
        method, figure = place.split(".")
        loss = f"{receipt.loss_probability[method]:.1%}" if figure == "total_return" else ""
        cells = [_shown(figure, values[level]) for level in _LEVELS]
        rows.append([_METHODS[method], _FIGURES[figure], *cells, loss])
    terminal.print_table(title, columns, rows, right=tuple(columns[2:]))
    even = f"{receipt.break_even:.1f}x the cost" if receipt.break_even is not None else receipt.break_even_note
    delay = "–" if receipt.lag_loss is None else f"{receipt.lag_loss:.0%} of the return above cash"
    terminal.console.print(f"Break-even cost: {even}. A session's delay costs {delay}.", soft_wrap=True)
    for dimension, parts in receipt.contributions.items():
        largest = sorted(parts.items(), key=lambda item: -abs(item[1]))[:_TOP]
        text = ", ".join(f"{name} {value:+.1%}" for name, value in largest if value)
        terminal.console.print(f"By {dimension}: {text or 'nothing'}", soft_wrap=True, markup=False)
    terminal.console.print()


def _shown(figure: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:+.2f}" if figure == "sharpe" else f"{value:+.1%}" if figure == "total_return" else f"{value:.1%}"

"""Prints how robust an agent's held-out result is and where it came from."""

from flows import terminal
from tasks.analysis import AnalysisReceipt

_LEVELS = ("0.05", "0.25", "0.50", "0.75", "0.95")
_TOP = 5
_SHOWN_FROM = 0.0005
_METHODS = {"return_bootstrap": "resampled returns", "market_bootstrap": "resampled markets"}
_FIGURES = {"total_return": "return", "sharpe": "Sharpe", "max_drawdown": "drawdown"}


def print_analysis(receipt: AnalysisReceipt) -> None:
    """Quantiles and probability of loss, break-even cost, what a delay costs, and the largest contributions."""
    title = f"{receipt.agent} ({receipt.strategy}): {receipt.total_return:+.1%} in the held-out window; simulated:"
    columns = ["simulation", "figure", *(f"{float(level):.0%}" for level in _LEVELS), "P(loss)"]
    rows = [
        _row(receipt, method, figure)
        for method in _METHODS
        for figure in _FIGURES
        if f"{method}.{figure}" in receipt.quantiles
    ]
    terminal.print_table(title, columns, rows, right=tuple(columns[2:]))
    even = receipt.break_even_note if receipt.break_even is None else f"{receipt.break_even:.1f}x the cost"
    delay = "nothing was earned" if receipt.lag_loss is None else f"{receipt.lag_loss:.0%} of the return above cash"
    terminal.console.print(f"Break-even cost: {even}. Lost by a session's delay: {delay}.", soft_wrap=True)
    for dimension, parts in receipt.contributions.items():
        largest = sorted(parts.items(), key=lambda item: -abs(item[1]))[:_TOP]
        text = ", ".join(f"{name} {value:+.1%}" for name, value in largest if abs(value) >= _SHOWN_FROM)
        terminal.console.print(f"By {dimension}: {text or 'nothing'}", soft_wrap=True, markup=False)
    terminal.console.print()


def _row(receipt: AnalysisReceipt, method: str, figure: str) -> list[str]:
    cells = [_shown(figure, receipt.quantiles[f"{method}.{figure}"][level]) for level in _LEVELS]
    loss = f"{receipt.loss_probability[method]:.1%}" if figure == "total_return" else ""
    return [_METHODS[method], _FIGURES[figure], *cells, loss]


def _shown(figure: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:+.2f}" if figure == "sharpe" else f"{value:+.1%}" if figure == "total_return" else f"{value:.1%}"

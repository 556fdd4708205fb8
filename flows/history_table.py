"""Prints the histories of an agent's lanes beside those of its baselines."""

from collections.abc import Sequence

from flows import terminal
from wealtharena.evaluation.walk_forward_table import Estimate, Performance

_COLUMNS = [
    "strategy", "return p.a.", "2x costs", "Sharpe [95 %]", "Sharpe 2x [95 %]", "drawdown", "turnover", "net cost",
]  # fmt: skip


def print_history(agent: str, table: Sequence[Performance]) -> None:
    """One row per lane and baseline: figures out of sample, at the market's costs and (2x) at twice the costs.

    Return, turnover and net cost (less carry earned) are per year. Below it each lane's gain over the best baseline.
    """
    if not table:
        return
    sessions = max(row.sessions for row in table)
    title = f"{agent}: out of sample {min(r.first for r in table)} to {max(r.last for r in table)}, {sessions} sessions"
    rows = [
        [
            row.name if row.is_baseline else f"{row.name} (agent)",
            _percent(row.annual_return),
            _percent(row.annual_return_double_cost),
            _estimate(row.sharpe),
            _estimate(row.sharpe_double_cost),
            "–" if row.max_drawdown is None else f"{-row.max_drawdown or 0.0:.1%}",
            "–" if row.annual_turnover is None else f"{row.annual_turnover:.1f}",
            "–" if row.annual_cost is None else f"{row.annual_cost:.2%}",
        ]
        for row in table
    ]
    terminal.print_table(title, _COLUMNS, rows, right=tuple(_COLUMNS[1:]))
    for row in table:
        if row.best_baseline:
            gains = f"{_estimate(row.gain)}, at twice the costs {_estimate(row.gain_double_cost)}"
            terminal.console.print(
                f"{row.name}: Sharpe ratio less that of {row.best_baseline} {gains}", soft_wrap=True, markup=False
            )


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1%}"

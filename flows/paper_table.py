"""Prints the paper accounts."""

from collections.abc import Iterable

from flows import terminal
from tasks.paper import PaperAccount, PaperReceipt

_COLUMNS = ["slot", "lane", "since", "sessions", "return", "Sharpe", "drawdown", "last orders"]


def print_accounts(title: str, receipts: Iterable[PaperReceipt]) -> None:
    """One line per account; an account without a session has no figures yet."""
    rows = [[receipt.agent, *_cells(account)] for receipt in receipts for account in receipt.accounts]
    terminal.print_table(title, _COLUMNS, rows, right=("sessions", "return", "Sharpe", "drawdown"))


def _cells(account: PaperAccount) -> list[str]:
    fall = account.max_drawdown if account.sessions else None
    return [
        account.lane,
        account.since.isoformat() if account.since else "–",
        str(account.sessions),
        "–" if account.total_return is None or not account.sessions else f"{account.total_return:+.1%}",
        _with_error(account.sharpe, account.sharpe_standard_error),
        "–" if fall is None else f"{0.0 - fall:.1%}",
        account.last_orders.isoformat(),
    ]


def _with_error(value: float | None, error: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:+.2f}" if error is None else f"{value:+.2f} ± {error:.2f}"

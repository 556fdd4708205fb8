"""Prints what is there: champions, paper accounts, nights, tables, answers to SQL."""

from flows import terminal
from tasks import overview
from warehouse import Warehouse
from wealtharena.settings import Settings


def print_status(settings: Settings, as_json: bool) -> None:
    """Champions, paper accounts, the latest nights, and the tables of the warehouse."""
    state = overview.overview(settings)
    if not state["nights"]:
        terminal.console.print(f"Nothing has run yet under {settings.home}. Start with `wealtharena nightly`.")
    else:
        terminal.print_table("Champions", ["agent", "champion", "of night", "challenger"], state["champions"])
        columns = ["slot", "account", "since", "up to", "sessions", "return"]
        terminal.print_table("Paper accounts", columns, state["paper"], right=("sessions", "return"))
        terminal.print_table("Latest nights", ["night", "finished", "stages done", "failed"], state["nights"][:10])
        terminal.print_table("Warehouse", ["table", "rows", "version"], state["tables"], right=("rows", "version"))
    if as_json:
        terminal.print_json(state)


def print_query(settings: Settings, query: str, limit: int, as_json: bool) -> None:
    """The answer to a query as a table, cut at ``limit`` rows; all rows as JSON."""
    answer = Warehouse(settings.home / "warehouse").sql(query)
    rows = answer.slice(0, limit).to_pylist()
    columns = list(answer.column_names)
    terminal.print_table(
        "", columns, [["" if row[name] is None else str(row[name]) for name in columns] for row in rows]
    )
    if answer.num_rows > limit:
        terminal.console.print(f"… {answer.num_rows - limit} more rows (--limit)")
    if as_json:
        terminal.print_json({"columns": columns, "rows": answer.to_pylist()})

"""Versions of models, their history and their retention as tables in the terminal."""

from collections.abc import Sequence
from dataclasses import asdict

from flows import terminal
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker
from wealtharena.tracking.retention import Verdict

_MOST_REASONS = 2


def print_versions(settings: Settings, agents: Sequence[str], as_json: bool) -> None:
    """Every version with its aliases, state and night."""
    registry = ModelRegistry(Tracker(settings))
    rows = []
    for agent in agents:
        aliases = registry.aliases(agent)
        for info in registry.versions(agent):
            own = [name for name, version in aliases.items() if version == info.version]
            rows.append(
                {
                    "agent": agent,
                    "version": info.version,
                    "alias": ", ".join(own),
                    "state": info.state,
                    "lane": info.tags.get("lane_id", ""),
                    "night": info.tags.get("night", ""),
                    "files": "removed" if info.is_retired else "kept",
                }
            )
    _print("Models", rows, "No model has been registered yet: `wealtharena nightly` trains and registers some.")
    if as_json:
        terminal.print_json({"models": rows})


def print_history(settings: Settings, agents: Sequence[str], as_json: bool) -> None:
    """Every entry of the audit trail, the oldest first."""
    registry = ModelRegistry(Tracker(settings))
    told = {agent: [asdict(entry) for entry in registry.history(agent)] for agent in agents}
    for agent, entries in told.items():
        rows = [
            {
                "no.": str(entry["number"]),
                "moment": f"{entry['at']:%Y-%m-%d %H:%M:%S}",
                "act": str(entry["act"]),
                "from": entry["before"] or "–",
                "to": entry["after"] or "–",
                "state": entry["state"],
                "by": entry["by"],
                "decision": entry["decision_id"],
                "reason": entry["reason"],
            }
            for entry in entries
        ]
        _print(f"{agent}: champions", rows, f"{agent} has had no champion yet.")
    if as_json:
        plain = {agent: [{**entry, "at": entry["at"].isoformat()} for entry in own] for agent, own in told.items()}
        terminal.print_json({"history": plain})


def print_verdicts(verdicts: Sequence[Verdict], deleted: bool) -> None:
    """What goes or went, and why the others stay."""
    goes = "files removed" if deleted else "would go"
    rows = [
        {
            "agent": verdict.agent,
            "version": verdict.version,
            "days": str(verdict.days),
            "": goes if verdict.goes else "stays",
            "because": _reasons(verdict.reasons) if verdict.reasons else "nothing points to it",
        }
        for verdict in verdicts
    ]
    _print("Retention of models", rows, "No model has files: there is nothing to prune.")
    going = sum(verdict.goes for verdict in verdicts)
    if going and not deleted:
        terminal.console.print(f"Nothing was changed. {going} versions would lose their files: repeat with --delete.")


def _reasons(reasons: Sequence[str]) -> str:
    shown = "; ".join(reasons[:_MOST_REASONS])
    more = len(reasons) - _MOST_REASONS
    return f"{shown}; {more} more" if more > 0 else shown


def _print(title: str, rows: Sequence[dict[str, str]], if_empty: str) -> None:
    if not rows:
        terminal.console.print(if_empty)
        return
    columns = list(rows[0])
    terminal.print_table(title, columns, [list(row.values()) for row in rows])

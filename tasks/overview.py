"""What `wealtharena status` tells: champions, paper accounts, nights, tables."""

from typing import Any

from tasks.paper_accounts import CHAMPION_LANE, paper_sessions
from tasks.receipts import TABLE
from warehouse import Warehouse
from wealtharena.agents.specs import AGENTS
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker


def overview(settings: Settings) -> dict[str, Any]:
    """Rows, all empty before the first night: ``champions``, ``paper``, ``nights`` (latest first), ``tables``."""
    warehouse = Warehouse(settings.home / "warehouse")
    if not warehouse.exists(TABLE):
        return {"champions": [], "paper": [], "nights": [], "tables": []}
    return {
        "champions": _champions(settings),
        "paper": [row for agent in AGENTS for row in _paper(warehouse, agent)],
        "nights": _nights(warehouse),
        "tables": [[item.table, str(item.rows), str(item.version)] for item in warehouse.describe()],
    }


def _champions(settings: Settings) -> list[list[str]]:
    registry = ModelRegistry(Tracker(settings))
    rows = []
    for agent in AGENTS:
        champion = registry.alias(agent, "champion")
        challenger = registry.alias(agent, "challenger")
        rows.append(
            [
                agent,
                champion.version if champion else "none",
                champion.tags.get("night", "") if champion else "",
                challenger.version if challenger else "",
            ]
        )
    return rows


def _paper(warehouse: Warehouse, agent: str) -> list[list[str]]:
    """Accounts of an agent, the champion's first; what is left of former recipes comes last."""
    by_name = sorted(paper_sessions(warehouse, agent).items(), key=lambda item: (item[0] != CHAMPION_LANE, item[0]))
    accounts = sorted(by_name, key=lambda item: item[1].dates[-1], reverse=True)
    return [
        [agent, lane_id, str(item.dates[0]), str(item.dates[-1]), str(len(item.dates)), f"{item.equity[-1] - 1.0:+.1%}"]
        for lane_id, item in accounts
    ]


def _nights(warehouse: Warehouse) -> list[list[str]]:
    nights: dict[str, list[dict[str, Any]]] = {}
    for row in warehouse.read(TABLE).to_dict("records"):
        nights.setdefault(str(row["night"]), []).append({str(key): value for key, value in row.items()})
    rows = []
    for night, items in nights.items():
        failed = [f"{item['stage']}/{item['item']}" for item in items if item["status"] != "done"]
        last = max(item["finished_at"] for item in items)
        rows.append([night, str(last)[:19], str(len(items) - len(failed)), ", ".join(failed)])
    return sorted(rows, key=lambda row: row[1], reverse=True)

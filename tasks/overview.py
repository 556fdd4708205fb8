"""What `wealtharena status` tells: champions, nights, tables."""

from typing import Any

from tasks.receipts import TABLE
from warehouse import Warehouse
from wealtharena.agents.specs import AGENTS
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker


def overview(settings: Settings) -> dict[str, Any]:
    """Lists of rows: ``champions``, ``nights`` (latest first), ``tables``; all empty before the first night."""
    warehouse = Warehouse(settings.home / "warehouse")
    if not warehouse.exists(TABLE):
        return {"champions": [], "nights": [], "tables": []}
    return {
        "champions": _champions(settings),
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

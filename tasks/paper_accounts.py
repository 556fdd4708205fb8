"""Paper accounts in the warehouse: orders and sessions, added night by night and never changed afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.night import Night
from warehouse import Warehouse
from wealtharena.serving.paper import Orders, PaperSessions

ORDERS, SESSIONS = "out_lanes__orders", "out_lanes__paper"

CHAMPION_LANE = "champion"
"""Lane id of the account that follows the published signals, whichever model is in service."""

_COLUMNS = {
    "equity": "equity",
    "return": "returns",
    "cash_return": "cash_returns",
    "turnover": "turnover",
    "cost": "cost",
    "gross": "gross",
}


@dataclass(frozen=True)
class Recorded:
    """What the warehouse knows of one account.

    Attributes:
        orders: in the order of their sessions.
        sessions: that were reported.
    """

    orders: tuple[Orders, ...] = ()
    sessions: PaperSessions = field(default_factory=PaperSessions.none)

    @property
    def last_session(self) -> date | None:
        """The newest that was reported."""
        return self.sessions.dates[-1].astype(object) if len(self.sessions.dates) else None

    def why_not(self, as_of: date) -> str:
        """Why nothing may be recorded after the close of ``as_of``; ``""`` if it may."""
        if self.orders and self.orders[-1].as_of > as_of:
            return f"orders of {self.orders[-1].as_of} are recorded: those of {as_of} would come too late"
        if self.last_session is not None and self.last_session > as_of:
            return f"the session of {self.last_session} is recorded: orders of {as_of} would come too late"
        return ""


def paper_sessions(warehouse: Warehouse, agent: str) -> dict[str, PaperSessions]:
    """Sessions of every paper account of an agent by lane_id: the forward evidence."""
    return {
        str(lane_id): _sessions(rows)
        for lane_id, rows in warehouse.read_or_empty(SESSIONS, where={"agent": agent}).groupby("lane_id")
    }


def recorded_accounts(warehouse: Warehouse, agent: str) -> dict[str, Recorded]:
    """Every account of an agent that has orders, by lane_id."""
    sessions = paper_sessions(warehouse, agent)
    return {
        str(lane_id): Recorded(_orders(rows), sessions.get(str(lane_id), PaperSessions.none()))
        for lane_id, rows in warehouse.read_or_empty(ORDERS, where={"agent": agent}).groupby("lane_id")
    }


def record_orders(night: Night, agent: str, orders: Mapping[str, Orders]) -> None:
    """Keeps what accounts (by lane_id) decided; orders of the same session that never traded give way.

    Whoever calls has asked ``Recorded.why_not``.
    """
    rows = [
        _named(night, agent, lane_id)
        | {"as_of": item.as_of, "symbol": symbol, "target_weight": weight, "bundle_hash": item.bundle_hash}
        for lane_id, item in orders.items()
        for symbol, weight in sorted(item.weights.items())
    ]
    if rows:
        night.warehouse.write(ORDERS, pa.Table.from_pylist(rows))


def record_champion_orders(night: Night, agent: str, orders: Orders) -> tuple[str, ...]:
    """Keeps published signals as the orders of the agent's ``champion`` account; or tells why they are not."""
    known = recorded_accounts(night.warehouse, agent).get(CHAMPION_LANE, Recorded())
    reason = known.why_not(orders.as_of)
    if reason:
        return (f"paper account not continued: {reason}",)
    record_orders(night, agent, {CHAMPION_LANE: replacing(known, orders)})
    return ()


def replacing(known: Recorded, orders: Orders) -> Orders:
    """Orders that also sell what other orders of the same session, which they take the place of, would have bought."""
    before = known.orders[-1].weights if known.orders and known.orders[-1].as_of == orders.as_of else {}
    return Orders(orders.as_of, dict.fromkeys(before, 0.0) | dict(orders.weights), orders.bundle_hash)


def record_sessions(
    night: Night, agent: str, sessions: Mapping[str, PaperSessions], orders: Mapping[str, Sequence[Orders]]
) -> None:
    """Adds new sessions of accounts (by lane_id), each with the bundle whose orders were the latest before it."""
    rows = [row for lane_id, item in sessions.items() for row in _rows(night, agent, lane_id, item, orders[lane_id])]
    if rows:
        night.warehouse.write(SESSIONS, pa.Table.from_pylist(rows))


def _rows(
    night: Night, agent: str, lane_id: str, sessions: PaperSessions, orders: Sequence[Orders]
) -> list[dict[str, Any]]:
    decided = np.array([item.as_of for item in orders], dtype="datetime64[D]")
    latest = np.searchsorted(decided, sessions.dates, side="left") - 1
    own = _named(night, agent, lane_id)
    return [
        own
        | {"session_date": day.astype(object), "bundle_hash": orders[place].bundle_hash}
        | {name: float(getattr(sessions, attribute)[t]) for name, attribute in _COLUMNS.items()}
        for t, (day, place) in enumerate(zip(sessions.dates, latest, strict=True))
    ]


def _named(night: Night, agent: str, lane_id: str) -> dict[str, Any]:
    return {"agent": agent, "lane_id": lane_id, "night": night.night_id, "known_at": datetime.now(UTC)}


def _orders(rows: pd.DataFrame) -> tuple[Orders, ...]:
    return tuple(
        Orders(
            pd.Timestamp(str(as_of)).date(),
            dict(zip(own["symbol"], own["target_weight"].astype(float), strict=True)),
            str(own["bundle_hash"].iloc[0]),
        )
        for as_of, own in rows.groupby("as_of")
    )


def _sessions(rows: pd.DataFrame) -> PaperSessions:
    columns = {attribute: rows[name].to_numpy("float64") for name, attribute in _COLUMNS.items()}
    return PaperSessions(dates=rows["session_date"].to_numpy("datetime64[D]"), **columns)

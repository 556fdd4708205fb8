"""Small frames and an empty warehouse."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from warehouse import Warehouse

MONDAY = datetime(2026, 1, 5, 20, tzinfo=UTC)
TUESDAY = datetime(2026, 1, 6, 20, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")


@pytest.fixture
def raw_bars() -> Callable[..., pd.DataFrame]:
    """Raw bars from ``{(symbol, day): close}``."""

    def make(closes: dict[tuple[str, str], float], known_at: datetime = MONDAY, run_id: str = "run1") -> pd.DataFrame:
        return pd.DataFrame(
            {
                "symbol": [symbol for symbol, _ in closes],
                "asset_class": "stocks",
                "session_date": pd.to_datetime([day for _, day in closes]),
                "open": 10.0,
                "high": 12.0,
                "low": 9.0,
                "close": list(closes.values()),
                "adj_close": float("nan"),
                "volume": 1000.0,
                "dividend": 0.0,
                "split": 1.0,
                "price_basis": "as_traded",
                "currency": "USD",
                "epoch": 0,
                "payload_hash": run_id,
                "vendor": "files",
                "run_id": run_id,
                "known_at": known_at,
                "request": "2026-01-01 to 2026-01-02",
            }
        )

    return make


@pytest.fixture
def features() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": ["AAA", "AAA", "BBB"],
            "session_date": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-01"]),
            "observed": [False, True, True],
            "dollar_volume": [float("nan"), 2.0, 3.0],
            "volatility": [0.1, 0.2, 0.3],
            "momentum": [1.0, float("nan"), 3.0],
        }
    )


@pytest.fixture
def equity() -> Callable[[str, str, float], pd.DataFrame]:
    """Two sessions of one strategy of one agent in one night."""

    def make(night: str, agent: str, start: float) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "night": night,
                "agent": agent,
                "strategy": "agent",
                "session_date": pd.to_datetime(["2026-01-01", "2026-01-02"]),
                "equity": [start, start + 1.0],
                "return": [0.0, 1.0 / start],
                "turnover": 0.5,
                "cost": 0.0,
                "gross": 1.0,
            }
        )

    return make


@pytest.fixture
def outcomes() -> Callable[[dict[str, int]], pd.DataFrame]:
    """Outcomes of one collection from ``{symbol: rows}``; none has a first date."""

    def make(values: dict[str, int]) -> pd.DataFrame:
        texts = {
            "run_id": "r1",
            "night": "n1",
            "vendor": "files",
            "asset_class": "stocks",
            "outcome": "rows",
            "reason": "",
        }
        rows = pd.DataFrame({"symbol": list(values), "rows": list(values.values())})
        return rows.assign(**texts, first_date=None, last_date=pd.Timestamp("2026-01-05"))

    return make

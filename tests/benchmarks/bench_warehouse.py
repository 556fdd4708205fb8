"""Speed of the warehouse: ``python tests/benchmarks/bench_warehouse.py [upsert|panel] [--rows N] [--rounds N]``.

``upsert``: one day of bars of many symbols is written into 2, 5 and 10 years of their history, at most ``--rows`` rows;
reported are the seconds of a write (median over new days), the peak memory of the writing process, and the ratio to the
write into the shortest history. ``panel``: 500 symbols x 2,520 days are read with all columns, in turn with DuckDB's
bare ``read_parquet`` of the same files; reported are medians and their ratio.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pandas as pd

from warehouse import Warehouse

RAW, CORE = "raw_rest__daily_bars", "core_stocks__daily_bars"
SESSIONS_PER_YEAR = 250
LAST_YEAR = 2026
PANEL = (500, 2_520)


def write_one_day(root: Path, symbols: int, rounds: int) -> dict[str, float]:
    """Seconds of the writes of one further day each, and the peak memory of this process."""
    warehouse, seconds = Warehouse(root), []
    for day in _days_of(LAST_YEAR, SESSIONS_PER_YEAR + rounds)[SESSIONS_PER_YEAR:]:
        rows = bars(symbols, pd.DatetimeIndex([day]))
        start = time.perf_counter()
        warehouse.write(RAW, rows)
        seconds.append(time.perf_counter() - start)
    return {"seconds": median(seconds), "slowest": max(seconds), "peak_mib": _peak_mib()}


def upsert(rows: int, rounds: int) -> list[dict[str, object]]:
    """One line per length of history; the writes happen in a process of their own."""
    lines: list[dict[str, object]] = []
    for years in (2, 5, 10):
        symbols = min(5_000, max(1, rows // (10 * SESSIONS_PER_YEAR)))
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), symbols, years)
            os.sync()  # what is still on its way to the disk is not to be waited for in the measurement
            measured = _in_new_process(["write", folder, str(symbols), str(rounds)])
        base = lines[0]["seconds"] if lines else measured["seconds"]
        shape = {"years": years, "rows_before": symbols * years * SESSIONS_PER_YEAR, "rows_written": symbols}
        lines.append(shape | measured | {"ratio_to_2_years": measured["seconds"] / base})  # type: ignore[operator]
    return lines


def panel(rows: int, rounds: int) -> dict[str, object]:
    """Median seconds of both readers in turn."""
    symbols = min(PANEL[0], max(1, rows // PANEL[1]))
    took: dict[str, list[float]] = {"warehouse": [], "duckdb": []}
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder))
        warehouse.write(CORE, core_bars(symbols, pd.bdate_range(end=f"{LAST_YEAR}-10-30", periods=PANEL[1])))
        files = [str(path) for path in (Path(folder) / CORE).rglob("*.parquet")]
        for _ in range(rounds + 1):
            took["warehouse"].append(_seconds(lambda: warehouse.read(CORE)))
            took["duckdb"].append(_seconds(lambda: _duckdb(files)))
    ours, bare = (median(seconds[1:]) for seconds in took.values())
    shape = {"symbols": symbols, "days": PANEL[1], "files": len(files)}
    return shape | {"warehouse_seconds": ours, "duckdb_seconds": bare, "ratio": ours / bare}


def fill(root: Path, symbols: int, years: int) -> None:
    """The first days of every year up to the last one."""
    for year in range(LAST_YEAR - years + 1, LAST_YEAR + 1):
        Warehouse(root).write(RAW, bars(symbols, _days_of(year, SESSIONS_PER_YEAR)))


def bars(symbols: int, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Raw bars, a random walk for each symbol."""
    frame = _walks(symbols, days)
    texts = {"asset_class": "stocks", "price_basis": "split_adjusted", "currency": "USD", "vendor": "rest"}
    return frame.assign(
        **texts,
        adj_close=frame["close"],
        dividend=0.0,
        split=1.0,
        epoch=0,
        payload_hash="0123456789abcdef" * 4,
        run_id="2026-10-30-ab12cd34",
        request="GET /bars?from=2026-10-20&to=2026-10-30",
        known_at=datetime(2026, 10, 30, tzinfo=UTC),
    )


def core_bars(symbols: int, days: pd.DatetimeIndex) -> pd.DataFrame:
    """Checked bars, a random walk for each symbol."""
    frame = _walks(symbols, days)
    stale = np.random.default_rng(1).random(len(frame)) < 1e-3
    return frame.assign(adj_factor=1.0, tradable=True, flags=np.where(stale, "stale", ""), vendor="yahoo")


def _walks(symbols: int, days: pd.DatetimeIndex) -> pd.DataFrame:
    rng = np.random.default_rng(int(days[-1].value // 10**9))
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (symbols, len(days))), axis=1)).ravel(), 4)
    return pd.DataFrame(
        {
            "symbol": np.repeat([f"S{number:04d}.AX" for number in range(symbols)], len(days)),
            "session_date": np.tile(days.to_numpy(), symbols),
            "open": np.round(close * 1.001, 4),
            "high": np.round(close * 1.01, 4),
            "low": np.round(close * 0.99, 4),
            "close": close,
            "volume": rng.integers(10**4, 10**7, len(close)).astype(float),
        }
    )


def _days_of(year: int, count: int) -> pd.DatetimeIndex:
    return pd.date_range(f"{year}-01-01", periods=count)


def _in_new_process(arguments: list[str]) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _duckdb(files: list[str]) -> pd.DataFrame:
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet($1, hive_partitioning = false)", [files]).df()


def _seconds(act: object) -> float:
    start = time.perf_counter()
    act()  # type: ignore[operator]
    return time.perf_counter() - start


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _table(lines: list[dict[str, object]]) -> str:
    return pd.DataFrame(lines).round(3).to_string(index=False) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        sys.stdout.write(json.dumps(write_one_day(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("what", nargs="?", choices=("upsert", "panel"), help="default: both")
        parser.add_argument("--rows", type=int, default=12_500_000, help="rows of the longest history")
        parser.add_argument("--rounds", type=int, default=5)
        asked = parser.parse_args()
        if asked.what != "panel":
            sys.stdout.write(_table(upsert(asked.rows, asked.rounds)))
        if asked.what != "upsert":
            sys.stdout.write(_table([panel(asked.rows, asked.rounds)]))

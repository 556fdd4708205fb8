"""Several processes at once, and processes that are killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pandas as pd

from warehouse import Warehouse

RAW = "raw_simulator__macro"
RECEIPTS = "out_runs__receipts"
FEATURES = "out_crypto__features"
EQUITY = "out_backtest__daily_equity"
PROCESSES = 3
WRITES = 5
START = datetime(2026, 1, 5, tzinfo=UTC)


def test_processes_that_write_at_once_lose_no_rows_and_double_none(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    workers = [context.Process(target=_write_a_lot, args=(tmp_path, number, barrier)) for number in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    store = Warehouse(tmp_path)
    expected = {f"{number}-{step}" for number in range(PROCESSES) for step in range(WRITES)}
    assert set(store.read(RECEIPTS)["item"]) == expected
    # All processes offered the same observations: each is stored once, whoever came first.
    assert store.sql("SELECT count(*) AS n FROM raw_simulator__macro__history")["n"].to_pylist() == [WRITES]
    assert len(store.read(EQUITY)) == PROCESSES
    assert store.read(EQUITY)["equity"].tolist() == [float(WRITES - 1)] * PROCESSES


def test_threads_that_write_at_once_lose_no_rows(tmp_path: Path) -> None:
    store = Warehouse(tmp_path)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: store.write(RECEIPTS, _receipt(f"k{number}")), range(24)))
    assert len(store.read(RECEIPTS)) == 24


def test_a_table_is_created_once_however_many_begin_it(tmp_path: Path) -> None:
    threads = 6
    for attempt in range(5):
        store, barrier = Warehouse(tmp_path / str(attempt)), Barrier(threads)

        def write(number: int, store: Warehouse = store, barrier: Barrier = barrier) -> None:
            barrier.wait(60)
            store.write(RAW, _observation(0, START + timedelta(minutes=number)))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(write, range(threads)))
        assert store.sql("SELECT count(*) AS n FROM raw_simulator__macro__history")["n"].to_pylist() == [1]


def test_a_writer_that_is_killed_leaves_the_last_whole_version(tmp_path: Path) -> None:
    for number in range(3):
        _kill_while_writing(tmp_path, after_seconds=0.15 + 0.15 * number)
        found = Warehouse(tmp_path).read(FEATURES, columns=["volatility"])["volatility"]
        assert len(found) == 60_000
        assert (found == found[0]).all()
    survivors = Warehouse(tmp_path)
    survivors.write(FEATURES, _features(marker=-1.0))
    assert set(survivors.read(FEATURES)["volatility"]) == {-1.0}


def _write_a_lot(root: Path, number: int, barrier: "multiprocessing.synchronize.Barrier") -> None:
    store = Warehouse(root)
    for step in range(WRITES):
        barrier.wait(60)
        store.write(RECEIPTS, _receipt(f"{number}-{step}"))
        barrier.wait(60)
        store.write(RAW, _observation(step, START + timedelta(minutes=number)))
        store.write(EQUITY, _equity(f"agent{number}", float(step)), f"n1/agent{number}")


def _receipt(item: str) -> pd.DataFrame:
    texts = {"night": "n1", "stage": "train", "status": "done", "inputs_hash": "", "receipt": "{}", "message": ""}
    return pd.DataFrame([texts | {"item": item, "run_id": "r", "finished_at": START}])


def _observation(step: int, known_at: datetime) -> pd.DataFrame:
    day = pd.Timestamp("2026-01-01") + pd.Timedelta(days=step)
    row = {"series": "GDP", "reference_date": day, "value": float(step), "available_date": day}
    how = {"payload_hash": "x", "vendor": "simulator", "run_id": "r", "request": ""}
    return pd.DataFrame([row | how | {"known_at": known_at}])


def _equity(agent: str, value: float) -> pd.DataFrame:
    row = {"night": "n1", "agent": agent, "strategy": "agent", "session_date": pd.Timestamp("2026-01-01")}
    return pd.DataFrame([row | {"equity": value, "return": 0.0, "turnover": 0.0, "cost": 0.0, "gross": 0.0}])


def _features(marker: float) -> pd.DataFrame:
    days = pd.date_range("2000-01-01", periods=6_000)
    frame = pd.DataFrame({"session_date": days}).merge(pd.DataFrame({"symbol": list("ABCDEFGHIJ")}), how="cross")
    return frame.assign(observed=True, dollar_volume=1.0, volatility=marker)


def _kill_while_writing(root: Path, after_seconds: float) -> None:
    code = (
        "import itertools, sys; from pathlib import Path\n"
        "from test_warehouse_processes import FEATURES, _features; from warehouse import Warehouse\n"
        "store = Warehouse(Path(sys.argv[1]))\n"
        "for marker in itertools.count(): print(store.write(FEATURES, _features(float(marker))).version, flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().strip().isdigit()
        time.sleep(after_seconds)
        writer.send_signal(signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL

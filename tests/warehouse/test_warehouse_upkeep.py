"""Maintenance: fewer files, the same rows, and every kept version can still be read."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from deltalake import DeltaTable

from warehouse import Warehouse, maintain
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
FEATURES = "out_stocks__features"
EQUITY = "out_backtest__daily_equity"
OUTCOMES = "core_quality__outcomes"
A1 = ("AAA", "2026-01-01")

RawBars = Callable[..., pd.DataFrame]
Equity = Callable[[str, str, float], pd.DataFrame]
Outcomes = Callable[[dict[str, int]], pd.DataFrame]


def test_small_files_of_each_part_are_merged_and_rows_stay(store: Warehouse, raw_bars: RawBars, equity: Equity) -> None:
    for day in range(1, 4):
        store.write(RAW, raw_bars({("AAA", f"2026-01-0{day}"): 1.0, ("AAA", f"2025-01-0{day}"): 2.0}))
    for number, agent in enumerate(("stocks", "crypto")):
        store.write(EQUITY, equity("n:1+a", agent, float(number + 1)), f"n:1+a/{agent}")
    before = {table: store.read(table) for table in (RAW, EQUITY)}
    report = {line.table: line for line in maintain(store, 7, {}, datetime.now(UTC))}
    assert list(report) == [RAW, EQUITY]
    assert (report[RAW].files_before, report[RAW].files_after) == (6, 8)
    assert report[RAW].readable_versions == (0, 1, 2, 3, 4)
    assert {table: len(DeltaTable(store.root / table).file_uris()) for table in before} == {RAW: 2, EQUITY: 1}
    for table, rows in before.items():
        pd.testing.assert_frame_equal(store.read(table), rows)
    again = maintain(store, 7, {}, datetime.now(UTC))
    assert [line.files_after for line in again] == [line.files_after for line in report.values()]


def test_old_versions_go_except_those_that_are_kept(store: Warehouse, features: pd.DataFrame) -> None:
    for number in range(5):
        store.write(FEATURES, features.assign(volatility=float(number)))
    [line] = maintain(store, 7, {FEATURES: {1, 99}}, _in_days(8))
    assert line.readable_versions == (1, 4)
    assert (line.files_before, line.files_after) == (5, 2)
    assert line.bytes_after < line.bytes_before
    assert store.read(FEATURES, version=1)["volatility"].tolist() == [1.0] * 3
    assert store.read(FEATURES)["volatility"].tolist() == [4.0] * 3
    with pytest.raises(WarehouseError, match=rf"table {FEATURES}: files of version 2 were removed .*`keep_days`"):
        store.read(FEATURES, version=2)
    assert maintain(store, 7, {FEATURES: {1}}, _in_days(9))[0].files_after == 2


def test_versions_of_the_last_days_stay_and_so_does_the_one_before_them(
    store: Warehouse, features: pd.DataFrame
) -> None:
    for number in range(3):
        store.write(FEATURES, features.assign(volatility=float(number)))
    assert maintain(store, 7, {}, _in_days(6))[0].readable_versions == (0, 1, 2)
    assert maintain(store, 0, {}, datetime.now(UTC))[0].readable_versions == (0, 1, 2)
    assert maintain(store, 0, {}, _in_days(1))[0].readable_versions == (2,)


def test_files_of_killed_writers_are_removed_once_they_are_a_day_old(store: Warehouse, features: pd.DataFrame) -> None:
    store.write(FEATURES, features)
    old, unfinished, young = (
        store.root / FEATURES / f"part-{name}" for name in ("a.parquet", "b.parquet#1", "c.parquet")
    )
    for path in (old, unfinished, young):
        path.write_bytes(b"PAR1")
    past = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    for path in (old, unfinished):
        os.utime(path, (past, past))
    maintain(store, 7, {}, datetime.now(UTC))
    assert (old.exists(), unfinished.exists(), young.exists()) == (False, False, True)
    assert len(store.read(FEATURES)) == 3


def test_writers_and_readers_of_kept_versions_notice_nothing(store: Warehouse, outcomes: Outcomes) -> None:
    first = store.write(OUTCOMES, outcomes({"S0": 0}))

    def write(worker: int) -> None:
        for number in range(8):
            store.write(OUTCOMES, outcomes({f"S{worker}-{number}": 1}))

    def read(_: int) -> None:
        for _ in range(10):
            assert len(store.read(OUTCOMES, version=first.version)) == 1
            assert len(store.read(OUTCOMES)) >= 1

    def keep_up(_: int) -> None:
        for _ in range(4):
            maintain(Warehouse(store.root), 1, {OUTCOMES: {first.version}}, datetime.now(UTC))

    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(act, number) for number, act in enumerate((write, write, read, keep_up))]
        for task in tasks:
            task.result()
    assert len(store.read(OUTCOMES)) == 17
    maintain(store, 1, {OUTCOMES: {first.version}}, _in_days(2))
    assert len(DeltaTable(store.root / OUTCOMES).file_uris()) == 1
    assert len(store.read(OUTCOMES)) == 17
    assert len(store.read(OUTCOMES, version=first.version)) == 1


def test_what_was_known_is_told_after_the_versions_are_gone(store: Warehouse, raw_bars: RawBars) -> None:
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    for number in range(3):
        store.write(RAW, raw_bars({A1: float(number)}, known_at=monday + timedelta(days=number)))
    maintain(store, 7, {}, _in_days(8))
    assert store.read(RAW, history=True)["close"].tolist() == [0.0, 1.0, 2.0]
    assert store.read(RAW, as_known_at=monday)["close"].tolist() == [0.0]


def test_progress_is_told_and_senseless_arguments_are_refused(store: Warehouse, features: pd.DataFrame) -> None:
    store.write(FEATURES, features)
    store.write("out_crypto__features", features)
    told: list[tuple[str, int, int]] = []
    maintain(store, 7, {}, datetime.now(UTC), lambda *line: told.append(line))
    assert told == [(FEATURES, 0, 2), ("out_crypto__features", 1, 2)]
    with pytest.raises(WarehouseError, match="`keep_days` must not be negative, got -1"):
        maintain(store, -1, {}, datetime.now(UTC))
    with pytest.raises(WarehouseError, match="`now` must have a time zone"):
        maintain(store, 1, {}, datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(WarehouseError, match="unknown table 'nix'"):
        maintain(store, 1, {"nix": {1}}, datetime.now(UTC))


def _in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)

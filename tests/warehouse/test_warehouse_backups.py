"""Backups: whole, checked, taken and put back while others write."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from warehouse import Warehouse, backup, maintain, restore
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
FEATURES = "out_stocks__features"
EQUITY = "out_backtest__daily_equity"
RECEIPTS = "out_runs__receipts"
TUESDAY = datetime(2026, 1, 6, 20, tzinfo=UTC)
OLD, A1, A2 = ("AAA", "2024-12-31"), ("AAA", "2026-01-01"), ("AAA", "2026-01-02")

RawBars = Callable[..., pd.DataFrame]
Equity = Callable[[str, str, float], pd.DataFrame]


@pytest.fixture
def filled(store: Warehouse, raw_bars: RawBars, features: pd.DataFrame, equity: Equity) -> Warehouse:
    store.write(RAW, raw_bars({OLD: 1.0, A1: 2.0}))
    store.write(RAW, raw_bars({A1: 3.0}, known_at=TUESDAY))
    store.write(FEATURES, features.drop(columns="momentum"))
    store.write(FEATURES, features)
    store.write(EQUITY, equity("n:1+a", "stocks", 1.0), "n:1+a/stocks")
    return store


def test_a_new_place_gets_every_table_with_its_history(filled: Warehouse, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    report = backup(filled, tmp_path / "backup", lambda *line: told.append(line))
    assert [(line.table, line.version, line.readable_versions) for line in report] == [
        (RAW, 1, (0, 1)),
        (FEATURES, 1, (0, 1)),
        (EQUITY, 0, (0,)),
    ]
    assert told == [(RAW, 0, 3), (FEATURES, 1, 3), (EQUITY, 2, 3)]
    other = Warehouse(tmp_path / "other")
    restored = restore(tmp_path / "backup", other)
    assert [(line.table, line.backup_version, line.version, line.changed) for line in restored] == [
        (RAW, 1, 1, True),
        (FEATURES, 1, 1, True),
        (EQUITY, 0, 0, True),
    ]
    for line in report:
        assert other.ref(line.table) == filled.ref(line.table)
        for version in line.readable_versions:
            rows = filled.read(line.table, version=version)
            pd.testing.assert_frame_equal(other.read(line.table, version=version), rows)
    pd.testing.assert_frame_equal(other.read(RAW, history=True), filled.read(RAW, history=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "other", "warehouse"]


def test_in_a_warehouse_the_backup_becomes_the_next_version(
    filled: Warehouse, raw_bars: RawBars, features: pd.DataFrame, equity: Equity, tmp_path: Path
) -> None:
    backup(filled, tmp_path / "backup")
    before = {table: filled.ref(table) for table in (RAW, FEATURES, EQUITY)}
    filled.write(RAW, raw_bars({A2: 9.0}, known_at=TUESDAY))
    filled.write(FEATURES, features.assign(carry=1.0).iloc[:1])
    filled.write(EQUITY, equity("n:1+a", "crypto", 5.0), "n:1+a/crypto")
    filled.write("out_crypto__features", features)
    report = {line.table: line.version for line in restore(tmp_path / "backup", filled)}
    assert report == {RAW: 3, FEATURES: 3, EQUITY: 2}
    for table, ref in before.items():
        found = filled.ref(table)
        assert (found.rows, found.content_hash) == (ref.rows, ref.content_hash)
    assert list(filled.read(FEATURES).columns) == list(features.columns)
    assert filled.read(RAW, version=2)["close"].tolist() == [1.0, 3.0, 9.0]
    assert len(filled.read("out_crypto__features")) == 3
    assert not any(line.changed for line in restore(tmp_path / "backup", filled))
    assert filled.write(RAW, raw_bars({A2: 9.0}, known_at=TUESDAY)).version == 4
    assert filled.write(EQUITY, equity("n:1+a", "stocks", 1.0), "n:1+a/stocks").version == 2


def test_versions_that_maintenance_removed_are_missing_in_the_backup_too(filled: Warehouse, tmp_path: Path) -> None:
    maintain(filled, 1, {}, datetime.now(UTC) + timedelta(days=2))
    report = {line.table: line.readable_versions for line in backup(filled, tmp_path / "backup")}
    assert report[FEATURES] == (1,)
    restore(tmp_path / "backup", Warehouse(tmp_path / "other"))
    pd.testing.assert_frame_equal(Warehouse(tmp_path / "other").read(FEATURES), filled.read(FEATURES))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files[0].write_bytes(b"other"), "was altered: .* is not what was backed up"),
        (lambda files: files[0].unlink(), "is incomplete: .* is missing"),
        (lambda files: files[0].with_name("extra.parquet").write_bytes(b""), "was altered: .*extra.parquet"),
    ],
)
def test_an_altered_or_incomplete_backup_is_refused_and_changes_nothing(
    filled: Warehouse, tmp_path: Path, change: Callable[[list[Path]], object], message: str
) -> None:
    backup(filled, tmp_path / "backup")
    change(sorted((tmp_path / "backup" / RAW).rglob("*.parquet")))
    with pytest.raises(WarehouseError, match=f"backup {tmp_path}/backup {message}"):
        restore(tmp_path / "backup", filled)
    with pytest.raises(WarehouseError, match=message):
        restore(tmp_path / "backup", Warehouse(tmp_path / "other"))
    assert filled.version(RAW) == 1
    assert not (tmp_path / "other").exists()


def test_what_is_no_backup_is_refused(filled: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"is no backup: manifest.json: .*No such file"):
        restore(tmp_path, filled)
    for text in ("{", "[]", '{"tables": {"x": {}}}'):
        (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(WarehouseError, match="is no backup"):
            restore(tmp_path, filled)
    backup(filled, tmp_path / "backup")
    manifest = tmp_path / "backup" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | {"format": 2}), encoding="utf-8")
    with pytest.raises(WarehouseError, match="was made by another release"):
        restore(tmp_path / "backup", filled)


def test_a_backup_needs_room_of_its_own(filled: Warehouse, tmp_path: Path) -> None:
    for inside in (filled.root, filled.root / "backup", filled.root / RAW / "x"):
        with pytest.raises(WarehouseError, match="a backup must lie outside the warehouse"):
            backup(filled, inside)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("", encoding="utf-8")
    for used in (tmp_path / "used", tmp_path / "used" / "file"):
        with pytest.raises(WarehouseError, match="a backup needs a new or empty folder"):
            backup(filled, used)
    with pytest.raises(WarehouseError, match="there is nothing to back up"):
        backup(Warehouse(tmp_path / "nothing"), tmp_path / "backup")
    (tmp_path / "backup").mkdir()
    assert len(backup(filled, tmp_path / "backup")) == 3


def test_leftovers_of_a_killed_writer_are_not_overwritten(filled: Warehouse, tmp_path: Path) -> None:
    backup(filled, tmp_path / "backup")
    other = Warehouse(tmp_path / "other")
    (other.root / FEATURES).mkdir(parents=True)
    (other.root / FEATURES / "part.parquet").write_bytes(b"PAR1")
    with pytest.raises(WarehouseError, match="holds files that are no table"):
        restore(tmp_path / "backup", other)
    (other.root / FEATURES / "part.parquet").unlink()
    assert [line.changed for line in restore(tmp_path / "backup", other)] == [False, True, True]


def test_runs_go_on_while_backups_are_taken_and_put_back(store: Warehouse, tmp_path: Path) -> None:
    """Each backup holds a prefix of what one writer wrote; after each restore no reader sees half a table."""
    store.write(RECEIPTS, _receipt(0))

    def write(_: int) -> None:
        for number in range(1, 13):
            store.write(RECEIPTS, _receipt(number))

    def take(_: int) -> None:
        for number in range(3):
            backup(Warehouse(store.root), tmp_path / f"backup{number}")

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(act, 0) for act in (write, take)]:
            task.result()
    assert len(store.read(RECEIPTS)) == 13
    for number in range(3):
        other = Warehouse(tmp_path / f"other{number}")
        restore(tmp_path / f"backup{number}", other)
        found = other.read(RECEIPTS)["item"].tolist()
        assert found == [f"{item:03d}" for item in range(len(found))]

    def put_back(_: int) -> None:
        for number in (0, 2, 0):
            restore(tmp_path / f"backup{number}", Warehouse(store.root))

    def read(_: int) -> None:
        for _ in range(10):
            found = store.read(RECEIPTS)["item"].tolist()
            assert found == sorted(found)
            assert found[0] == "000"

    with ThreadPoolExecutor(3) as pool:
        for task in [pool.submit(act, 0) for act in (put_back, read, write)]:
            task.result()
    store.write(RECEIPTS, _receipt(99))
    assert store.read(RECEIPTS)["item"].tolist()[-1] == "099"


def _receipt(number: int) -> pd.DataFrame:
    texts = {"night": "n1", "stage": "train", "status": "done", "inputs_hash": "", "receipt": "{}", "message": ""}
    return pd.DataFrame([texts | {"item": f"{number:03d}", "run_id": "r", "finished_at": TUESDAY}])

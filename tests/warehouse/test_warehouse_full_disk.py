"""A full disk ends in a clear error, and nothing that was stored is harmed."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from warehouse import Journal, Warehouse, backup
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
FEATURES = "out_stocks__features"

RawBars = Callable[..., pd.DataFrame]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_write_that_does_not_fit_changes_nothing(small_disk: Path, raw_bars: RawBars) -> None:
    store = Warehouse(small_disk / "warehouse")
    store.write(RAW, raw_bars({("AAA", "2026-01-01"): 1.0}))
    with pytest.raises(WarehouseError, match=rf"table {RAW} could not be written: {_full(small_disk)}"):
        store.write(RAW, _many_bars(raw_bars, 200_000))
    assert store.read(RAW)["close"].tolist() == [1.0]
    assert store.write(RAW, raw_bars({("AAA", "2026-01-02"): 2.0})).version == 1
    assert len(list((store.root / RAW).rglob("*.parquet*"))) == 2


def test_a_table_that_cannot_be_created_does_not_exist(small_disk: Path, features: pd.DataFrame) -> None:
    store = Warehouse(small_disk / "warehouse")
    large = pd.DataFrame({"session_date": pd.date_range("1700-01-01", periods=100_000), "symbol": "AAA"})
    noise = np.random.default_rng(0).normal(size=(3, len(large)))
    large = large.assign(observed=True, dollar_volume=noise[0], volatility=noise[1], momentum=noise[2])
    with pytest.raises(WarehouseError, match=rf"table {FEATURES} could not be written: {_full(small_disk)}"):
        store.write(FEATURES, large)
    assert not store.exists(FEATURES)
    assert store.write(FEATURES, features).version == 0


def test_a_disk_that_fills_up_keeps_every_entry_and_version_that_was_acknowledged(
    small_disk: Path, raw_bars: RawBars
) -> None:
    store, journal = Warehouse(small_disk / "warehouse"), Journal(small_disk / "journal")
    kept = 0
    with pytest.raises(WarehouseError, match=rf"journal entry could not be written: {_full(small_disk)}"):
        while True:
            journal.append({"n": kept}, pa.table({"n": np.arange(20_000)}))
            kept += 1
    assert [entry.metadata["n"] for entry in journal.entries()] == list(range(kept))
    assert len(list(journal.folder.iterdir())) == kept
    (small_disk / "rest").write_bytes(b"")
    _fill(small_disk / "rest")
    with pytest.raises(WarehouseError, match=rf"table {RAW} could not be written: {_full(small_disk)}"):
        store.write(RAW, raw_bars({("AAA", "2026-01-01"): 1.0}))
    journal.discard(journal.entries())
    store.write(RAW, raw_bars({("AAA", "2026-01-01"): 1.0}))
    assert len(store.read(RAW)) == 1


def test_a_backup_that_does_not_fit_leaves_nothing_behind(
    small_disk: Path, store: Warehouse, raw_bars: RawBars
) -> None:
    store.write(RAW, _many_bars(raw_bars, 200_000))
    with pytest.raises(WarehouseError, match=rf"backup could not be written: {_full(small_disk)}"):
        backup(store, small_disk / "backup")
    assert list(small_disk.iterdir()) == []


def _full(disk: Path) -> str:
    return rf"no space left on device \(folder {disk}.*, \d+ MB free\)"


def _many_bars(raw_bars: RawBars, rows: int) -> pd.DataFrame:
    frame = raw_bars({("AAA", "2026-01-01"): 1.0})
    noise = np.random.default_rng(0).normal(size=(2, rows))
    frame = frame.loc[frame.index.repeat(rows)].reset_index(drop=True)
    frame = frame.assign(symbol=[f"S{number}" for number in range(rows)], open=noise[0], close=noise[1])
    return frame.assign(known_at=frame["known_at"] + timedelta(days=1))


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as stream:
        for size in (4096, 1):
            try:
                while True:
                    stream.write(b"x" * size)
            except OSError:
                continue

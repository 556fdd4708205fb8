"""Storage that fails ends in one message that names the table, not in a traceback or in empty data."""

from pathlib import Path

import pandas as pd
import pytest

from warehouse import Warehouse
from wealtharena.core.errors import WarehouseError

FEATURES = "out_stocks__features"


@pytest.mark.parametrize("damage", ["truncate", "delete"])
def test_a_damaged_data_file_is_reported(store: Warehouse, features: pd.DataFrame, damage: str) -> None:
    store.write(FEATURES, features)
    [file] = (store.root / FEATURES).glob("*.parquet")
    if damage == "delete":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100])
    for act in (
        lambda: store.read(FEATURES),
        lambda: store.ref(FEATURES),
        lambda: store.sql("SELECT * FROM out_stocks__features"),
        lambda: store.write(FEATURES, features.iloc[:1]),
    ):
        with pytest.raises(WarehouseError) as caught:
            act()
        assert "\n" not in str(caught.value)


def test_a_damaged_log_is_reported(store: Warehouse, features: pd.DataFrame) -> None:
    store.write(FEATURES, features)
    (store.root / FEATURES / "_delta_log" / "00000000000000000000.json").write_text("{broken", encoding="utf-8")
    with pytest.raises(WarehouseError, match=f"table {FEATURES} could not be read: "):
        store.read(FEATURES)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path, features: pd.DataFrame) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(WarehouseError, match=f"table {FEATURES} could not be written: .*Not a directory"):
        Warehouse(tmp_path / "file").write(FEATURES, features)


def test_data_files_without_a_log_are_not_a_table(store: Warehouse, features: pd.DataFrame) -> None:
    """What a process leaves that is killed before its first commit."""
    store.write(FEATURES, features)
    for entry in (store.root / FEATURES / "_delta_log").iterdir():
        entry.unlink()
    assert not store.exists(FEATURES)
    assert store.describe() == []
    assert store.write(FEATURES, features.iloc[:1]).version == 0
    assert len(store.read(FEATURES)) == 1

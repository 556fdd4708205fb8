"""Upkeep keeps what models in service were made from, and a backup brings back what it holds."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from collected_tables import BTC, core_bars, write_collected

from tasks.progress import ProgressEvent, listen, unlisten
from tasks.receipts import TABLE
from tasks.upkeep import backup, maintain, restore
from warehouse import Warehouse
from wealtharena.core.errors import WarehouseError
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker

BARS = "core_crypto__daily_bars"
MUCH_LATER = datetime.now(UTC) + timedelta(days=60)


def five_versions(warehouse: Warehouse) -> None:
    """Versions 0 to 4, whose close is their number."""
    for version in range(5):
        warehouse.write(BARS, core_bars("BTC-USD", dict.fromkeys(BTC, float(version))))


def readable(report: list[dict[str, Any]], table: str = BARS) -> str:
    return next(str(row["readable versions"]) for row in report if row["table"] == table)


@pytest.mark.slow
def test_versions_that_models_in_service_name_stay_readable(tmp_path: Path) -> None:
    """Versions 0 to 2: former champion, champion, challenger, named in three ways; 3: refused; 4: the present one."""
    settings = Settings(home=tmp_path)
    warehouse = Warehouse(tmp_path / "warehouse")
    five_versions(warehouse)
    named: list[Any] = [
        {"core": {"name": BARS, "version": 0, "rows": 3}},
        {"raw_versions": {BARS: 1, "no_such_table": 9}},
        {"tables": [{"name": BARS, "version": 2}, {"name": "no_such_table", "version": 9}]},
        {"core": {"name": BARS, "version": 3}},
    ]
    _record_receipts(warehouse, [json.dumps(receipt) for receipt in named])
    _register_models(settings, tmp_path / "bundle")
    report = maintain(settings, MUCH_LATER)
    assert readable(report) == "0–2, 4"
    for version in (0, 1, 2, 4):
        assert set(warehouse.read(BARS, version=version)["close"]) == {float(version)}
    with pytest.raises(WarehouseError, match="files of version 3 were removed by maintenance"):
        warehouse.read(BARS, version=3)


def test_young_versions_stay_and_without_models_all_older_ones_go(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    five_versions(warehouse)
    events: list[ProgressEvent] = []
    listen(events.append)
    try:
        kept = maintain(Settings.model_validate({"home": tmp_path, "warehouse": {"keep_days": 90}}), MUCH_LATER)
        gone = maintain(Settings(home=tmp_path), MUCH_LATER)
    finally:
        unlisten(events.append)
    assert (readable(kept), readable(gone)) == ("0–4", "4")
    assert gone[0]["files after"] == 1
    assert {(event.stage, event.item, event.note) for event in events} == {("warehouse", "maintain", BARS)}


def test_a_backup_brings_back_what_was_there(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    warehouse = write_collected(settings.home)
    before = warehouse.read(BARS)
    copied = {row["table"]: row["version"] for row in backup(settings, tmp_path / "backup")}
    assert copied[BARS] == 0
    warehouse.write(BARS, core_bars("BTC-USD", {"2024-05-13": 1.0}))
    restored = {row["table"]: row for row in restore(settings, tmp_path / "backup")}
    pd.testing.assert_frame_equal(warehouse.read(BARS), before)
    assert (restored[BARS]["version"], restored[BARS]["of the backup"]) == (2, 0)
    assert [name for name, row in restored.items() if "restored" in row.values()] == [BARS]


def _record_receipts(warehouse: Warehouse, receipts: list[str]) -> None:
    rows = pd.DataFrame({"night": [f"night{number}" for number in range(len(receipts))], "receipt": receipts})
    failed = pd.DataFrame({"night": ["night0"], "receipt": [""]})
    texts = {"status": "done", "inputs_hash": "", "message": "", "run_id": ""}
    rows = pd.concat([rows.assign(stage="collect"), failed.assign(stage="train")])
    warehouse.write(TABLE, rows.assign(**texts, item="crypto", finished_at=datetime.now(UTC)))


def _register_models(settings: Settings, bundle: Path) -> None:
    bundle.mkdir()
    (bundle / "policy.onnx").write_bytes(b"weights")
    tracker = Tracker(settings)
    registry = ModelRegistry(tracker)
    run_id = tracker.start_agent(tracker.start_night("night0"), "crypto")
    for number in range(4):
        tags = {"bundle_hash": f"hash{number}", "night": f"night{number}"}
        registry.register("crypto", bundle, run_id, tags)
    registry.promote("crypto", "1", "decision1")
    registry.promote("crypto", "2", "decision2")
    registry.set_challenger("crypto", "3")

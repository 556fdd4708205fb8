"""Retention on a real registry and warehouse: each kind of pointer keeps its version, the rest loses its files."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.retention import prune_models, review_models
from warehouse import Warehouse
from wealtharena.execution import TradingRules
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=200)
KEPT_BY = {
    "1": "entry 2 of the trail: promoted",
    "2": "alias champion",
    "3": "alias challenger",
    "4": "alias for-the-auditor",
    "5": "decision d5 of night n5",
    "6": "paper orders of lane@1 after 2026-11-19",
    "7": "evidence of lane@7 on 2026-11-19",
    "8": "decision d6 of night n6",
    "12": "one of the newest 1",
}
GOES = {"9", "10", "11"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Twelve versions of the stocks' model, of which nine are still needed for some reason; the last test prunes."""
    rules = {"keep_versions": 1, "keep_days": 90}
    made = Settings.model_validate({"home": tmp_path_factory.mktemp("retention"), "registry": rules})
    hashes = _register(made)
    warehouse = Warehouse(made.home / "warehouse")
    decisions = [
        _decision("d5", "5", "2", "rejected", "{}"),
        _decision("d6", "", "2", "kept", f'{{"b": "{hashes[8]}"}}'),
    ]
    warehouse.write("out_promotion__decisions", pd.DataFrame(decisions))
    orders = [_order("lane@1", 18, hashes[9]), _order("lane@1", 19, hashes[6])]
    warehouse.write("out_lanes__orders", pd.DataFrame(orders))
    warehouse.write("out_promotion__evidence", pd.DataFrame([_evidence(18, "night10"), _evidence(19, "night7")]))
    return made


def test_each_pointer_keeps_its_version(settings: Settings) -> None:
    found = {verdict.version: verdict for verdict in review_models(settings, LATER)}
    assert {version for version, verdict in found.items() if verdict.goes} == GOES
    for version, reason in KEPT_BY.items():
        assert reason in found[version].reasons, version
    registry = ModelRegistry(Tracker(settings))
    assert not [info for info in registry.versions("stocks") if info.is_retired]


def test_nothing_young_goes(settings: Settings) -> None:
    assert not [verdict for verdict in review_models(settings, NOW) if verdict.goes]


def test_candidates_that_were_turned_down_go_only_if_the_settings_say_so(settings: Settings) -> None:
    rules = settings.registry.model_copy(update={"keep_rejected_days": 150})
    allowed = settings.model_copy(update={"registry": rules})
    assert {verdict.version for verdict in review_models(allowed, LATER) if verdict.goes} == {*GOES, "5", "8"}
    young = NOW + timedelta(days=120)
    assert {verdict.version for verdict in review_models(allowed, young) if verdict.goes} == GOES


def test_pruning_removes_files_and_checkpoints_once_and_leaves_the_versions_on_record(settings: Settings) -> None:
    registry = ModelRegistry(Tracker(settings))
    folders = {version: registry.download("stocks", version) for version in map(str, range(1, 13))}
    assert {verdict.version for verdict in prune_models(settings, LATER) if verdict.goes} == GOES
    for version, folder in folders.items():
        assert folder.is_dir() == (version not in GOES)
        assert (settings.home / "checkpoints" / "stocks" / f"bundle{version}").is_dir() == (version not in GOES)
        assert registry.version("stocks", version).is_retired == (version in GOES)
    entries = [entry for entry in registry.history("stocks") if entry.act == "retired"]
    assert {entry.before for entry in entries} == GOES
    assert {entry.by for entry in entries} == {"models prune"}
    assert registry.rollback("stocks").version == "1"
    assert not [verdict for verdict in prune_models(settings, LATER) if verdict.goes]


def _register(settings: Settings) -> dict[int, str]:
    tracker = Tracker(settings)
    registry = ModelRegistry(tracker)
    run_id = tracker.start_agent(tracker.start_night("night"), "stocks")
    store, hashes = ModelCheckpoint(settings.home), {}
    for number in range(1, 13):
        card = ModelCard(
            agent="stocks",
            kind=ModelKind.BASELINE,
            baseline="cash",
            rules=TradingRules.from_settings(settings, "stocks"),
            settings_hash="s",
            data_version="d",
            seed=number,
        )
        ref = store.save_checkpoint("stocks", f"bundle{number}", card, None, NOW)
        hashes[number] = ref.bundle_hash
        lane = "lane@7" if number in (7, 10) else "lane@1"
        tags = {"bundle_hash": ref.bundle_hash, "night": f"night{number}", "lane_id": lane if number != 10 else ""}
        registry.register("stocks", Path(ref.uri), run_id, tags)
    registry.promote("stocks", "1", "d1")
    registry.promote("stocks", "2", "d2")
    registry.set_challenger("stocks", "3")
    tracker.client.set_registered_model_alias("wealtharena-stocks", "for-the-auditor", "4")
    return hashes


def _decision(name: str, candidate: str, champion: str, outcome: str, numbers: str) -> dict[str, Any]:
    return {
        "night": f"n{name[1:]}", "decision_id": name, "agent": "stocks", "candidate_version": candidate,
        "champion_version": champion, "outcome": outcome, "reason": "", "numbers": numbers, "decided_at": NOW,
        "decided_by": "gate",
    }  # fmt: skip


def _order(lane_id: str, day: int, bundle_hash: str) -> dict[str, Any]:
    return {
        "agent": "stocks", "lane_id": lane_id, "as_of": date(2026, 11, day), "symbol": "BHP.AX", "target_weight": 0.1,
        "bundle_hash": bundle_hash, "night": "n", "known_at": NOW,
    }  # fmt: skip


def _evidence(day: int, night: str) -> dict[str, Any]:
    figures = dict.fromkeys(("log_e", "log_e_reversed", "drawdown", "p_value", "alpha"), 0.1)
    return {
        "agent": "stocks", "lane_id": "lane@7", "champion_lane_id": "baseline:cash", "as_of": date(2026, 11, day),
        "night": night, "state": "shadow", "sessions": 40, "known_at": NOW, **figures,
    }  # fmt: skip

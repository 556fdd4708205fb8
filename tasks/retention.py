"""Removes the files of models that nothing needs any more; whatever points to a version keeps it."""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tasks.progress import ProgressEvent, tell
from warehouse import Warehouse
from wealtharena.agents.specs import AGENTS
from wealtharena.core.errors import ModelIntegrityError, RegistryError
from wealtharena.serving.bundle import checkpoint_ref
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, ModelVersionInfo, Tracker
from wealtharena.tracking.retention import Verdict, trail_pointers, verdicts

_DECISIONS = "out_promotion__decisions"
_EVIDENCE = "out_promotion__evidence"
_ORDERS = "out_lanes__orders"

Row = dict[str, Any]


def review_models(settings: Settings, now: datetime) -> list[Verdict]:
    """What would become of every version, and why; nothing is changed."""
    registry, warehouse = ModelRegistry(Tracker(settings)), Warehouse(settings.home / "warehouse")
    return [verdict for agent in AGENTS for verdict in _review(registry, warehouse, agent, settings, now)]


def prune_models(settings: Settings, now: datetime) -> list[Verdict]:
    """Removes the files of the versions that may go, from the registry and from the checkpoints.

    A version that got an alias meanwhile stays, and its verdict says so.
    """
    registry = ModelRegistry(Tracker(settings))
    reviewed = review_models(settings, now)
    leaving = [verdict for verdict in reviewed if verdict.goes]
    refused: dict[tuple[str, str], str] = {}
    for number, verdict in enumerate(leaving, 1):
        info = registry.version(verdict.agent, verdict.version)
        reason = f"{verdict.days} days old, and nothing points to it"
        try:
            registry.retire(verdict.agent, verdict.version, by="models prune", reason=reason)
        except RegistryError as error:
            refused[verdict.agent, verdict.version] = str(error)
        else:
            _remove_checkpoints(settings.home / "checkpoints" / verdict.agent, info.bundle_hash)
        tell(ProgressEvent("models", "prune", number, len(leaving), f"{verdict.agent} {verdict.version}"))
    return [_after(verdict, refused) for verdict in reviewed]


def _after(verdict: Verdict, refused: dict[tuple[str, str], str]) -> Verdict:
    reason = refused.get((verdict.agent, verdict.version))
    return verdict if reason is None else replace(verdict, reasons=(reason,))


def _review(
    registry: ModelRegistry, warehouse: Warehouse, agent: str, settings: Settings, now: datetime
) -> tuple[Verdict, ...]:
    versions = registry.versions(agent)
    kept_by: list[tuple[str, str]] = [(version, f"alias {name}") for name, version in registry.aliases(agent).items()]
    kept_by += trail_pointers(registry.history(agent)).items()
    kept_by += _decided(_rows(warehouse, _DECISIONS, agent), versions, settings.registry.keep_rejected_days, now)
    kept_by += _ordered(_rows(warehouse, _ORDERS, agent), versions)
    kept_by += _evident(_rows(warehouse, _EVIDENCE, agent), versions)
    pointers: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for version, reason in kept_by:
        pointers[version][reason] = None
    return verdicts(versions, pointers, settings.registry, now)


def _decided(
    decisions: list[Row], versions: list[ModelVersionInfo], rejected_days: int | None, now: datetime
) -> Iterator[tuple[str, str]]:
    """Versions that a decision names, by number or, among its figures, by the hash of the bundle."""
    for row in sorted(decisions, key=lambda row: row["decided_at"], reverse=True):
        reason = f"decision {row['decision_id']} of night {row['night']}"
        yield row["champion_version"], reason
        is_old = rejected_days is not None and now - row["decided_at"] > timedelta(days=rejected_days)
        if is_old and row["candidate_version"] != row["champion_version"]:
            continue
        yield row["candidate_version"], reason
        for info in versions:
            if info.bundle_hash and info.bundle_hash in row["numbers"]:
                yield info.version, reason


def _ordered(orders: list[Row], versions: list[ModelVersionInfo]) -> Iterator[tuple[str, str]]:
    """Versions that decided the newest orders of a paper account."""
    for row in _newest(orders, "lane_id"):
        for info in versions:
            if info.bundle_hash and info.bundle_hash == row["bundle_hash"]:
                yield info.version, f"paper orders of {row['lane_id']} after {row['as_of']:%Y-%m-%d}"


def _evident(evidence: list[Row], versions: list[ModelVersionInfo]) -> Iterator[tuple[str, str]]:
    """Versions behind the newest evidence of each lane: that of its night, and the newest one of the lane."""
    for row in _newest(evidence, "champion_lane_id", "lane_id"):
        for lane_id in (row["lane_id"], row["champion_lane_id"]):
            own = [info for info in versions if info.tags.get("lane_id") == lane_id and not info.is_retired]
            for info in own:
                if info.tags.get("night") == row["night"] or info is own[-1]:
                    yield info.version, f"evidence of {lane_id} on {row['as_of']:%Y-%m-%d}"


def _newest(rows: list[Row], *key: str) -> list[Row]:
    """Rows of the newest session of each key."""
    latest: dict[tuple[Any, ...], date] = {}
    for row in rows:
        place = tuple(row[name] for name in key)
        latest[place] = max(row["as_of"], latest.get(place, row["as_of"]))
    return [row for row in rows if row["as_of"] == latest[tuple(row[name] for name in key)]]


def _rows(warehouse: Warehouse, table: str, agent: str) -> list[Row]:
    found = warehouse.read_or_empty(table, where={"agent": agent}).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in found]


def _remove_checkpoints(folder: Path, bundle_hash: str) -> None:
    for bundle in folder.glob("*"):
        try:
            found = checkpoint_ref(bundle).bundle_hash
        except ModelIntegrityError:
            continue
        if found == bundle_hash:
            shutil.rmtree(bundle)

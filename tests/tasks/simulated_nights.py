"""Nights over a small simulated market, on which rules stand in for policies: nothing is trained."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.baselines import register_baseline
from tasks.collection import collect_class
from tasks.features import compute_class_features
from tasks.night import Night
from wealtharena.agents.lanes import Lane
from wealtharena.core import CheckpointRef
from wealtharena.core.panel import FloatArray
from wealtharena.execution import TradingRules
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker

AS_OF = date(2022, 6, 30)


def simulated_night(home: Path, *classes: str, as_of: date = AS_OF, with_meta: bool = False, **sections: Any) -> Night:
    """A night of these classes' agents whose market is not collected yet; ``sections`` of the settings replace ours."""
    settings = {
        "home": home,
        "run": {"asset_classes": classes, "as_of": as_of},
        "vendors": {"simulator": {"symbols_per_class": 3, "start": "2019-01-02"}},
        "windows": {"held_out_days": 90, "validation_days": 130, "embargo_days": 2, "min_train_days": 150},
        "features": {"macro": False},
    }
    return Night(
        settings=Settings.model_validate(settings | sections),
        as_of=as_of,
        opened_at=datetime(2022, 7, 1, 8, tzinfo=UTC),
        run_id="r",
        agents=classes,
        with_meta=with_meta,
    )


def with_features(night: Night) -> Night:
    """The night after its classes were collected and their features computed."""
    for asset_class in night.asset_classes:
        collect_class.fn(night, asset_class)
        compute_class_features.fn(night, asset_class)
    return night


def crown(night: Night, rules: Mapping[str, str]) -> dict[str, str]:
    """Makes a rule the champion of each agent; their versions."""
    registry = ModelRegistry(Tracker(night.settings))
    versions = {agent: register_baseline(night, agent, rule) for agent, rule in rules.items()}
    for agent, version in versions.items():
        registry.promote(agent, version, "crowned")
    return versions


def store_rule(night: Night, lane: Lane, rule: str, seed: int = 1) -> CheckpointRef:
    """A lane's bundle that holds a rule: stages look at scores and orders, not at what stands behind them."""
    card = ModelCard(
        agent=lane.agent,
        kind=ModelKind.BASELINE,
        baseline=rule,
        lane_id=lane.lane_id,
        rules=TradingRules.from_settings(night.settings, lane.name),
        settings_hash="s" * 64,
        data_version="d" * 64,
        seed=seed,
    )
    moment = datetime(night.as_of.year, night.as_of.month, night.as_of.day, tzinfo=UTC)
    name = f"{night.night_id}-{lane.name}-{rule}"
    return ModelCheckpoint(night.settings.home).save_checkpoint(lane.agent, name, card, None, moment)


def write_returns(
    night: Night, table: str, agent: str, lane_id: str, days: Sequence[date], returns: FloatArray
) -> None:
    """Sessions of a lane's history (``out_lanes__walk_forward``) or paper account (``out_lanes__paper``)."""
    common = {"agent": agent, "lane_id": lane_id, "cash_return": 0.0, "turnover": 0.1, "cost": 0.0, "gross": 1.0}
    own: dict[str, Any] = (
        {"fold": "2020", "return_double_cost": 0.0}
        if table == "out_lanes__walk_forward"
        else {"equity": 1.0, "bundle_hash": "", "night": night.night_id, "known_at": datetime.now(UTC)}
    )
    rows = [
        {**common, **own, "session_date": day, "return": float(value)} for day, value in zip(days, returns, strict=True)
    ]
    night.warehouse.write(table, pa.Table.from_pylist(rows))

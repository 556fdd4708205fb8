"""A fixed rule as a champion: registered like a policy, so that serving and rollback treat both alike."""

from datetime import UTC, datetime

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.markets import tables_behind
from tasks.night import Night
from tasks.receipts import finished
from tasks.tracking import register, start_agent_run
from wealtharena.agents.lanes import baseline_lane
from wealtharena.core.hashing import hash_json
from wealtharena.execution import TradingRules
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.settings import decisive_settings, settings_hash
from wealtharena.tracking import Tracker


def register_baseline(night: Night, agent: str, baseline: str) -> str:
    """Version of a baseline in the agent's registered model."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    data_version = hash_json({name: receipt.data_version for name, receipt in ready.items()})
    lane = baseline_lane(agent, baseline)
    card = ModelCard(
        agent=agent,
        lane_id=lane.lane_id,
        kind=ModelKind.BASELINE,
        baseline=baseline,
        rules=TradingRules.from_settings(night.settings, agent),
        settings_hash=settings_hash(night.settings),
        data_version=data_version,
        seed=night.settings.seed,
    )
    store = ModelCheckpoint(night.settings.home)
    name = f"{night.night_id}-baseline-{baseline}"
    made_with = decisive_settings(night.settings), tables_behind(night, agent)
    ref = store.save_checkpoint(agent, name, card, None, datetime.now(UTC), *made_with)
    run_id = start_agent_run(Tracker(night.settings), night, agent, data_version)
    version = register(night, lane, ref, run_id)
    Tracker(night.settings).finish(run_id)
    return version

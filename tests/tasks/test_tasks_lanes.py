"""Every recipe of an agent is a training of its own: own folder, own limits and reward, own receipt, own bundle."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from small_market import small_panel

from tasks import training as training_stage
from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.night import Night
from tasks.receipts import finished, record
from tasks.training import STAGE, TrainingReceipt, lanes_to_train, train_once
from wealtharena.agents.lanes import Lane, policy_lanes
from wealtharena.core import CheckpointRef, TableRef
from wealtharena.execution import TradingRules
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.settings import Settings, load_settings
from wealtharena.training.result import TrainingJob

MakeNight = Callable[..., Night]
LANES = ("lanes.stocks-bold={agent: stocks, recipe: {risk_profile: aggressive, env_steps: 400000}}",)


def settings_with_lanes(night: Night) -> Settings:
    return load_settings("quickstart", LANES, {}).model_copy(update={"home": night.settings.home})


def features(symbols: int) -> FeaturesReceipt:
    table = TableRef("out_stocks__features", 0, "", 0, "h")
    numbers = {"data_version": "d", "sessions": 3, "symbols": symbols}
    return FeaturesReceipt(**{field.name: table for field in fields(FeaturesReceipt)} | numbers)  # type: ignore[arg-type]


def test_all_lanes_of_the_chosen_agents_are_trained_the_longest_first(make_night: MakeNight) -> None:
    night = make_night(settings=settings_with_lanes(make_night()), agents=("etfs", "stocks"))
    record(night, FEATURES, "stocks", features(2), FeaturesReceipt)
    lanes = lanes_to_train(night)
    assert [(lane.name, lane.agent) for lane in lanes] == [("stocks-bold", "stocks"), ("stocks", "stocks")]
    record(night, FEATURES, "etfs", features(2), FeaturesReceipt)
    assert {lane.name for lane in lanes_to_train(night)} == {"stocks-bold", "stocks", "etfs"}


def test_a_lane_has_its_own_folder_limits_and_receipt(make_night: MakeNight, monkeypatch: pytest.MonkeyPatch) -> None:
    night = make_night(settings=settings_with_lanes(make_night()))
    jobs: dict[str, TrainingJob] = {}

    def instead(night: Night, lane: Lane, job: TrainingJob, dates: dict[str, Any]) -> TrainingReceipt:
        jobs[lane.name] = job
        bundle = CheckpointRef("x", "", "", "")
        return TrainingReceipt(
            lane.agent, bundle, "1", "run", "PPO", "w", None, None, 1.0, lane=lane.name, lane_id=lane.lane_id
        )

    monkeypatch.setattr(training_stage, "_train", instead)
    panel = small_panel()
    for lane in policy_lanes(night.settings, "stocks"):
        train_once(night, lane, panel, panel, TradingRules.from_settings(night.settings, lane.name), {})
    own, bold = jobs["stocks"], jobs["stocks-bold"]
    assert own.agent == bold.agent
    assert (own.output_dir.name, bold.output_dir.name) == ("stocks", "stocks-bold")
    assert (own.rules.max_volatility, bold.rules.max_volatility) == (0.6, None)
    assert own.reward != bold.reward
    receipts = finished(night, STAGE, TrainingReceipt)
    assert {name: (item.agent, item.lane_id.split("@")[0]) for name, item in receipts.items()} == {
        "stocks": ("stocks", "stocks"),
        "stocks-bold": ("stocks", "stocks-bold"),
    }


@pytest.mark.parametrize(("lane_id", "lane"), [("", "stocks"), ("stocks-bold@1a2b3c4d", "stocks-bold")])
def test_a_bundle_knows_its_lane_and_older_ones_are_the_agents_own(lane_id: str, lane: str) -> None:
    known = {"agent": "stocks", "kind": ModelKind.POLICY, "algorithm": "PPO", "settings_hash": "s", "seed": 1}
    rules = TradingRules.from_settings(Settings(), "stocks")
    card = ModelCard.model_validate({**known, "lane_id": lane_id, "data_version": "d", "rules": rules})
    assert card.lane == lane

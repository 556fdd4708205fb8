"""The drift watch of a champion: real data, a real bundle and registry; the network is not trained."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated_nights import crown, simulated_night, with_features

from tasks.drift import TABLE, agents_to_watch, watch_agent
from tasks.markets import agent_market
from tasks.night import Night
from tasks.paper_accounts import CHAMPION_LANE
from tasks.tracking import register, start_agent_run
from wealtharena.agents.lanes import policy_lanes
from wealtharena.agents.networks import GaussianScores, NetworkSpec
from wealtharena.envs.spaces import observation_shape
from wealtharena.evaluation.windows import window_dates
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.tracking import ModelRegistry, Tracker
from wealtharena.training.export import export_policy


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """ETFs with a policy as champion, REITs with a rule, crypto with none."""
    made = with_features(simulated_night(tmp_path_factory.mktemp("drift") / "home", "etfs", "reits"))
    crown(made, {"reits": "equal_weight"})
    policy = _register_policy(made, tmp_path_factory.mktemp("content"))
    ModelRegistry(Tracker(made.settings)).promote("etfs", policy, "d1")
    return made


def test_features_and_positions_of_a_policy_are_watched(night: Night) -> None:
    receipt = watch_agent.fn(night, "etfs")
    panel = agent_market(night, "etfs").panel
    by_kind = {kind: [figure.name for figure in receipt.figures if figure.kind == kind] for kind in
               ("features", "positions", "performance")}  # fmt: skip
    assert by_kind == {
        "features": list(panel.feature_names), "positions": ["gross", "turnover", "weights"], "performance": []
    }  # fmt: skip
    assert all(figure.value is not None and figure.value >= 0.0 for figure in receipt.figures)
    stored = night.warehouse.read(TABLE, where={"night": night.night_id, "agent": "etfs"})
    assert len(stored) == len(receipt.figures)
    assert watch_agent.fn(night, "etfs") == receipt


def test_a_rule_has_positions_but_no_features(night: Night) -> None:
    receipt = watch_agent.fn(night, "reits")
    assert {figure.kind for figure in receipt.figures} == {"positions"}
    assert receipt.model.endswith("(equal_weight)")


def test_an_account_that_keeps_losing_is_an_alarm_and_a_note(night: Night) -> None:
    other = with_features(night.model_copy(update={"as_of": date(2022, 6, 29)}))
    rng = np.random.default_rng(2)
    returns = rng.normal(-0.01, 0.005, 80)
    dates = pd.bdate_range(end="2022-06-29", periods=80)
    rows = pd.DataFrame({"session_date": dates.date, "return": returns, "cash_return": 0.0, "turnover": 0.0})
    rows = rows.assign(agent="reits", lane_id=CHAMPION_LANE, equity=np.cumprod(1.0 + returns), cost=0.0, gross=1.0)
    night.warehouse.write(
        "out_lanes__paper", rows.assign(bundle_hash="", night="n", known_at=datetime(2022, 6, 30, tzinfo=UTC))
    )
    receipt = watch_agent.fn(other, "reits")
    (figure,) = (figure for figure in receipt.figures if figure.kind == "performance")
    assert figure.alarm
    assert figure.threshold == pytest.approx(np.log(20.0))
    assert figure.value is not None and figure.value > figure.threshold
    assert figure.text in receipt.notes
    assert figure.text.startswith("evidence against earning more than cash is")


def test_only_agents_with_a_champion_are_watched(night: Night) -> None:
    assert agents_to_watch(night) == ["etfs", "reits"]


def _register_policy(night: Night, content: Path) -> str:
    market = agent_market(night, "etfs")
    names = market.panel.feature_names
    width = observation_shape(1, len(names), 1)[1]
    export_policy(GaussianScores(NetworkSpec(len(names), (4,)), low=0.0, bounded=True), width, content / "policy.onnx")
    windows = {"training": market.windows.train, "validation": market.windows.validation}
    (lane,) = policy_lanes(night.settings, "etfs")
    card = ModelCard(
        agent="etfs",
        lane_id=lane.lane_id,
        kind=ModelKind.POLICY,
        algorithm="A2C",
        feature_names=names,
        symbols=market.panel.symbols,
        rules=market.rules,
        settings_hash="s",
        data_version=market.panel.content_hash,
        seed=1,
        windows={name: window_dates(market.panel, window) for name, window in windows.items()},
    )
    store = ModelCheckpoint(night.settings.home)
    ref = store.save_checkpoint("etfs", "policy", card, content, datetime(2022, 6, 30, tzinfo=UTC))
    return register(night, lane, ref, start_agent_run(Tracker(night.settings), night, "etfs", card.data_version))

"""Decisions night by night: a first champion, a takeover with both keys, a confirmation, and what is left of each."""

import json
from datetime import date

import numpy as np
import pytest
from simulated_nights import simulated_night, store_rule, with_features, write_returns

from tasks.approval import Approval
from tasks.backtest import backtest_agent
from tasks.evidence import DECISIONS, gate_inputs
from tasks.night import Night
from tasks.promotion import EVIDENCE, DecisionReceipt, agents_to_decide, decide_agent
from tasks.receipts import record
from tasks.tracking import register, start_agent_run
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt
from tasks.trials import run_trials
from wealtharena.agents.lanes import policy_lanes
from wealtharena.core.panel import FloatArray
from wealtharena.tracking import ModelRegistry, ModelVersionInfo, Tracker

pytestmark = pytest.mark.slow

DAYS = [date(2022, 5, 31), date(2022, 6, 29), date(2022, 6, 30)]
HISTORY = [date.fromordinal(date(2019, 1, 1).toordinal() + k) for k in range(700)]
PAPER = [date.fromordinal(date(2022, 6, 29).toordinal() - 99 + k) for k in range(100)]


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Night]:
    """Three nights with features; ETFs only."""
    home = tmp_path_factory.mktemp("promotion") / "home"
    vendors = {"simulator": {"symbols_per_class": 3, "start": "2019-07-01"}}
    return [with_features(simulated_night(home, "etfs", as_of=day, vendors=vendors)) for day in DAYS]


@pytest.fixture(scope="module")
def rules(nights: list[Night]) -> tuple[str, str]:
    """The rule that the lane's policy follows, which does well in the held-out window, and a weak one."""
    merits = {name: card.merit for name, card in run_trials(nights[1], "etfs").baselines.items() if name != "cash"}
    return max(merits, key=merits.__getitem__), min(merits, key=merits.__getitem__)


def train(night: Night, rule: str) -> str:
    """A registered version of the agent's own lane whose bundle holds a rule."""
    (lane,) = policy_lanes(night.settings, "etfs")
    ref = store_rule(night, lane, rule, seed=night.as_of.day)
    version = register(night, lane, ref, start_agent_run(Tracker(night.settings), night, "etfs", "d"))
    record(
        night,
        TRAIN,
        "etfs",
        TrainingReceipt("etfs", ref, version, "run", "PPO", "w" * 64, None, None, 1.0),
        TrainingReceipt,
    )
    backtest_agent.fn(night, "etfs")
    return version


def champion(night: Night) -> ModelVersionInfo:
    found = ModelRegistry(Tracker(night.settings)).alias("etfs", "champion")
    assert found is not None
    return found


def noise(seed: int, size: int) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0, 0.01, size)


@pytest.fixture(scope="module")
def first(nights: list[Night], rules: tuple[str, str]) -> DecisionReceipt:
    """The first night: the weak rule has the best history."""
    train(nights[0], rules[0])
    market = noise(1, 700)
    own = policy_lanes(nights[0].settings, "etfs")[0].lane_id
    write_returns(nights[0], "out_lanes__walk_forward", "etfs", f"baseline:{rules[1]}", HISTORY, market + 0.0005)
    write_returns(nights[0], "out_lanes__walk_forward", "etfs", own, HISTORY, market + 0.3 * noise(2, 700))
    assert agents_to_decide(nights[0]) == ["etfs"]
    return decide_agent.fn(nights[0], "etfs")


def test_the_first_champion_is_the_rule_with_the_best_history(
    nights: list[Night], rules: tuple[str, str], first: DecisionReceipt
) -> None:
    info = champion(nights[0])
    assert (first.outcome, first.champion_version, first.decided_by) == ("baseline_champion", info.version, "gate")
    assert (info.tags["lane_id"], info.state) == (f"baseline:{rules[1]}", "unproven")
    assert (info.tags["serving_since"], info.tags["decision_id"]) == ("2022-05-31", first.decision_id)
    assert "the history of etfs has p = " in first.reason
    candidate = ModelRegistry(Tracker(nights[0].settings)).version("etfs", first.candidate_version)
    assert (candidate.tags["decision"], candidate.tags["decision_id"]) == (first.outcome, first.decision_id)


def test_a_repeat_decides_nothing_anew(nights: list[Night], first: DecisionReceipt) -> None:
    assert decide_agent.fn(nights[0], "etfs") == first
    rows = nights[0].warehouse.read(DECISIONS, where={"night": nights[0].night_id})
    assert list(rows["decision_id"]) == [first.decision_id]
    numbers = json.loads(rows["numbers"].iloc[0])
    assert numbers["inputs"]["as_of"] == "2022-05-31"
    assert {"checks", "lanes", "look", "thresholds", "serving", "reason"} <= set(numbers)


@pytest.fixture(scope="module")
def second(nights: list[Night], rules: tuple[str, str], first: DecisionReceipt) -> DecisionReceipt:
    """A night later both records of the agent's own lane speak for it, and the champion has served for 90 sessions."""
    assert first.outcome == "baseline_champion"
    train(nights[1], rules[0])
    own, before = policy_lanes(nights[1].settings, "etfs")[0].lane_id, f"baseline:{rules[1]}"
    market, today = noise(3, 700), noise(4, 100)
    write_returns(nights[1], "out_lanes__walk_forward", "etfs", before, HISTORY, market)
    write_returns(nights[1], "out_lanes__walk_forward", "etfs", own, HISTORY, market + 0.3 * noise(5, 700) + 0.002)
    write_returns(nights[1], "out_lanes__paper", "etfs", before, PAPER, today)
    write_returns(nights[1], "out_lanes__paper", "etfs", own, PAPER, today + 0.3 * noise(6, 100) + 0.002)
    registry = ModelRegistry(Tracker(nights[1].settings))
    registry.note("etfs", first.champion_version, {"serving_since": "2022-03-01"})
    return decide_agent.fn(nights[1], "etfs")


def test_a_lane_with_both_keys_becomes_champion_provisionally(nights: list[Night], second: DecisionReceipt) -> None:
    assert second.outcome == "promoted", second.reason
    info = champion(nights[1])
    assert (info.version, info.state) == (second.candidate_version, "provisional")
    assert info.tags["serving_before"] == second.record["serving"]["before"]
    assert (info.tags["serving_since"], info.tags["serving_challenged"]) == ("2022-06-29", "2022-03-01")


def test_the_evidence_of_the_night_is_a_table(nights: list[Night], second: DecisionReceipt) -> None:
    rows = nights[1].warehouse.read(EVIDENCE, where={"night": nights[1].night_id}).set_index("lane_id")
    own = rows.loc[policy_lanes(nights[1].settings, "etfs")[0].lane_id]
    assert own["champion_lane_id"] == second.record["serving"]["before"]
    assert (own["sessions"], own["state"]) == (100, "shadow")
    assert own["log_e"] > np.log(3.0)
    assert own["p_value"] <= own["alpha"]


def test_the_look_at_history_is_remembered(nights: list[Night], second: DecisionReceipt) -> None:
    look = second.record["look"]
    (found,) = [
        one
        for one in gate_inputs(nights[2], "etfs", run_trials(nights[2], "etfs")).looks
        if one.inputs == look["inputs"]
    ]
    assert (found.month, found.alpha) == (date(2022, 6, 1), pytest.approx(0.05 / 12))


def test_a_person_may_say_no_and_the_next_checkpoint_then_follows_by_guards(
    nights: list[Night], rules: tuple[str, str], second: DecisionReceipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = train(nights[2], rules[0])
    own = policy_lanes(nights[2].settings, "etfs")[0].lane_id
    manual = nights[2].settings.model_copy(
        update={"promotion": nights[2].settings.promotion.model_copy(update={"policy": "manual"})}
    )
    asking = nights[2].model_copy(update={"settings": manual})
    monkeypatch.setattr("tasks.promotion.ask", lambda *_: Approval(False, "Kim", "not today"))
    monkeypatch.setattr("tasks.promotion.once", lambda *arguments: arguments[4]())
    monkeypatch.setattr("tasks.promotion.candidate_receipts", lambda _: _receipts(nights[2]))
    monkeypatch.setattr("tasks.promotion.run_trials", lambda *_: run_trials(nights[2], "etfs"))
    refused = decide_agent.fn(asking, "etfs")
    assert (refused.outcome, refused.decided_by, refused.champion_version) == (
        "rejected",
        "Kim",
        second.champion_version,
    )
    assert refused.reason.startswith("Not approved by Kim (not today)")
    assert champion(nights[2]).version == second.champion_version
    monkeypatch.undo()
    refreshed = decide_agent.fn(nights[2], "etfs")
    info = champion(nights[2])
    assert (refreshed.outcome, info.version, info.tags["lane_id"]) == ("refreshed", version, own)
    assert info.tags["serving_since"] == "2022-06-29"


def _receipts(night: Night) -> dict[str, TrainingReceipt]:
    from tasks.trials import candidate_receipts

    return candidate_receipts(night)

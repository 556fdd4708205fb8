"""Challengers with good records and one fault each: through the night's own stages, the champion stays and is told why.

Both keys of the challenger's lane are turned, so that nothing but the fault keeps it out.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx
import pytest
from contest_nights import AGENT, EQUAL_WEIGHTS, Contest, Network

from tasks.backtest import backtest_agent
from tasks.evidence import DECISIONS
from tasks.night import Night
from tasks.promotion import DecisionReceipt, agents_to_decide, decide_agent
from tasks.receipts import record
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt
from wealtharena.agents.lanes import policy_lanes
from wealtharena.settings.models import LaneSettings

pytestmark = pytest.mark.slow

SOUND = Network((0.0, 0.5, 0.0, 1.0))

Damage = Callable[[Path], None]


def truncate(bundle: Path) -> None:
    network = bundle / "policy.onnx"
    network.write_bytes(network.read_bytes()[:-40])


def exchange_network(bundle: Path) -> None:
    """Another network that would do, too; only nobody has vouched for it."""
    path = bundle / "policy.onnx"
    (observation,) = onnx.load(path).graph.input
    Network((0.0, 0.0, 0.0, 1.0)).write(path, observation.type.tensor_type.shape.dim[2].dim_value)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a challenger.

    Attributes:
        network: its policy.
        failed: guards that it must not pass, as it enters against another lane.
        words: what the reason must say.
        damage: of the stored bundle, or of the registry's copy, after the registration.
        hits_copy: whether the registry's copy is damaged.
    """

    network: Network
    failed: frozenset[str]
    words: str
    damage: Damage | None = None
    hits_copy: bool = False


FAULTS = {
    "clearly worse": Fault(
        Network((1.0, 0.0, 0.0, 0.0)),
        frozenset({"not_clearly_worse", "not_dominated"}),
        r"etfs is clearly worse than the champion \(p = 0\.0000, below 0\.05\)",
    ),
    "never trades": Fault(
        Network((0.0, 0.0, 0.0, 0.0)),
        frozenset({"trades"}),
        r"etfs does not trade \(turnover 0\.000, at least 0\.05 is asked\)",
    ),
    "yields NaN": Fault(
        Network((0.0, math.nan, 0.0, 1.0)), frozenset({"finite"}), "etfs yields NaN or infinite values"
    ),
    "breaks a limit": Fault(
        Network((0.0, 0.0, 1.0, 0.0)),
        frozenset({"drawdown_within_limit"}),
        r"etfs falls 2\d\.\d% from its peak, the limit is 10\.0%",
    ),
    "loses at twice the cost": Fault(
        Network((0.0, 0.0, 0.0, 1.0), churns=True),
        frozenset({"profit_at_double_cost"}),
        r"the profit of etfs turns into -\d\.\d% at twice the cost",
    ),
    "tampered with": Fault(
        SOUND, frozenset({"intact"}), r"etfs is refused: .*policy\.onnx: must have SHA-256 ", exchange_network
    ),
    "truncated": Fault(SOUND, frozenset({"intact"}), r"etfs is refused: .*policy\.onnx: must have SHA-256 ", truncate),
    "truncated in the registry": Fault(
        SOUND, frozenset({"intact"}), r"etfs is refused: .*mlflow.*policy\.onnx: must have SHA-256 ", truncate, True
    ),
}


Trained = Callable[[str], TrainingReceipt]
OF_POLICIES = [name for name, fault in FAULTS.items() if fault.damage is None]


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Contest:
    return Contest.over(tmp_path_factory.mktemp("challengers"))


@pytest.fixture(scope="module")
def versions(contest: Contest) -> dict[str, str]:
    """Registered versions of the two that are sound: a rule, and a policy of the own lane."""
    own = contest.train(contest.night(99), SOUND).version
    return {EQUAL_WEIGHTS: contest.register_equal_weights(), contest.lane.lane_id: own}


@pytest.fixture
def rule(contest: Contest, versions: dict[str, str]) -> str:
    """Version of the champion: the equal weights."""
    contest.crown(versions[EQUAL_WEIGHTS])
    return versions[EQUAL_WEIGHTS]


@pytest.fixture
def policy(contest: Contest, versions: dict[str, str]) -> str:
    """Version of the champion: a sound policy of the challengers' own lane."""
    contest.crown(versions[contest.lane.lane_id])
    return versions[contest.lane.lane_id]


@pytest.fixture(scope="module")
def trained(contest: Contest) -> Trained:
    """The policy of a fault, stored and registered once, then damaged."""

    @cache
    def train(name: str) -> TrainingReceipt:
        fault = FAULTS[name]
        receipt = contest.train(contest.night(1_000 + list(FAULTS).index(name)), fault.network)
        if fault.damage is not None:
            copy = contest.registry.download(AGENT, receipt.version)
            fault.damage(copy if fault.hits_copy else Path(receipt.checkpoint.uri))
        return receipt

    return train


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_keeps_a_challenger_with_both_keys_out(
    name: str, contest: Contest, rule: str, trained: Trained
) -> None:
    fault = FAULTS[name]
    night = night_with(contest, trained(name), 2_000)
    problems = backtest_agent.fn(night, AGENT).problems
    assert agents_to_decide(night) == [AGENT]
    decision = decide_agent.fn(night, AGENT)
    assert contest.champion.version == decision.champion_version == rule
    assert_rejected(contest, night, decision, fault)
    assert failed(decision) == fault.failed
    (own,) = (lane for lane in decision.record["lanes"] if lane["lane_id"] == contest.lane.lane_id)
    assert own["second_key"]
    assert len(problems) == (fault.damage is not None and not fault.hits_copy)
    assert all(problem.partition(": ")[2] in decision.reason for problem in problems)


@pytest.mark.parametrize("name", OF_POLICIES)
def test_nor_does_it_pass_where_guards_alone_decide(name: str, contest: Contest, rule: str, trained: Trained) -> None:
    night = night_with(contest, trained(name), 3_000, policy="guarded")
    decision = decide_agent.fn(night, AGENT)
    assert contest.champion.version == decision.champion_version == rule
    assert_rejected(contest, night, decision, FAULTS[name])
    assert failed(decision) == FAULTS[name].failed


@pytest.mark.parametrize("name", [*OF_POLICIES, "truncated"])
def test_the_same_fault_keeps_a_new_checkpoint_of_the_champions_own_lane_out(
    name: str, contest: Contest, policy: str, trained: Trained
) -> None:
    night = night_with(contest, trained(name), 4_000)
    decision = decide_agent.fn(night, AGENT)
    assert contest.champion.version == decision.champion_version == policy
    assert_rejected(contest, night, decision, FAULTS[name])
    assert FAULTS[name].failed - {"not_dominated"} <= failed(decision)


@pytest.mark.usefixtures("rule")
@pytest.mark.parametrize(("seed", "gate"), [(400, "two_key"), (401, "guarded")])
def test_without_a_fault_it_takes_over(seed: int, gate: str, contest: Contest) -> None:
    night = contest.night(seed, policy=gate)
    version = contest.train(night, SOUND).version
    decision = decide_agent.fn(night, AGENT)
    assert (decision.outcome, contest.champion.version, failed(decision)) == ("promoted", version, set())
    assert_told(contest, night, decision)


@pytest.mark.usefixtures("policy")
def test_without_a_fault_a_new_checkpoint_follows(contest: Contest) -> None:
    night = contest.night(402)
    version = contest.train(night, Network((0.0, 0.4, 0.0, 1.0))).version
    decision = decide_agent.fn(night, AGENT)
    assert (decision.outcome, contest.champion.version) == ("refreshed", version)


def test_a_rollback_goes_back_to_what_served_and_not_to_the_faulty_policy_of_the_night(
    contest: Contest, policy: str, versions: dict[str, str], trained: Trained
) -> None:
    """The rule took over from the policy and did worse ever since; the policy's lane brings one that yields NaN."""
    contest.crown(versions[EQUAL_WEIGHTS], before=contest.lane.lane_id)
    decision = decide_agent.fn(night_with(contest, trained("yields NaN"), 5_000), AGENT)
    assert decision.outcome == "rolled_back"
    assert contest.champion.version == decision.champion_version == decision.record["serving"]["version"] == policy


def test_the_fault_of_another_lane_is_told_although_the_night_is_about_nobody(contest: Contest, rule: str) -> None:
    night = contest.night(500, {"etfs-b": LaneSettings(agent=AGENT)})
    receipt = contest.train(night, FAULTS["breaks a limit"].network, "etfs-b")
    own, other = policy_lanes(night.settings, AGENT)
    contest.turn_keys(other.lane_id)
    decision = decide_agent.fn(night, AGENT)
    assert (decision.outcome, contest.champion.version, decision.candidate_version) == ("kept", rule, "")
    told = decision.record["kept_out"]
    assert set(told) == {own.lane_id, other.lane_id}
    assert told[own.lane_id].endswith("is kept out: etfs was not scored tonight.")
    assert re.search(r"is kept out: etfs-b falls 2\d\.\d% from its peak, the limit is 10\.0%\.$", told[other.lane_id])
    assert decision.reason.endswith(f" {told[own.lane_id]} {told[other.lane_id]}")
    tags = contest.registry.version(AGENT, receipt.version).tags
    assert (tags["decision"], tags["reason"]) == ("rejected", told[other.lane_id])


def night_with(contest: Contest, training: TrainingReceipt, seed: int, policy: str = "two_key") -> Night:
    """A night on which the own lane brought this policy."""
    night = contest.night(seed + int(training.version), policy=policy)
    record(night, TRAIN, AGENT, training, TrainingReceipt)
    return night


def failed(decision: DecisionReceipt) -> set[str]:
    return {check["name"] for check in decision.record["checks"] if not check["passed"]}


def assert_rejected(contest: Contest, night: Night, decision: DecisionReceipt, fault: Fault) -> None:
    assert decision.outcome == "rejected"
    assert re.match(rf"Rejected: {fault.words}", decision.reason), decision.reason
    assert decision.reason.endswith(f"; the champion {decision.record['inputs']['champion']['name']} stays.")
    assert_told(contest, night, decision)


def assert_told(contest: Contest, night: Night, decision: DecisionReceipt) -> None:
    """The receipt, the table and the version in MLflow say the same."""
    rows = contest.market.warehouse.read(DECISIONS, where={"night": night.night_id})
    assert list(rows["decision_id"]) == [decision.decision_id]
    row = rows.iloc[0]
    assert (row["outcome"], row["reason"]) == (decision.outcome, decision.reason)
    assert (row["candidate_version"], row["champion_version"]) == (
        decision.candidate_version,
        decision.champion_version,
    )
    assert json.loads(row["numbers"]) == decision.record
    tags = contest.registry.version(AGENT, decision.candidate_version).tags
    told = {"decision": decision.outcome, "decision_id": decision.decision_id, "reason": decision.reason}
    assert told.items() <= tags.items()

"""A risk profile reaches the kernel's limits and the reward of a training, and makes it another training."""

from collections.abc import Callable
from typing import Any

import pytest
from small_market import small_panel

from tasks import training as training_stage
from tasks.night import Night
from tasks.receipts import TABLE
from tasks.training import TrainingReceipt, train_once
from wealtharena.agents.lanes import Lane, policy_lanes
from wealtharena.core import CheckpointRef
from wealtharena.execution import TradingRules
from wealtharena.settings import load_settings
from wealtharena.training.result import TrainingJob

MakeNight = Callable[..., Night]
Trained = Callable[..., tuple[TrainingJob, Any]]


@pytest.fixture
def trained(make_night: MakeNight, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The job and the receipt's row of a training that is asked for but not run."""
    jobs: list[TrainingJob] = []

    def instead(night: Night, lane: Lane, job: TrainingJob, dates: dict[str, Any]) -> TrainingReceipt:
        jobs.append(job)
        return TrainingReceipt("stocks", CheckpointRef("x", "", "", ""), "1", "run", "PPO", "w", None, None, 1.0)

    def train(*overrides: str) -> tuple[TrainingJob, Any]:
        monkeypatch.setattr(training_stage, "_train", instead)
        home = make_night().settings.home
        settings = load_settings("quickstart", overrides, {}).model_copy(update={"home": home})
        night, panel = make_night(settings=settings), small_panel()
        rules = TradingRules.from_settings(settings, "stocks")
        train_once(night, policy_lanes(settings, "stocks")[0], panel, panel, rules, {})
        (row,) = night.warehouse.read(TABLE, where={"night": night.night_id}).to_dict("records")
        return jobs[-1], row

    return train


def test_a_profile_changes_the_limits_the_reward_and_the_inputs_of_the_receipt(trained: Trained) -> None:
    balanced, before = trained()
    conservative, after = trained("agents.stocks.risk_profile=conservative")
    assert (balanced.rules.max_volatility, conservative.rules.max_volatility) == (0.6, 0.12)
    assert (balanced.rules.max_gross, conservative.rules.max_gross) == (1.0, 0.8)
    assert (balanced.reward.variance, conservative.reward.variance) == (1.0, 4.0)
    assert conservative.reward.drawdown == 0.005
    assert before["inputs_hash"] != after["inputs_hash"]


def test_the_profile_of_another_agent_changes_nothing(trained: Trained) -> None:
    balanced, before = trained()
    (same, after) = trained("agents.crypto.risk_profile=aggressive")
    assert (balanced.rules, balanced.reward) == (same.rules, same.reward)
    recipe = balanced.recipe.model_dump()
    assert recipe == same.recipe.model_dump()
    assert before["inputs_hash"] == after["inputs_hash"]


def test_a_profile_of_ones_own_is_taken_by_name(trained: Trained) -> None:
    job, _ = trained("risk_profiles.mine={risk: {max_net: 0.1}}", "agents.stocks.risk_profile=mine")
    assert job.rules.max_net == 0.1

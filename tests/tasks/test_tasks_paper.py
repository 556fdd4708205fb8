"""The paper accounts of one market over consecutive nights: hand-made prices, real orders, real tables."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_nights import store_rule
from small_market import MONDAY, small_panel

from tasks import paper as paper_stage
from tasks import paper_accounts
from tasks.night import Night
from tasks.paper import PaperAccount, newest_policy, trade_agent
from tasks.paper_accounts import CHAMPION_LANE, ORDERS, SESSIONS, paper_sessions, record_champion_orders
from tasks.receipts import record
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt
from wealtharena.agents.lanes import policy_lanes
from wealtharena.core import MarketPanel
from wealtharena.evaluation.backtest import backtest_weights
from wealtharena.execution import TradingRules
from wealtharena.serving.paper import Orders
from wealtharena.settings import Settings

CLOSES = np.array([[10.0, 20.0], [10.0, 20.0], [11.0, 20.0], [11.0, 30.0], [12.0, 30.0]])
# What every account may hold: half in each of the two.
LIMITS = {"max_weight": 0.5, "max_turnover": None, "max_volatility": None, "max_var": None, "max_cvar": None}

Nights = Callable[..., Night]


def day(row: int) -> date:
    return (MONDAY + row).astype(object)  # type: ignore[no-any-return]


@pytest.fixture
def nights(make_night: Nights, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """A night per session of the market, of which each knows what was there by then."""
    market = [small_panel(CLOSES)]
    settings = Settings.model_validate(
        {"home": make_night().settings.home, "risk": LIMITS, "risk_profiles": {"balanced": {"risk": LIMITS}}}
    )

    def load(night: Night, _: object) -> MarketPanel:
        rows = int((night.as_of - day(0)).days) + 1
        return market[-1].rows(0, rows)

    monkeypatch.setattr(paper_stage, "agent_panel", load)
    monkeypatch.setattr(paper_stage, "baselines_of", lambda _: ("cash", "equal_weight"))

    def night(row: int, revised: np.ndarray[Any, Any] | None = None) -> Night:
        if revised is not None:
            market.append(small_panel(revised))
        return make_night(settings=settings, as_of=day(row), run_id=f"run-{row}")

    return night


def train(night: Night, rule: str, lane: str = "stocks") -> TrainingReceipt:
    """A lane whose bundle holds a rule: the stage does not look at what stands behind the orders."""
    (own,) = (item for item in policy_lanes(night.settings, "stocks") if item.name == lane)
    ref = store_rule(night, own, rule)
    receipt = TrainingReceipt("stocks", ref, "1", "run", "PPO", "w", None, None, 1.0, lane=lane, lane_id=own.lane_id)
    record(night, TRAIN, lane, receipt, TrainingReceipt)
    return receipt


def accounts(night: Night) -> dict[str, PaperAccount]:
    return {account.lane: account for account in trade_agent.fn(night, "stocks").accounts}


def test_three_nights_in_a_row_are_what_the_orders_earned(nights: Nights) -> None:
    first = accounts(nights(1))
    assert {name: (item.sessions, item.since, item.last_orders) for name, item in first.items()} == {
        "cash": (0, None, day(1)),
        "equal_weight": (0, None, day(1)),
    }
    assert accounts(nights(2))["equal_weight"].total_return == pytest.approx(0.05)
    third = accounts(nights(3))["equal_weight"]
    # Half in each again at the open: half of what BBB gains.
    assert third.total_return == pytest.approx(1.05 * 1.25 - 1.0)
    assert (third.sessions, third.since, third.new_sessions) == (2, day(2), 1)
    rows = nights(3).warehouse.read(SESSIONS, where={"lane_id": "baseline:equal_weight"})
    assert rows["session_date"].dt.date.tolist() == [day(2), day(3)]
    np.testing.assert_allclose(rows["return"], [0.05, 0.25], atol=1e-12)
    assert paper_sessions(nights(3).warehouse, "stocks")["baseline:cash"].equity.tolist() == [1.0, 1.0]


def test_the_account_is_the_backtest_of_its_rule(nights: Nights) -> None:
    for row in range(1, 5):
        trade_agent.fn(nights(row), "stocks")
    night = nights(4)
    rules = TradingRules.from_settings(night.settings, "stocks")
    targets = np.full(CLOSES.shape, 0.5)
    expected = backtest_weights(targets, small_panel(CLOSES), (2, 5), rules, "x")
    found = paper_sessions(night.warehouse, "stocks")["baseline:equal_weight"]
    for name in ("equity", "returns", "cash_returns", "turnover", "cost", "gross"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0.0, atol=1e-12)


def test_a_repeated_night_adds_nothing(nights: Nights) -> None:
    trade_agent.fn(nights(1), "stocks")
    once = trade_agent.fn(nights(2), "stocks")
    versions = [nights(2).warehouse.version(table) for table in (ORDERS, SESSIONS)]
    again = trade_agent.fn(nights(2), "stocks")
    assert [nights(2).warehouse.version(table) for table in (ORDERS, SESSIONS)] == versions
    assert [item.new_sessions for item in again.accounts] == [0, 0]
    assert [replace(item, new_sessions=1) for item in again.accounts] == list(once.accounts)


def test_a_night_that_was_left_out_drifts(nights: Nights) -> None:
    trade_agent.fn(nights(1), "stocks")
    account = accounts(nights(4))["equal_weight"]
    assert (account.sessions, account.new_sessions) == (3, 3)
    # AAA 10 to 12 and BBB 20 to 30, bought once.
    assert account.total_return == pytest.approx(0.5 * 0.2 + 0.5 * 0.5)


def test_an_earlier_night_adds_nothing_and_says_why(nights: Nights) -> None:
    for row in (1, 3):
        trade_agent.fn(nights(row), "stocks")
    before = nights(3).warehouse.version(ORDERS)
    late = trade_agent.fn(nights(2), "stocks")
    assert nights(3).warehouse.version(ORDERS) == before
    text = "not continued: orders of 2026-01-08 are recorded: those of 2026-01-07 would come too late"
    assert late.notes == (f"cash, equal_weight: {text}",)
    assert {item.new_sessions for item in late.accounts} == {0}


@pytest.mark.parametrize("broken", ["record_sessions", "record_orders"])
def test_a_kill_between_sessions_and_orders_loses_nothing(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    trade_agent.fn(nights(1), "stocks")
    with monkeypatch.context() as killed:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        killed.setattr(paper_stage, broken, die)
        with pytest.raises(KeyboardInterrupt):
            trade_agent.fn(nights(2), "stocks")
    trade_agent.fn(nights(2), "stocks")
    assert accounts(nights(3))["equal_weight"].total_return == pytest.approx(1.05 * 1.25 - 1.0)
    orders = nights(3).warehouse.read(ORDERS, where={"lane_id": "baseline:equal_weight"})
    assert sorted(set(orders["as_of"].dt.date)) == [day(1), day(2), day(3)]


def test_revised_data_leave_what_was_reported(nights: Nights) -> None:
    for row in (1, 2, 3):
        trade_agent.fn(nights(row), "stocks")
    revised = CLOSES.copy()
    revised[2:, 0] = 22.0
    receipt = trade_agent.fn(nights(4, revised), "stocks")
    note = "equal_weight: the data contradict 1 recorded sessions by now; they stand"
    assert receipt.notes == (note,)
    rows = nights(4).warehouse.read(SESSIONS, where={"lane_id": "baseline:equal_weight"})
    np.testing.assert_allclose(rows["return"], [0.05, 0.25, 0.0], atol=1e-12)
    assert rows["equity"].iloc[-1] == pytest.approx(1.05 * 1.25)


def test_a_lane_trades_tonights_policy_or_its_newest(nights: Nights) -> None:
    lane = policy_lanes(nights(1).settings, "stocks")[0]
    assert newest_policy(nights(1), lane) is None
    bundle = train(nights(1), "equal_weight").checkpoint.bundle_hash
    trade_agent.fn(nights(1), "stocks")
    # Not trained on the second night; on the third it turned to cash.
    trade_agent.fn(nights(2), "stocks")
    other = train(nights(3), "cash").checkpoint.bundle_hash
    trade_agent.fn(nights(3), "stocks")
    account = accounts(nights(4))["stocks"]
    assert account.lane_id == lane.lane_id
    assert account.total_return == pytest.approx(1.05 * 1.25 - 1.0)
    rows = nights(4).warehouse.read(SESSIONS, where={"lane_id": lane.lane_id})
    assert rows["bundle_hash"].tolist() == [bundle, bundle, other]


def test_a_damaged_policy_is_a_problem_of_its_lane_alone(nights: Nights) -> None:
    trade_agent.fn(nights(1), "stocks")
    receipt = train(nights(2), "equal_weight")
    (Path(receipt.checkpoint.uri) / "manifest.json").write_text("{}", encoding="utf-8")
    told = trade_agent.fn(nights(2), "stocks")
    assert [text.split(":")[0] for text in told.problems] == ["stocks"]
    assert [item.lane for item in told.accounts] == ["equal_weight", "cash"][::-1]


def test_the_champions_account_follows_what_was_published(nights: Nights) -> None:
    night = nights(1)
    assert record_champion_orders(night, "stocks", Orders(day(1), {"AAA": 1.0, "BBB": 0.0}, "first")) == ()
    # Promoted meanwhile, and the night repeated: nothing was traded yet.
    assert record_champion_orders(night, "stocks", Orders(day(1), {"BBB": 0.25}, "second")) == ()
    champion = accounts(nights(3))[CHAMPION_LANE]
    assert champion.total_return == pytest.approx(0.25 * 0.5)
    assert next(iter(accounts(nights(3)))) == CHAMPION_LANE
    told = record_champion_orders(night, "stocks", Orders(day(1), {"AAA": 1.0}))
    assert told == (
        "paper account not continued: the session of 2026-01-08 is recorded: orders of 2026-01-06 would come too late",
    )
    rows = nights(3).warehouse.read(ORDERS, where={"lane_id": CHAMPION_LANE})
    assert dict(zip(rows["symbol"], rows["target_weight"], strict=True)) == {"AAA": 0.0, "BBB": 0.25}
    assert paper_accounts.paper_sessions(night.warehouse, "etfs") == {}

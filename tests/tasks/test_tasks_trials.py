"""Candidate, champion and baselines of a night: real data, bundles, registry and tables; only nothing is trained."""

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_nights import crown, simulated_night, store_rule, with_features

from tasks.backtest import BacktestReceipt, agents_to_score, backtest_agent
from tasks.markets import agent_market
from tasks.meta import champion_books
from tasks.night import Night
from tasks.receipts import record
from tasks.signals import signal_agent, signal_meta
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt
from tasks.trials import candidate_receipts, run_trials, trained_candidate
from wealtharena.agents.lanes import policy_lanes
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import ModelIntegrityError, PipelineError
from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines
from wealtharena.evaluation.baselines import baselines_of
from wealtharena.promotion.score_card import Kind
from wealtharena.settings import Settings

LIMIT = Settings().risk.max_weight
BASELINES = set(baselines_of(None))
OF_ETFS = set(baselines_of(AssetClass.ETFS))


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Two classes with features; ETFs have a champion that buys everything, REITs one that stays in cash."""
    lanes = {
        "reits-small": {"agent": "reits", "recipe": {"hidden_sizes": [8]}},
        "reits-large": {"agent": "reits", "recipe": {"hidden_sizes": [128]}},
    }
    sections = {"meta": {"fusion_weights": {"etfs": 1.0, "reits": 0.0}}, "lanes": lanes}
    home = tmp_path_factory.mktemp("trials") / "home"
    return with_features(simulated_night(home, "etfs", "reits", with_meta=True, **sections))


@pytest.fixture(scope="module")
def champions(night: Night) -> dict[str, str]:
    """Version of each champion."""
    return crown(night, {"etfs": "equal_weight", "reits": "cash"})


def store_candidate(night: Night, name: str, rule: str) -> TrainingReceipt:
    """A training's receipt whose bundle holds a rule; the lane is named."""
    agent = night.settings.agent_of(name)
    (lane,) = (item for item in policy_lanes(night.settings, agent) if item.name == name)
    receipt = TrainingReceipt(agent, store_rule(night, lane, rule), "9", "run", "PPO", "w" * 64, None, None, 1.0)
    record(night, TRAIN, name, receipt, TrainingReceipt)
    return receipt


def assert_same_account(one: BacktestResult, other: BacktestResult) -> None:
    for name in ("dates", "equity", "weights", "turnover", "cost"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_an_agent_is_scored_once_it_is_trained_or_in_service(night: Night) -> None:
    """The first test of the module: nobody is in service yet."""
    assert agents_to_score(night) == []
    with pytest.raises(PipelineError, match="the meta-agent needs two agents with a policy or champion, got 0"):
        champion_books(night)


def test_a_champion_and_the_baselines_trade_the_same_held_out_window(night: Night, champions: dict[str, str]) -> None:
    trials = run_trials(night, "etfs")
    market = agent_market(night, "etfs")
    expected = backtest_baselines(market.panel, market.windows.held_out, market.rules, sorted(OF_ETFS))
    assert set(trials.results) == {"champion", *OF_ETFS}
    assert_same_account(trials.results["champion"], expected["equal_weight"])
    for name in OF_ETFS:
        assert_same_account(trials.results[name], expected[name])
    assert trials.candidate is None
    assert trials.champion is not None
    assert (trials.champion.kind, trials.champion_version) == (Kind.BASELINE, champions["etfs"])
    assert trials.champion.name == f"etfs v{champions['etfs']} (equal_weight)"
    assert trials.champion.bundle_hash
    assert set(trials.baselines) == OF_ETFS


@pytest.fixture(scope="module")
def earlier(night: Night) -> Night:
    """The night before, in which the REITs' own lane has a policy: it follows the trend."""
    before = with_features(night.model_copy(update={"as_of": date(2022, 6, 29)}))
    store_candidate(before, "reits", "time_series_momentum")
    return before


@pytest.mark.usefixtures("champions")
def test_tonights_candidate_is_scored_beside_the_champion(night: Night, earlier: Night) -> None:
    receipt = candidate_receipts(earlier)["reits"]
    trials = run_trials(earlier, "reits")
    assert_same_account(trials.results["candidate"], trials.results["time_series_momentum"])
    assert trials.candidate is not None
    assert trials.candidate.bundle_hash == receipt.checkpoint.bundle_hash
    assert trials.champion is not None
    assert trials.champion.window == trials.candidate.window
    assert trained_candidate(night, "reits") is None


@pytest.mark.usefixtures("champions")
def test_every_lane_is_scored_at_its_costs_and_at_twice_those_and_enters_the_ledger(
    night: Night, earlier: Night
) -> None:
    store_candidate(earlier, "reits-small", "equal_weight")
    broken = store_candidate(earlier, "reits-large", "cash")
    (Path(broken.checkpoint.uri) / "manifest.json").write_text("{}", encoding="utf-8")
    own, small, large = (lane.lane_id for lane in policy_lanes(night.settings, "reits"))
    trials = run_trials(earlier, "reits")
    assert_same_account(trials.results["reits-small"], trials.results["equal_weight"])
    assert set(trials.lanes) == {own, small, *(f"baseline:{name}" for name in baselines_of(AssetClass.REITS))}
    assert list(trials.refused) == [large]
    assert trials.candidate == trials.lanes[own].card
    once, twice = trials.lanes[small].card, trials.lanes[small].card_double_cost
    assert once.metrics.total_return > twice.metrics.total_return
    expected = trials.lanes["baseline:equal_weight"].card_double_cost.metrics
    assert twice.metrics.total_return == expected.total_return
    receipt = backtest_agent.fn(earlier, "reits")
    assert len(receipt.problems) == 1 and receipt.problems[0].startswith(f"{large}: ")
    rows = night.warehouse.read("out_backtest__metrics", where={"night": earlier.night_id, "agent": "reits"})
    assert set(rows[rows["kind"] == "lane"]["strategy"]) == {"reits-small"}
    ledger = night.warehouse.read("out_promotion__trials", where={"night": earlier.night_id})
    assert set(ledger["lane_id"]) == set(trials.lanes)
    by_lane = ledger.set_index("lane_id")["sharpe"]
    assert by_lane[small] == pytest.approx(once.metrics.sharpe / math.sqrt(once.annualisation))


@pytest.mark.usefixtures("champions")
def test_a_damaged_candidate_is_refused(night: Night) -> None:
    other = night.model_copy(update={"as_of": date(2022, 6, 28)})
    receipt = store_candidate(other, "etfs", "cash")
    altered = {**receipt.__dict__, "checkpoint": receipt.checkpoint.__class__(receipt.checkpoint.uri, "", "", "0" * 64)}
    record(other, TRAIN, "etfs", TrainingReceipt(**altered), TrainingReceipt)
    with pytest.raises(ModelIntegrityError):
        trained_candidate(other, "etfs")


@pytest.mark.usefixtures("champions")
def test_the_combined_book_is_what_the_shares_make_of_the_agents_books(night: Night) -> None:
    trials = run_trials(night, "meta")
    books = champion_books(night)
    assert set(trials.results) == {"weighted_fusion", *BASELINES}
    assert set(trials.baselines) == BASELINES
    assert trials.champion is None
    assert trials.champion_version == ""
    fused = trials.results["weighted_fusion"]
    assert fused.dates[0].astype(object) == books.held_out_start
    assert fused.dates[-1].astype(object) == date(2022, 6, 30)
    # Only the ETFs' champion has capital, as much as one asset may have: its orders are the book's.
    own = books.paths["etfs"]
    places = [fused.symbols.index(symbol) for symbol in own.symbols]
    there = np.isin(own.dates, fused.dates)
    np.testing.assert_allclose(fused.target_weights[:, places], LIMIT * own.target_weights[there], atol=1e-12)
    np.testing.assert_allclose(np.delete(fused.target_weights, places, axis=1), 0.0)
    assert trials.results["cash"].equity.tolist() == [1.0] * len(fused.dates)


@pytest.mark.usefixtures("champions")
def test_without_an_allocator_the_signals_are_those_of_the_fusion_that_was_scored(night: Night) -> None:
    receipt = signal_meta.fn(night)
    etfs = signal_agent.fn(night, "etfs").weights
    assert (receipt.model, receipt.shares) == ("weighted fusion", {"etfs": LIMIT, "reits": 0.0})
    assert sum(etfs.values()) == pytest.approx(1.0)
    expected = {f"etfs/{symbol}": LIMIT * weight for symbol, weight in etfs.items()}
    assert {name: weight for name, weight in receipt.weights.items() if weight} == pytest.approx(expected)


@pytest.mark.usefixtures("champions")
def test_scores_are_stored_once_and_name_the_best_baseline_that_moved(night: Night) -> None:
    receipt = backtest_agent.fn(night, "etfs")
    assert receipt == backtest_agent.fn(night.model_copy(update={"run_id": "again"}), "etfs")
    assert isinstance(receipt, BacktestReceipt)
    assert set(receipt.baselines) == OF_ETFS
    assert receipt.best_baseline in OF_ETFS - {"cash"}
    assert receipt.figures["cash"]["sharpe"] is None
    rows = night.warehouse.read("out_backtest__metrics", where={"night": night.night_id, "agent": "etfs"})
    kinds: dict[str, Any] = dict(zip(rows["strategy"], rows["kind"], strict=True))
    assert kinds == {"champion": "champion", **dict.fromkeys(OF_ETFS, "baseline")}
    stored = rows[(rows["strategy"] == "champion") & (rows["metric"] == "total_return")]["value"].item()
    assert math.isclose(stored, receipt.figures["champion"]["total_return"] or 0.0)


@pytest.mark.usefixtures("champions")
def test_trades_costs_and_limits_of_the_champion_are_stored(night: Night) -> None:
    receipt = backtest_agent.fn(night, "etfs")
    own = {"night": night.night_id, "agent": "etfs"}
    trades = night.warehouse.read("out_backtest__trades", where=own)
    assert receipt.trades is not None
    assert len(trades) == receipt.trades.rows > 0
    assert set(trades["strategy"]) == {"champion"}
    rows = night.warehouse.read("out_backtest__metrics", where=own).set_index(["strategy", "metric"])["value"]
    capital = night.settings.execution.capital
    for kind in ("commission", "spread", "impact"):
        assert trades[kind].sum() == pytest.approx(capital * rows[("champion", f"{kind}_paid")], rel=1e-9)
    monitor = receipt.monitor["champion"]
    assert set(receipt.monitor) == {"champion"}
    assert monitor["limit_max_gross_bound_share"] == rows[("champion", "limit_max_gross_bound_share")] == 0.0
    assert 0.0 < (monitor["value_at_risk_last"] or 0.0) <= night.settings.risk_of("etfs").max_var  # type: ignore[operator]
    assert rows[("equal_weight", "commission_paid")] == rows[("champion", "commission_paid")]

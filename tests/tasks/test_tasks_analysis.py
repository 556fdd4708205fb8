"""The analysis of a night's results: rules in service on data, bundles, registry and tables; nothing is trained."""

import pandas as pd
import pytest
from simulated_nights import crown, simulated_night, with_features

from tasks.analysis import AnalysisReceipt, agents_to_analyse, analyse_agent
from tasks.backtest import BacktestReceipt, backtest_agent
from tasks.night import Night
from wealtharena.core.errors import PipelineError

pytestmark = pytest.mark.slow

RULES = {"etfs": "equal_weight", "reits": "time_series_momentum", "meta": "equal_weight"}
SMALL = {"return_paths": 50, "market_paths": 2, "limit_paths": 2, "start_shifts": 2, "max_lag_loss": 0.0}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Two classes and the combined book, each with a rule in service."""
    sections = {
        "windows": {"held_out_days": 60, "validation_days": 130, "embargo_days": 2, "min_train_days": 150},
        "features": {},
        "analysis": SMALL,
    }
    home = tmp_path_factory.mktemp("analysis") / "home"
    made = with_features(simulated_night(home, "etfs", "reits", with_meta=True, **sections))
    crown(made, RULES)
    return made


@pytest.fixture(scope="module")
def scored(night: Night) -> dict[str, BacktestReceipt]:
    return {agent: backtest_agent.fn(night, agent) for agent in RULES}


@pytest.fixture(scope="module")
def analysed(night: Night, scored: dict[str, BacktestReceipt]) -> dict[str, AnalysisReceipt]:
    return {agent: analyse_agent.fn(night, agent) for agent in agents_to_analyse(night)}


def rows_of(night: Night, table: str, agent: str) -> pd.DataFrame:
    return night.warehouse.read(table, where={"night": night.night_id, "agent": agent})


def test_every_scored_agent_is_analysed(night: Night, analysed: dict[str, AnalysisReceipt]) -> None:
    assert list(analysed) == ["etfs", "reits", "meta"]
    assert {receipt.strategy for receipt in analysed.values()} == {"champion"}


@pytest.mark.parametrize("agent", list(RULES))
def test_contributions_add_up_to_the_backtest(
    night: Night, scored: dict[str, BacktestReceipt], analysed: dict[str, AnalysisReceipt], agent: str
) -> None:
    earned = scored[agent].figures["champion"]["total_return"]
    assert earned is not None
    rows = rows_of(night, "out_analysis__attribution", agent)
    assert set(rows["strategy"]) == {"champion"}
    for dimension, total in rows.groupby("dimension")["contribution"].sum().items():
        assert total == pytest.approx(earned, abs=1e-9), dimension
    assert analysed[agent].total_return == pytest.approx(earned, abs=1e-9)


def test_the_combined_book_is_told_by_class(analysed: dict[str, AnalysisReceipt]) -> None:
    assert set(analysed["meta"].contributions["class"]) == {"etfs", "reits", "cash"}
    assert "class" not in analysed["etfs"].contributions


def test_the_table_holds_fans_as_long_as_the_window(night: Night, analysed: dict[str, AnalysisReceipt]) -> None:
    rows = rows_of(night, "out_analysis__simulations", "etfs")
    fans = rows[rows["session"] >= 0]
    assert set(fans["method"]) == {"return_bootstrap", "market_bootstrap"}
    assert set(fans["session"]) == set(range(60))
    assert set(rows_of(night, "out_analysis__simulations", "meta")["method"]) >= {"return_bootstrap", "cost", "lag"}
    assert set(analysed["etfs"].loss_probability) == {"return_bootstrap", "market_bootstrap"}
    assert set(analysed["meta"].loss_probability) == {"return_bootstrap"}


def test_an_unchanged_cost_is_the_backtest(night: Night, scored: dict[str, BacktestReceipt]) -> None:
    rows = rows_of(night, "out_analysis__simulations", "reits").set_index(["method", "scenario", "metric", "quantile"])
    assert rows.loc[("cost", "1x", "difference", "value"), "value"].item() == 0.0
    found = rows.loc[("cost", "1x", "total_return", "value"), "value"].item()
    assert found == pytest.approx(scored["reits"].figures["champion"]["total_return"], abs=1e-12)


def test_a_delay_that_costs_too_much_is_noted(analysed: dict[str, AnalysisReceipt]) -> None:
    for receipt in analysed.values():
        # The settings call any loss too much.
        assert bool(receipt.notes) == (receipt.lag_loss is not None and receipt.lag_loss > 0.0)


def test_a_repeat_finds_what_was_done(night: Night, analysed: dict[str, AnalysisReceipt]) -> None:
    assert analyse_agent.fn(night, "etfs") == analysed["etfs"]


def test_a_fresh_run_gives_equal_rows_to_the_bit(night: Night, analysed: dict[str, AnalysisReceipt]) -> None:
    forced = analyse_agent.fn(night.model_copy(update={"force": True}), "etfs")
    assert forced.simulations.content_hash == analysed["etfs"].simulations.content_hash
    assert forced.attribution.content_hash == analysed["etfs"].attribution.content_hash


def test_the_settings_switch_it_off(night: Night) -> None:
    analysis = night.settings.analysis.model_copy(update={"enabled": False})
    off = night.model_copy(update={"settings": night.settings.model_copy(update={"analysis": analysis})})
    assert agents_to_analyse(off) == []


def test_without_policy_and_champion_there_is_nothing_to_analyse(night: Night) -> None:
    with pytest.raises(PipelineError, match="neither a policy of tonight nor a champion"):
        analyse_agent.fn(night, "stocks")

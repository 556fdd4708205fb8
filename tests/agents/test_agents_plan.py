"""An agent's plan tells what runs, all of it, and nothing that its algorithm does not use."""

import pytest

from wealtharena.agents.plan import FIGURES, agent_plan, agent_plans
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError
from wealtharena.evaluation.strategies import STRATEGY_FEATURES
from wealtharena.markets import MARKETS
from wealtharena.settings import AgentSettings, Algorithm, Settings, load_settings

OF_EVERY_ALGORITHM = {
    "algorithm", "network", "actions", "levels", "window", "env_steps", "hidden_sizes", "learning_rate",
    "final_learning_rate", "gamma", "num_accounts", "long_only", "risk_profile", "reward",
}  # fmt: skip


def settings(*overrides: str) -> Settings:
    return load_settings("quickstart", overrides, {})


def test_every_figure_of_a_recipe_belongs_to_every_algorithm_or_to_some() -> None:
    of_some = {figure for figures in FIGURES.values() for figure in figures}
    assert OF_EVERY_ALGORITHM | of_some == set(AgentSettings.model_fields)
    assert not OF_EVERY_ALGORITHM & of_some
    assert set(FIGURES) == set(Algorithm)


def test_there_is_a_plan_per_class_of_the_run_and_one_for_the_meta_agent() -> None:
    assert [plan.agent for plan in agent_plans(settings())] == [*AssetClass, "meta"]
    assert [plan.agent for plan in agent_plans(settings("run.asset_classes=[reits]"))] == ["reits", "meta"]


@pytest.mark.parametrize("asset_class", AssetClass)
def test_an_agent_observes_the_features_of_its_class(asset_class: AssetClass) -> None:
    plain = agent_plan(settings(), str(asset_class))
    assert plain.features == MARKETS[asset_class].indicators
    assert plain.macro == MARKETS[asset_class].observes_macro
    more = agent_plan(settings("features.calendar=true", "features.macro=false"), str(asset_class))
    assert set(more.features) > set(plain.features)
    assert not more.macro


def test_the_meta_agent_observes_books_and_pays_for_moving_capital() -> None:
    plan = agent_plan(settings("meta.rebalance_bps=12", "meta.risk_profile=conservative"), "allocator")
    assert (plan.agent, plan.asset_class, plan.algorithm) == ("meta", None, "PPO")
    assert plan.features == STRATEGY_FEATURES
    assert plan.costs == {"meta": {"rebalance_bps": 12.0}}
    assert plan.limits["max_gross"] == 0.8
    assert plan.reward["variance"] == 4.0


def test_reward_and_limits_are_those_of_settings_profile_and_agent_together() -> None:
    plan = agent_plan(
        settings(
            "reward.turnover=0.5", "risk.max_net=0.7", "agents.etfs.risk_profile=conservative",
            "agents.etfs.reward={drawdown: 0.0, downside: 2.0}",
        ),
        "etfs",
    )  # fmt: skip
    # log_return from the defaults, turnover from reward, variance from the profile, the agent's own last.
    assert plan.reward == {"log_return": 1.0, "turnover": 0.5, "variance": 4.0, "downside": 2.0}
    assert (plan.limits["max_net"], plan.limits["max_gross"]) == (0.7, 0.8)
    assert "max_net" not in plan.profile_limits
    assert plan.profile_limits["max_gross"] == 0.8


def test_a_limit_that_a_profile_repeats_does_not_differ() -> None:
    same = settings("risk_profiles.mine={risk: {max_gross: 1.0, max_net: 0.5}}", "agents.stocks.risk_profile=mine")
    assert agent_plan(same, "stocks").profile_limits == {"max_net": 0.5}


def test_levels_are_told_where_actions_are_levels() -> None:
    assert agent_plan(settings(), "currencies").levels == (-1.0, 0.0, 1.0)
    assert agent_plan(settings(), "stocks").levels == ()
    chosen = settings("agents.stocks.actions=levels", "agents.stocks.levels=[0, 0.5, 1]")
    assert agent_plan(chosen, "stocks").levels == (0.0, 0.5, 1.0)


def test_costs_are_those_of_the_class_and_of_exchanges_with_others() -> None:
    costs = agent_plan(settings("costs.stocks.commission_bps=3"), "stocks").costs
    assert list(costs) == ["stocks", "XASX"]
    assert costs["stocks"]["commission_bps"] == 3.0
    assert costs["XASX"]["commission_bps"] == 8.0
    assert "holding_bps_per_year" not in costs["stocks"]


def test_shadows_that_are_not_named_are_there_where_the_engine_has_them() -> None:
    assert agent_plan(settings(), "stocks").figures["shadow_accounts"] is True
    assert agent_plan(settings("training.engine=stock"), "stocks").figures["shadow_accounts"] is False


def test_an_agent_without_a_recipe_has_no_plan() -> None:
    alone = Settings.model_validate({"agents": {"stocks": {"algorithm": "PPO"}}})
    with pytest.raises(SettingsError, match="unknown recipe of agent 'crypto'; known: stocks"):
        agent_plan(alone, "crypto")

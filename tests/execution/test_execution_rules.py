"""Rules by themselves and from settings."""

from typing import Any

import pytest

from wealtharena.core.errors import SettingsError
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import ExecutionSettings, RiskSettings, Settings


def test_rules_follow_the_agents_recipe_and_the_risk_limits() -> None:
    settings = Settings(risk=RiskSettings(max_weight=0.5, delisting_haircut=0.4, max_cvar=None))
    rules = TradingRules.from_settings(settings, "commodities")
    assert (rules.long_only, rules.max_weight, rules.delisting_haircut) == (False, 0.5, 0.4)
    assert rules.max_cvar is None
    assert rules.max_volatility == settings.risk.max_volatility
    assert TradingRules.from_settings(settings, "stocks").long_only


def test_an_agents_profile_changes_its_limits_and_its_reward() -> None:
    settings = Settings()
    stocks = settings.agents["stocks"].model_copy(update={"risk_profile": "conservative"})
    settings = settings.model_copy(update={"agents": settings.agents | {"stocks": stocks}})
    assert TradingRules.from_settings(settings, "stocks").drawdown_stop == 0.15
    assert TradingRules.from_settings(settings, "etfs").drawdown_stop == settings.risk.drawdown_stop
    assert RewardWeights.from_settings(settings, "stocks").variance == 4.0


def test_capital_and_the_margin_on_debt_come_from_the_execution_settings() -> None:
    settings = Settings(execution=ExecutionSettings(capital=5e4, debit_bps_per_year=250.0))
    rules = TradingRules.from_settings(settings, "crypto")
    assert (rules.capital, rules.debit_rate) == (5e4, 0.025)


def test_the_meta_agent_is_long_only() -> None:
    assert TradingRules.from_settings(Settings(), "meta").long_only


def test_an_unknown_agent_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"unknown agent 'bonds'; known: .*crypto.*meta"):
        TradingRules.from_settings(Settings(), "bonds")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["max_weight", "max_gross", "max_net", "max_turnover", "drawdown_stop", "capital"])
def test_a_limit_that_is_not_finite_is_refused(name: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be finite"):
        TradingRules.unlimited(**{name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"max_weight": -0.1}, {"max_gross": -1.0}, {"max_net": -1.0}, {"max_turnover": -1.0}, {"concentration": -1.0},
        {"max_volatility": -0.1}, {"max_var": -0.1}, {"max_cvar": -0.1}, {"debit_rate": -0.1},
        {"delisting_haircut": -0.1}, {"delisting_haircut": 1.1}, {"min_effective_positions": 0.9},
        {"risk_confidence": 0.4}, {"risk_confidence": 1.0}, {"risk_window": 20}, {"reentry_sessions": 0},
        {"drawdown_stop": 0.0}, {"drawdown_stop": -0.2}, {"drawdown_stop": 1.1}, {"capital": 0.0}, {"capital": -1.0},
    ],
    ids=lambda changes: "{}={}".format(*next(iter(changes.items()))),
)  # fmt: skip
def test_a_rule_without_a_meaning_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        TradingRules.unlimited(**changes)

"""Rules from settings."""

import pytest

from wealtharena.core.errors import SettingsError
from wealtharena.execution import TradingRules
from wealtharena.settings.models import RiskSettings, Settings


def test_rules_follow_the_agents_recipe_and_the_risk_limits() -> None:
    settings = Settings(risk=RiskSettings(max_weight=0.5, delisting_haircut=0.4))
    rules = TradingRules.from_settings(settings, "commodities")
    assert (rules.long_only, rules.max_weight, rules.delisting_haircut) == (False, 0.5, 0.4)
    assert TradingRules.from_settings(settings, "stocks").long_only


def test_borrow_is_spread_over_the_sessions_of_a_year() -> None:
    settings = Settings()
    assert TradingRules.from_settings(settings, "stocks").borrow_per_session == pytest.approx(50e-4 / 252)
    assert TradingRules.from_settings(settings, "crypto").borrow_per_session == pytest.approx(500e-4 / 365)


def test_the_meta_agent_is_long_only_and_borrows_nothing() -> None:
    rules = TradingRules.from_settings(Settings(), "meta")
    assert rules.long_only
    assert rules.borrow_per_session == 0.0


def test_an_unknown_agent_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"unknown agent 'bonds'; known: .*crypto.*meta"):
        TradingRules.from_settings(Settings(), "bonds")

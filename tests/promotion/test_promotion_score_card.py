"""Score cards from real backtests."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from wealtharena.core.panel import AssetCosts, Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation import BacktestResult, backtest_baselines, backtest_policy
from wealtharena.execution import TradingRules
from wealtharena.promotion import Champion, DecisionOutcome, GateInputs, Kind, LaneInputs, State, decide, score
from wealtharena.settings import PromotionSettings, RiskSettings, Settings

RISK = RiskSettings(max_weight=0.5)
WINDOW = (50, 150)


@pytest.fixture(scope="module")
def panel() -> MarketPanel:
    """Three assets of 150 sessions; the feature is tomorrow's direction with a little noise, so that skill pays."""
    shocks = np.random.default_rng(1).normal(0.0, 0.01, size=(150, 3))
    close = 100.0 * np.exp(np.cumsum(shocks, axis=0))
    bars = np.ones(close.shape, dtype=bool)
    return MarketPanel(
        dates=np.datetime64("2024-01-01", "D") + np.arange(150),
        symbols=("A", "B", "C"),
        feature_names=("hint",),
        features=np.roll(shocks, -1, axis=0)[:, :, None].astype(np.float32),
        open=np.vstack([close[:1], close[:-1]]),
        close=close,
        tradable=bars,
        observed=bars,
        delisted=~bars,
        dollar_volume=np.full(close.shape, np.nan),
        volatility=np.full(close.shape, 0.01),
        costs=AssetCosts.flat(3, 0.0005),
        annualisation=252,
    )


@pytest.fixture
def rules() -> TradingRules:
    return replace(TradingRules.from_settings(Settings(), "commodities"), max_weight=0.5)


class Hinted:
    """Follows the hint times a skill: 1 knows tomorrow, -1 is always wrong, 0 does nothing, NaN is broken."""

    def __init__(self, skill: float) -> None:
        self.skill = skill

    def act(self, observation: Float32Array) -> FloatArray:
        return self.skill * np.sign(observation[:, :, 0]).astype(np.float64)


def played(skill: float, panel: MarketPanel, rules: TradingRules, name: str = "agent") -> BacktestResult:
    return backtest_policy(Hinted(skill), panel, WINDOW, rules, name)


def test_a_card_tells_what_was_scored_where(panel: MarketPanel, rules: TradingRules) -> None:
    result = played(1.0, panel, rules)
    found = score(result, Kind.POLICY, RISK, "abc")
    assert found.window == (date(2024, 2, 20), date(2024, 5, 29))
    assert found.metrics == result.metrics
    assert (found.name, found.kind, found.bundle_hash, found.finite) == ("agent", Kind.POLICY, "abc", True)
    assert found.limits_breached == ()


def test_targets_beyond_the_limits_are_named(panel: MarketPanel, rules: TradingRules) -> None:
    result = played(1.0, panel, rules)
    found = score(replace(result, target_weights=result.target_weights * 3.0), Kind.POLICY, RISK)
    assert len(found.limits_breached) == 4
    assert "exceeds risk.max_weight 0.5" in found.limits_breached[0]
    assert "exceeds risk.max_gross 1" in found.limits_breached[1]
    assert "exceeds risk.max_net 1" in found.limits_breached[2]
    assert "effective positions are fewer than risk.min_effective_positions 2" in found.limits_breached[3]


@pytest.mark.parametrize("field", ["equity", "returns", "weights"])
def test_a_nan_anywhere_makes_a_card_not_finite(panel: MarketPanel, rules: TradingRules, field: str) -> None:
    result = played(1.0, panel, rules)
    values = getattr(result, field).copy()
    values[3] = np.nan
    assert not score(replace(result, **{field: values}), Kind.POLICY, RISK).finite


def test_orders_that_were_not_given_are_no_fault(panel: MarketPanel, rules: TradingRules) -> None:
    result = played(1.0, panel, rules)
    targets = result.target_weights.copy()
    targets[5] = np.nan
    assert score(replace(result, target_weights=targets), Kind.POLICY, RISK).finite


def lanes(panel: MarketPanel, rules: TradingRules, skill: float) -> tuple[LaneInputs, ...]:
    """The baselines and a hinted policy, without history or paper accounts."""
    own = score(played(skill, panel, rules), Kind.POLICY, RISK)
    found = [LaneInputs("stocks@1", "stocks", Kind.POLICY, card=own, card_double_cost=own, version="2")]
    for name, result in backtest_baselines(panel, WINDOW, rules).items():
        card = score(result, Kind.BASELINE, RISK)
        found.append(LaneInputs(f"baseline:{name}", name, Kind.BASELINE, card=card, card_double_cost=card))
    return tuple(found)


@pytest.mark.parametrize(
    ("skill", "words"),
    [
        (1.0, "takes the place, unproven: stocks has too short a history"),
        (-1.0, "is dominated by the baseline"),
        (0.0, "does not trade"),
        (float("nan"), "yields NaN"),
    ],
)
def test_without_history_even_the_best_policy_begins_beside_a_baseline(
    panel: MarketPanel, rules: TradingRules, skill: float, words: str
) -> None:
    night = GateInputs("stocks", "stocks@1", date(2024, 5, 29), lanes(panel, rules, skill))
    decision = decide(night, PromotionSettings(), RISK)
    assert decision.outcome is DecisionOutcome.BASELINE_CHAMPION
    assert words in decision.reason


@pytest.mark.parametrize(
    ("skill", "outcome"), [(1.0, "promoted"), (-1.0, "baseline_champion"), (0.0, "baseline_champion")]
)
def test_guarded_needs_a_sound_policy_only(panel: MarketPanel, rules: TradingRules, skill: float, outcome: str) -> None:
    night = GateInputs("stocks", "stocks@1", date(2024, 5, 29), lanes(panel, rules, skill))
    assert decide(night, PromotionSettings(policy="guarded"), RISK).outcome == outcome


def test_an_idle_night_never_dethrones_a_trading_champion(panel: MarketPanel, rules: TradingRules) -> None:
    card = score(played(1.0, panel, rules, "stocks v1"), Kind.POLICY, RISK, "old")
    champion = Champion("stocks@1", "stocks v1", card, State.CONFIRMED)
    night = GateInputs("stocks", "stocks@1", date(2024, 5, 29), lanes(panel, rules, 0.0), champion)
    for policy in ("two_key", "guarded"):
        decision = decide(night, PromotionSettings(policy=policy), RISK)  # type: ignore[arg-type]
        assert (decision.outcome, decision.serving.name) == (DecisionOutcome.REJECTED, "stocks v1")

"""The risk monitor: known answers by hand, and the kernel's own state as the judge of drawdowns and stops."""

import math

import numpy as np
import pytest

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import EnvConfig, TradingVectorEnv, run_weights
from wealtharena.execution import Limit, TradingRules, active_limits, bound_shares, drawdown_state, monitor


def market(closes: object, **changes: object) -> MarketPanel:
    close = np.asarray(closes, float)
    everything = np.ones(close.shape, bool)
    values: dict[str, object] = {
        "dates": np.datetime64("2024-01-01") + np.arange(len(close)),
        "symbols": tuple(f"S{k}" for k in range(close.shape[1])),
        "feature_names": ("f",),
        "features": np.zeros((*close.shape, 1), np.float32),
        "open": close,
        "close": close,
        "tradable": everything,
        "observed": everything,
        "delisted": ~everything,
        "dollar_volume": np.full(close.shape, 1e9),
        "volatility": np.full(close.shape, 0.01),
        "costs": AssetCosts.flat(close.shape[1], 0.0),
        "annualisation": 252,
    }
    return MarketPanel(**(values | changes))  # type: ignore[arg-type]


def test_the_share_of_sessions_in_which_each_limit_bound() -> None:
    rules = TradingRules.unlimited(max_weight=0.4, max_gross=0.6, max_net=0.5)
    panel = market(np.full((5, 2), 10.0))
    path = run_weights(np.array([[0.1, 0.1], [0.3, 0.3], [0.5, -0.3], [0.9, 0.9]]), panel, 1, 4, rules)
    figures = monitor(path, rules, 252)
    assert figures["limit_max_weight_bound_share"] == 0.5
    assert figures["limit_max_net_bound_share"] == 0.5
    assert figures["limit_max_gross_bound_share"] == 0.25
    assert figures["limit_unfilled_bound_share"] == 0.0
    assert figures["net_last"] == pytest.approx(0.5)
    assert figures["gross_last"] == pytest.approx(0.5)
    assert figures["largest_weight_last"] == pytest.approx(0.25)
    assert figures["effective_positions_last"] == pytest.approx(0.36 / 0.125)
    assert math.isnan(figures["value_at_risk_last"])


def test_only_limits_that_are_on_are_listed() -> None:
    assert set(active_limits(TradingRules.unlimited())) == {
        "max_weight", "max_gross", "locked", "unfilled", "max_participation",
    }  # fmt: skip
    on = active_limits(
        TradingRules.unlimited(long_only=True, max_net=0.0, min_effective_positions=3.0, drawdown_stop=0.2)
    )
    assert on["max_net"] == 0.0
    assert on["min_effective_positions"] == 3.0
    assert on["drawdown_stop"] == 0.2
    assert math.isnan(on["long_only"])
    assert "max_var" not in on


def test_shares_count_accounts_and_sessions_alike() -> None:
    flags = np.array([[int(Limit.MAX_GROSS), 0], [int(Limit.MAX_GROSS | Limit.MAX_WEIGHT), 0]])
    shares = bound_shares(flags, TradingRules.unlimited())
    assert (shares["max_gross"], shares["max_weight"]) == (0.5, 0.25)
    assert math.isnan(bound_shares(np.zeros(0, np.int64), TradingRules.unlimited())["max_gross"])


def test_risk_of_the_last_targets_is_told_a_year_and_a_day() -> None:
    rng = np.random.default_rng(0)
    panel = market(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (200, 3)), axis=0)))
    rules = TradingRules.unlimited(max_volatility=0.1, max_var=0.05, max_cvar=0.05, risk_window=64)
    path = run_weights(np.full((199, 3), 1.0 / 3.0), panel, 1, 199, rules)
    figures = monitor(path, rules, 252)
    assert figures["limit_max_volatility_bound_share"] > 0.5
    assert figures["volatility_last"] == pytest.approx(0.1, rel=1e-3)
    assert 0.0 < figures["value_at_risk_last"] < figures["expected_shortfall_last"] < 0.05


def test_costs_and_income_are_summed_by_kind() -> None:
    costs = AssetCosts.flat(1, 0.001, borrow=0.0365)
    panel = market(np.full((3, 1), 10.0), costs=costs, cash_rate=np.full(3, 0.0365), dividend=np.full((3, 1), 0.1))
    rules = TradingRules.unlimited()
    path = run_weights(np.array([[-1.0], [np.nan]]), panel, 1, 2, rules)
    figures = monitor(path, rules, 252)
    assert figures["commission_paid"] == pytest.approx(0.001, rel=1e-3)
    assert figures["carrying_paid"] == pytest.approx(1e-4, rel=1e-3)
    assert figures["interest_received"] == pytest.approx(1e-4 + 2e-4, rel=1e-2)
    assert figures["dividends_received"] == pytest.approx(-0.01, rel=1e-3)
    total = 1.0 + figures["interest_received"] + figures["dividends_received"]
    assert path.equity[-1] == pytest.approx(total - figures["commission_paid"] - figures["carrying_paid"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("reentry", [1, 2, 7])
def test_drawdowns_and_stops_are_those_that_the_kernel_counts(seed: int, reentry: int) -> None:
    rng = np.random.default_rng(seed)
    panel = market(100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.1, (90, 2)), axis=0)))
    rules = TradingRules.unlimited(drawdown_stop=0.1, reentry_sessions=reentry)
    config = EnvConfig(rules=rules, episode_days=200, random_starts=False)
    env = TradingVectorEnv(panel, config, 1, detailed_infos=True)
    env.reset()
    equity, limits = [], []
    for _ in range(85):
        *_, infos = env.step(rng.uniform(-1.0, 1.0, (1, 2)).astype(np.float32))
        equity.append(float(infos["equity"][0]))
        limits.append(int(infos["limits"][0]))
        state = drawdown_state(np.array(equity), np.array(limits), rules)
        account = env.accounts.state[0]
        assert state.stopped == account["stopped"]
        assert state.drawdowns[-1] == pytest.approx(1.0 - account["equity"] / account["peak"], abs=1e-12)
    assert any(np.array(limits) & int(Limit.DRAWDOWN_STOP))


def test_an_account_that_fell_below_nothing_has_fallen_by_all() -> None:
    state = drawdown_state(np.array([1.1, -0.2]), np.zeros(2, np.int64), TradingRules.unlimited())
    assert state.drawdowns.tolist() == [0.0, 1.0]
    assert state.stopped == 0

"""Metrics against published numbers, hand-computed values and their edges."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wealtharena.evaluation import metrics as m

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "metrics"
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="PerformanceAnalytics' return series are not part of the project: no shared/data"
)
HAND = [0.10, -0.10, 0.20, 0.0]
EMPYRICAL = [math.nan, 0.01, 0.10, -0.04, 0.02, 0.03, 0.02, 0.01, -0.10]
MOVING = arrays(np.float64, st.integers(5, 60), elements=st.floats(-0.2, 0.2))


@needs_published
def test_ham1_reproduces_the_values_that_performance_analytics_prints() -> None:
    returns = pd.read_csv(PUBLISHED / "managers.csv", index_col=0)["HAM1"].to_numpy()
    computed = {
        "annual return": m.annual_return(returns, 12),
        "standard deviation": m.volatility(returns, 12),
        "maximum drawdown": m.max_drawdown(returns),
        "Calmar": m.calmar_ratio(returns, 12),
        "downside deviation": m.downside_deviation(returns),
        "Sortino monthly": m.sortino_ratio(returns),
        "Sharpe, 3.5 % a year": m.sharpe_ratio(returns, risk_free=0.035 / 12),
        "skewness": m.skewness(returns),
        "kurtosis": m.kurtosis(returns),
        "pain": float(m.drawdowns(returns).mean()),
    }
    printed = dict(
        zip(computed, [0.1375, 0.0888, 0.1518, 0.9061, 0.0145, 0.7649, 0.3201, -0.6588, 5.3616, 0.0161], strict=True)
    )
    assert computed == pytest.approx(printed, abs=1e-4)


@needs_published
def test_bacon_portfolio_reproduces_pain_and_downside_deviation() -> None:
    returns = pd.read_csv(PUBLISHED / "portfolio_bacon.csv", index_col=0).iloc[:, 0].to_numpy()
    assert m.downside_deviation(returns, target=0.005) == pytest.approx(0.0255, abs=1e-4)
    assert float(m.drawdowns(returns).mean()) == pytest.approx(0.0399, abs=1e-4)


def test_empyricals_own_test_series() -> None:
    assert m.sharpe_ratio(EMPYRICAL, 252) == pytest.approx(1.7238613961706866, rel=1e-12)
    assert m.volatility(EMPYRICAL, 252) == pytest.approx(0.9136465399704637, rel=1e-12)
    assert m.downside_deviation(EMPYRICAL, 252) == pytest.approx(0.6044832503882965, rel=1e-12)
    assert m.max_drawdown(EMPYRICAL) == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize(
    ("sharpe", "benchmark", "size", "skew", "kurt", "expected", "tolerance"),
    [
        (1.14, 1.0, 250, 0.0, 3.0, 0.95727, 1e-4),
        (2 / math.sqrt(12), 1 / math.sqrt(12), 59, -0.72, 3.0, 0.9597, 1e-4),
        (2 / math.sqrt(12), 1 / math.sqrt(12), 59, -0.72, 5.78, 0.9487, 1e-4),
        (2.5 / math.sqrt(250), 0.1132, 1250, -3.0, 10.0, 0.9004, 2e-4),
    ],
)
def test_probabilistic_sharpe_matches_the_literature(
    sharpe: float, benchmark: float, size: int, skew: float, kurt: float, expected: float, tolerance: float
) -> None:
    assert m.probabilistic_sharpe(sharpe, benchmark, size, skew, kurt) == pytest.approx(expected, abs=tolerance)


def test_hand_computed_values() -> None:
    assert m.total_return(HAND) == pytest.approx(1.1 * 0.9 * 1.2 - 1.0)
    assert m.annual_return(HAND, 2) == pytest.approx((1.1 * 0.9 * 1.2) ** 0.5 - 1.0)
    assert m.volatility(HAND) == pytest.approx(math.sqrt((0.05**2 + 0.15**2 + 0.15**2 + 0.05**2) / 3))
    assert m.sharpe_ratio(HAND) == pytest.approx(0.05 / math.sqrt(0.05 / 3))
    assert m.downside_deviation(HAND) == pytest.approx(math.sqrt(0.01 / 4))
    assert m.sortino_ratio(HAND, 4) == pytest.approx(0.05 / 0.05 * 2)
    assert m.max_drawdown(HAND) == pytest.approx(0.1)
    assert m.max_drawdown_sessions(HAND) == 1
    assert m.hit_rate(HAND) == pytest.approx(2 / 3)
    assert m.skewness(HAND) == pytest.approx(0.0, abs=1e-12)
    assert m.value_at_risk(HAND, 0.75) == pytest.approx(-(-0.10 + 0.75 * 0.10))
    assert m.conditional_value_at_risk(HAND, 0.75) == pytest.approx(0.10)


def test_a_drawdown_counts_from_the_start_and_until_the_end() -> None:
    assert m.drawdowns([-0.5, 0.5]).tolist() == pytest.approx([0.5, 0.25])
    assert m.max_drawdown_sessions([0.1, -0.1, 0.05, 0.0, 0.2, -0.1, -0.1]) == 3
    assert m.max_drawdown_sessions([0.1, -0.1, 0.0, 0.0, 0.0]) == 4


def test_a_debt_is_a_drawdown_above_one_and_a_total_loss_per_year() -> None:
    assert m.max_drawdown([-1.2]) == pytest.approx(1.2)
    assert m.annual_return([-1.2], 252) == -1.0


def test_turnover_is_summed_and_exposure_is_averaged() -> None:
    summary = m.summarise([0.01, 0.02], turnover=[1.0, 0.25], gross=[1.0, 0.5], annualisation=252)
    assert (summary.turnover, summary.annual_turnover, summary.mean_gross) == (1.25, 157.5, 0.75)


def test_standard_error_is_lo_for_normal_and_larger_for_left_tails() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.01, size=20_000)
    sharpe = m.sharpe_ratio(returns)
    assert m.sharpe_standard_error(returns) == pytest.approx(math.sqrt((1 + sharpe**2 / 2) / 20_000), rel=0.02)
    crashing = np.where(np.arange(20_000) % 100 == 0, -0.08, 0.0015)
    lo = math.sqrt((1 + m.sharpe_ratio(crashing) ** 2 / 2) / 20_000)
    assert m.sharpe_standard_error(crashing) > lo * 1.1


def test_standard_error_covers_the_truth_as_often_as_it_claims() -> None:
    generator = np.random.default_rng(1)
    shocks = generator.standard_t(8, size=(1_000, 500)) * math.sqrt(6 / 8)
    samples = 0.1 + shocks
    estimates = np.array([m.sharpe_ratio(sample) for sample in samples])
    errors = np.array([m.sharpe_standard_error(sample) for sample in samples])
    covered = np.mean(np.abs(estimates - 0.1) < 1.96 * errors)
    assert 0.93 < covered < 0.97


EDGES = {
    "empty": [],
    "all NaN": [math.nan, math.nan],
    "one observation": [0.01],
    "zero": [0.0] * 30,
    "constant": [0.001] * 30,
    "constant up to rounding": (1.0 + 1e-16 * np.arange(30)) * 0.001,
    "infinite": [0.01, math.inf, 0.02],
}


@pytest.mark.parametrize("returns", EDGES.values(), ids=EDGES.keys())
def test_a_series_without_variation_has_no_ratio(returns: list[float]) -> None:
    assert math.isnan(m.sharpe_ratio(returns, 252))
    assert math.isnan(m.sharpe_standard_error(returns, 252))
    assert math.isnan(m.sortino_ratio(returns, 252))
    assert math.isnan(m.skewness(returns))
    assert math.isnan(m.kurtosis(returns))


@pytest.mark.parametrize("returns", EDGES.values(), ids=EDGES.keys())
def test_no_edge_case_ever_yields_infinity(returns: list[float]) -> None:
    flat = np.zeros(len(returns))
    for name, value in m.summarise(returns, flat, flat, 252).as_dict().items():
        assert not math.isinf(value), name


def test_an_empty_series_is_unknown_everywhere() -> None:
    summary = m.summarise([], [], [], 252).as_dict()
    assert summary.pop("sessions") == 0
    assert all(math.isnan(value) for value in summary.values())


def test_cash_earns_nothing_loses_nothing_and_has_no_sharpe_ratio() -> None:
    summary = m.summarise(np.zeros(10), np.zeros(10), np.zeros(10), 252)
    assert (summary.total_return, summary.max_drawdown, summary.volatility, summary.turnover) == (0.0, 0.0, 0.0, 0.0)
    assert math.isnan(summary.sharpe)
    assert math.isnan(summary.hit_rate)


def test_ratios_are_of_what_is_earned_above_cash_and_the_rest_is_the_accounts_own() -> None:
    cash = np.array([0.01, 0.02, 0.03, 0.04])
    idle, flat = m.summarise(HAND, np.zeros(4), np.ones(4), 4), np.zeros(4)
    paid = m.summarise(np.array(HAND) + cash, flat, np.ones(4), 4, cash)
    for name in ("sharpe", "sharpe_standard_error", "probabilistic_sharpe", "sortino", "hit_rate"):
        assert getattr(paid, name) == pytest.approx(getattr(idle, name)), name
    assert paid.total_return == pytest.approx(1.11 * 0.92 * 1.23 * 1.04 - 1.0)
    assert paid.max_drawdown == pytest.approx(0.08)
    assert paid.calmar == pytest.approx(idle.annual_return / 0.08)
    assert paid.value_at_risk == m.value_at_risk(np.array(HAND) + cash)


def test_an_account_in_cash_has_no_ratio_whatever_cash_earns() -> None:
    cash = np.linspace(1e-4, 2e-4, 50)
    summary = m.summarise(cash * (1.0 + 1e-13), np.zeros(50), np.zeros(50), 252, cash)
    assert summary.total_return > 0.0
    assert np.isnan([summary.sharpe, summary.sortino, summary.calmar, summary.hit_rate]).all()


def test_rising_without_a_fall_has_neither_sortino_nor_calmar() -> None:
    assert math.isnan(m.sortino_ratio([0.01, 0.02, 0.03]))
    assert math.isnan(m.calmar_ratio([0.01, 0.02, 0.03], 252))


def test_missing_sessions_do_not_count() -> None:
    with_gaps = m.summarise([0.01, math.nan, -0.02, 0.03], np.zeros(4), np.zeros(4), 252)
    without = m.summarise([0.01, -0.02, 0.03], np.zeros(4), np.zeros(4), 252)
    assert with_gaps == without


def test_metrics_list_themselves_in_order() -> None:
    summary = m.summarise(HAND, np.ones(4), np.ones(4), 252)
    assert list(summary.as_dict()) == [field.name for field in dataclasses.fields(m.Metrics)]


@given(MOVING, st.floats(0.1, 10.0))
def test_sharpe_does_not_depend_on_leverage(returns: np.ndarray, leverage: float) -> None:
    plain, levered = m.sharpe_ratio(returns), m.sharpe_ratio(returns * leverage)
    if not (math.isnan(plain) or math.isnan(levered)):
        assert levered == pytest.approx(plain, rel=1e-6, abs=1e-9)


@given(MOVING)
def test_annualising_scales_with_the_root_of_time(returns: np.ndarray) -> None:
    daily = m.sharpe_ratio(returns)
    assert m.sharpe_ratio(returns, 252) == pytest.approx(daily * math.sqrt(252), nan_ok=True)
    assert m.volatility(returns, 252) == pytest.approx(m.volatility(returns) * math.sqrt(252))


@given(MOVING)
def test_bounds_hold(returns: np.ndarray) -> None:
    summary = m.summarise(returns, np.zeros(returns.size), np.zeros(returns.size), 252)
    assert 0.0 <= summary.max_drawdown <= 1.0
    assert 0 <= summary.max_drawdown_sessions <= returns.size
    assert summary.conditional_value_at_risk >= summary.value_at_risk - 1e-12
    assert summary.conditional_value_at_risk <= -returns.min() + 1e-12
    assert math.isnan(summary.hit_rate) or 0.0 <= summary.hit_rate <= 1.0
    assert math.isnan(summary.kurtosis) or summary.kurtosis >= 1.0 + summary.skewness**2 - 1e-6

"""Metrics against hand-computed values and their edges; published numbers and common promises are tested apart."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wealtharena.core.errors import DataWindowError
from wealtharena.evaluation import metrics as m

HAND = [0.10, -0.10, 0.20, 0.0]
MOVING = arrays(np.float64, st.integers(5, 60), elements=st.floats(-0.2, 0.2))


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
    assert m.omega_ratio(HAND) == pytest.approx(0.30 / 0.10)
    assert m.omega_ratio(HAND, 0.05) == pytest.approx((0.05 + 0.15) / (0.15 + 0.05))
    assert m.tail_ratio(HAND, 0.75) == pytest.approx((0.10 + 0.25 * 0.10) / (0.10 - 0.75 * 0.10))
    assert m.pain_index(HAND) == pytest.approx(0.1 / 4)
    assert m.ulcer_index(HAND) == pytest.approx(math.sqrt(0.01 / 4))
    assert m.downside_potential(HAND, 0.05) == pytest.approx((0.15 + 0.05) / 4)
    assert m.gaussian_value_at_risk(HAND) == pytest.approx(1.6448536 * math.sqrt(0.0125) - 0.05)
    assert m.gaussian_conditional_value_at_risk(HAND) == pytest.approx(2.0627128 * math.sqrt(0.0125) - 0.05)
    assert m.autocorrelation(HAND) == pytest.approx((0.05 * -0.15 + -0.15 * 0.15 + 0.15 * -0.05) / 0.05)


def test_money_counts_where_returns_do_not() -> None:
    """Twice +50 % and once -50 %: as returns two to one, as money 1.25 to 1.125."""
    summary = m.summarise([0.5, 0.5, -0.5], np.zeros(3), np.zeros(3), 252)
    assert summary.omega == pytest.approx(2.0)
    assert summary.profit_factor == pytest.approx(1.25 / 1.125)
    assert m.profit_factor([30.0, -20.0, 0.0, 10.0]) == pytest.approx(2.0)


def test_exposure_is_gross_net_and_how_often() -> None:
    summary = m.summarise(np.zeros(4), np.zeros(4), [1.0, 0.0, 0.5, 1e-12], 252, net=[1.0, 0.0, -0.5, 0.0])
    assert (summary.mean_gross, summary.mean_net, summary.time_in_market) == pytest.approx((0.375, 0.125, 0.5))


def test_hand_computed_values_beside_a_benchmark() -> None:
    relative = m.compare_with(HAND, [0.0, -0.1, 0.1, 0.0], 4)
    assert relative.beta == pytest.approx(0.03 / 0.02)
    assert relative.alpha == pytest.approx(4 * 0.05)
    assert relative.tracking_error == pytest.approx(2 * math.sqrt(0.01 / 3))
    assert relative.active_premium == pytest.approx(1.1 * 0.9 * 1.2 - 0.9 * 1.1)
    assert relative.information_ratio == pytest.approx(relative.active_premium / relative.tracking_error)


def test_a_benchmark_of_other_sessions_is_refused() -> None:
    with pytest.raises(DataWindowError, match="same sessions, got 4 and 3"):
        m.compare_with(HAND, [0.1, 0.2, 0.3], 252)


def test_persistent_returns_have_a_lower_sharpe_ratio_a_year() -> None:
    returns = np.repeat(np.random.default_rng(4).normal(0.001, 0.01, 500), 2)
    assert m.autocorrelation(returns) == pytest.approx(0.5, abs=0.03)
    assert m.autocorrelation_adjusted_sharpe(returns, 252) == pytest.approx(
        m.sharpe_ratio(returns, 252) / 3**0.5, rel=0.1
    )


@pytest.mark.parametrize("trials", [2, 10, 100])
def test_the_best_of_worthless_trials_is_as_good_as_expected(trials: int) -> None:
    best = np.random.default_rng(6).normal(0.0, 0.1, (20_000, trials)).max(axis=1)
    assert m.expected_max_sharpe(trials, 0.01) == pytest.approx(best.mean(), abs=0.006)


def test_one_trial_needs_no_deflation() -> None:
    assert m.expected_max_sharpe(1, 0.01) == 0.0
    assert m.deflated_sharpe(0.1, 1, 0.01, 250) == m.probabilistic_sharpe(0.1, 0.0, 250)
    assert math.isnan(m.deflated_sharpe(0.1, 0, 0.01, 250))


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

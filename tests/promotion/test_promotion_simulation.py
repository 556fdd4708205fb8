"""The gate on simulated years: rates stay within their bounds, and a small run is the beginning of a large one."""

from dataclasses import replace

import numpy as np
import pytest
from promotion_samples import RULES

from wealtharena.promotion.simulation import SCENARIOS, run_scenario
from wealtharena.promotion.simulation.paths import YEAR, accounts
from wealtharena.promotion.simulation.summary import Bound, Rate, summarise_years
from wealtharena.promotion.simulation.years import Years, simulate
from wealtharena.promotion.takeover import takeover


def test_simulated_accounts_have_the_sharpe_ratios_and_correlations_they_are_said_to_have() -> None:
    made = accounts(SCENARIOS["gain-1"], 200, 10 * YEAR, np.random.default_rng(1))
    sharpe = made.mean(axis=(0, 2)) / made.std(axis=(0, 2)) * np.sqrt(YEAR)
    assert sharpe == pytest.approx([0.5, 1.5, 0.5, 0.5, 0.5], abs=0.1)
    assert np.corrcoef(made[:, 0].ravel(), made[:, 2].ravel())[0, 1] == pytest.approx(0.8, abs=0.02)
    assert made.std() == pytest.approx(0.01, rel=0.05)


def test_crashing_lanes_are_no_better_and_lose_six_standard_deviations_of_the_difference() -> None:
    made = accounts(SCENARIOS["null-crash"], 100, 10 * YEAR, np.random.default_rng(1))
    difference = made[:, 1] - made[:, 0]
    assert abs(difference.mean()) < 3.0 * difference.std() / np.sqrt(difference.size)
    assert np.quantile(difference, 0.005) < -4.0 * 0.01 * np.sqrt(0.4)


def test_no_lane_is_promoted_beyond_the_stated_rate_where_none_is_better() -> None:
    summary = run_scenario(SCENARIOS["null"], 150, RULES, seed=3)
    # At 1 % a year five takeovers or more in 150 worlds come with a probability of 2 %.
    assert summary.promoted[252].count < 5
    assert summary.passed


@pytest.mark.parametrize("name", ["worthless", "worthless-crash"])
def test_no_more_than_five_per_cent_are_confirmed_where_history_is_worth_nothing(name: str) -> None:
    summary = run_scenario(SCENARIOS[name], 500, RULES, seed=3)
    # At 5 % more than 37 of 500 come with a probability below 1 %.
    assert summary.confirmed[252].count <= 37
    assert summary.passed


def test_a_true_gain_is_found() -> None:
    summary = run_scenario(SCENARIOS["gain-1"], 400, RULES, seed=3)
    # Power is 73 %: fewer than 22 of 40 come with a probability below 1 %.
    assert summary.promoted[252].count >= 22


def test_a_lane_that_is_truly_worse_is_seldom_promoted() -> None:
    assert run_scenario(SCENARIOS["worthless-worse"], 200, RULES, seed=3).promoted[252].value < 0.2


def test_a_smaller_run_is_the_beginning_of_a_larger_one() -> None:
    scenario = SCENARIOS["worthless"]
    small, large = (simulate(scenario, worlds, 126, RULES, seed=2) for worlds in (40, 60))
    assert np.array_equal(small.promoted, large.promoted[:40])
    assert not np.array_equal(small.promoted, simulate(scenario, 40, 126, RULES, seed=3).promoted)


def test_the_first_key_is_turned_only_on_nights_on_which_the_second_is_open() -> None:
    def untouched() -> np.ndarray:
        raise AssertionError

    assert takeover(np.zeros(2), np.zeros(2, dtype=bool), untouched, 0.01) is None


def test_turning_the_first_key_every_night_decides_the_same() -> None:
    """Laziness is no rule: a lane takes over on a night on which both keys are open, however they were asked for."""
    random = np.random.default_rng(4)
    for _ in range(200):
        log_e, opened, p_values = random.normal(size=3), random.random(3) < 0.5, random.random(3) * 0.02
        both = [k for k in range(3) if opened[k] and p_values[k] <= 0.01]
        eager = max(both, key=lambda k: log_e[k]) if both else None
        assert takeover(log_e, opened, lambda p=p_values: p, 0.01) == eager  # type: ignore[misc]


def test_counts_become_rates_with_intervals_and_bounds() -> None:
    years = Years(
        504,
        lane=np.array([0, 1, -1, 0]),
        promoted=np.array([60, 100, -1, 300]),
        confirmed=np.array([200, -1, -1, -1]),
        rolled_back=np.array([-1, 150, -1, -1]),
    )
    summary = summarise_years(SCENARIOS["gain-1"], years)
    assert {days: rate.count for days, rate in summary.promoted.items()} == {63: 1, 126: 1, 252: 1, 504: 2}
    assert (summary.confirmed[252].count, summary.wrong.count, summary.median_session) == (1, 1, 300)
    assert summary.days_in_service == pytest.approx((444 + 50 + 204) / 3)
    assert summary.rolled_back == Rate(1, 3)
    null = summarise_years(replace(SCENARIOS["null"]), years)
    assert null.promoted[252].count == 2
    assert not null.passed


def test_intervals_are_wilsons() -> None:
    assert Rate(0, 100).interval == pytest.approx((0.0, 0.036995), abs=1e-5)
    assert Rate(50, 100).interval == pytest.approx((0.403832, 0.596168), abs=1e-5)
    assert Bound("", Rate(0, 100), 0.01).kept
    assert not Bound("", Rate(10, 100), 0.01).kept
    assert not Bound("", Rate(50, 100), 0.7, at_least=True).kept

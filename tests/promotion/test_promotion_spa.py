"""The test of histories, against the implementation of `arch` and by its size.

`SPA(studentize=True)` of arch 8.0.0 estimates the variances but compares plain means: it is handed differences that
are studentised already.
"""

import math

import numpy as np
import pytest
from arch.bootstrap import SPA

from wealtharena.promotion.spa import block_length, superiority

LEVEL = 0.05 / 12


def correlated(seed: int, lanes: int, sessions: int, means: list[float]) -> np.ndarray:
    """Differences with fat tails and memory, in standard deviations."""
    shocks = np.random.default_rng(seed).standard_t(5, size=(lanes, sessions))
    shocks += 0.7 * shocks[0]
    return shocks + 0.3 * np.roll(shocks, 1, axis=1) + np.array(means)[:, None]


def arch_p_value(differences: np.ndarray, replicates: int) -> float:
    """arch's consistent p-value; it takes losses."""
    block = block_length(differences.shape[1])
    plain = SPA(np.zeros(differences.shape[1]), -differences.T, block_size=block, reps=2)
    plain._compute_variance()
    scaled = differences / np.sqrt(plain._loss_diff_var)[:, None]
    studentised = SPA(np.zeros(scaled.shape[1]), -scaled.T, block_size=block, reps=replicates, seed=1)
    studentised.compute()
    return float(studentised.pvalues["consistent"])


@pytest.mark.parametrize(
    ("seed", "sessions", "means"),
    [(1, 756, [0.1, 0.02, 0.0, -0.3]), (2, 500, [0.1, 0.16]), (3, 400, [0.2, -0.6, 0.1])],
)
def test_the_p_value_is_that_of_arch_within_the_error_of_both_simulations(
    seed: int, sessions: int, means: list[float]
) -> None:
    differences = correlated(seed, len(means), sessions, means)
    theirs = arch_p_value(differences, 1_500)
    # A hopeless case ends after some ten exceedances: several seeds together tell more.
    ours = float(np.mean([superiority(differences, 0.001, seed).p_values.min() for seed in range(20)]))
    assert ours == pytest.approx(theirs, abs=4.0 * math.sqrt(theirs / 1_500) + 0.15 * theirs)


def test_statistics_are_means_over_the_error_of_the_stationary_bootstrap() -> None:
    differences = correlated(4, 2, 300, [0.1, 0.0])
    model = SPA(np.zeros(300), -differences.T, block_size=block_length(300), reps=2)
    model._compute_variance()
    expected = differences.mean(axis=1) / np.sqrt(model._loss_diff_var / 300)
    assert superiority(differences, LEVEL, 1).statistics == pytest.approx(expected)


def test_the_better_are_told_from_the_rest() -> None:
    differences = correlated(5, 4, 1_260, [0.0, 0.6, 0.0, 0.7])
    found = superiority(differences, LEVEL, 1)
    assert (found.p_values <= LEVEL).tolist() == [False, True, False, True]
    assert (found.sessions, round(found.block, 1)) == (1_260, 10.8)


def test_each_lane_is_judged_as_the_best_of_those_that_are_left() -> None:
    differences = correlated(6, 3, 756, [0.5, 0.06, 0.05])
    all_three = superiority(differences, 0.001, 1).p_values
    rest = float(np.mean([superiority(differences[1:], 0.001, seed).p_values.min() for seed in range(20)]))
    assert all_three[0] <= 0.001
    assert all_three[1:].min() == pytest.approx(rest, rel=0.4)


def test_the_plain_cases_end_early_and_the_close_ones_are_resolved() -> None:
    assert superiority(correlated(7, 4, 756, [0.0] * 4), LEVEL, 1).replicates < 1_000
    assert superiority(correlated(8, 4, 756, [0.5] * 4), LEVEL, 1).replicates == math.ceil(5.0 / LEVEL)
    close = [superiority(correlated(seed, 1, 756, [0.16]), LEVEL, 1).replicates for seed in range(30)]
    assert max(close) == math.ceil(100.0 / LEVEL)


def test_the_same_seed_gives_the_same_answer_and_lanes_may_come_in_any_order() -> None:
    differences = correlated(9, 3, 400, [0.1, 0.2, 0.0])
    first = superiority(differences, LEVEL, 5).p_values
    assert np.array_equal(first, superiority(differences, LEVEL, 5).p_values)
    assert superiority(differences[::-1], LEVEL, 5).p_values[::-1] == pytest.approx(first)


def test_an_account_that_never_differs_or_is_worse_has_no_p_value_below_one() -> None:
    worse = correlated(10, 1, 400, [-0.5])
    found = superiority(np.vstack([np.zeros(400), worse]), LEVEL, 1)
    assert found.p_values.tolist() == [1.0, 1.0]
    assert np.isnan(found.statistics[0])
    assert superiority(np.empty((0, 400)), LEVEL, 1).p_values.size == 0


def test_at_five_per_cent_about_five_per_cent_of_the_worthless_pass() -> None:
    worlds = 600
    passed = sum(
        superiority(correlated(1_000 + seed, 4, 504, [0.0] * 4), 0.05, seed).p_values.min() <= 0.05
        for seed in range(worlds)
    )
    assert 0.02 * worlds <= passed <= 0.09 * worlds

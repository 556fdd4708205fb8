"""Forward evidence: a supermartingale under the null that only looks back, and cuts gains but never losses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wealtharena.promotion.e_process import MOST, STAKES, log_e_process, loss_stops, surprises

SERIES = arrays(np.float64, st.integers(0, 60), elements=st.one_of(st.floats(-30, 30), st.just(math.nan)))


def by_hand(values: list[float]) -> list[float]:
    """E itself, written as in the definition."""
    capital, result = dict.fromkeys(STAKES, 1.0), []
    for x in values:
        for stake in STAKES:
            capital[stake] *= max(0.0, 1.0 + stake * min(x, 5.0))
        result.append(sum(capital.values()) / len(STAKES))
    return result


def test_e_is_the_mean_of_the_wagers() -> None:
    values = [1.0, -2.0, 0.5, 7.0, -8.0, 3.0]
    assert np.exp(log_e_process(np.array(values))) == pytest.approx(by_hand(values))


@given(SERIES)
def test_e_is_never_negative_never_nan_and_stands_still_without_news(values: np.ndarray) -> None:
    log_e = log_e_process(values)
    assert not np.isnan(log_e).any()
    assert not (log_e == np.inf).any()
    before = np.concatenate([[0.0], log_e[:-1]]) if values.size else log_e
    silent = np.isnan(values)
    assert np.array_equal(log_e[silent], before[silent])


@given(SERIES)
def test_a_gain_above_the_cut_counts_as_the_cut_and_a_loss_counts_in_full(values: np.ndarray) -> None:
    assert np.array_equal(log_e_process(values), log_e_process(np.minimum(values, MOST)))
    assert np.array_equal(log_e_process(np.array([-25.0])), [-np.inf])
    assert log_e_process(np.array([-12.0]))[0] < log_e_process(np.array([-6.0]))[0]


def test_lost_stakes_stay_lost_and_a_thousand_gains_do_not_overflow() -> None:
    assert log_e_process(np.array([-25.0, 5.0]))[1] == -np.inf
    assert np.isfinite(log_e_process(np.full(100_000, 5.0))[-1])


def test_without_advantage_the_mean_of_e_does_not_exceed_one_and_ville_holds() -> None:
    random = np.random.default_rng(5)
    champion = random.standard_t(5, size=(20_000, 120)) * 0.01
    challenger = 0.8 * champion + 0.6 * random.standard_t(5, size=champion.shape) * 0.01
    e = np.exp(log_e_process(surprises(challenger, champion)))
    error = e[:, -1].std() / math.sqrt(len(e))
    assert e[:, -1].mean() <= 1.0 + 3.0 * error
    for level in (0.25, 0.05):
        reached = (e >= 1.0 / level).any(axis=1).mean()
        assert reached <= level + 3.0 * math.sqrt(level / len(e))


def test_a_true_advantage_gathers_evidence_and_the_reversed_process_loses_it() -> None:
    random = np.random.default_rng(6)
    x = random.normal(0.2, 1.0, size=(200, 250))
    assert np.median(log_e_process(x)[:, -1]) > math.log(20.0)
    assert np.median(log_e_process(-x)[:, -1]) < 0.0


@given(st.integers(30, 119), st.floats(-0.5, 0.5))
def test_surprises_look_back_only(cut: int, shock: float) -> None:
    random = np.random.default_rng(7)
    one, other = random.normal(0.0, 0.01, size=(2, 120))
    changed = one.copy()
    changed[cut:] = shock
    assert np.array_equal(surprises(changed, other)[:cut], surprises(one, other)[:cut], True)


def test_identical_accounts_and_missing_returns_are_no_evidence() -> None:
    one = np.random.default_rng(8).normal(0.0, 0.01, size=100)
    assert np.isnan(surprises(one, one)).all()
    other = np.random.default_rng(9).normal(0.0, 0.01, size=100)
    gapped = other.copy()
    gapped[60] = np.nan
    assert np.isnan(surprises(one, gapped)[60])
    assert log_e_process(surprises(one, gapped))[60] == log_e_process(surprises(one, gapped))[59]


def test_rows_are_independent_of_one_another() -> None:
    x = np.random.default_rng(10).normal(size=(2, 3, 40))
    assert np.array_equal(log_e_process(x)[1, 2], log_e_process(x[1, 2]))


def test_a_loss_stop_holds_from_the_loss_on() -> None:
    assert loss_stops(np.array([0.0, -9.0, np.nan, 1.0]), 8.0).tolist() == [False, True, True, True]

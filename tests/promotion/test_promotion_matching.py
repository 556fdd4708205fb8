"""Volatility that was known the session before, and returns scaled by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.promotion.matching import TARGET, WARM_UP, known_volatility, matched

SHOCKS = np.random.default_rng(1).normal(0.0, 0.02, size=(3, 400))


def test_the_volatility_of_a_constant_size_is_that_size_from_the_end_of_the_warm_up_on() -> None:
    values = 0.02 * np.where(np.arange(50) % 2, 1.0, -1.0)
    known = known_volatility(values)
    assert np.isnan(known[:WARM_UP]).all()
    assert known[WARM_UP:] == pytest.approx(np.full(50 - WARM_UP, 0.02))


def test_accounts_of_any_size_come_out_alike() -> None:
    scaled = matched(SHOCKS)[:, WARM_UP:]
    assert matched(SHOCKS * 3.0)[:, WARM_UP:] == pytest.approx(scaled)
    assert scaled.std() == pytest.approx(TARGET, rel=0.1)


def test_cash_stays_cash_and_what_hardly_moves_is_not_levered_without_bound() -> None:
    assert not matched(np.zeros(30))[WARM_UP:].any()
    tiny = matched(np.full(30, 1e-7))[WARM_UP:]
    assert np.abs(tiny).max() <= 20.0 * 1e-7 + 1e-12


@given(st.integers(WARM_UP + 1, 399), st.floats(-1.0, 1.0))
def test_the_future_changes_nothing_before_it(cut: int, shock: float) -> None:
    changed = SHOCKS.copy()
    changed[:, cut:] = shock
    assert np.array_equal(known_volatility(changed)[:, : cut + 1], known_volatility(SHOCKS)[:, : cut + 1], True)


def test_a_missing_return_is_neither_counted_nor_forgotten() -> None:
    gapped = np.insert(SHOCKS[0], 50, np.nan)
    assert np.delete(known_volatility(gapped), 50) == pytest.approx(known_volatility(SHOCKS[0]), nan_ok=True)
    assert np.isnan(matched(gapped)[50])

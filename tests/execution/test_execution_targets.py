"""Scores to target weights."""

import numpy as np
import pytest
from execution_markets import rules
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wealtharena.core.errors import ExecutionError
from wealtharena.execution import target_weights

STANDARD = rules(long_only=True, max_weight=0.35, max_gross=1.0, concentration=2.0)


def test_all_ones_is_equal_weight_fully_invested() -> None:
    weights = target_weights(np.ones((1, 10)), np.ones((1, 10), bool), STANDARD)
    np.testing.assert_allclose(weights, 0.1)


def test_one_full_score_gets_twice_an_equal_share_up_to_the_largest_weight() -> None:
    one = np.array([[1.0] + [0.0] * 9])
    assert target_weights(one, np.ones((1, 10), bool), STANDARD)[0, 0] == pytest.approx(0.2)
    assert target_weights(one[:, :4], np.ones((1, 4), bool), STANDARD)[0, 0] == pytest.approx(0.35)


def test_unobserved_assets_get_nothing_and_do_not_count() -> None:
    observed = np.array([[True, True, False, True, True, True, True, True, True, True, True]])
    weights = target_weights(np.array([[1.0, 0.0, 1.0] + [0.0] * 8]), observed, STANDARD)
    np.testing.assert_allclose(weights[0, :3], [0.2, 0.0, 0.0])


def test_negative_scores_are_short_only_where_shorts_are_allowed() -> None:
    scores, observed = np.array([[-1.0, 0.5]]), np.ones((1, 2), bool)
    short = rules(max_weight=0.5, concentration=1.0)
    np.testing.assert_allclose(target_weights(scores, observed, short), [[-0.5, 0.25]])
    np.testing.assert_allclose(target_weights(scores, observed, STANDARD)[0, 0], 0.0)


def test_nothing_observed_gives_no_position() -> None:
    assert not target_weights(np.ones((2, 3)), np.zeros((2, 3), bool), STANDARD).any()


@given(
    scores=arrays(np.float64, (3, 6), elements=st.floats(-5, 5)),
    observed=arrays(np.bool_, (3, 6)),
    max_weight=st.floats(0.05, 1.0),
    max_gross=st.floats(0.1, 3.0),
    concentration=st.floats(1.0, 4.0),
    long_only=st.booleans(),
)
def test_targets_always_keep_the_limits(
    scores: np.ndarray,
    observed: np.ndarray,
    max_weight: float,
    max_gross: float,
    concentration: float,
    long_only: bool,
) -> None:
    limited = rules(max_weight=max_weight, max_gross=max_gross, concentration=concentration, long_only=long_only)
    weights = target_weights(scores, observed, limited)
    assert (np.abs(weights) <= max_weight * (1 + 1e-9)).all()
    assert (np.abs(weights).sum(axis=1) <= max_gross * (1 + 1e-8)).all()
    assert not weights[~observed].any()
    assert (weights >= 0.0).all() or not long_only


def test_unusable_scores_are_refused() -> None:
    with pytest.raises(ExecutionError, match="finite"):
        target_weights(np.array([[np.nan]]), np.ones((1, 1), bool), STANDARD)
    with pytest.raises(ExecutionError, match=r"\(N, A\)"):
        target_weights(np.ones(3), np.ones(3, bool), STANDARD)

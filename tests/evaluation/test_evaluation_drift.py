"""Drift: known figures, nothing where nothing changed, an alarm where something did."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import BoolArray, Float32Array
from wealtharena.evaluation.drift import FeatureDrift, feature_drift, population_stability, position_drift

SESSIONS, ASSETS = 2_000, 10


def sample(values: np.ndarray) -> tuple[Float32Array, BoolArray]:
    """Values as one feature of ten assets, all of them observed."""
    features = np.asarray(values, np.float32).reshape(-1, ASSETS, 1)
    return features, np.ones(features.shape[:2], np.bool_)


def normal_quantiles(count: int, shift: float = 0.0) -> np.ndarray:
    """A sample that is normal to the last digit, in mixed order."""
    ranks = np.random.default_rng(1).permutation(count)
    return stats.norm.ppf((ranks + 0.5) / count) + shift


def drift_of(training: tuple[Float32Array, BoolArray], recent: tuple[Float32Array, BoolArray]) -> FeatureDrift:
    (figure,) = feature_drift(["momentum"], training, recent)
    assert figure.name == "momentum"
    return figure


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
def test_a_shifted_normal_has_the_index_that_its_tenths_give(shift: float) -> None:
    shares = np.diff(stats.norm.cdf(stats.norm.ppf(np.linspace(0.0, 1.0, 11)) - shift))
    expected = float(((shares - 0.1) * np.log(shares / 0.1)).sum())
    values = normal_quantiles(SESSIONS * ASSETS)
    assert drift_of(sample(values), sample(values + shift)).index == pytest.approx(expected, rel=0.01)
    # Of two normals the divergence is the square of the shift; ten bins see most of it.
    assert 0.85 * shift**2 < expected < shift**2


def test_equal_samples_have_none() -> None:
    values = normal_quantiles(SESSIONS * ASSETS)
    assert drift_of(sample(values), sample(values)).index == 0.0
    assert drift_of(sample(values), sample(values[: 63 * ASSETS])).index < 0.05


def test_counts_give_the_index_worked_out_by_hand() -> None:
    """Shares with half an observation in each bin: 1/2 and 1/2 against 1/4 and 3/4."""
    index = population_stability(np.array([4.5, 4.5]), np.array([0.5, 2.5]))
    assert index == pytest.approx(0.25 * np.log(1.5) - 0.25 * np.log(0.5))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=12))
def test_the_index_is_never_negative_and_counts_both_ways_alike(counts: Sequence[tuple[int, int]]) -> None:
    first, second = np.array(counts, dtype=np.float64).T
    index = population_stability(first, second)
    if not first.sum() or not second.sum():
        assert np.isnan(index)
        return
    assert index >= -1e-12
    assert population_stability(second, first) == pytest.approx(float(index))


def test_a_feature_that_wanders_slowly_is_not_told_as_drifted() -> None:
    """Its quarters always differ from the whole: beyond 0.25, but usual."""
    rng = np.random.default_rng(7)
    level = np.zeros(SESSIONS + 63)
    for t in range(1, len(level)):
        level[t] = 0.99 * level[t - 1] + rng.normal()
    values = level[:, None] + rng.normal(size=(len(level), ASSETS))
    ordinary = drift_of(sample(values[:SESSIONS]), sample(values[SESSIONS:]))
    assert ordinary.index > 0.25
    assert ordinary.usual > 0.25
    assert not ordinary.is_beyond(0.25)
    assert drift_of(sample(values[:SESSIONS]), sample(values[SESSIONS:] + 40.0)).is_beyond(0.25)


def test_few_values_have_few_bins() -> None:
    flags = np.tile([0.0, 1.0], SESSIONS * ASSETS // 2)
    assert drift_of(sample(flags), sample(flags[: 63 * ASSETS])).index < 1e-3
    constant = np.ones(SESSIONS * ASSETS)
    assert drift_of(sample(constant), sample(constant[: 63 * ASSETS])).index == 0.0
    for moved in (1.0, -1.0):
        assert drift_of(sample(constant), sample(constant[: 63 * ASSETS] + moved)).index > 5.0


def test_what_is_not_observed_does_not_count() -> None:
    values = normal_quantiles(SESSIONS * ASSETS)
    recent, observed = sample(values.copy())
    recent[:, 5:] = 99.0
    observed[:, 5:] = False
    assert drift_of(sample(values), (recent, observed)).index < 0.01
    recent[:, :5] = np.nan
    unseen = drift_of(sample(values), (recent, observed))
    assert np.isnan(unseen.index)
    assert not unseen.is_beyond(0.25)
    assert np.isnan(drift_of((recent, observed), sample(values)).index)


def test_a_window_without_sessions_is_refused() -> None:
    values = sample(normal_quantiles(SESSIONS * ASSETS))
    with pytest.raises(DataWindowError, match="got 2000 and 0"):
        feature_drift(["momentum"], values, (values[0][:0], values[1][:0]))


def path_of(weights: np.ndarray) -> dict[str, np.ndarray]:
    before = np.vstack([np.zeros((1, weights.shape[1])), weights[:-1]])
    return {
        "weights": weights,
        "gross": np.abs(weights).sum(1),
        "turnover": np.abs(weights - before).sum(1),
    }


def test_positions_as_before_do_not_drift() -> None:
    weights = np.random.default_rng(3).dirichlet(np.ones(4), 400)
    figures = position_drift(**path_of(weights), sessions=20)
    assert [figure.name for figure in figures] == ["gross", "turnover", "weights"]
    assert all(figure.deviations < 3.0 for figure in figures)


def test_a_rule_that_is_always_invested_may_be_off_by_a_hair() -> None:
    weights = np.full((200, 4), 0.25)
    weights[-20:] += 0.0004
    assert all(figure.deviations < 0.2 for figure in position_drift(**path_of(weights), sessions=20))


def test_positions_that_shrink_move_or_churn_are_told_by_their_figure() -> None:
    rng = np.random.default_rng(4)
    weights = 0.25 + rng.normal(0.0, 0.01, (400, 4))
    shrunk, moved, churned = weights.copy(), weights.copy(), weights.copy()
    shrunk[-20:] *= 0.2
    moved[-20:] = [0.97, 0.01, 0.01, 0.01]
    churned[-20:] += 0.2 * (-1.0) ** np.arange(20)[:, None] * [1, -1, 1, -1]
    drifted = {
        name: {figure.name for figure in position_drift(**path_of(book), sessions=20) if figure.deviations > 3.0}
        for name, book in {"shrunk": shrunk, "moved": moved, "churned": churned}.items()
    }
    assert drifted["shrunk"] == {"gross", "weights"}
    assert drifted["moved"] == {"weights"}
    assert drifted["churned"] == {"turnover"}


def test_positions_need_a_reference_that_is_long_enough() -> None:
    weights = np.ones((59, 1))
    with pytest.raises(DataWindowError, match="needs 3 x 20 sessions of a path, got 59"):
        position_drift(**path_of(weights), sessions=20)

"""Features are brought to one scale by what they were on the training window."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wealtharena.agents.networks import (
    INPUT_LIMIT,
    GaussianScores,
    NetworkSpec,
    ObservationStatistics,
    observation_statistics,
)
from wealtharena.agents.networks.inputs import ScaledRows

COLUMNS = np.array([0.0, 1.0, 0.1, -0.2])  # of the account: position, mask, gross exposure, drawdown


def statistics_of(features: np.ndarray, observed: np.ndarray | None = None) -> ObservationStatistics:
    """Of features (T, A, F)."""
    seen = np.ones(features.shape[:2], np.bool_) if observed is None else observed
    return observation_statistics(features.astype(np.float32), seen)


def test_mean_and_deviation_are_of_what_is_observed() -> None:
    features = np.array([[[1.0, 10.0], [3.0, 30.0]], [[7.0, 99.0], [5.0, 50.0]]])
    observed = np.array([[True, True], [False, True]])
    statistics = statistics_of(features, observed)
    assert statistics.mean == pytest.approx((3.0, 30.0))
    assert statistics.deviation == pytest.approx((np.std([1, 3, 5]), np.std([10, 30, 50])))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3.7])
def test_a_constant_feature_keeps_its_scale(value: float) -> None:
    statistics = statistics_of(np.full((40, 3, 1), value))
    assert statistics.mean == pytest.approx((value,))
    assert statistics.deviation == (1.0,)


def test_a_small_feature_is_not_taken_for_a_constant() -> None:
    features = 1e-4 * np.random.default_rng(1).normal(size=(500, 2, 1))
    assert statistics_of(features).deviation[0] == pytest.approx(1e-4, rel=0.1)


def test_where_nothing_is_observed_nothing_is_scaled() -> None:
    nothing = statistics_of(np.ones((3, 2, 2)), np.zeros((3, 2), np.bool_))
    assert nothing == ObservationStatistics((0.0, 0.0), (1.0, 1.0))


def test_rows_are_scaled_feature_by_feature_and_session_by_session_but_the_account_is_not() -> None:
    spec = NetworkSpec(2, window=2, statistics=ObservationStatistics((1.0, -10.0), (0.5, 20.0)))
    observation = np.concatenate([[2.0, 10.0, 0.5, -10.0], COLUMNS]).astype(np.float32)
    rows = ScaledRows(spec)(torch.from_numpy(observation)[None, None])
    assert rows[0, 0].tolist() == pytest.approx([2.0, 1.0, -1.0, 0.0, *COLUMNS])


def test_rows_are_clamped_after_they_are_scaled() -> None:
    spec = NetworkSpec(2, statistics=ObservationStatistics((1000.0, 0.0), (10.0, 1e-3)))
    observation = np.concatenate([[1020.0, 1.0], COLUMNS]).astype(np.float32)
    rows = ScaledRows(spec)(torch.from_numpy(observation)[None, None])
    assert rows[0, 0].tolist() == pytest.approx([2.0, INPUT_LIMIT, *COLUMNS])


def test_a_session_in_which_the_asset_was_not_observed_looks_average() -> None:
    spec = NetworkSpec(2, window=3, statistics=ObservationStatistics((100.0, 0.0), (1.0, 1.0)))
    observation = np.concatenate([[0.0, 0.0, 100.0, 0.0, 101.0, 2.0], COLUMNS]).astype(np.float32)
    rows = ScaledRows(spec)(torch.from_numpy(observation)[None, None])
    assert rows[0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, *COLUMNS])


def test_observations_are_not_written_to() -> None:
    spec = NetworkSpec(2, statistics=ObservationStatistics((1.0, 1.0), (2.0, 2.0)))
    observation = torch.ones(3, 2, 6)
    ScaledRows(spec)(observation)
    assert torch.equal(observation, torch.ones(3, 2, 6))


def test_a_policy_decides_alike_in_whatever_units_its_features_come() -> None:
    torch.manual_seed(1)
    rng = np.random.default_rng(2)
    features = rng.normal(size=(300, 4, 3))
    units, offsets = np.array([1e3, 1e-3, 1.0]), np.array([50.0, 0.0, -7.0])
    spec = NetworkSpec(3, (8,), statistics=statistics_of(features))
    elsewhere = replace(spec, statistics=statistics_of(features * units + offsets))
    one, other = (GaussianScores(item, low=-1.0, bounded=True) for item in (spec, elsewhere))
    learned = {name: value for name, value in one.state_dict().items() if not name.startswith("inputs.")}
    other.load_state_dict(learned, strict=False)
    account = np.broadcast_to(COLUMNS, (300, 4, 4))
    seen, also_seen = (
        torch.from_numpy(np.concatenate([values, account], axis=2).astype(np.float32))
        for values in (features, features * units + offsets)
    )
    torch.testing.assert_close(one.scores(seen), other.scores(also_seen), rtol=1e-3, atol=1e-3)

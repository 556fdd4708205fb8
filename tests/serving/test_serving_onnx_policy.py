from pathlib import Path

import numpy as np
import pytest
from serving_models import write_linear_network

from wealtharena.core.errors import ModelIntegrityError
from wealtharena.serving.onnx_policy import OnnxPolicy

WEIGHTS = [1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0]


def observation(accounts: int, assets: int, columns: int = 7, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(accounts, assets, columns)).astype(np.float32)
    values[:, :, -3] = 1.0
    return values


@pytest.fixture
def policy(tmp_path: Path) -> OnnxPolicy:
    write_linear_network(tmp_path / "policy.onnx", WEIGHTS)
    return OnnxPolicy(tmp_path / "policy.onnx")


@pytest.mark.parametrize(("accounts", "assets"), [(1, 1), (1, 6), (5, 3)])
def test_scores_are_those_of_the_network_for_any_number_of_assets(
    policy: OnnxPolicy, accounts: int, assets: int
) -> None:
    given = observation(accounts, assets)
    expected = np.tanh(given[:, :, 0] - 0.5 * given[:, :, 1])
    scores = policy.act(given)
    assert scores.shape == (accounts, assets)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)


def test_masked_assets_score_zero(policy: OnnxPolicy) -> None:
    given = observation(1, 3)
    given[0, 1, -3] = 0.0
    scores = policy.act(given)
    assert scores[0, 1] == 0.0
    assert np.all(scores[0, [0, 2]] != 0.0)


def test_the_same_observation_gives_the_same_bits(policy: OnnxPolicy, tmp_path: Path) -> None:
    given = observation(4, 9)
    again = OnnxPolicy(tmp_path / "policy.onnx")
    assert policy.act(given).tobytes() == again.act(given.copy()).tobytes()


@pytest.mark.parametrize("shape", [(1, 3, 6), (1, 3, 8), (3, 7)])
def test_observations_of_another_shape_are_refused(policy: OnnxPolicy, shape: tuple[int, ...]) -> None:
    assert policy.observation_columns == 7
    with pytest.raises(ModelIntegrityError, match=r"must have the shape \(N, A, 7\), got"):
        policy.act(np.zeros(shape, dtype=np.float32))


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match=r"policy\.onnx: the network cannot be read: No such file"):
        OnnxPolicy(tmp_path / "policy.onnx")


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "policy.onnx").write_bytes(b"\x80\x04 not a network")
    with pytest.raises(ModelIntegrityError, match=r"policy\.onnx: must be an ONNX network"):
        OnnxPolicy(tmp_path / "policy.onnx")


def test_a_network_for_a_fixed_number_of_assets_says_so_and_refuses_others(tmp_path: Path) -> None:
    write_linear_network(tmp_path / "policy.onnx", WEIGHTS, assets=6)
    policy = OnnxPolicy(tmp_path / "policy.onnx")
    assert policy.num_assets == 6
    assert policy.act(observation(2, 6)).shape == (2, 6)
    with pytest.raises(ModelIntegrityError, match=r"must have the shape \(N, 6, 7\), got \(2, 5, 7\)"):
        policy.act(observation(2, 5))

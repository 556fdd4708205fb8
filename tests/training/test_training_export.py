"""What is exported computes what torch computes, for every network, head and number of accounts and assets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from wealtharena.agents.networks import (
    MASK_COLUMN,
    GaussianScores,
    LevelScores,
    LevelValues,
    NetworkSpec,
    ObservationStatistics,
    ScoringNetwork,
    TorchPolicy,
)
from wealtharena.core.errors import ModelIntegrityError, TrainingError
from wealtharena.serving.onnx_policy import OnnxPolicy
from wealtharena.settings.models import Network
from wealtharena.training.export import TOLERANCE, export_policy

LEVELS = (-1.0, -0.5, 0.0, 1.0)
STATISTICS = ObservationStatistics(mean=(30.0, 0.0, -1e-3), deviation=(10.0, 1.0, 1e-3))
ASSETS = 4


def made(network: Network, head: str) -> ScoringNetwork:
    spec = NetworkSpec(3, (16, 8), network, window=3, num_assets=ASSETS, statistics=STATISTICS)
    actors: dict[str, ScoringNetwork] = {
        "bounded": GaussianScores(spec, low=0.0, bounded=True),
        "squashed": GaussianScores(spec, low=-1.0, bounded=False),
        "levels": LevelScores(spec, LEVELS),
    }
    if head == "values":
        actors[head] = LevelValues(spec, LEVELS)
    generator = torch.Generator().manual_seed(4)
    for parameter in actors[head].parameters():
        nn.init.normal_(parameter, std=0.4, generator=generator)
    return actors[head]


def observations(accounts: int, assets: int, width: int) -> np.ndarray:
    """Raw features of the order of their statistics; a third of the assets is masked, some sessions unseen."""
    rng = np.random.default_rng([accounts, assets])
    rows = rng.normal(size=(accounts, assets, width)).astype(np.float32)
    sessions = rows[..., :-4].reshape(accounts, assets, -1, 3)
    sessions *= np.array(STATISTICS.deviation, np.float32)
    sessions += np.array(STATISTICS.mean, np.float32)
    sessions[rng.random(sessions.shape[:3]) < 0.2] = 0.0
    rows[..., :-4] = sessions.reshape(accounts, assets, -1)
    rows[..., MASK_COLUMN] = rng.random((accounts, assets)) < 2 / 3
    return rows


@pytest.mark.parametrize("network", Network)
@pytest.mark.parametrize("head", ["bounded", "squashed", "levels", "values"])
def test_the_exported_network_computes_what_torch_computes(tmp_path: Path, network: Network, head: str) -> None:
    if head == "values" and network in (Network.ATTENTION, Network.PLAIN):
        pytest.skip("DQN has no such network")
    policy, width = made(network, head), 3 * 3 + 4
    export_policy(policy, width, tmp_path / "policy.onnx")
    exported = OnnxPolicy(tmp_path / "policy.onnx")
    assert exported.num_assets == (ASSETS if network is Network.PLAIN else None)
    for accounts in (1, 3, 17):
        for assets in (ASSETS,) if network is Network.PLAIN else (1, 2, 13, 40):
            rows = observations(accounts, assets, width)
            scores = exported.act(rows)
            np.testing.assert_allclose(scores, TorchPolicy(policy).act(rows), rtol=0.0, atol=TOLERANCE)
            assert np.abs(scores[rows[..., MASK_COLUMN] == 0.0]).sum() == 0.0
    assert exported.act(np.zeros((2, ASSETS, width), np.float32)).tolist() == [[0.0] * ASSETS] * 2


def test_an_exported_plain_network_refuses_other_numbers_of_assets(tmp_path: Path) -> None:
    export_policy(made(Network.PLAIN, "bounded"), 13, tmp_path / "policy.onnx")
    with pytest.raises(ModelIntegrityError, match=r"must have the shape \(N, 4, 13\), got \(2, 5, 13\)"):
        OnnxPolicy(tmp_path / "policy.onnx").act(np.zeros((2, 5, 13), np.float32))


def test_a_network_whose_export_is_not_itself_is_refused(tmp_path: Path) -> None:
    class Moody(GaussianScores):
        """Answers anew every time."""

        def scores(self, observation: torch.Tensor) -> torch.Tensor:
            return super().scores(observation) + float(np.random.default_rng().random())

    with pytest.raises(TrainingError, match=r"exported scores must equal torch's to 1e-05, differ by 0\.\d+"):
        export_policy(Moody(NetworkSpec(3, (4,)), low=0.0, bounded=True), 7, tmp_path / "policy.onnx")


@pytest.mark.parametrize("head", ["bounded", "levels", "values"])
def test_the_distance_from_torch_is_measured_on_what_the_policy_met(tmp_path: Path, head: str) -> None:
    recorded = observations(300, ASSETS, 13)
    parity = export_policy(made(Network.FEED_FORWARD, head), 13, tmp_path / "policy.onnx", recorded)
    assert (parity.observations, parity.tolerance, parity.ties) == (300, 1e-5, 0)
    assert 0.0 <= parity.max_abs_difference <= 1e-5


def test_another_level_counts_as_a_tie_only_where_two_levels_are_equally_good(tmp_path: Path) -> None:
    policy = made(Network.FEED_FORWARD, "levels")
    rows = torch.from_numpy(observations(50, ASSETS, 13))
    logits, _ = policy._logits(rows)  # type: ignore[union-attr, operator]
    first, second = logits.topk(2, dim=-1).values.unbind(-1)
    expected = (first - second) / logits.abs().amax(-1).clamp(min=1.0)
    torch.testing.assert_close(policy.leads(rows), expected)  # type: ignore[union-attr]
    with torch.no_grad():
        for parameter in policy.head.parameters():  # type: ignore[union-attr]
            parameter.zero_()
    assert float(policy.leads(rows).abs().max()) == 0.0  # type: ignore[union-attr]

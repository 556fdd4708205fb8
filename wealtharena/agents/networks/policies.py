"""Networks as policies."""

import numpy as np
import torch
from torch import Tensor, nn

from wealtharena.agents.networks.actors import ScoringNetwork
from wealtharena.core.panel import Float32Array, FloatArray


class ScoringModule(nn.Module):
    """A network's deterministic scores as a module of its own, for export."""

    def __init__(self, network: ScoringNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, observation: Tensor) -> Tensor:
        """Scores (N, A) of observations (N, A, D)."""
        return self.network.scores(observation)


class TorchPolicy:
    """A ``Policy`` that runs a network in this process, on the device where it lies."""

    def __init__(self, network: ScoringNetwork) -> None:
        self._network = network

    def act(self, observation: Float32Array) -> FloatArray:
        """Scores (N, A) for observations (N, A, D)."""
        device = next(self._network.parameters()).device
        with torch.inference_mode():
            scores = self._network.scores(torch.from_numpy(np.ascontiguousarray(observation)).to(device))
        return scores.cpu().numpy().astype(np.float64)

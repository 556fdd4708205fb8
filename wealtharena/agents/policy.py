"""What every trading policy looks like, whatever it was trained with and wherever it runs."""

from typing import Protocol

from wealtharena.core.panel import Float32Array, FloatArray


class Policy(Protocol):
    """A deterministic map from observations to scores."""

    def act(self, observation: Float32Array) -> FloatArray:
        """Scores (N, A) in [-1, 1] for observations (N, A, D); 0 for assets whose observed mask is 0."""

"""From observations to the rows that encoders read."""

import torch
from torch import Tensor, nn

from wealtharena.agents.networks.layers import split_last
from wealtharena.agents.networks.spec import NetworkSpec
from wealtharena.execution.columns import ACCOUNT_COLUMNS

INPUT_LIMIT = 5.0


class ScaledRows(nn.Module):
    """Features less their mean, over their deviation, clamped; the account's columns are clamped only.

    A session of the window in which the asset was not observed shows zeros, and does so after scaling: it looks like an
    average session, not like one of extremes.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.window, self._shown = spec.window, spec.shown_features
        mean, deviation = torch.zeros(spec.row_width), torch.ones(spec.row_width)
        if spec.statistics is not None:
            mean[: self._shown] = torch.tensor(spec.statistics.mean, dtype=torch.float32).repeat(spec.window)
            deviation[: self._shown] = torch.tensor(spec.statistics.deviation, dtype=torch.float32).repeat(spec.window)
        self.register_buffer("mean", mean)
        self.register_buffer("factor", 1.0 / deviation)
        self.mean: Tensor
        self.factor: Tensor

    def forward(self, observation: Tensor) -> Tensor:
        """Rows (N, A, D) of observations (N, A, D)."""
        rows = (observation - self.mean).mul_(self.factor).clamp_(-INPUT_LIMIT, INPUT_LIMIT)
        return rows if self.window == 1 else self._without_unobserved(observation, rows)

    def _without_unobserved(self, observation: Tensor, rows: Tensor) -> Tensor:
        sessions = split_last(observation[..., :-ACCOUNT_COLUMNS], self.window)
        observed = (sessions != 0.0).any(-1, keepdim=True)
        features = split_last(rows[..., :-ACCOUNT_COLUMNS], self.window) * observed
        return torch.cat([features.flatten(-2), rows[..., -ACCOUNT_COLUMNS:]], dim=-1)

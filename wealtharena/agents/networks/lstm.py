"""The same perceptron for every session of the window, and an LSTM over the sessions of each asset."""

import torch
from torch import Tensor, nn

from wealtharena.agents.networks.encoder import Encoder, pool, width_with_scores, with_scores
from wealtharena.agents.networks.layers import linear, perceptron, split_last
from wealtharena.agents.networks.spec import NetworkSpec


class Recurrent(Encoder):
    """``lstm``: begins anew with every observation, so nothing has to be carried from one decision to the next.

    What the account holds is known for the last session only and joins the LSTM's last state.
    """

    def __init__(self, spec: NetworkSpec, account_columns: int, takes_scores: bool) -> None:
        super().__init__()
        self._window, self._shown = spec.window, spec.shown_features
        self.width = spec.hidden_sizes[-1]
        self.session = perceptron(spec.num_features, spec.hidden_sizes, nn.ReLU)
        self.lstm = nn.LSTM(self.width, self.width, batch_first=True)
        joined = width_with_scores(self.width + account_columns, takes_scores)
        self.join = nn.Sequential(linear(joined, self.width, gain=2**0.5), nn.ReLU())

    def forward(self, rows: Tensor, mask: Tensor, scores: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See ``Encoder``."""
        sessions = self.session(split_last(rows[..., : self._shown], self._window))
        _, (state, _) = self.lstm(sessions.flatten(0, 1))
        summary = state[-1].reshape(*rows.shape[:2], -1)
        joined = torch.cat([summary, rows[..., self._shown :]], dim=-1)
        encoded: Tensor = self.join(with_scores(joined, scores))
        return encoded, pool(encoded, mask)

"""Parameters that lie side by side in one tensor, and Adam over all of them in one pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wealtharena.core.panel import Float32Array
from wealtharena.training.compiled import compiled


class Slot:
    """Values of one parameter or of several stacked ones, and their gradients: views of the flat tensors.

    Attributes:
        values: as stacked.
        gradients: likewise.
        transposed: of ``values``.
        value_array: ``values`` as an array; making one takes longer than many a loop that reads it.
        gradient_array: ``gradients`` likewise.
    """

    def __init__(self, values: Tensor, gradients: Tensor) -> None:
        self.values, self.gradients = values, gradients
        self.transposed = values.t()
        self.value_array: Float32Array = values.numpy()
        self.gradient_array: Float32Array = gradients.numpy()


class FlatParameters:
    """Parameters as views of one tensor, their gradients as views of another; on the processor only."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        """Adopts ``parameters``; they lie in the flat tensors in this order."""
        self.parameters = list(parameters)
        self.values = torch.empty(sum(parameter.numel() for parameter in self.parameters))
        self.gradients = torch.zeros_like(self.values)
        self.adopt()

    def adopt(self) -> None:
        """Makes those parameters views again that were given storage of their own since."""
        values, gradients = self.split(self.values), self.split(self.gradients)
        for parameter, own, gradient in zip(self.parameters, values, gradients, strict=True):
            if parameter.data_ptr() != own.data_ptr():
                own.copy_(parameter.data)
                parameter.data = own
            parameter.grad = gradient

    def split(self, flat: Tensor) -> list[Tensor]:
        """One view per parameter of a tensor that is laid out as ``values``."""
        pieces = torch.split(flat, [parameter.numel() for parameter in self.parameters])
        return [piece.view(parameter.shape) for piece, parameter in zip(pieces, self.parameters, strict=True)]

    def by_parameter(self) -> dict[Tensor, Tensor]:
        """Gradients by parameter."""
        return dict(zip(self.parameters, self.split(self.gradients), strict=True))

    def slot(self, *neighbours: Tensor) -> Slot:
        """Neighbouring parameters of equal shape but for the first dimension, along which they are stacked."""
        places = [self._place(parameter) for parameter in neighbours]
        assert places == list(range(places[0], places[0] + len(places)))  # noqa: S101 - the caller laid them out
        start = sum(parameter.numel() for parameter in self.parameters[: places[0]])
        stop = start + sum(parameter.numel() for parameter in neighbours)
        shape = -1, *neighbours[0].shape[1:]
        return Slot(self.values[start:stop].view(shape), self.gradients[start:stop].view(shape))

    def _place(self, parameter: Tensor) -> int:
        return next(k for k, own in enumerate(self.parameters) if own is parameter)


class FlatAdam(torch.optim.Adam):
    """Adam over flat parameters in one pass; its state reads and loads as that of ``torch.optim.Adam``."""

    def __init__(self, parameters: Sequence[Tensor], flat: FlatParameters) -> None:
        """``parameters``: those of ``flat``, in the order of the state."""
        super().__init__(list(parameters))
        self._flat = flat
        self._first, self._second = torch.zeros_like(flat.values), torch.zeros_like(flat.values)
        self._count = torch.zeros(())
        self._share_state()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the gradients as they stand."""
        group = self.param_groups[0]
        self._count += 1
        count, (beta1, beta2) = float(self._count), group["betas"]
        _adam_step(
            self._flat.values.numpy(),
            self._flat.gradients.numpy(),
            self._first.numpy(),
            self._second.numpy(),
            np.float32(1.0 - beta1),
            np.float32(1.0 - beta2),
            np.float32(group["lr"] / (1.0 - beta1**count)),
            np.float32((1.0 - beta2**count) ** -0.5),
            np.float32(group["eps"]),
        )

    def state_dict(self) -> dict[str, Any]:
        """As torch's, but a copy: the count of steps, which here all parameters share, is each one's own in it."""
        state: dict[str, Any] = super().state_dict()
        own = state["state"].items()
        return state | {"state": {key: {name: part.clone() for name, part in each.items()} for key, each in own}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes the state of any Adam over the same parameters."""
        super().load_state_dict(state_dict)
        own = [self.state[parameter] for parameter in self._flat.parameters]
        self._first.copy_(torch.cat([state["exp_avg"].flatten() for state in own]))
        self._second.copy_(torch.cat([state["exp_avg_sq"].flatten() for state in own]))
        self._count.fill_(float(own[0]["step"]))
        self._share_state()

    def _share_state(self) -> None:
        flat = self._flat
        moments = zip(flat.parameters, flat.split(self._first), flat.split(self._second), strict=True)
        for parameter, first, second in moments:
            self.state[parameter] = {"step": self._count, "exp_avg": first, "exp_avg_sq": second}


@compiled
def _adam_step(
    values: Float32Array,
    gradients: Float32Array,
    first: Float32Array,
    second: Float32Array,
    forget_first: np.float32,
    forget_second: np.float32,
    rate: np.float32,
    correction: np.float32,
    eps: np.float32,
) -> None:
    """Kingma and Ba 2015 (arXiv:1412.6980), algorithm 1, rounded as torch does but for the last bits."""
    for k in range(len(values)):
        gradient = gradients[k]
        first[k] += forget_first * (gradient - first[k])
        second[k] += forget_second * (gradient * gradient - second[k])
        values[k] -= rate * first[k] / (np.sqrt(second[k]) * correction + eps)

"""Building blocks of all networks."""

from collections.abc import Sequence

from torch import Tensor, nn


def linear(width_in: int, width_out: int, gain: float) -> nn.Linear:
    """A layer with orthogonal weights of that gain and no bias yet."""
    layer = nn.Linear(width_in, width_out)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def perceptron(width_in: int, hidden_sizes: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Layers of ``hidden_sizes``, each followed by ``activation``."""
    layers: list[nn.Module] = []
    for narrow, wide in zip((width_in, *hidden_sizes[:-1]), hidden_sizes, strict=True):
        layers += [linear(narrow, wide, gain=2**0.5), activation()]
    return nn.Sequential(*layers)


def split_last(values: Tensor, groups: int) -> Tensor:
    """(..., groups, width / groups) of values (..., width)."""
    return values.reshape(*values.shape[:-1], groups, -1)

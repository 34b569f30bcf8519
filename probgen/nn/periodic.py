r"""Networks of angles: what they see is :math:`(\cos\theta, \sin\theta)`, so what they give is continuous on the circle.

A network of the angle itself jumps at the seam: the two ends of :math:`[-\pi, \pi]` are one point and get two answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.incremental import Draw, IncrementalNetwork, State

__all__ = ["Periodic", "PeriodicIncremental"]


class Periodic(nn.Module):
    r"""Any network behind :math:`(\cos, \sin)` of its first inputs: ``[*batch, angles + rest]`` to what the network gives.

    Args:
        network: A network that takes ``[*batch, 2 * angles + rest]``.
        angles: How many of the inputs are angles; they come first.

    Raises:
        ValueError: ``angles`` is negative.

    Example:
        >>> import math, torch
        >>> from probgen.nn import MLP, Periodic
        >>> network = Periodic(MLP(4, 3, hidden=(8,)), angles=2)
        >>> a, b = network(torch.tensor([[math.pi, 0.5], [-math.pi, 0.5]]))
        >>> bool((a - b).abs().max() < 1e-6)
        True
    """

    def __init__(self, network: nn.Module, angles: int) -> None:
        super().__init__()
        if angles < 0:
            raise ValueError(f"`angles` must not be negative; got {angles}.")
        self.network = network
        self.angles = angles

    def forward(self, values: Tensor) -> Tensor:
        """Replace the angles, then apply the network."""
        angles, rest = values[..., : self.angles], values[..., self.angles :]
        return self.network(torch.cat([angles.cos(), angles.sin(), rest], -1))  # type: ignore[no-any-return]


class PeriodicIncremental(IncrementalNetwork):
    r"""An incremental network behind :math:`(\cos, \sin)` of every coordinate.

    Args:
        network: An incremental network that sees two numbers of each coordinate, ``MADE(..., num_inputs=2)`` for example.

    Raises:
        ValueError: the network sees another number of numbers.

    Example:
        >>> import torch
        >>> from probgen.nn import MADE, PeriodicIncremental
        >>> network = PeriodicIncremental(MADE(3, 2, num_inputs=2, hidden=(8,)))
        >>> network(torch.zeros(5, 3)).shape, network.num_inputs
        (torch.Size([5, 3, 2]), 1)
    """

    def __init__(self, network: IncrementalNetwork) -> None:
        super().__init__()
        if network.num_inputs != 2:
            raise ValueError(f"`network` must see two numbers of a coordinate; it sees {network.num_inputs}.")
        self.network = network
        self.features, self.num_outputs = network.features, network.num_outputs

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of the network."""
        return self.network.context_shape

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """As those of the network."""
        return self.network.levels

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters ``[*batch, D, P]`` of angles ``[*batch, D]``."""
        return self.network(_pairs(values), context)  # type: ignore[no-any-return]

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[State, Tensor]:
        """As that of the network."""
        return self.network.init_state(batch_shape, context)

    def step(self, state: State, values: Tensor) -> tuple[State, Tensor]:
        """Take the angles ``[*batch, n_k]`` of a level, give the parameters of the next."""
        return self.network.step(state, _pairs(values))

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all levels, as the network does."""
        self.network.sweep(lambda start, stop, params: _pairs(draw(start, stop, params)), batch_shape, context)


def _pairs(angles: Tensor) -> Tensor:
    """Cosine and sine of every angle next to each other: ``[*batch, n]`` to ``[*batch, 2 n]``."""
    return torch.stack([angles.cos(), angles.sin()], -1).flatten(-2)

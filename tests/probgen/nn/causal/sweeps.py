"""The parameters that a sweep gives for known values."""

import torch
from torch import Tensor

from probgen.distributions.bijectors.incremental import IncrementalNetwork


def swept(network: IncrementalNetwork, values: Tensor, context: Tensor | None = None) -> Tensor:
    """Parameters ``[N, D, P]`` from a sweep in which the values ``[N, D]`` are drawn."""
    seen: dict[int, Tensor] = {}
    order = [coordinate for level in network.levels for coordinate in level]

    def draw(start: int, _stop: int, params: Tensor) -> Tensor:
        seen[order[start]] = params[:, 0].clone()
        return values[:, order[start], None]

    network.sweep(draw, values.shape[:1], context)
    return torch.stack([seen[coordinate] for coordinate in range(network.features)], 1)

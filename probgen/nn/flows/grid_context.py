r"""A context at the resolution of a level of a flow: a vector for all positions, or an image of any commensurable size.

A multi-scale flow asks the same context at every level. With a context image :math:`s` of :math:`f` times the level's size,

.. math:: h_{ij} = \sum_{0 \le a, b < f} V_{ab}\, s_{fi + a,\, fj + b},

one linear map of each block of pixels: what is averaged away by pooling is kept. An image that is coarser than the level is
repeated; a vector adds the same at every position.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.context_bias import ContextBias

__all__ = ["GridContext"]


class GridContext(nn.Module):
    """A linear map, without bias, of a vector or of an image, brought to a grid.

    Args:
        context_shape: ``(Cc, Hc, Wc)`` is an image; any other shape is one vector.
        channels: Number of channels of the result.
        grid: Height and width of the level. Along each axis one of it and the image's size must divide the other.

    Raises:
        ValueError: the sizes of an image and the grid do not divide each other.

    Example:
        >>> import torch
        >>> from probgen.nn.flows import GridContext
        >>> vector, image = GridContext((10,), 4, (8, 8)), GridContext((3, 16, 4), 4, (8, 8))
        >>> vector(torch.zeros(2, 10)).shape, image(torch.zeros(2, 3, 16, 4)).shape
        (torch.Size([2, 4, 1, 1]), torch.Size([2, 4, 8, 8]))
    """

    def __init__(self, context_shape: Sequence[int], channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = tuple(grid)
        shape = tuple(context_shape)
        self.factors = (
            tuple(_factor(size, wanted, shape, self.grid) for size, wanted in zip(shape[1:], self.grid, strict=True))
            if len(shape) == 3
            else None
        )
        if self.factors is not None:
            shape = (shape[0] * self.factors[0] * self.factors[1], *self.grid)
        self.bias = ContextBias(shape, channels, self.grid)

    def forward(self, context: Tensor) -> Tensor:
        """From ``[N, *context_shape]`` to ``[N, channels, H, W]``, or to ``[N, channels, 1, 1]`` for a vector."""
        context = context.to(self.bias.linear.weight.dtype)  # classes may be integers
        if self.factors is not None:
            context = _blocks(context, self.factors)
            if tuple(context.shape[2:]) != self.grid:
                context = F.interpolate(context, size=self.grid, mode="nearest")
        return self.bias(context)  # type: ignore[no-any-return]


def _factor(size: int, wanted: int, shape: tuple[int, ...], grid: tuple[int, ...]) -> int:
    """How many pixels of the context stand for one of the grid; 1 where the context is coarser."""
    if size % wanted and wanted % size:
        raise ValueError(f"`context_shape` must have sizes that divide the grid {grid} or are divided by it; got {shape}.")
    return max(size // wanted, 1)


def _blocks(x: Tensor, factors: tuple[int, ...]) -> Tensor:
    """``[N, C, fH, gW]`` to ``[N, C f g, H, W]``."""
    height, width = factors
    if height == width == 1:
        return x
    cut = x.unflatten(3, (-1, width)).unflatten(2, (-1, height))
    blocks: Tensor = cut.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    return blocks

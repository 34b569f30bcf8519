r"""What a context adds to the channels of a position: the same at every position, or its own at each.

.. math:: \text{a vector } h: \; x_t + V h, \qquad \text{features of each position } s: \; x_t + V s_t

A vector says what is in the image or the recording (a class, a code of an encoder), features of each position say what is where
(a smaller or degraded image, brought to the size of the grid by a network of the user's).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from probgen.nn.causal.stream import Stream

__all__ = ["ContextBias"]


class ContextBias(nn.Module):
    """A linear map, without bias, of a vector or of features of each position: for all positions, for a row or for one.

    Args:
        context_shape: ``(Cc, *grid)`` means features of each position; any other shape is one vector.
        channels: Number of channels.
        grid: Sizes of the grid of positions; ones take only vectors, for any number of positions.

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders, section 2.3. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from probgen.nn.causal import ContextBias
        >>> vector, image = ContextBias((10,), 4, (8, 8)), ContextBias((3, 8, 8), 4, (8, 8))
        >>> vector(torch.zeros(2, 10)).shape, image(torch.zeros(2, 3, 8, 8)).shape
        (torch.Size([2, 4, 1, 1]), torch.Size([2, 4, 8, 8]))
    """

    def __init__(self, context_shape: Sequence[int], channels: int, grid: Sequence[int]) -> None:
        super().__init__()
        self.spatial = math.prod(grid) > 1 and tuple(context_shape[1:]) == tuple(grid)
        self.grid = tuple(grid)
        self.linear = nn.Linear(context_shape[0] if self.spatial else math.prod(context_shape), channels, bias=False)

    def forward(self, context: Tensor, stream: Stream | None = None) -> Tensor:
        """What is added.

        Args:
            context: ``[N, *context_shape]``.
            stream: The position that is asked for, or None for all.

        Returns:
            ``[N, channels, *grid]`` (with ones for the grid if the context is a vector); with a stream ``[N, channels]``.
        """
        if stream is None:
            if self.spatial:
                return self.linear(context.movedim(1, -1)).movedim(-1, 1)  # type: ignore[no-any-return]
            term: Tensor = self.linear(context.flatten(1))
            return term.reshape(*term.shape, *(1 for _ in self.grid))
        if not self.spatial:
            return stream.remember(lambda: self.linear(context.flatten(1)))  # type: ignore[no-any-return]
        width = self.grid[-1]
        row = stream.every(width, lambda inner: self.row(context, inner.position))
        return row[:, stream.position % width]

    def row(self, context: Tensor, row: int) -> Tensor:
        """What is added to a row of the grid: ``[N, W, channels]``, or ``[N, 1, channels]`` for a vector."""
        if not self.spatial:
            return self.linear(context.flatten(1)).unsqueeze(1)  # type: ignore[no-any-return]
        rows = context.flatten(2).unflatten(2, (-1, self.grid[-1]))
        return self.linear(rows[:, :, row].mT)  # type: ignore[no-any-return]

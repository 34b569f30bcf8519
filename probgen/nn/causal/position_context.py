r"""What a context adds to the channels of an image: the same at every pixel, or its own at each.

.. math:: \text{a vector } h: \; x_{ij} + V h, \qquad \text{an image } s: \; x_{ij} + V s_{ij}

A vector says what is in the image (a class, a code of an encoder), an image of features says what is where (a smaller or
degraded image, brought to the size of the grid by a network of the user's).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.stream import Stream

__all__ = ["PositionContext"]


class PositionContext(nn.Module):
    """A linear map of a vector or of an image of features, for all pixels, for a row or for one pixel.

    Args:
        context_shape: ``(Cc, H, W)`` with the grid's size means features at each pixel; any other shape is one vector.
        channels: Number of channels.
        grid: Rows and columns ``(H, W)`` of the image.

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders, section 2.3. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from probgen.nn.causal import PositionContext
        >>> vector, image = PositionContext((10,), 4, (8, 8)), PositionContext((3, 8, 8), 4, (8, 8))
        >>> vector(torch.zeros(2, 10)).shape, image(torch.zeros(2, 3, 8, 8)).shape
        (torch.Size([2, 4, 1, 1]), torch.Size([2, 4, 8, 8]))
    """

    def __init__(self, context_shape: Sequence[int], channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.spatial = len(context_shape) == 3 and tuple(context_shape[1:]) == tuple(grid)
        self.width = grid[1]
        self.linear = nn.Linear(context_shape[0] if self.spatial else math.prod(context_shape), channels, bias=False)

    def forward(self, context: Tensor, stream: Stream | None = None) -> Tensor:
        """What is added.

        Args:
            context: ``[N, *context_shape]``.
            stream: The pixel that is asked for, or None for all.

        Returns:
            ``[N, channels, H, W]`` (``[N, channels, 1, 1]`` for a vector); with a stream ``[N, channels]``.
        """
        if stream is not None:
            row: Tensor = stream.every(self.width, lambda inner: self.row(context, inner.position))
            return row[:, stream.position % self.width if self.spatial else 0]
        if self.spatial:
            return F.conv2d(context, self.linear.weight[..., None, None])
        return self.linear(context.flatten(1))[..., None, None]  # type: ignore[no-any-return]

    def row(self, context: Tensor, row: int) -> Tensor:
        """What is added to a row: ``[N, W, channels]``, or ``[N, 1, channels]`` for a vector."""
        features = context[:, :, row].mT if self.spatial else context.flatten(1).unsqueeze(1)
        return self.linear(features)  # type: ignore[no-any-return]

r"""A layer of Gated PixelCNN: a vertical stack over the rows above, and a horizontal stack along the row that reads from it.

With :math:`\mathrm{gate}(a, b) = \tanh(a) \odot \sigma(b)`, the vertical features v, the horizontal features h and a context c,

.. math:: u = W_v * v + V_v c, \qquad v' = \mathrm{gate}(u), \qquad
   g = \mathrm{gate}(W_h * h + L u + V_h c), \qquad h' = h + R g,

where :math:`W_v` sees rows up to its own, :math:`W_h` its own row up to the pixel; :math:`L, R` are maps of one pixel. In the
first layer both see the image, :math:`W_v` without the row, :math:`W_h` without the pixel, and :math:`h' = R g`. So row i of v
and of :math:`L u` holds only rows above i, and everything that comes from there is computed once a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.context_bias import ContextBias
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.pointwise import gated_unit
from probgen.nn.causal.stream import Stream
from probgen.nn.causal.vertical_conv2d import VerticalConv2d

__all__ = ["GatedLayer"]

GAIN = 2.0
"""Pre-activations of this size: smaller ones are halved by a gate and vanish in a deep stack, larger ones saturate it."""


class GatedLayer(nn.Module):
    """One layer of both stacks.

    Args:
        grid: Rows and columns of the image.
        channels: Channels of each stack.
        kernel_size: Of the vertical convolution, and width of the horizontal one; odd.
        image_channels: Channels of the image, for the first layer; None for any other.
        last: Whether no layer follows: then nothing is computed for a next one, and there are no weights for it.
        colors: How many colors of a pixel depend on each other in order.
        context_shape: Trailing shape of a context (see ``ContextBias``), or None.
        dropout: Probability with which a feature is dropped in training.

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders, figure 2. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from probgen.nn.causal import GatedLayer
        >>> first, second = GatedLayer((8, 8), 4, 7, image_channels=1), GatedLayer((8, 8), 4, 3)
        >>> x = torch.zeros(2, 1, 8, 8)
        >>> rows, link = first.above(x)
        >>> columns, gated = first.beside(x, link)
        >>> rows, link = second.above(rows)
        >>> columns, gated = second.beside(columns, link)
        >>> columns.shape, gated.shape
        (torch.Size([2, 4, 8, 8]), torch.Size([2, 4, 8, 8]))
    """

    def __init__(
        self,
        grid: tuple[int, int],
        channels: int,
        kernel_size: int,
        *,
        image_channels: int | None = None,
        last: bool = False,
        colors: int = 1,
        context_shape: Sequence[int] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first = image_channels is not None
        source = channels if image_channels is None else image_channels
        self.vertical = VerticalConv2d(source, 2 * channels, kernel_size, strict=self.first, gain=GAIN)
        self.link = nn.Linear(2 * channels, 2 * channels)
        self.horizontal = MaskedConv2d(
            source, 2 * channels, (1, kernel_size), kind="A" if self.first else "B", colors=colors, repeats=(1, 2),
            width=grid[1], bias=False, gain=GAIN,
        )  # fmt: skip
        self.residual = None if last else MaskedConv2d(channels, channels, 1, colors=colors, bias=False)
        self.context = None if context_shape is None else ContextBias(context_shape, 4 * channels, grid)
        self.dropout = dropout
        nn.init.orthogonal_(self.link.weight, 0.5**0.5)
        nn.init.zeros_(self.link.bias)

    def above(self, x: Tensor, context: Tensor | None = None, stream: Stream | None = None) -> tuple[Tensor, Tensor]:
        """The vertical stack.

        Args:
            x: The image ``[N, C, H, W]`` in the first layer, else what ``above`` of the layer before gave first.
            context: ``[N, *context_shape]``.
            stream: The row that is asked for, or None.

        Returns:
            Features before their gate, and what goes to the horizontal stack, ``[N, 2 * channels, H, W]``; with a stream
            ``[N, W, 2 * channels]``.
        """
        channel = 1 if stream is None else -1
        if not self.first:
            x = F.dropout(gated_unit(x, channel), self.dropout, self.training)
        features = self.vertical(x, stream)
        term = None
        if self.context is not None and context is not None:
            given = self.context(context) if stream is None else self.context.row(context, stream.position)
            here, term = given.chunk(2, channel)
            features = features + here
        weight, bias = self.link.weight, self.link.bias
        link = F.conv2d(features, weight[..., None, None], bias) if stream is None else F.linear(features, weight, bias)
        return features, link if term is None else link + term

    def beside(self, x: Tensor, link: Tensor, stream: Stream | None = None) -> tuple[Tensor, Tensor]:
        """The horizontal stack.

        Args:
            x: The image ``[N, C, H, W]`` in the first layer, else what ``beside`` of the layer before gave first,
                ``[N, channels, H, W]``; with a stream ``[N, channels]``.
            link: What ``above`` gave second; with a stream at the pixel, ``[N, 2 * channels]``.
            stream: The pixel that is asked for, or None.

        Returns:
            Features for the next layer (the gated ones, if there is none), and gated features for the skip connection; shapes
            as of x.
        """
        gated = gated_unit(self.horizontal(x, stream, link))
        gated = F.dropout(gated, self.dropout, self.training) if self.training else gated
        if self.residual is None:
            return gated, gated
        return self.residual(gated, stream, None if self.first else x), gated

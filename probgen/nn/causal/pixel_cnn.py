r"""PixelCNN: a masked convolution that does not see the pixel, then residual blocks of masked convolutions that do.

.. math::

   h^{(0)} = M_A * x, \qquad y = D_l\, \mathrm{relu}(h^{(l - 1)}), \qquad
   h^{(l)} = h^{(l - 1)} + U_l\, \mathrm{relu}\bigl(M_B^{(l)} * \mathrm{relu}(y)\bigr), \qquad
   \theta = A_2\, \mathrm{relu}\bigl(A_1\, \mathrm{relu}(h^{(L)})\bigr)

:math:`D_l` halves the channels, :math:`U_l` doubles them again. The stack of masks has a blind spot, pixels above and to the
right that no depth can reach (``docs/derivations/ar-pixelcnn`` draws it). ``GatedPixelCNN`` has none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.context_bias import ContextBias
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.stream import Stream
from probgen.nn.image_shape import image_sizes

__all__ = ["PixelCNN"]


class PixelCNN(CausalNetwork):
    """Parameters for every pixel of an image from the pixels before it, but for those in the blind spot.

    Args:
        image_shape: ``(C, H, W)``, where C numbers are seen of each pixel, or ``(H, W)`` for one.
        num_outputs: How many numbers a coordinate gets, P: a pixel, or a color of a pixel with ``ordered_channels``.
        blocks: Residual blocks.
        channels: Channels between blocks; half of them inside.
        kernel_size: Size of the convolutions of kind B, odd.
        first_kernel_size: That of the first one, of kind A.
        head_channels: Channels between the blocks and the outputs.
        dropout: Probability with which a feature inside a block is dropped in training.
        ordered_channels: Whether each color is a coordinate of its own, after the colors before it.
        context_shape: Trailing shape of a context, or None. ``(Cc, H, W)`` with the size of the image means features at each
            pixel, any other shape one vector for the image; both act in every block.

    Raises:
        ValueError: another image shape, a negative number of blocks, or a probability outside [0, 1].

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import PixelCNN
        >>> network = PixelCNN((1, 3, 3), 1, blocks=2, channels=8, first_kernel_size=3)
        >>> p = Autoregressive(network, (3, 3), BernoulliElement())
        >>> with torch.no_grad():
        ...     p.sample((5,)).shape, p.log_prob(p.enumerate_support()).exp().sum()
        (torch.Size([5, 3, 3]), tensor(1.0000))
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        num_outputs: int,
        *,
        blocks: int = 15,
        channels: int = 64,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        head_channels: int = 64,
        dropout: float = 0.0,
        ordered_channels: bool = False,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        image_channels, height, width = image_sizes(image_shape, gray=True)
        if blocks < 0 or not 0 <= dropout <= 1:
            raise ValueError(f"`blocks` must not be negative and `dropout` lie in [0, 1]; got {blocks} and {dropout}.")
        grid, ordered = (height, width), ordered_channels
        super().__init__(grid, num_outputs, channels=image_channels, ordered_channels=ordered, context_shape=context_shape)
        colors = self._colors
        self.entry = MaskedConv2d(image_channels, channels, first_kernel_size, kind="A", colors=colors, width=width)
        self.blocks = nn.ModuleList(
            _Block(grid, channels, kernel_size, colors, context_shape, dropout, blocks) for _ in range(blocks)
        )
        self.hidden = MaskedConv2d(channels, head_channels, 1, colors=colors, gain=2**0.5)
        self.head = MaskedConv2d(head_channels, colors * num_outputs, 1, colors=colors)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        x = self.entry(canvas, stream)
        for block in self.blocks:
            x = block(x, context, stream)
        hidden = self.hidden(torch.relu(x), stream)
        return self.head(torch.relu(hidden), stream)  # type: ignore[no-any-return]


class _Block(nn.Module):
    """Down to half of the channels, a masked convolution, up again, and the sum with what came in."""

    def __init__(
        self,
        grid: tuple[int, int],
        channels: int,
        kernel_size: int,
        colors: int,
        context_shape: Sequence[int] | None,
        dropout: float,
        blocks: int,
    ) -> None:
        super().__init__()
        inner = max(channels // 2, colors)
        self.down = MaskedConv2d(channels, inner, 1, colors=colors, gain=2**0.5)
        self.across = MaskedConv2d(inner, inner, kernel_size, colors=colors, width=grid[1], gain=2**0.5)
        self.up = MaskedConv2d(inner, channels, 1, colors=colors, bias=False, gain=(2 / blocks) ** 0.5)
        self.context = None if context_shape is None else ContextBias(context_shape, inner, grid)
        self.dropout = dropout

    def forward(self, x: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        y = self.down(torch.relu(x), stream)
        y = self.across(torch.relu(y), stream, None if context is None else self.context(context, stream))  # type: ignore[misc]
        y = F.dropout(torch.relu(y), self.dropout) if self.training else torch.relu(y)
        return self.up(y, stream, x)  # type: ignore[no-any-return]

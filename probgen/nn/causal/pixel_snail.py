r"""PixelSNAIL: causal convolutions for what is near, causal attention for what is far.

.. math::

    x^{(0)} = \text{conv}_A(\text{image}), \qquad
    u^{(l)} = B_n \circ \dots \circ B_1\,(x^{(l-1)}), \qquad
    a^{(l)}_t = \mathrm{attention}\bigl([u^{(l)}, g]_t;\; [u^{(l)}_s, v_{s-1}, g_s]_{s \le t}\bigr), \qquad
    x^{(l)} = G(u^{(l)};\, a^{(l)}),

with gated residual blocks B of convolutions whose window ends at the pixel, pointwise gated blocks G that take the attention as
a shortcut, and the *background* g, the coordinates of the pixel: attention knows no place unless it is told. The first layer
does not see the pixel itself (mask A), so all that stands at a position depends on pixels before it, and attention *up to* the
position is causal. In the paper a key also knows the value v of its own pixel, and attention is strict; here it knows the value
of the pixel before, in raster order, which says the same one position later.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.attention import differentiable_attention
from probgen.nn.causal.causal_attention import CausalAttention
from probgen.nn.causal.causal_residual import CausalResidualBlock
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.pointwise import Pointwise
from probgen.nn.causal.shifted_conv2d import DownRightShiftedConv2d
from probgen.nn.causal.stream import Stream
from probgen.nn.image_shape import image_sizes

__all__ = ["PixelSNAIL"]


class PixelSNAIL(CausalNetwork):
    """The network of PixelSNAIL: for each pixel P numbers, from all pixels before it in raster order.

    A pixel, with all its channels, is one position. Call ``eval()`` before drawing, or each step drops other units.

    Args:
        image_shape: ``(C, H, W)``, or ``(H, W)`` for one channel.
        num_outputs: How many numbers a pixel gets, P.
        filters: Channels between the layers.
        stages: How many times convolutions and attention follow each other.
        blocks: Gated residual blocks of each stage.
        heads: Heads of attention, a divisor of ``attention_width``.
        attention_width: Width of queries, keys and values; None: half of ``filters``.
        kernel_size: Size of the first, masked convolution, odd.
        dropout: Probability that a number between the convolutions of a block is dropped, while training.
        context_shape: Trailing shape of a context that all pixels see, or None.

    Raises:
        ValueError: a size is not positive, or sizes do not fit together.

    References:
        Chen, Mishra, Rohaninejad, Abbeel (2018). PixelSNAIL: an improved autoregressive generative model.
        https://proceedings.mlr.press/v80/chen18h.html

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import PixelSNAIL
        >>> network = PixelSNAIL((3, 3), 1, filters=8, stages=1, blocks=1, heads=1).eval()
        >>> law = Autoregressive(network, (3, 3), BernoulliElement())
        >>> law.sample((5,)).shape, abs(law.log_prob(law.enumerate_support()).exp().sum().item() - 1) < 1e-5
        (torch.Size([5, 3, 3]), True)
    """

    background: Tensor

    def __init__(
        self,
        image_shape: Sequence[int],
        num_outputs: int,
        *,
        filters: int = 64,
        stages: int = 4,
        blocks: int = 2,
        heads: int = 2,
        attention_width: int | None = None,
        kernel_size: int = 5,
        dropout: float = 0.0,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        channels, height, width = image_sizes(image_shape, gray=True)
        if min(filters, stages, blocks) < 1:
            raise ValueError(f"`filters`, `stages` and `blocks` must be positive; got {filters}, {stages} and {blocks}.")
        super().__init__((height, width), num_outputs, channels=channels, context_shape=context_shape)
        self.entry = MaskedConv2d(channels + 1, filters, kernel_size, kind="A", width=width)
        attended = max(1, filters // 2) if attention_width is None else attention_width
        make = partial(_Stage, filters, blocks, heads, attended, channels, (height, width), dropout, context_shape)
        self.stages = nn.ModuleList(make() for _ in range(stages))
        self.head = Pointwise(filters, num_outputs)
        rows, columns = ((torch.arange(n) + 0.5) / n - 0.5 for n in (height, width))
        background = torch.stack([rows[:, None].expand(height, width), columns.expand(height, width)])
        self.register_buffer("background", background, persistent=False)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        inputs = (canvas,) if context is None else (canvas, context)
        with differentiable_attention(*inputs):
            marked = torch.cat([canvas, torch.ones_like(canvas[:, :1])], 1)  # ones tell where the image ends
            x: Tensor = self.entry(marked, stream)
            place = self.background if stream is None else self.background.flatten(1)[:, stream.position]
            place = place.expand(len(canvas), *place.shape)
            told = torch.cat([place, _before(canvas, stream)], 1)
            for stage in self.stages:
                x = stage(x, place, told, context, stream)
            return self.head(F.elu(x))  # type: ignore[no-any-return]


class _Stage(nn.Module):
    """Convolutions, then attention, joined by a gated block."""

    def __init__(
        self,
        filters: int,
        blocks: int,
        heads: int,
        attention_width: int,
        channels: int,
        grid: tuple[int, int],
        dropout: float,
        context_shape: Sequence[int] | None,
    ) -> None:
        super().__init__()

        def near(kernel: tuple[int, int], inputs: int, outputs: int, scale: float) -> nn.Module:
            return DownRightShiftedConv2d(inputs, outputs, grid[1], kernel, weight_norm=False, init_scale=scale)

        self.blocks = nn.ModuleList(
            CausalResidualBlock(filters, partial(near, (2, 2)), dropout=dropout, context_shape=context_shape, weight_norm=False)
            for _ in range(blocks)
        )
        self.attention = CausalAttention(
            filters + 2, heads, grid[0] * grid[1],
            width=attention_width, source_channels=filters + 2 + channels, out_channels=filters,
        )  # fmt: skip
        self.join = CausalResidualBlock(filters, partial(near, (1, 1)), shortcut=filters, dropout=dropout, weight_norm=False)

    def forward(self, x: Tensor, place: Tensor, told: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        """``[N, filters, H, W]`` to the same, or columns with a stream; queries know the place, keys and values all told."""
        for block in self.blocks:
            x = block(x, None, context, stream)
        far = self.attention(torch.cat([x, place], 1), stream, torch.cat([x, told], 1))
        return self.join(x, far, None, stream)  # type: ignore[no-any-return]


def _before(canvas: Tensor, stream: Stream | None) -> Tensor:
    """The pixel before each in raster order, zeros before the first: ``[N, C, H, W]``, or ``[N, C]`` with a stream."""
    flat = canvas.flatten(2)
    if stream is None:
        return F.pad(flat, (1, -1)).reshape(canvas.shape)
    return flat[:, :, stream.position - 1] if stream.position else torch.zeros_like(flat[:, :, 0])

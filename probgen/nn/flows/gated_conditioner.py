r"""Flow++'s conditioner: gated convolutions and self-attention in turns.

With :math:`f(x) = \mathrm{elu}([x, -x])`, :math:`\mathrm{glu}(u, v) = u \odot \sigma(v)` and a norm over the channels of a
position, a block is

.. math::

    h' &= \mathrm{norm}\bigl(h + \mathrm{glu}(\mathrm{conv}_{1 \times 1} f(\mathrm{conv}_{3 \times 3} f(h)) + V c)\bigr) \\
    h'' &= \mathrm{norm}\bigl(h' + \mathrm{glu}(W\, \mathrm{attention}(h' + p))\bigr)

with a learned :math:`p` that tells positions apart. A coupling of one pass sees, through attention, the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.attention import MultiHeadAttention, differentiable_attention
from probgen.nn.causal.causal_residual import concatenated_elu
from probgen.nn.causal.pointwise import ChannelNorm, Pointwise
from probgen.nn.convolutional_blocks import require_sizes
from probgen.nn.flows._memory_order import channels_together
from probgen.nn.flows.grid_context import GridContext
from probgen.nn.flows.zero_conv2d import ZeroConv2d

__all__ = ["GatedConditioner"]


class GatedConditioner(nn.Module):
    r"""A network of gated convolutions with self-attention, from the copied channels to the parameters of the others.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        grid: Height and width of the images: positions are learned.
        hidden: Hidden channels.
        blocks: Blocks, each a gated convolution and an attention.
        heads: Heads of attention, a divisor of ``hidden``; 0 for no attention.
        dropout: Probability that a number in a block is dropped, while training: call ``.eval()`` before inverting.
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image, any other a vector; None for none.

    Raises:
        ValueError: a size is not positive, the heads do not divide the channels, or the context does not fit the grid.

    References:
        Ho, Chen, Srinivas, Duan, Abbeel (2019). Flow++: improving flow-based generative models with variational
        dequantization and architecture design, section 3.2. https://arxiv.org/abs/1902.00275

    Example:
        >>> import torch
        >>> from probgen.nn.flows import GatedConditioner
        >>> network = GatedConditioner(2, 6, (4, 4), hidden=8, blocks=1, heads=2, context_shape=(3,))
        >>> network(torch.randn(5, 2, 4, 4), torch.randn(5, 3)).shape
        torch.Size([5, 6, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: tuple[int, int],
        *,
        hidden: int = 96,
        blocks: int = 10,
        heads: int = 4,
        dropout: float = 0.0,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        require_sizes(in_channels=in_channels, out_channels=out_channels, grid=grid, hidden=hidden, blocks=blocks)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.entry = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.blocks = nn.ModuleList(_GatedConvolution(hidden, grid, dropout, context_shape) for _ in range(blocks))
        self.attentions = nn.ModuleList(_GatedAttention(hidden, heads, grid) for _ in range(blocks if heads else 0))
        self.output = ZeroConv2d(hidden, out_channels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """From ``[N, in_channels, H, W]`` and ``[N, *context_shape]`` to ``[N, out_channels, H, W]``."""
        require_context(type(self).__name__, context, self.context_shape, x.shape[:1])
        with differentiable_attention(x, *(() if context is None else (context,))):
            hidden = self.entry(channels_together(x))
            for index, block in enumerate(self.blocks):
                hidden = block(hidden, context)
                if self.attentions:
                    hidden = self.attentions[index](hidden)
            return self.output(hidden)  # type: ignore[no-any-return]


class _GatedConvolution(nn.Module):
    """A gated residual block and its norm."""

    def __init__(self, channels: int, grid: tuple[int, int], dropout: float, context_shape: Sequence[int] | None) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.second = Pointwise(2 * channels, 2 * channels)
        self.context = None if context_shape is None else GridContext(context_shape, 2 * channels, grid)
        self.dropout = nn.Dropout(dropout)
        self.norm = ChannelNorm(channels)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        change = self.second(self.dropout(concatenated_elu(self.first(concatenated_elu(x)))))
        if self.context is not None and context is not None:
            change = change + self.context(context)
        return self.norm(x + _gated(change, 1))  # type: ignore[no-any-return]


class _GatedAttention(nn.Module):
    """Self-attention of all positions behind a gate, and its norm."""

    def __init__(self, channels: int, heads: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.01 * torch.randn(1, grid[0] * grid[1], channels))
        self.attention = MultiHeadAttention(channels, heads)
        self.gate = nn.Linear(channels, 2 * channels)
        self.norm = ChannelNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.attention(x.flatten(2).mT + self.positions)
        change = _gated(self.gate(rows), -1).mT.unflatten(2, x.shape[2:])
        return self.norm(x + change)  # type: ignore[no-any-return]


def _gated(x: Tensor, dim: int) -> Tensor:
    """A gated linear unit, by operations of which function transforms know the derivatives."""
    signal, gate = x.chunk(2, dim)
    return signal * torch.sigmoid(gate)

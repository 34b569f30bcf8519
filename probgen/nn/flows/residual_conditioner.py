r"""Real NVP's conditioner: a residual network of convolutions with weight normalization.

.. math::

    h_0 = \mathrm{conv}_{3 \times 3}(x_a) + V c, \qquad
    h_{l+1} = h_l + \mathrm{conv}_{3 \times 3}\, \sigma\, \mathrm{conv}_{3 \times 3}\, \sigma(h_l), \qquad
    g = \mathrm{conv}^0_{1 \times 1}\, \sigma\Bigl(\sum_{l=0}^{B} S_l h_l\Bigr)

with :math:`\sigma = \mathrm{ReLU}` and maps :math:`S_l` of single pixels; all weights are lengths times directions. The paper
also normalizes activations over the batch. Then the parameters of one image depend on the others, and what is trained is no map
of an image; weight normalization and the skips train without it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.convolutional_blocks import require_sizes
from probgen.nn.flows._memory_order import channels_together
from probgen.nn.flows.grid_context import GridContext
from probgen.nn.flows.normalized_conv2d import NormalizedConv2d
from probgen.nn.flows.zero_conv2d import ZeroConv2d

__all__ = ["ResidualConditioner"]


class ResidualConditioner(nn.Module):
    r"""A residual network at one resolution, with a skip from every block to the output.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        grid: Height and width of the images; used by the context alone.
        hidden: Hidden channels.
        blocks: Residual blocks, two convolutions each.
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image, any other a vector; None for none.

    Raises:
        ValueError: a size is not positive, or the context does not fit the grid.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP, section 3.7. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.nn.flows import ResidualConditioner
        >>> network = ResidualConditioner(2, 4, (8, 8), hidden=16, blocks=2, context_shape=(1, 16, 16))
        >>> network(torch.randn(5, 2, 8, 8), torch.randn(5, 1, 16, 16)).shape
        torch.Size([5, 4, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: tuple[int, int],
        *,
        hidden: int = 64,
        blocks: int = 4,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        require_sizes(in_channels=in_channels, out_channels=out_channels, grid=grid, hidden=hidden, blocks=blocks)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.entry = NormalizedConv2d(in_channels, hidden)
        self.context = None if context_shape is None else GridContext(context_shape, hidden, grid)
        self.blocks = nn.ModuleList(_Block(hidden) for _ in range(blocks))
        self.skips = nn.ModuleList(NormalizedConv2d(hidden, hidden, 1) for _ in range(blocks + 1))
        self.output = ZeroConv2d(hidden, out_channels, 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """From ``[N, in_channels, H, W]`` and ``[N, *context_shape]`` to ``[N, out_channels, H, W]``."""
        require_context(type(self).__name__, context, self.context_shape, x.shape[:1])
        hidden = self.entry(channels_together(x))
        if self.context is not None and context is not None:
            hidden = hidden + self.context(context)
        total = self.skips[0](hidden)
        for block, skip in zip(self.blocks, self.skips[1:], strict=True):
            hidden = block(hidden)
            total = total + skip(hidden)
        return self.output(torch.relu(total))  # type: ignore[no-any-return]


class _Block(nn.Module):
    """Two convolutions that are added to what they see."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = NormalizedConv2d(channels, channels)
        self.second = NormalizedConv2d(channels, channels, init_scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(torch.relu(x))))  # type: ignore[no-any-return]

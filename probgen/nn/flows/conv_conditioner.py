r"""Glow's conditioner: three convolutions, of which the last starts at zero.

.. math:: g(x_a, c) = \mathrm{conv}^0_{3 \times 3}\, \sigma\, \mathrm{conv}_{1 \times 1}\, \sigma
   \bigl(\mathrm{conv}_{3 \times 3}(x_a) + V c\bigr)

with :math:`\sigma = \mathrm{ReLU}`. The paper normalizes hidden channels by data-dependent scales (actnorm); here the weights
are started so that their variances are kept, and nothing is to be initialized inside a conditioner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.convolutional_blocks import require_sizes
from probgen.nn.flows._memory_order import channels_together
from probgen.nn.flows.grid_context import GridContext
from probgen.nn.flows.zero_conv2d import ZeroConv2d

__all__ = ["ConvConditioner"]


class ConvConditioner(nn.Module):
    r"""A shallow wide network from the copied channels to the parameters of the others.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        grid: Height and width of the images; used by the context alone.
        hidden: Hidden channels.
        context_shape: Trailing shape of the context: ``(Cc, Hc, Wc)`` is an image, any other a vector; None for none.
        activation: Makes the activation.

    Raises:
        ValueError: a size is not positive, or the context does not fit the grid.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.nn.flows import ConvConditioner
        >>> network = ConvConditioner(2, 4, (8, 8), hidden=16, context_shape=(10,))
        >>> network(torch.randn(5, 2, 8, 8), torch.randn(5, 10)).shape
        torch.Size([5, 4, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: tuple[int, int],
        *,
        hidden: int = 512,
        context_shape: Sequence[int] | None = None,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        require_sizes(in_channels=in_channels, out_channels=out_channels, grid=grid, hidden=hidden)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.entry = nn.Conv2d(in_channels, hidden, 3, padding=1)
        self.context = None if context_shape is None else GridContext(context_shape, hidden, grid)
        self.inner = nn.Sequential(activation(), nn.Conv2d(hidden, hidden, 1), activation())
        self.output = ZeroConv2d(hidden, out_channels)
        for layer in (self.entry, self.inner[1]):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """From ``[N, in_channels, H, W]`` and ``[N, *context_shape]`` to ``[N, out_channels, H, W]``."""
        require_context(type(self).__name__, context, self.context_shape, x.shape[:1])
        hidden = self.entry(channels_together(x))
        if self.context is not None and context is not None:
            hidden = hidden + self.context(context)
        return self.output(self.inner(hidden))  # type: ignore[no-any-return]

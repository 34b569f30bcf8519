r"""A convolution whose weight is length times direction, :math:`w_o = g_o v_o / \lVert v_o \rVert`; it keeps the size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from probgen.nn.causal.normalized_weight import NormalizedWeight

__all__ = ["NormalizedConv2d"]


class NormalizedConv2d(NormalizedWeight):
    """A convolution with a normalized weight, ``[N, C_in, H, W]`` to ``[N, C_out, H, W]``.

    Lengths and biases can be set by data with ``probgen.nn.causal.initialized_by_data``.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        kernel_size: Height and width of the kernel, odd.
        init_scale: The deviation of the outputs for inputs of mean square one.

    Raises:
        ValueError: a size is not positive, or the kernel is even.

    References:
        Salimans, Kingma (2016). Weight normalization. https://arxiv.org/abs/1602.07868

    Example:
        >>> import torch
        >>> from probgen.nn.flows import NormalizedConv2d
        >>> layer = NormalizedConv2d(3, 5)
        >>> layer(torch.zeros(2, 3, 8, 8)).shape, layer.weight().flatten(1).norm(dim=1).detach()
        (torch.Size([2, 5, 8, 8]), tensor([1., 1., 1., 1., 1.]))
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, *, init_scale: float = 1.0) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd; got {kernel_size}.")
        super().__init__(in_channels, out_channels, (kernel_size, kernel_size), init_scale=init_scale)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of ``[N, in_channels, H, W]``."""
        return F.conv2d(x, self.weight(), self.bias, padding=self.kernel[0] // 2)

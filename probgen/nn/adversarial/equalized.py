r"""Layers with equalized learning rates, and pixel normalization: what progressive growing is made of.

.. math:: y = \frac{g}{\sqrt{n}}\, W x + b, \quad W_{ij} \sim \mathcal N(0, 1), \qquad
    \mathrm{pixel}(h)_c = h_c \Big/ \sqrt{\tfrac1C \sum_{c'} h_{c'}^2 + \epsilon}

with n inputs and a gain g. He's start with the scale applied at run time: the weights of all layers then have the same
size, so an optimizer that normalizes gradients (Adam) moves all layers at the same relative speed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EqualizedConv2d", "EqualizedLinear", "PixelNormalization"]


class EqualizedConv2d(nn.Module):
    """A convolution that keeps the size of images, with an equalized learning rate: ``[N, C, H, W]`` to ``[N, C', H, W]``.

    Args:
        channels: Channels of the input.
        out_channels: Channels of the output.
        kernel: Side of the kernel, odd.
        gain: The gain g; the default is right before rectifiers.

    Raises:
        ValueError: the kernel is even.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs, section 4.1. https://arxiv.org/abs/1710.10196

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import EqualizedConv2d
        >>> EqualizedConv2d(4, 8)(torch.zeros(2, 4, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(self, channels: int, out_channels: int, kernel: int = 3, *, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"`kernel` must be odd; got {kernel}.")
        self.weight = nn.Parameter(torch.randn(out_channels, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale = gain / math.sqrt(channels * kernel**2)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` ``[N, C, H, W]``."""
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class EqualizedLinear(nn.Module):
    """A linear layer with an equalized learning rate: ``[*batch, n]`` to ``[*batch, m]``.

    Args:
        in_features: Width of the input.
        out_features: Width of the output.
        bias: Whether it has a bias.
        gain: The gain g; the default is right for a last layer.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs, section 4.1. https://arxiv.org/abs/1710.10196

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import EqualizedLinear
        >>> _ = torch.manual_seed(0)
        >>> layer = EqualizedLinear(1000, 1000)
        >>> [round(value.std().item(), 1) for value in (layer.weight, layer(torch.randn(5, 1000)))]
        [1.0, 1.0]
    """

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self.scale = gain / math.sqrt(in_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` ``[*batch, n]``."""
        return F.linear(x, self.weight * self.scale, self.bias)


class PixelNormalization(nn.Module):
    """Makes the channels of every pixel have mean square one: ``[N, C, ...]`` to itself; it learns nothing.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs, section 4.2. https://arxiv.org/abs/1710.10196

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import PixelNormalization
        >>> round(PixelNormalization()(torch.randn(2, 8, 3, 3)).square().mean().item(), 4)
        1.0
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize ``x`` over its second dimension."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)

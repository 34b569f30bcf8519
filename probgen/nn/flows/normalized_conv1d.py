r"""A dilated convolution of waves whose weight is length times direction; it keeps the length and looks both ways."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from probgen.nn.causal.normalized_weight import NormalizedWeight

__all__ = ["NormalizedConv1d"]


class NormalizedConv1d(NormalizedWeight):
    """A convolution with a normalized weight, ``[N, C_in, T]`` to ``[N, C_out, T]``.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        kernel_size: Length of the kernel, odd.
        dilation: Distance of the positions that it sees.
        init_scale: The deviation of the outputs for inputs of mean square one.

    Raises:
        ValueError: a size is not positive, or the kernel is even.

    References:
        Salimans, Kingma (2016). Weight normalization. https://arxiv.org/abs/1602.07868

    Example:
        >>> import torch
        >>> from probgen.nn.flows import NormalizedConv1d
        >>> NormalizedConv1d(3, 5, dilation=4)(torch.zeros(2, 3, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, *, dilation: int = 1, init_scale: float = 1.0
    ) -> None:
        if kernel_size % 2 == 0 or dilation < 1:
            raise ValueError(f"`kernel_size` must be odd and `dilation` positive; got {kernel_size} and {dilation}.")
        super().__init__(in_channels, out_channels, (kernel_size,), init_scale=init_scale)
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of ``[N, in_channels, T]``; a kernel of one position is a product, which processors do faster."""
        if self.kernel == (1,):
            return self.weight().squeeze(-1) @ x + self.bias.unsqueeze(-1)
        padding = self.dilation * (self.kernel[0] // 2)
        return F.conv1d(x, self.weight(), self.bias, padding=padding, dilation=self.dilation)

r"""The last layer of a conditioner: it starts at zero, so that the layer of the flow starts as the identity.

.. math:: y_o = e^{3 l_o} \Bigl(b_o + \sum_i w_{oi} * x_i\Bigr), \qquad w = 0,\ b = 0,\ l = 0 \text{ at the start.}

The scale of each channel is learned with a factor of three in its logarithm: an output that must grow gets there faster.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ZeroConv2d"]

_RATE = 3.0


class ZeroConv2d(nn.Module):
    """A convolution that keeps the size, starts at zero and has a learned scale for each channel.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        kernel_size: Height and width of the kernel, odd.

    Raises:
        ValueError: a size is not positive, or the kernel is even.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions, section 3.3.
        https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.nn.flows import ZeroConv2d
        >>> layer = ZeroConv2d(3, 4)
        >>> layer(torch.ones(2, 3, 5, 5)).abs().max(), sum(p.numel() for p in layer.parameters())
        (tensor(0., grad_fn=<MaxBackward1>), 116)
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        if min(in_channels, out_channels, kernel_size) < 1 or kernel_size % 2 == 0:
            raise ValueError(f"sizes must be positive, `kernel_size` odd; got {in_channels}, {out_channels} and {kernel_size}.")
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.log_scale = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """From ``[N, in_channels, H, W]`` to ``[N, out_channels, H, W]``."""
        scale = (_RATE * self.log_scale).exp()
        weight = self.weight * scale[:, None, None, None]
        return F.conv2d(x, weight, self.bias * scale, padding=self.weight.shape[-1] // 2)

    def extra_repr(self) -> str:
        """Channels and size of the kernel."""
        out_channels, in_channels, kernel_size, _ = self.weight.shape
        return f"{in_channels}, {out_channels}, kernel_size={kernel_size}"

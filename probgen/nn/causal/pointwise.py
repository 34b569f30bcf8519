r"""Layers that look at one position only, for all positions at once or for one column.

.. math:: h_t = W x_t + b, \qquad \mathrm{gate}(a, b) = \tanh(a) \odot \sigma(b), \qquad
   \mathrm{norm}(x)_t = \gamma \odot \frac{x_t - \mathrm{mean}(x_t)}{\sqrt{\mathrm{var}(x_t) + \varepsilon}} + \beta

Channels are dimension 1 of images ``[N, C, *grid]`` and of columns ``[N, C]``. A norm over positions would let the future
through, so ``ChannelNorm`` takes mean and variance over the channels of a position.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ChannelNorm", "Pointwise", "gated_unit"]


class Pointwise(nn.Linear):
    """The same linear map at every position, ``[N, C_in, *grid]`` to ``[N, C_out, *grid]`` or ``[N, C_in]`` to ``[N, C_out]``.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        bias: Whether there is a bias.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import Pointwise
        >>> layer = Pointwise(3, 5)
        >>> layer(torch.zeros(2, 3, 8, 8)).shape, layer(torch.zeros(2, 3)).shape
        (torch.Size([2, 5, 8, 8]), torch.Size([2, 5]))
    """

    def forward(self, x: Tensor) -> Tensor:
        """The map at every position; see the class."""
        if x.dim() == 2:
            return F.linear(x, self.weight, self.bias)
        return F.conv1d(x.flatten(2), self.weight.unsqueeze(-1), self.bias).unflatten(2, x.shape[2:])  # type: ignore[no-any-return]


class ChannelNorm(nn.Module):
    """Mean zero and variance one over the channels of each position, then scale and shift.

    Args:
        channels: Number of channels.

    References:
        Ba, Kiros, Hinton (2016). Layer normalization. https://arxiv.org/abs/1607.06450

    Example:
        >>> import torch
        >>> from probgen.nn.causal import ChannelNorm
        >>> ChannelNorm(2)(torch.tensor([[1.0, 3.0]])).round(decimals=3).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``[N, C, *grid]`` or ``[N, C]``, the same out."""
        return F.layer_norm(x.movedim(1, -1), (self.channels,), self.weight, self.bias).movedim(-1, 1)


def gated_unit(x: Tensor, dim: int = 1) -> Tensor:
    r"""The gated activation :math:`\tanh(a) \odot \sigma(b)` of channels that are :math:`a` and then :math:`b`.

    Args:
        x: Shape ``[N, 2 C, *grid]`` or ``[N, 2 C]``.
        dim: The dimension of the channels.

    Returns:
        Shape ``[N, C, *grid]`` or ``[N, C]``.

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from probgen.nn.causal import gated_unit
        >>> gated_unit(torch.tensor([[0.5, 0.0]]))
        tensor([[0.2311]])
    """
    signal, gate = x.chunk(2, dim=dim)
    return torch.tanh(signal) * torch.sigmoid(gate)

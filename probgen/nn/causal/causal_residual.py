r"""The residual block of PixelCNN++: an activation that keeps both signs, two convolutions, dropout, a gate.

.. math::

    h = c_1(f(x)) + L\, f(a), \qquad (u, v) = c_2(\mathrm{dropout}(f(h))) + V c, \qquad x \mapsto x + u \odot \sigma(v),

with a shortcut a, a context c, and :math:`f(x) = \mathrm{elu}([x, -x])` by default: a linear unit that saturates on one side
loses half of what it sees, the pair loses nothing. Everything but the convolutions looks at one position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.context_bias import ContextBias
from probgen.nn.causal.normalized_weight import NormalizedPointwise
from probgen.nn.causal.stream import Stream

__all__ = ["CausalResidualBlock", "concatenated_elu"]

Convolution = Callable[[int, int, float], nn.Module]
"""From the numbers of channels in and out, and the deviation at the start, to a causal convolution."""


def concatenated_elu(x: Tensor) -> Tensor:
    r""":math:`\mathrm{elu}([x, -x])`, twice the channels.

    Args:
        x: Shape ``[N, C, *grid]`` or ``[N, C]``.

    Returns:
        Shape ``[N, 2 C, *grid]`` or ``[N, 2 C]``.

    References:
        Shang, Sohn, Almeida, Lee (2016). Understanding and improving convolutional neural networks via concatenated rectified
        linear units. https://arxiv.org/abs/1603.05201

    Example:
        >>> import torch
        >>> from probgen.nn.causal import concatenated_elu
        >>> concatenated_elu(torch.tensor([[2.0, -1.0]]))
        tensor([[ 2.0000, -0.6321, -0.8647,  1.0000]])
    """
    return F.elu(torch.cat([x, -x], 1))


class CausalResidualBlock(nn.Module):
    r"""A gated residual block of causal convolutions, with a shortcut and a context.

    Args:
        channels: Channels in and out.
        convolution: Makes a causal convolution of the numbers of its channels in and out and its deviation at the start.
        shortcut: Channels of the shortcut, 0 for none.
        dropout: Probability that a number between the convolutions is dropped, while training.
        context_shape: Trailing shape of the context, or None.
        activation: From ``[N, C, ...]`` to as many channels; None: ``concatenated_elu``, to twice as many.
        weight_norm: Whether the shortcut's weight is normalized.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.nn.causal import CausalResidualBlock, DownShiftedConv2d
        >>> block = CausalResidualBlock(4, lambda i, o, scale: DownShiftedConv2d(i, o, init_scale=scale))
        >>> block(torch.zeros(2, 4, 8, 8)).shape
        torch.Size([2, 4, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        convolution: Convolution,
        *,
        shortcut: int = 0,
        dropout: float = 0.0,
        context_shape: Sequence[int] | None = None,
        activation: Callable[[Tensor], Tensor] | None = None,
        weight_norm: bool = True,
    ) -> None:
        super().__init__()
        self.activation = concatenated_elu if activation is None else activation
        factor = 2 if activation is None else 1
        self.first = convolution(factor * channels, channels, 1.0)
        self.second = convolution(factor * channels, 2 * channels, 0.1)
        self.dropout = nn.Dropout(dropout)
        self.shortcut = NormalizedPointwise(factor * shortcut, channels, weight_norm=weight_norm) if shortcut else None
        self.context = None if context_shape is None else ContextBias(context_shape, 2 * channels, (1, 1))

    def forward(
        self, x: Tensor, shortcut: Tensor | None = None, context: Tensor | None = None, stream: Stream | None = None
    ) -> Tensor:
        """All positions of ``[N, C, H, W]``, or with a stream a column ``[N, C]`` or a row ``[N, C, W]``; the same out."""
        hidden = self.first(self.activation(x), stream)
        if self.shortcut is not None and shortcut is not None:
            weight = None if stream is None else stream.prepare(self.shortcut.weight)
            hidden = hidden + self.shortcut(self.activation(shortcut), weight)
        hidden = self.second(self.dropout(self.activation(hidden)), stream)
        if self.context is not None and context is not None:
            bias = self.context(context, stream).flatten(1)
            hidden = hidden + bias.reshape(*bias.shape, *(1,) * (hidden.dim() - 2))
        return x + F.glu(hidden, 1)

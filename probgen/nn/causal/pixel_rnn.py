r"""PixelRNN: recurrent layers over the rows or the diagonals of an image, with residual connections.

.. math::

    x^{(0)} = \mathrm{conv}^{A}_{7 \times 7}(x), \qquad
    x^{(l)} = x^{(l-1)} + K_l\, \mathrm{LSTM}_l\bigl(x^{(l-1)} + V_l c\bigr), \qquad
    \theta = K'' \max\bigl(0, K' \max(0, x^{(L)})\bigr)

The first convolution is of kind A and hides the pixel itself; everything after it may look at its own place. The sums have
:math:`2h` channels, the states :math:`h`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from probgen.nn.causal.context_bias import ContextBias
from probgen.nn.causal.diagonal_lstm import DiagonalBiLSTM
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.row_lstm import RowLSTM
from probgen.nn.causal.stream import Stream
from probgen.nn.image_shape import image_sizes

__all__ = ["PixelRNN"]


class PixelRNN(CausalNetwork):
    """A pixel recurrent network for images.

    Args:
        image_shape: ``(C, H, W)``, or ``(H, W)`` for one channel.
        num_outputs: How many numbers a coordinate gets, P.
        kind: "diagonal" for diagonal bidirectional LSTM layers, which see all pixels before; "row" for row LSTM layers, which
            are faster and see a triangle of them.
        layers: How many recurrent layers.
        hidden: Size of a state, h.
        head: Channels between the last two layers; 2 h by default.
        kernel_size: Of the first convolution, odd.
        row_kernel_size: Of the row LSTM's convolutions, odd.
        ordered_channels: Whether each color is a coordinate of its own, after the colors before it.
        context_shape: Trailing shape of a context, or None. ``(Cc, H, W)`` with the size of the image means features at each
            pixel, any other shape a vector.

    Raises:
        ValueError: sizes or options that do not fit together.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import PixelRNN
        >>> law = Autoregressive(PixelRNN((3, 3), 1, layers=2, hidden=4), (3, 3), BernoulliElement())
        >>> law.sample((5,)).shape, (law.log_prob(law.enumerate_support()).exp().sum() - 1).abs().item() < 1e-5
        (torch.Size([5, 3, 3]), True)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        num_outputs: int,
        *,
        kind: Literal["diagonal", "row"] = "diagonal",
        layers: int = 7,
        hidden: int = 16,
        head: int | None = None,
        kernel_size: int = 7,
        row_kernel_size: int = 3,
        ordered_channels: bool = False,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        channels, height, width = image_sizes(image_shape, gray=True)
        if kind not in ("diagonal", "row") or min(layers, hidden) < 1:
            raise ValueError(
                f'`kind` must be "diagonal" or "row", `layers` and `hidden` positive; got {kind!r}, {layers} and {hidden}.'
            )
        super().__init__(
            (height, width), num_outputs, channels=channels, ordered_channels=ordered_channels, context_shape=context_shape
        )
        self.kind = kind
        colors = self._colors
        wide, head = 2 * hidden, 2 * hidden if head is None else head
        self.entry = MaskedConv2d(channels, wide, kernel_size, kind="A", colors=colors, width=width)
        told = range(0 if context_shape is None else layers)
        self.contexts = nn.ModuleList(ContextBias(context_shape or (), wide, (height, width)) for _ in told)
        self.layers = nn.ModuleList(
            DiagonalBiLSTM(wide, hidden, width=width, colors=colors, values=0 if index else channels)
            if kind == "diagonal"
            else RowLSTM(wide, hidden, width=width, kernel_size=row_kernel_size, colors=colors)
            for index in range(layers)
        )
        self.upward = nn.ModuleList(MaskedConv2d(hidden, wide, 1, colors=colors) for _ in range(layers))
        self.first_head = MaskedConv2d(wide, head, 1, colors=colors)
        self.last_head = MaskedConv2d(head, colors * num_outputs, 1, colors=colors)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        x: Tensor = self.entry(canvas, stream)
        for index, (layer, upward) in enumerate(zip(self.layers, self.upward, strict=True)):
            inner = x if context is None else x + self.contexts[index](context, stream)
            states = layer(inner, stream) if index or self.kind == "row" else layer(inner, stream, canvas)
            x = upward(states, stream, add=x)
        return self.last_head(torch.relu(self.first_head(torch.relu(x), stream)), stream)  # type: ignore[no-any-return]

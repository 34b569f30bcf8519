r"""Gated PixelCNN: vertical and horizontal stacks with gates, no blind spot, and conditions on a vector or an image.

.. math:: h^{(l)}, g^{(l)} = \mathrm{layer}_l(v^{(l - 1)}, h^{(l - 1)}, c), \qquad
   \theta = A_2\, \mathrm{relu}\bigl(A_1\, \mathrm{relu}\bigl(\textstyle\sum_l S_l\, g^{(l)}\bigr)\bigr)

The layers stand in ``gated_layer``; the skip connections :math:`S_l` are one map of all gated features side by side. A position
costs the horizontal stack alone, two small matrix products a layer; the vertical stack runs once a row.
Derived and drawn in ``docs/derivations/ar-gated``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn.causal.gated_layer import GatedLayer
from probgen.nn.causal.gated_sweep import GatedSweep, halved_links
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.stream import Stream
from probgen.nn.image_shape import image_sizes

__all__ = ["GatedPixelCNN"]


class GatedPixelCNN(CausalNetwork):
    """Parameters for every pixel of an image from all pixels before it.

    Args:
        image_shape: ``(C, H, W)``, where C numbers are seen of each pixel, or ``(H, W)`` for one.
        num_outputs: How many numbers a coordinate gets, P: a pixel, or a color of a pixel with ``ordered_channels``.
        layers: Gated layers, the first one included; every layer after it widens the view by ``kernel_size // 2``.
        channels: Channels of each stack.
        kernel_size: Size of the convolutions, odd.
        first_kernel_size: That of the first layer.
        head_channels: Channels between the stacks and the outputs.
        dropout: Probability with which a feature is dropped in training.
        ordered_channels: Whether each color is a coordinate of its own, after the colors before it.
        context_shape: Trailing shape of a context, or None. ``(Cc, H, W)`` with the size of the image means features at each
            pixel, any other shape one vector for the image; both act in every layer.

    Raises:
        ValueError: another image shape, no layer, or a probability outside [0, 1].

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import GatedPixelCNN
        >>> network = GatedPixelCNN((1, 3, 3), 1, layers=3, channels=8, first_kernel_size=3)
        >>> p = Autoregressive(network, (3, 3), BernoulliElement())
        >>> with torch.no_grad():
        ...     p.sample((5,)).shape, p.log_prob(p.enumerate_support()).exp().sum()
        (torch.Size([5, 3, 3]), tensor(1.0000))
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        num_outputs: int,
        *,
        layers: int = 10,
        channels: int = 64,
        kernel_size: int = 3,
        first_kernel_size: int = 7,
        head_channels: int = 64,
        dropout: float = 0.0,
        ordered_channels: bool = False,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        image_channels, height, width = image_sizes(image_shape, gray=True)
        if layers < 1 or not 0 <= dropout <= 1:
            raise ValueError(f"`layers` must be positive and `dropout` lie in [0, 1]; got {layers} and {dropout}.")
        grid, ordered = (height, width), ordered_channels
        super().__init__(grid, num_outputs, channels=image_channels, ordered_channels=ordered, context_shape=context_shape)
        self.dropout, colors = dropout, self._colors

        def layer(size: int, source: int | None, *, last: bool) -> GatedLayer:
            options = {"colors": colors, "context_shape": context_shape, "dropout": dropout}
            return GatedLayer(grid, channels, size, image_channels=source, last=last, **options)  # type: ignore[arg-type]

        rest = [layer(kernel_size, None, last=left == 1) for left in range(layers - 1, 0, -1)]
        self.layers = nn.ModuleList([layer(first_kernel_size, image_channels, last=layers == 1), *rest])
        self.skip = MaskedConv2d(layers * channels, head_channels, 1, colors=colors, repeats=(layers, 1), gain=2.0)
        self.hidden = MaskedConv2d(head_channels, head_channels, 1, colors=colors, gain=2**0.5)
        self.head = MaskedConv2d(head_channels, colors * num_outputs, 1, colors=colors)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        if stream is not None and stream.in_place and not (self.training and self.dropout):
            return self._swept(canvas, context, stream)
        x, gates = canvas, []
        for layer, link in zip(self.layers, self._links(canvas, context, stream), strict=True):
            x, gated = layer.beside(x, link, stream)  # type: ignore[operator]
            gates.append(gated)
        skipped = self.skip(torch.cat(gates, 1), stream)
        hidden = self.hidden(torch.relu(skipped), stream)
        return self.head(torch.relu(hidden), stream)  # type: ignore[no-any-return]

    def _links(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Sequence[Tensor]:
        """What the vertical stack gives to each layer of the horizontal one; on a stream, its row is computed once."""
        if stream is None:
            return self._vertical(canvas, context, None)
        width = self.grid[1]
        row = stream.every(width, lambda inner: torch.stack(self._vertical(canvas, context, inner), 2))
        return row.select(1, stream.position % width).unbind(1)

    def _swept(self, canvas: Tensor, context: Tensor | None, stream: Stream) -> Tensor:
        """A pixel of a sweep."""
        row, column = divmod(stream.position, self.grid[1])
        links = stream.every(self.grid[1], lambda inner: halved_links(self._vertical(canvas, context, inner)))
        sweep = stream.remember(lambda: GatedSweep.allocate(self._layers(), (self.skip, self.hidden, self.head), len(canvas)))
        again = stream.update(lambda: -1, lambda last: (stream.position, last == stream.position))
        return sweep.advance(canvas[:, :, row], column, links.select(1, column).unbind(1), again=again)

    def _layers(self) -> list[GatedLayer]:
        return [layer for layer in self.layers if isinstance(layer, GatedLayer)]

    def _vertical(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> list[Tensor]:
        """Links ``[N, 2 * channels, H, W]``, or those of a row ``[N, W, 2 * channels]``."""
        rows, links = canvas, []
        for layer in self.layers:
            rows, link = layer.above(rows, context, stream)  # type: ignore[operator]
            links.append(link)
        return links

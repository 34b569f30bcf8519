r"""PixelCNN++: two causal streams, down to coarser grids and up again, with shortcuts.

The *vertical* stream :math:`u_{ij}` sees the rows above (i, j), with down-shifted convolutions; the *down-right* stream
:math:`r_{ij}` all pixels before (i, j), with down-right-shifted ones, and the vertical stream as a shortcut of each of its
blocks. On level :math:`\ell` of L both run on a grid :math:`2^\ell` times as coarse:

.. math::

    \begin{aligned}
    \text{down:} \quad & u^{k} = B(u^{k-1}), \quad r^{k} = B(r^{k-1};\, u^{k}), \quad k = 1 \dots n, \\
    \text{coarser:} \quad & \tilde u = U(\mathrm{level}_{\ell + 1}(D u^{n})), \quad
        \tilde r = U(\mathrm{level}_{\ell + 1}(D r^{n})), \\
    \text{up:} \quad & \tilde u^{k} = B(\tilde u^{k+1};\, u^{k}), \quad
        \tilde r^{k} = B(\tilde r^{k+1};\, \tilde u^{k}, r^{k}), \quad k = n \dots 0,
    \end{aligned}

with gated residual blocks B and their shortcuts after the semicolon, strided shifted convolutions D and transposed ones U. The
coarsest level has no coarser one: there :math:`\tilde u^{n} = u^{n}`, and k runs from n - 1. A pixel is one position: the
colors depend on each other in the element, ``DiscretizedLogisticMixtureElement``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from probgen.nn.causal.causal_residual import CausalResidualBlock
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.normalized_weight import NormalizedPointwise, initialized_by_data
from probgen.nn.causal.shifted_conv2d import DownRightShiftedConv2d, DownShiftedConv2d
from probgen.nn.causal.shifted_upsampling import DownRightShiftedUpsampling, DownShiftedUpsampling, at_coarse_pixels
from probgen.nn.causal.stream import Stream
from probgen.nn.image_shape import image_sizes

__all__ = ["PixelCNNPlusPlus"]


class PixelCNNPlusPlus(CausalNetwork):
    r"""The network of PixelCNN++: for each pixel P numbers, from the pixels before it in raster order.

    A pixel, with all its colors, is one position. Its numbers are the parameters of a mixture of discretized logistics: P is
    the ``num_parameters`` of a ``DiscretizedLogisticMixtureElement``. Sides that :math:`2^{L-1}` does not divide are rounded up
    on the way down. Sampling costs the arithmetic of one parallel pass; call ``eval()`` first, or each step drops
    other units.

    Args:
        image_shape: ``(C, H, W)``, or ``(H, W)`` for one channel.
        num_outputs: How many numbers a pixel gets, P.
        filters: Channels of both streams.
        blocks: Residual blocks of each stream on a level, n, on the way down; as many on the way up, and one more above the
            coarsest level.
        levels: Grids L, each half as fine as the one before.
        dropout: Probability that a number between the convolutions of a block is dropped, while training.
        context_shape: Trailing shape of a context that all pixels see, or None; a class enters as a unit vector.
        activation: From ``[N, F, ...]`` to as many channels; None: ``concatenated_elu``, to twice as many.
        weight_norm: Whether length and direction of the weights are parameters of their own; see ``initialize_from``.

    Raises:
        ValueError: a size is not positive; there are more levels than the image can be halved.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood
        and other modifications. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive, Quantization
        >>> from probgen.distributions.elements import DiscretizedLogisticMixtureElement
        >>> from probgen.nn import PixelCNNPlusPlus
        >>> element = DiscretizedLogisticMixtureElement(Quantization(256, -1.0, 1.0), components=5, channels=3)
        >>> network = PixelCNNPlusPlus((3, 6, 6), element.num_parameters, filters=8, blocks=1, levels=2).eval()
        >>> law = Autoregressive(network, (3, 6, 6), element)
        >>> law.sample((2,)).shape, law.log_prob(torch.ones(4, 3, 6, 6)).shape
        (torch.Size([2, 3, 6, 6]), torch.Size([4]))
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        num_outputs: int,
        *,
        filters: int = 160,
        blocks: int = 5,
        levels: int = 3,
        dropout: float = 0.5,
        context_shape: Sequence[int] | None = None,
        activation: Callable[[Tensor], Tensor] | None = None,
        weight_norm: bool = True,
    ) -> None:
        channels, height, width = image_sizes(image_shape, gray=True)
        super().__init__((height, width), num_outputs, channels=channels, context_shape=context_shape)
        _require(filters, blocks, levels, (height, width))
        self.activation = activation if activation is not None else nn.ELU()
        options = {"dropout": dropout, "context_shape": context_shape, "activation": activation, "weight_norm": weight_norm}
        plan = _Plan(filters, blocks, options)
        normalized = {"weight_norm": weight_norm}
        seen = channels + 1
        self.above = DownShiftedConv2d(seen, filters, (2, 3), shift=1, **normalized)
        self.just_above = DownShiftedConv2d(seen, filters, (1, 3), shift=1, **normalized)
        self.left = DownRightShiftedConv2d(seen, filters, width, (2, 1), shift=1, **normalized)
        self.vertical = _VerticalLevel(plan, (height, width), levels)
        self.down_right = _DownRightLevel(plan, (height, width), levels)
        self.head = NormalizedPointwise(filters, num_outputs, **normalized)

    @torch.no_grad()
    def initialize_from(self, images: Tensor, context: Tensor | None = None) -> None:
        """Set lengths and biases so that on these images each layer gives mean zero and deviation one (0.1 before a gate).

        Call it once, with a batch of data, before training; it changes parameters only. Dropout is left out.

        Args:
            images: As the network sees them (about -1 to 1), ``[N, *image_shape]``.
            context: Context ``[N, *context_shape]``, if the network takes one.

        Raises:
            ValueError: images of another shape.
        """
        canvas = images if images.dim() == 4 else images.unsqueeze(1)
        if images.dim() not in (3, 4) or tuple(canvas.shape[1:]) != (self.channels, *self.grid) or not len(canvas):
            raise ValueError(
                f"`images` must be at least one image of shape {(self.channels, *self.grid)}; got {tuple(images.shape)}."
            )
        training = self.training
        try:
            with initialized_by_data(self.eval()):
                self._run(canvas.to(self.head.bias.dtype), context, None)
        finally:
            self.train(training)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        canvas = torch.cat([canvas, torch.ones_like(canvas[:, :1])], 1)  # ones tell where the image ends
        if stream is None:
            just_above, vertical = self._rows(canvas, context, None)
        else:
            just_above, vertical = stream.every(self.grid[1], lambda rows: self._rows(canvas, context, rows))
            just_above = just_above[:, :, stream.position % self.grid[1]]
        entry = just_above + self.left(canvas, stream)
        features = self.down_right(entry, vertical, context, stream)
        weight = None if stream is None else stream.prepare(self.head.weight)
        return self.head(self.activation(features), weight)  # type: ignore[no-any-return]

    def _rows(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> tuple[Tensor, _Vertical]:
        """What depends on the rows above only."""
        return self.just_above(canvas, stream), self.vertical(self.above(canvas, stream), context, stream)


class _Vertical(NamedTuple):
    """The vertical stream on a level and the coarser ones: images ``[N, F, H, W]``, or rows ``[N, F, W]``."""

    down: list[Tensor]
    up: list[Tensor]
    coarser: Any  # a _Vertical, or None


class _Plan(NamedTuple):
    """What the levels share."""

    filters: int
    blocks: int
    options: dict[str, Any]

    def stack(self, count: int, convolution: Callable[..., nn.Module], shortcut: int) -> nn.ModuleList:
        """Residual blocks."""

        def make(inputs: int, outputs: int, scale: float) -> nn.Module:
            return convolution(inputs, outputs, weight_norm=self.options["weight_norm"], init_scale=scale)

        return nn.ModuleList(
            CausalResidualBlock(self.filters, make, shortcut=shortcut * self.filters, **self.options) for _ in range(count)
        )


class _VerticalLevel(nn.Module):
    """The vertical stream from one level on to the coarsest."""

    def __init__(self, plan: _Plan, size: tuple[int, int], levels: int) -> None:
        super().__init__()
        filters, normalized = plan.filters, {"weight_norm": plan.options["weight_norm"]}
        self.down = plan.stack(plan.blocks, DownShiftedConv2d, 0)
        self.up = plan.stack(plan.blocks + (levels > 1), DownShiftedConv2d, 1)
        self.coarser: _VerticalLevel | None = None
        if levels > 1:
            self.narrow = DownShiftedConv2d(filters, filters, stride=2, **normalized)
            self.coarser = _VerticalLevel(plan, _halved(size), levels - 1)
            self.widen = DownShiftedUpsampling(filters, filters, size, **normalized)

    def forward(self, x: Tensor, context: Tensor | None, stream: Stream | None) -> _Vertical:
        """All that the down-right stream needs of this level and the coarser ones."""
        skips, up = [x], []
        for block in self.down:
            skips.append(block(skips[-1], None, context, stream))
        down, coarse = skips[1:], None
        if self.coarser is None:
            x = skips.pop()
        else:
            run = partial(self.coarser, self.narrow(skips[-1], stream), context)
            coarse = run(None) if stream is None else stream.every(2, run)
            x = self.widen(coarse.up[-1], stream)
        for block in self.up:
            x = block(x, skips.pop(), context, stream)
            up.append(x)
        return _Vertical(down, up, coarse)


class _DownRightLevel(nn.Module):
    """The down-right stream from one level on to the coarsest."""

    def __init__(self, plan: _Plan, size: tuple[int, int], levels: int) -> None:
        super().__init__()
        filters, normalized = plan.filters, {"weight_norm": plan.options["weight_norm"]}
        self.width = size[1]
        convolution = partial(DownRightShiftedConv2d, width=self.width)
        self.down = plan.stack(plan.blocks, convolution, 1)
        self.up = plan.stack(plan.blocks + (levels > 1), convolution, 2)
        self.coarser: _DownRightLevel | None = None
        if levels > 1:
            self.narrow = DownRightShiftedConv2d(filters, filters, self.width, stride=2, **normalized)
            self.coarser = _DownRightLevel(plan, _halved(size), levels - 1)
            self.widen = DownRightShiftedUpsampling(filters, filters, size, **normalized)

    def forward(self, x: Tensor, vertical: _Vertical, context: Tensor | None, stream: Stream | None) -> Tensor:
        """The last features of this level."""

        def here(rows: Tensor) -> Tensor:
            return rows if stream is None else rows[:, :, stream.position % self.width]

        skips = [x]
        for block, above in zip(self.down, vertical.down, strict=True):
            skips.append(block(skips[-1], here(above), context, stream))
        x = skips.pop() if self.coarser is None else self._coarse(skips[-1], vertical, context, stream)
        for block, above in zip(self.up, vertical.up, strict=True):
            x = block(x, torch.cat([here(above), skips.pop()], 1), context, stream)
        return x

    def _coarse(self, x: Tensor, vertical: _Vertical, context: Tensor | None, stream: Stream | None) -> Tensor:
        """Down to the coarser levels and up again."""
        narrow = self.narrow(x, stream)

        def run(coarse: Stream | None) -> Tensor:
            return self.coarser(narrow, vertical.coarser, context, coarse)  # type: ignore[misc, no-any-return]

        return self.widen(at_coarse_pixels(stream, self.width, 2, run), stream)  # type: ignore[no-any-return]


def _halved(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // 2), -(-size[1] // 2)


def _require(filters: int, blocks: int, levels: int, size: tuple[int, int]) -> None:
    if min(filters, blocks, levels) < 1:
        raise ValueError(f"`filters`, `blocks` and `levels` must be positive; got {filters}, {blocks} and {levels}.")
    if min(size) <= 2 ** (levels - 1) // 2:
        raise ValueError(f"an image of {size[0]} x {size[1]} pixels has fewer than `levels` = {levels} levels.")

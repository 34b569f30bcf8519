r"""One pixel of the horizontal stack of Gated PixelCNN after another, in a sweep: a few operations a layer, in fixed memory.

With the columns :math:`h_{j - p}, \dots, h_j` of a layer side by side and the link of the vertical stack l, a layer is

.. math:: (a, b) = l + W\,(h_{j-p}, \dots, h_j), \qquad g = \tanh(a)\,\sigma(b) = \tfrac12 \tanh(a)\bigl(1 + \tanh(b / 2)\bigr),
   \qquad h'_j = h_j + R\, g .

The halves stand in the weights and links that are prepared once a sweep and once a row, so that a gate is one hyperbolic
tangent of all of (a, b) and one product, :math:`2 g = s + s\, t`; what a layer gives is written where the next layer and the
skip connections read it. That makes four operations a layer. Nothing here can be differentiated; ``GatedLayer.beside`` is what
it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.nn.causal.gated_layer import GatedLayer
from probgen.nn.causal.masked_conv2d import MaskedConv2d

__all__ = ["GatedSweep", "halved_links"]


class GatedSweep(NamedTuple):
    """Weights and working memory of a sweep.

    Attributes:
        first: The matrix of the first layer, from columns of the image, ``[columns * C, 2 * channels]``.
        matrices: Those of the other layers, ``[columns * channels, 2 * channels]``.
        residuals: The maps to the next layer, ``[channels, channels]``, none for the last one.
        head: Biases and matrices of the layers of one pixel that follow, the first from ``layers * channels``.
        columns: The last columns of the inputs of all layers but the first, ``[N, layers - 1, columns, channels]``.
        seen: Those of each layer, a view ``[N, columns * channels]``.
        current: The last of them, a view ``[N, channels]``.
        gated: The gated features of all layers, twice, ``[N, layers * channels]``.
        gates: Those of each layer, a view ``[N, channels]``.
        sums: What goes into a gate, ``[N, 2 * channels]``.
        halves: Its halves, views ``[N, channels]``.

    Example:
        >>> from probgen.nn.causal.gated_sweep import GatedSweep
        >>> GatedSweep._fields[:4]
        ('first', 'matrices', 'residuals', 'head')
    """

    first: Tensor
    matrices: list[Tensor]
    residuals: list[Tensor]
    head: list[tuple[Tensor, Tensor]]
    columns: Tensor
    seen: list[Tensor]
    current: list[Tensor]
    gated: Tensor
    gates: tuple[Tensor, ...]
    sums: Tensor
    halves: tuple[Tensor, ...]

    @classmethod
    def allocate(cls, layers: Sequence[GatedLayer], head: Sequence[MaskedConv2d], count: int) -> GatedSweep:
        """Prepare the weights, and the memory of ``count`` images at the beginning of a row."""
        channels = layers[0].horizontal.out_channels // 2
        scale = torch.tensor([1.0, 0.5]).repeat_interleave(channels).to(head[0].weight)
        matrices = [layer.horizontal.row_matrix() * scale for layer in layers]
        residuals = [layer.residual.row_matrix() * 0.5 for layer in layers if layer.residual is not None]
        biases = [scale.new_zeros(layer.out_channels) if layer.bias is None else layer.bias for layer in head]
        maps = [head[0].row_matrix() * 0.5, *(layer.row_matrix() for layer in head[1:])]
        wide = max((len(matrix) // channels for matrix in matrices[1:]), default=1)
        columns = scale.new_zeros(count, len(layers) - 1, wide, channels)
        gated, sums = scale.new_empty(count, len(layers) * channels), scale.new_empty(count, 2 * channels)
        return cls(
            matrices[0],
            matrices[1:],
            residuals,
            list(zip(biases, maps, strict=True)),
            columns,
            [columns[:, index].flatten(1) for index in range(len(layers) - 1)],
            [columns[:, index, -1] for index in range(len(layers) - 1)],
            gated,
            gated.split(channels, 1),
            sums,
            sums.split(channels, 1),
        )

    def advance(self, row: Tensor, column: int, links: Sequence[Tensor], *, again: bool) -> Tensor:
        """The outputs at a pixel, ``[N, outputs]``.

        Args:
            row: The row of the image, ``[N, C, W]``.
            column: Column of the pixel.
            links: What ``halved_links`` gave for each layer, at the pixel, ``[N, 2 * channels]``.
            again: Whether the pixel was run before, for another color.
        """
        if column == 0:
            self.columns.zero_()
        elif not again:
            self.columns[:, :, :-1] = self.columns[:, :, 1:].clone()
        begin = max(column + 1 - len(self.first) // row.shape[1], 0)
        pixels = row[:, :, begin : column + 1].mT.flatten(1)
        matrix, signal, gate = self.first[-pixels.shape[1] :], *self.halves
        for index, (link, gated) in enumerate(zip(links, self.gates, strict=True)):
            if index:
                torch.addmm(link, self.seen[index - 1], self.matrices[index - 1], out=self.sums)
            else:
                torch.addmm(link, pixels, matrix, out=self.sums)
            self.sums.tanh_()
            torch.addcmul(signal, signal, gate, out=gated)
            if index == 0 and self.residuals:
                torch.mm(gated, self.residuals[0], out=self.current[0])
            elif index < len(self.residuals):
                torch.addmm(self.current[index - 1], gated, self.residuals[index], out=self.current[index])
        x = torch.addmm(self.head[0][0], self.gated, self.head[0][1])
        for bias, matrix in self.head[1:]:
            x = torch.addmm(bias, x.relu_(), matrix)
        return x


def halved_links(links: Sequence[Tensor]) -> Tensor:
    """The links of all layers side by side, those of the gates halved.

    Args:
        links: What the vertical stack gives to each layer along a row, ``[N, W, 2 * channels]``.

    Returns:
        ``[N, W, layers, 2 * channels]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.gated_sweep import halved_links
        >>> halved_links([torch.ones(1, 1, 4)]).squeeze()
        tensor([1.0000, 1.0000, 0.5000, 0.5000])
    """
    stacked = torch.stack(list(links), 2)
    stacked[..., stacked.shape[-1] // 2 :] *= 0.5
    return stacked

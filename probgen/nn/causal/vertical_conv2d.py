r"""The vertical stack: convolutions over the rows above a pixel, all columns of them.

.. math:: y_{ij} = b + \sum_{a = -p}^{0} \sum_{c = -q}^{q} W_{ac}\, x_{i + a, j + c} \qquad
   \text{(the first layer: } a = -p, \dots, -1 \text{)}

A stack of masked convolutions has a blind spot: the mask closes the way from a pixel to the right, also in the rows above.
Here nothing is masked: after a first layer that does not see row i at all, row i of every layer holds only rows above i, of
which any column may be read. On a stream it runs once a row, with a position that counts rows.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.kernel_rows import canvas_rows, initialize_causal, kernel_matrix, row_patches, seen_rows
from probgen.nn.causal.stream import Stream

__all__ = ["VerticalConv2d"]


class VerticalConv2d(nn.Module):
    """A convolution whose output in a row depends on the rows before it, or up to it.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        kernel_size: Height and width of the full kernel, both odd; of the height k, ``k // 2`` rows lie above the center.
        strict: Whether the row itself is left out. So does the first layer of a network; on a stream it reads the canvas.
        bias: Whether there is a bias.
        gain: Standard deviation of an output at the start, for inputs of variance one.

    Raises:
        ValueError: an even kernel, or a strict one that sees no row.

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> from probgen.nn.causal import VerticalConv2d
        >>> layer = VerticalConv2d(1, 1, 3, strict=True)
        >>> x = torch.zeros(1, 1, 3, 5).requires_grad_()
        >>> layer(x)[0, 0, 1, 2].backward()  # a pixel of the middle row
        >>> x.grad[0, 0] != 0
        tensor([[False,  True,  True,  True, False],
                [False, False, False, False, False],
                [False, False, False, False, False]])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        strict: bool = False,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        height, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        if min(height, columns) < 1 or height % 2 == 0 or columns % 2 == 0 or (strict and height == 1):
            raise ValueError(f"`kernel_size` must be odd, of a height above 1 if `strict`; got {kernel_size}.")
        self.in_channels, self.out_channels, self.strict = in_channels, out_channels, strict
        self.rows, self.padding = height // 2, columns // 2
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, self.rows + (not strict), columns))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        initialize_causal(self.weight, self.bias, None, gain)

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """The convolution, of all rows or of one.

        Args:
            x: ``[N, in_channels, H, W]``; with a stream a row ``[N, W, in_channels]``, or the canvas if ``strict``.
            stream: The row that is asked for, with the memory of those above.

        Returns:
            ``[N, out_channels, H, W]``; with a stream the row ``[N, W, out_channels]``.
        """
        if stream is None:
            bottom = -1 if self.strict else 0  # a strict kernel never sees the last row
            return F.conv2d(F.pad(x, (self.padding, self.padding, self.rows, bottom)), self.weight, self.bias)
        matrix = stream.prepare(lambda: kernel_matrix(self.weight))
        read = self._canvas if self.strict else self._remembered
        rows = read(x, stream)
        patches = row_patches(rows, self.weight.shape[-1])
        return F.linear(patches, matrix.mT, self.bias)

    def _canvas(self, canvas: Tensor, stream: Stream) -> Tensor:
        return canvas_rows(canvas, stream.position, self.rows, self.padding)

    def _remembered(self, x: Tensor, stream: Stream) -> Tensor:
        """The rows of the kernel, ``[N, rows + 1, W + 2 * padding, C]``, with x as the last."""
        count, padding, row = self.rows + 1, self.padding, stream.position

        def advance(table: Tensor) -> tuple[Tensor, Tensor]:
            table[:, row % count, padding : padding + x.shape[1]] = x
            return table, seen_rows(table, row + 1, count)

        return stream.update(
            lambda: x.new_zeros(len(x), count, x.shape[1] + 2 * padding, self.in_channels), advance, writes=True
        )

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"{self.in_channels}, {self.out_channels}, rows and columns={tuple(self.weight.shape[-2:])}, strict={self.strict}"
        )

r"""Convolutions that look up, or up and left: causal by where the window lies, without a mask.

An ordinary convolution centers its window on the pixel it writes to. Here the window *ends* there,

.. math::

    \text{down-shifted: } \; y_{ij} = b + \sum_{a < k_h} \sum_{|d| \le k_w / 2} W_{ad}\; x_{s i - a,\; s j + d}, \qquad
    \text{down-right-shifted: } \; y_{ij} = b + \sum_{a < k_h} \sum_{d < k_w} W_{ad}\; x_{s i - a,\; s j - d},

with stride s, and zeros outside of the image. If :math:`x_{ij}` depends on pixels in rows above i only, so does
a down-shifted :math:`y` at stride one; if it depends on the pixels before (i, j) in raster order, so does a down-right-shifted
one. A coarse :math:`y_{ij}` depends on pixels before :math:`(s i, s j)`: it is known when the first pixel of its block comes.
The *first* layer moves its window once more (``shift=1``), by a row or by a column, so that a pixel does not see itself. No
weight is multiplied by zero as in a masked convolution, and there is no blind spot: every earlier pixel is in some window.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from probgen.nn.causal.normalized_weight import NormalizedWeight
from probgen.nn.causal.stream import Stream

__all__ = ["DownRightShiftedConv2d", "DownShiftedConv2d"]


class DownShiftedConv2d(NormalizedWeight):
    r"""A convolution whose window ends at the row of its output: the vertical stream of PixelCNN++.

    With a stream it works on whole rows, ``[N, C, W]``, at the row ``stream.position``; it remembers the rows of its window. At
    a row that is no multiple of the stride it takes the row and gives what it gave last.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        kernel: Rows and columns of the window; an odd number of columns.
        stride: Rows and columns from an output to the next.
        shift: How many rows the window ends above the output's. A layer with a shift is a first layer: with a stream it reads
            the canvas ``[N, C, H, W]``.
        weight_norm: Whether length and direction of the weights are parameters of their own.
        init_scale: Deviation of the outputs; see ``NormalizedWeight``.

    Raises:
        ValueError: an even number of columns; a size is not positive; a shift with a stride.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.nn.causal import DownShiftedConv2d, Stream
        >>> layer, x = DownShiftedConv2d(3, 5), torch.zeros(2, 3, 8, 8)
        >>> layer(x).shape, layer(x[:, :, 0], Stream(0)).shape, DownShiftedConv2d(3, 5, stride=2)(x).shape
        (torch.Size([2, 5, 8, 8]), torch.Size([2, 5, 8]), torch.Size([2, 5, 4, 4]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel: tuple[int, int] = (2, 3),
        *,
        stride: int = 1,
        shift: int = 0,
        weight_norm: bool = True,
        init_scale: float = 1.0,
    ) -> None:
        _require(kernel, stride, shift)
        if kernel[1] % 2 == 0:
            raise ValueError(f"`kernel` must have an odd number of columns; got {kernel}.")
        super().__init__(in_features, out_features, kernel, weight_norm=weight_norm, init_scale=init_scale)
        self.stride, self.shift = stride, shift

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """From ``[N, C, H, W]`` to all rows; with a stream from a row (or, with a shift, the canvas) to one row."""
        height, side = self.kernel[0], self.kernel[1] // 2
        if stream is None:
            window = F.pad(x, (side, side, height - 1 + self.shift, -self.shift))
            return F.conv2d(window, self.weight(), self.bias, self.stride)
        weight = stream.prepare(self.weight)
        if self.shift:
            stop = stream.position + 1 - self.shift
            rows = x[:, :, max(0, stop - height) : max(0, stop)]
            window = F.pad(rows, (side, side, height - rows.shape[2], 0))
            return F.conv2d(window, weight, self.bias).squeeze(2)
        return self._streamed(x, weight, stream)

    def _streamed(self, row: Tensor, weight: Tensor, stream: Stream) -> Tensor:
        """Take a row, give a row."""
        height, side = self.kernel[0], self.kernel[1] // 2

        def advance(memory: tuple[Tensor, Tensor | None]) -> tuple[tuple[Tensor, Tensor | None], Tensor]:
            rows, last = memory
            rows[:, :, stream.position % height] = row
            if last is None or stream.position % self.stride == 0:
                window = F.pad(rows.roll(-(stream.position + 1), 2), (side, side))
                last = F.conv2d(window, weight, self.bias, self.stride).squeeze(2)
            return (rows, last if self.stride > 1 else None), last

        return stream.update(lambda: (row.new_zeros(*row.shape[:2], height, row.shape[2]), None), advance, writes=True)


class DownRightShiftedConv2d(NormalizedWeight):
    r"""A convolution whose window ends at the pixel of its output: the down-right stream of PixelCNN++.

    With a stream it works on columns ``[N, C]`` at the pixel ``stream.position``; it remembers the rows of its window. At a
    pixel that is no multiple of the stride, in rows and columns, it takes the column and gives what it gave last.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        width: Columns of the image that it sees.
        kernel: Rows and columns of the window.
        stride: Rows and columns from an output to the next.
        shift: How many columns the window ends left of the output's. A layer with a shift is a first layer: with a stream it
            reads the canvas ``[N, C, H, W]``.
        weight_norm: Whether length and direction of the weights are parameters of their own.
        init_scale: Deviation of the outputs; see ``NormalizedWeight``.

    Raises:
        ValueError: a size is not positive; a shift with a stride.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.nn.causal import DownRightShiftedConv2d, Stream
        >>> layer, x = DownRightShiftedConv2d(3, 5, width=8), torch.zeros(2, 3, 8, 8)
        >>> layer(x).shape, layer(x[:, :, 0, 0], Stream(0)).shape
        (torch.Size([2, 5, 8, 8]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int,
        kernel: tuple[int, int] = (2, 2),
        *,
        stride: int = 1,
        shift: int = 0,
        weight_norm: bool = True,
        init_scale: float = 1.0,
    ) -> None:
        _require(kernel, stride, shift)
        super().__init__(in_features, out_features, kernel, weight_norm=weight_norm, init_scale=init_scale)
        self.width, self.stride, self.shift = width, stride, shift

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """From ``[N, C, H, W]`` to all pixels; with a stream from a column (or, with a shift, the canvas) to one column."""
        height, width = self.kernel
        if stream is None:
            window = F.pad(x, (width - 1 + self.shift, -self.shift, height - 1, 0))
            return F.conv2d(window, self.weight(), self.bias, self.stride)
        matrices = stream.prepare(self._matrices)
        row, column = divmod(stream.position, self.width)
        if self.shift:
            stop = column + 1 - self.shift
            part = x[:, :, max(0, row + 1 - height) : row + 1, max(0, stop - width) : max(0, stop)]
            window = F.pad(part, (width - part.shape[3], 0, height - part.shape[2], 0))
            return F.linear(window.permute(0, 2, 3, 1).flatten(1), matrices[0], self.bias)
        return self._streamed(x, matrices, stream)

    def _matrices(self) -> tuple[Tensor, ...]:
        """The weight as matrices, for the rows of the window in their order, and turned by one, two, ... places."""
        taps = self.weight().permute(0, 2, 3, 1)
        return tuple(taps.roll(turn, 1).flatten(1) for turn in range(self.kernel[0]))

    def _streamed(self, x: Tensor, matrices: tuple[Tensor, ...], stream: Stream) -> Tensor:
        """Take a column, give a column; row i of the image stands in row i mod k_h of the memory."""
        height, width = self.kernel
        row, column = divmod(stream.position, self.width)
        due = row % self.stride == 0 and column % self.stride == 0

        def start() -> tuple[Tensor, Tensor | None]:
            return x.new_zeros(len(x), height, self.width + width - 1, x.shape[1]), None

        def advance(memory: tuple[Tensor, Tensor | None]) -> tuple[tuple[Tensor, Tensor | None], Tensor]:
            rows, last = memory
            rows[:, row % height, column + width - 1] = x
            if last is None or due:
                window = rows[:, :, column : column + width].flatten(1)
                last = F.linear(window, matrices[(row + 1) % height], self.bias)
            return (rows, last if self.stride > 1 else None), last

        return stream.update(start, advance, writes=True)


def _require(kernel: tuple[int, int], stride: int, shift: int) -> None:
    if min(*kernel, stride) < 1 or shift < 0:
        raise ValueError(
            f"`kernel` and `stride` must be positive, `shift` not negative; got {tuple(kernel)}, {stride} and {shift}."
        )
    if shift and stride > 1:
        raise ValueError(f"a first layer, with a `shift`, must have stride 1; got {stride}.")

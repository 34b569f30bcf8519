r"""Masked convolutions: a pixel sees those before it in raster order, and within a pixel the colors before its own.

.. math:: y_{ij} = b + \sum_{(a, c) \le (0, 0)} (W_{ac} \odot M_{ac})\, x_{i + a, j + c}, \qquad
   M_{00}[o, i] = \begin{cases} 1 & \text{color}(i) < \text{color}(o) \\
   \mathbb 1[\text{kind B}] & \text{color}(i) = \text{color}(o) \\ 0 & \text{else,} \end{cases}

with M = 1 at all offsets :math:`(a, c)` before :math:`(0, 0)` and 0 at all after it. Kind A does not see the pixel (the color)
itself and belongs first; kind B does, since after a layer of kind A that place holds nothing but the past. The page
``docs/derivations/ar-pixelcnn`` draws the masks and the blind spot that a stack of them leaves.

One position at a time, the rows above are a bias that is computed once a row, and what remains is one matrix product with the
:math:`\lfloor w / 2 \rfloor + 1` columns of the row itself.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.kernel_rows import canvas_rows, initialize_causal, kernel_matrix, row_patches, seen_rows
from probgen.nn.causal.stream import Stream

__all__ = ["MaskedConv2d"]

_Memory = tuple[int, tuple[Tensor, ...], Tensor, Tensor | None]


class MaskedConv2d(nn.Module):
    """A convolution whose output at a pixel depends on pixels before it, or up to it.

    Only the rows of the kernel that can be seen are parameters: those above the center and the center's own. Weights are masked
    when they are used, never written.

    Args:
        in_channels: Channels that it sees.
        out_channels: Channels that it gives.
        kernel_size: Height and width, both odd. Of height 1 it sees its own row only (a horizontal stack), of size 1 its own
            pixel.
        kind: "A" does not see the pixel (with colors: the color) itself; as the first layer of a network, it reads the canvas
            when it runs on a stream. "B" does see it, and gets columns.
        colors: How many colors a pixel has that depend on each other in order; channels are divided among them evenly.
        repeats: How many times the sequence of colors stands in the channels in and out (two in a layer before gates).
        width: Columns of the image; needed to run on a stream.
        bias: Whether there is a bias.
        gain: Standard deviation of an output at the start, for inputs of variance one.

    Raises:
        ValueError: an even kernel, another kind, or channels that cannot be divided among the colors.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import torch
        >>> from probgen.nn.causal import MaskedConv2d
        >>> layer = MaskedConv2d(1, 1, 3, kind="A")
        >>> layer.mask.squeeze()
        tensor([[1., 1., 1.],
                [1., 0., 0.]])
        >>> layer(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 1, 8, 8])
        >>> MaskedConv2d(3, 6, 1, kind="A", colors=3).mask.squeeze()
        tensor([[0., 0., 0.],
                [0., 0., 0.],
                [1., 0., 0.],
                [1., 0., 0.],
                [1., 1., 0.],
                [1., 1., 0.]])
    """

    mask: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        kind: Literal["A", "B"] = "B",
        colors: int = 1,
        repeats: tuple[int, int] = (1, 1),
        width: int | None = None,
        bias: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        height, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        if min(height, columns) < 1 or height % 2 == 0 or columns % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd; got {kernel_size}.")
        if kind not in ("A", "B"):
            raise ValueError(f'`kind` must be "A" or "B"; got {kind!r}.')
        self.in_channels, self.out_channels, self.kind, self.width = in_channels, out_channels, kind, width
        self.rows, self.padding = height // 2, columns // 2
        seen = columns if self.rows else self.padding + 1
        mask = torch.ones(out_channels, in_channels, self.rows + 1, seen)
        mask[:, :, -1, self.padding :] = 0
        source = _color_of("in_channels", in_channels, colors, repeats[0])
        target = _color_of("out_channels", out_channels, colors, repeats[1]).unsqueeze(1)
        mask[:, :, -1, self.padding] = (source < target if kind == "A" else source <= target).float()
        self.register_buffer("mask", mask, persistent=False)
        self.weight = nn.Parameter(torch.empty_like(mask))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        initialize_causal(self.weight, self.bias, mask, gain)
        self._masked = kind == "A" or colors > 1 or bool(self.rows and self.padding)  # whether the mask has zeros

    def forward(self, x: Tensor, stream: Stream | None = None, add: Tensor | None = None) -> Tensor:
        """The convolution, of all pixels or of one.

        Args:
            x: ``[N, in_channels, H, W]``; with a stream a column ``[N, in_channels]``, or the canvas for kind "A".
            stream: The position that is asked for, with the memory of the rows above.
            add: What is added to the result, in its shape.

        Returns:
            ``[N, out_channels, H, W]``; with a stream ``[N, out_channels]``.

        Raises:
            ValueError: on a stream, where ``width`` is not known.
        """
        if stream is not None:
            return self._column(x, stream, add)
        if self.rows or self.padding:
            x = F.pad(x, (self.padding, self.padding if self.rows else 0, self.rows, 0))
        y = F.conv2d(x, self._weight(), self.bias)
        return y if add is None else y + add

    def _weight(self) -> Tensor:
        return self.weight * self.mask if self._masked else self.weight

    def _matrices(self) -> tuple[Tensor, Tensor]:
        """The kernel above, and that of the row itself, as matrices ``[inputs, outputs]``."""
        weight = self._weight()
        return kernel_matrix(weight[:, :, :-1]), self._row_matrix(weight)

    def row_matrix(self) -> Tensor:
        """The kernel of the row itself, masked, as a matrix ``[(padding + 1) * in_channels, out_channels]``."""
        return self._row_matrix(self._weight())

    def _row_matrix(self, weight: Tensor) -> Tensor:
        return weight[:, :, -1, : self.padding + 1].permute(2, 1, 0).flatten(0, 1).contiguous()

    def _column(self, x: Tensor, stream: Stream, add: Tensor | None) -> Tensor:
        above, beside = stream.prepare(self._matrices)
        if self.kind == "A":
            term, seen = self._from_canvas(x, stream, above)
        elif self.rows == self.padding == 0:
            term, seen = self.bias, x
        else:
            term, seen = self._from_memory(x, stream, above)
        if add is None:
            return seen @ beside if term is None else torch.addmm(term, seen, beside)
        y = torch.addmm(add, seen, beside)
        return y if term is None else y + term

    def _from_canvas(self, canvas: Tensor, stream: Stream, above: Tensor) -> tuple[Tensor | None, Tensor]:
        """What the rows above contribute, and the columns ``[N, (padding + 1) * C]`` of the row, in the canvas."""
        row, column = divmod(stream.position, canvas.shape[-1])
        columns = canvas[:, :, row, max(column - self.padding, 0) : column + 1]
        seen = F.pad(columns, (self.padding + 1 - columns.shape[-1], 0)).mT.flatten(1)
        if not self.rows:
            return self.bias, seen

        def run(inner: Stream) -> Tensor:
            return self._above(canvas_rows(canvas, inner.position, self.rows, self.padding), above)

        return stream.every(canvas.shape[-1], run).select(1, column), seen

    def _from_memory(self, x: Tensor, stream: Stream, above: Tensor) -> tuple[Tensor | None, Tensor]:
        """The same from what was remembered: a position, the last columns, the rows of the kernel, the terms of this row."""
        if self.width is None:
            raise ValueError("`width` must be given to a MaskedConv2d that runs on a stream; got None.")
        width, position = self.width, stream.position
        row, column = divmod(position, width)

        def start() -> _Memory:
            rows = x.new_zeros(len(x), self.rows and self.rows + 1, width + 2 * self.padding, self.in_channels)
            return -1, (torch.zeros_like(x),) * (self.padding + 1), rows, None

        def advance(memory: _Memory) -> tuple[_Memory, tuple[Tensor | None, Tensor]]:
            last, columns, table, terms = memory
            columns = (*(columns[:-1] if last == position else columns[1:]), x)
            if column == 0:
                columns = (*(torch.zeros_like(x),) * self.padding, x)
                terms = self._above(seen_rows(table, row, self.rows), above) if self.rows else None
            if self.rows:
                table.select(1, row % (self.rows + 1)).select(1, column + self.padding).copy_(x)
            seen = torch.cat(columns, 1) if self.padding else x
            return (position, columns, table, terms), (self.bias if terms is None else terms.select(1, column), seen)

        return stream.update(start, advance, writes=self.rows > 0)

    def _above(self, rows: Tensor, above: Tensor) -> Tensor:
        """What the rows above contribute to a row, with the bias: ``[N, W, O]``."""
        patches = row_patches(rows, self.mask.shape[-1])
        return patches @ above if self.bias is None else patches @ above + self.bias

    def extra_repr(self) -> str:
        """The sizes."""
        kernel = tuple(self.mask.shape[-2:])
        return f"{self.in_channels}, {self.out_channels}, kind={self.kind!r}, seen rows and columns={kernel}"


def _color_of(name: str, channels: int, colors: int, repeats: int) -> Tensor:
    """The color of each channel."""
    if colors < 1 or channels % repeats or channels // repeats < colors:
        raise ValueError(f"`{name}` must give each of {colors} colors a channel, {repeats} times; got {channels}.")
    each = channels // repeats
    return (torch.arange(each) * colors // each).repeat(repeats)

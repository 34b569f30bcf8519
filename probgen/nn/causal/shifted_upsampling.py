r"""From a coarse causal image to a fine one, and coarse streams inside of fine ones.

Transposed convolutions whose window begins at the pixel of its coarse input,

.. math::

    \text{down-shifted: } \; y_{ij} = b + \sum_{d:\; s \mid j - d} W_{i \bmod s,\, d}\; x_{\lfloor i/s \rfloor,\; (j - d)/s}
    \quad (|d| < s), \qquad
    \text{down-right-shifted: } \; y_{ij} = b + W_{i \bmod s,\, j \bmod s}\; x_{\lfloor i/s \rfloor,\; \lfloor j/s \rfloor}.

A coarse :math:`x_{kl}` depends on pixels before :math:`(s k, s l)`, and :math:`s \lfloor i/s \rfloor \le i`: nothing later gets
in. Sides that the stride does not divide are rounded up on the way down and cropped on the way up.

In a stream a coarse pixel is computed at the first fine pixel of its block and read at the others: one in :math:`s^2` steps
pays for the coarse level.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from probgen.distributions.bijectors.incremental import State
from probgen.nn.causal.normalized_weight import NormalizedWeight
from probgen.nn.causal.stream import Stream

__all__ = ["DownRightShiftedUpsampling", "DownShiftedUpsampling", "at_coarse_pixels"]


class DownShiftedUpsampling(NormalizedWeight):
    r"""A transposed convolution of the vertical stream: from coarse rows to fine ones.

    With a stream it works on rows: from the coarse row ``[N, C, ceil(W / s)]`` in which the row ``stream.position`` lies to
    that row ``[N, C', W]``.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        size: Rows and columns of the fine image.
        stride: Fine pixels in a coarse one, in each direction.
        weight_norm: Whether length and direction of the weights are parameters of their own.
        init_scale: Deviation of the outputs; see ``NormalizedWeight``.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.nn.causal import DownShiftedUpsampling, Stream
        >>> layer, x = DownShiftedUpsampling(3, 5, size=(8, 7)), torch.zeros(2, 3, 4, 4)
        >>> layer(x).shape, layer(x[:, :, 1], Stream(3)).shape
        (torch.Size([2, 5, 8, 7]), torch.Size([2, 5, 7]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        size: tuple[int, int],
        *,
        stride: int = 2,
        weight_norm: bool = True,
        init_scale: float = 1.0,
    ) -> None:
        kernel = (stride, 2 * stride - 1)
        super().__init__(in_features, out_features, kernel, weight_norm=weight_norm, init_scale=init_scale)
        self.size, self.stride = size, stride
        self._missing = (size[1] - 1) % stride  # columns of the last block, beyond the first

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """From ``[N, C, ceil(H / s), ceil(W / s)]`` to ``[N, C', H, W]``; with a stream from a coarse row to a row."""
        stride = self.stride
        if stream is None:
            weight = self.weight().transpose(0, 1)
            fine = F.conv_transpose2d(x, weight, self.bias, stride, (0, stride - 1), (0, self._missing))
            return fine[:, :, : self.size[0]]
        weight = stream.prepare(self.weight)[:, :, stream.position % stride].transpose(0, 1)
        return F.conv_transpose1d(x, weight, self.bias, stride, stride - 1, self._missing)


class DownRightShiftedUpsampling(NormalizedWeight):
    r"""A transposed convolution of the down-right stream: from coarse pixels to fine ones.

    With a stream it works on columns: from the coarse column ``[N, C]`` in which the pixel ``stream.position`` lies to that
    pixel's ``[N, C']``.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        size: Rows and columns of the fine image.
        stride: Fine pixels in a coarse one, in each direction.
        weight_norm: Whether length and direction of the weights are parameters of their own.
        init_scale: Deviation of the outputs; see ``NormalizedWeight``.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517

    Example:
        >>> import torch
        >>> from probgen.nn.causal import DownRightShiftedUpsampling, Stream
        >>> layer, x = DownRightShiftedUpsampling(3, 5, size=(8, 7)), torch.zeros(2, 3, 4, 4)
        >>> layer(x).shape, layer(x[:, :, 0, 1], Stream(3)).shape
        (torch.Size([2, 5, 8, 7]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        size: tuple[int, int],
        *,
        stride: int = 2,
        weight_norm: bool = True,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__(in_features, out_features, (stride, stride), weight_norm=weight_norm, init_scale=init_scale)
        self.size, self.stride = size, stride

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """From ``[N, C, ceil(H / s), ceil(W / s)]`` to ``[N, C', H, W]``; with a stream from a coarse column to a column."""
        height, width = self.size
        if stream is None:
            fine = F.conv_transpose2d(x, self.weight().transpose(0, 1), self.bias, self.stride)
            return fine[:, :, :height, :width]
        taps = stream.prepare(lambda: self.weight().permute(2, 3, 0, 1).contiguous())
        row, column = divmod(stream.position, width)
        return F.linear(x, taps[row % self.stride, column % self.stride], self.bias)


def at_coarse_pixels(stream: Stream | None, width: int, stride: int, run: Callable[[Stream | None], Tensor]) -> Tensor:
    """What ``run`` gives on a coarser grid; with a stream, at the coarse pixel in which its position lies.

    With a stream, ``run`` is called at the first pixel of each block only, with a stream of its own, and a row of what it gave
    is remembered for the other pixels of the block.

    Args:
        stream: The stream of the fine grid, or None: then ``run(None)`` gives the whole coarse image ``[N, C, *grid]``.
        width: Columns of the fine grid.
        stride: Fine pixels in a coarse one, in each direction.
        run: Gets the coarse stream, and gives a column ``[N, C]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import Stream, at_coarse_pixels
        >>> memory, calls = None, []
        >>> for position in range(8):  # two rows of four pixels, blocks of 2 x 2
        ...     stream = Stream(position, memory)
        ...     _ = at_coarse_pixels(stream, 4, 2, lambda coarse: calls.append(coarse.position) or torch.zeros(1, 3))
        ...     memory = stream.memory
        >>> calls
        [0, 1]
    """
    if stream is None:
        return run(None)
    row, column = divmod(stream.position, width)
    coarse_width = -(-width // stride)

    def advance(memory: tuple[State, Tensor] | None) -> tuple[tuple[State, Tensor], Tensor]:
        inner, results = (None, None) if memory is None else memory
        if results is None or (row % stride == 0 and column % stride == 0):
            coarse = Stream(row // stride * coarse_width + column // stride, inner, in_place=stream.in_place)
            result = run(coarse)
            if results is None:
                results = result.new_zeros(len(result), coarse_width, result.shape[1])
            elif not stream.in_place:
                results = results.clone()
            results[:, column // stride] = result
            inner = coarse.memory
        return (inner, results), results[:, column // stride]

    return stream.update(lambda: None, advance)

r"""Dilated convolutions that look back only.

With k taps and dilation d the output at a position sees k inputs, d apart, the last of them its own:

.. math:: y_t = b + \sum_{j=0}^{k-1} W_j\, x_{t - (k - 1 - j) d}, \qquad x_s = 0 \text{ for } s < 0.

In parallel this is an ordinary convolution of a sequence that has been padded with :math:`(k - 1) d` zeros on the left and none
on the right. Since :math:`y_t` sees :math:`x_t`, a law of :math:`x_t` must not be made of it as it is: a network shifts its
input once, at its entry (``SequenceEntry``), and no layer behind it does. One position after another, the last
:math:`(k - 1) d + 1` inputs stand in a ring, that of position t in slot :math:`t \bmod ((k - 1) d + 1)`: a step costs the same
at every position, and running it twice changes nothing. The oldest input stands in the slot behind the newest; with two taps
and the first slot repeated at the end of the ring, both taps are one slice.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.stream import Stream

__all__ = ["CausalConv1d", "column_at"]


class CausalConv1d(nn.Conv1d):
    r"""A convolution over sequences whose output at t sees the inputs at :math:`t, t - d, \dots, t - (k - 1) d`.

    Args:
        in_features: Channels that it sees.
        out_features: Channels that it gives.
        kernel_size: Taps k.
        dilation: Distance d between taps.
        bias: Whether there is a bias.

    Raises:
        ValueError: a size is not positive.

    References:
        van den Oord, Dieleman, Zen, Simonyan, Vinyals, Graves, Kalchbrenner, Senior, Kavukcuoglu (2016). WaveNet: a generative
        model for raw audio. https://arxiv.org/abs/1609.03499
        Le Paine et al. (2016). Fast WaveNet generation algorithm. https://arxiv.org/abs/1611.09482

    Example:
        >>> import torch
        >>> from probgen.nn.causal import CausalConv1d, Stream
        >>> layer, x = CausalConv1d(1, 1, kernel_size=2, dilation=2, bias=False), torch.tensor([[[1.0, 2.0, 4.0, 8.0]]])
        >>> _ = torch.nn.init.ones_(layer.weight)
        >>> layer(x)
        tensor([[[ 1.,  2.,  5., 10.]]], grad_fn=<ConvolutionBackward0>)
        >>> memory = None
        >>> for position in range(4):
        ...     stream = Stream(position, memory)
        ...     y, memory = layer(x[..., position], stream), stream.memory
        >>> y
        tensor([[10.]], grad_fn=<MmBackward0>)
    """

    def __init__(
        self, in_features: int, out_features: int, kernel_size: int = 2, dilation: int = 1, *, bias: bool = True
    ) -> None:
        if min(in_features, out_features, kernel_size, dilation) < 1:
            raise ValueError(
                "`in_features`, `out_features`, `kernel_size` and `dilation` must be positive; got "
                f"{in_features}, {out_features}, {kernel_size} and {dilation}."
            )
        super().__init__(in_features, out_features, kernel_size, dilation=dilation, bias=bias)
        self.reach = (kernel_size - 1) * dilation

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """Sequences ``[N, C_in, T]`` to ``[N, C_out, T]``; with a stream a column ``[N, C_in]`` to ``[N, C_out]``."""
        if stream is None:
            return F.conv1d(F.pad(x, (self.reach, 0)), self.weight, self.bias, dilation=self.dilation)
        weight = stream.prepare(lambda: self.weight.roll(1, 2).transpose(1, 2).flatten(1))
        seen = x if not self.reach else self._seen(x, stream)
        return F.linear(seen, weight, self.bias)

    def _seen(self, x: Tensor, stream: Stream) -> Tensor:
        """The columns under the taps side by side, the newest first and then the oldest to the second newest: [N, k * C_in]."""
        position = cast("int | Tensor", stream.position)  # a tensor while a step is recorded
        size, step = self.reach + 1, self.dilation[0]
        slot = position % size

        def advance(ring: Tensor) -> tuple[Tensor, Tensor]:
            if isinstance(slot, Tensor):
                ring.index_copy_(1, slot.reshape(1), x.unsqueeze(1))
            else:
                ring.select(1, slot).copy_(x)
                if self.kernel_size[0] == 2:
                    if not slot:
                        ring.select(1, size).copy_(x)
                    return ring, ring.narrow(1, slot, 2).flatten(1)
            back = range(self.reach, 0, -step)
            return ring, torch.cat([x, *(column_at(ring, (position - far) % size, 1) for far in back)], 1)

        return stream.update(lambda: x.new_zeros(len(x), size + 1, x.shape[1]), advance, writes=True)


def column_at(table: Tensor, position: int | Tensor, dim: int) -> Tensor:
    """What stands at a position along a dimension, which is dropped.

    Args:
        table: Any tensor.
        position: A number; or a tensor of shape (), as in a recorded step.
        dim: The dimension.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import column_at
        >>> table = torch.tensor([[1, 2, 3]])
        >>> column_at(table, 1, 1), column_at(table, torch.tensor(1), 1)
        (tensor([2]), tensor([2]))
    """
    if isinstance(position, Tensor):
        return table.index_select(dim, position.reshape(1)).squeeze(dim)
    return table.select(dim, position)

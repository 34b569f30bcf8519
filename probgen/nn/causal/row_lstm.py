r"""The row LSTM: an image is read row by row, and a row sees the states of the row above through a convolution.

.. math::

    (o, f, i, g)_{rj} &= b + \sum_{a \ge 0} K^{\mathrm{is}}_a\, x_{r, j - a}
    + \sum_{|a| \le m} K^{\mathrm{ss}}_a\, h_{r-1, j + a}, \\
    (h, c)_{rj} &= \mathrm{LSTM}\bigl((o, f, i, g)_{rj},\, c_{r-1, j}\bigr)

The map of the input is a masked convolution along the row, that of the states an ordinary one, since the row above is
complete. All columns of a row are computed at once, and an image takes H steps. What a pixel sees is a triangle that widens
upward by :math:`m` columns a row.

On a stream the map of the states is computed once a row, and a pixel is one column of it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn._initial import uniform_parameter
from probgen.nn.causal.lstm import lstm_update
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.stream import Stream

__all__ = ["RowLSTM"]

_Memory = tuple[list[Tensor], list[Tensor], Tensor]


class RowLSTM(nn.Module):
    """A row LSTM layer, ``[N, C, H, W]`` to ``[N, hidden, H, W]``; a pixel sees itself and what is before it.

    Args:
        channels: Channels that it sees, C.
        hidden: Size of a state.
        width: Columns of the image, W.
        kernel_size: How many columns of the row above a state sees, odd; of its own row it sees the left half and itself.
        colors: How many colors a pixel has that depend on each other in order; channels are divided among them evenly.

    Raises:
        ValueError: a size is not positive, an even kernel, or channels that cannot be divided among the colors.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import torch
        >>> from probgen.nn.causal import RowLSTM
        >>> RowLSTM(4, 8, width=6)(torch.zeros(2, 4, 5, 6)).shape
        torch.Size([2, 8, 5, 6])
    """

    def __init__(self, channels: int, hidden: int, *, width: int, kernel_size: int = 3, colors: int = 1) -> None:
        super().__init__()
        if min(channels, hidden, width) < 1:
            raise ValueError(f"`channels`, `hidden` and `width` must be positive; got {channels}, {hidden} and {width}.")
        self.hidden, self.width, self.kernel_size = hidden, width, kernel_size
        kernel = (1, kernel_size)
        self.inputs = MaskedConv2d(channels, 4 * hidden, kernel, colors=colors, repeats=(1, 4), width=width)
        self.states = uniform_parameter(kernel_size * hidden, (hidden * kernel_size, 4 * hidden))

    def forward(self, x: Tensor, stream: Stream | None = None) -> Tensor:
        """The states.

        Args:
            x: ``[N, C, H, W]``, or a column ``[N, C]`` of a stream.
            stream: The position that is asked for, with the memory of the row above.

        Returns:
            ``[N, hidden, H, W]`` or ``[N, hidden]``.
        """
        gates = self.inputs(x, stream)
        if stream is not None:
            return self._column(gates, stream)
        state = cell = gates.new_zeros(len(gates), self.width, self.hidden)
        states = []
        for row in gates.permute(2, 0, 3, 1).unbind():
            state, cell = lstm_update(row + self._from_above(state), cell)
            states.append(state)
        return torch.stack(states).permute(1, 3, 0, 2)

    def _from_above(self, state: Tensor) -> Tensor:
        """What a row's gates get from the states ``[N, W, hidden]`` of the row above: ``[N, W, 4 * hidden]``."""
        half = self.kernel_size // 2
        patches = F.pad(state, (0, 0, half, half)).unfold(1, self.kernel_size, 1)
        return patches.flatten(2) @ self.states

    def _column(self, gates: Tensor, stream: Stream) -> Tensor:
        row, column = divmod(stream.position, self.width)
        now, above = row % 2, (row + 1) % 2

        def start() -> _Memory:
            shape = (len(gates), self.width, self.hidden)
            states, cells = ([gates.new_zeros(*shape) for _ in range(2)] for _ in range(2))
            return states, cells, gates.new_zeros(*shape[:2], 4 * self.hidden)

        def advance(memory: _Memory) -> tuple[_Memory, Tensor]:
            states, cells, terms = memory
            if column == 0 and row:
                terms = self._from_above(states[above])
            state, cell = lstm_update(gates + terms[:, column], cells[above][:, column])
            states[now][:, column] = state
            cells[now][:, column] = cell
            return (states, cells, terms), state

        return stream.update(start, advance, writes=True)

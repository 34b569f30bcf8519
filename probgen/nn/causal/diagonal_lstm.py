r"""The diagonal bidirectional LSTM: an image is read diagonal by diagonal, from both sides, and a pixel sees all before it.

On the skewed map (``lstm.py``) the neighbors above and to the left of a pixel stand in the column before it, so that one
direction is a recurrence over the :math:`H + W - 1` columns,

.. math::

    (o, f, i, g)_{rj} = b + K^{\mathrm{is}} x_{rj} + K^{\mathrm{ss}}_1\, h_{r-1, j} + K^{\mathrm{ss}}_0\, h_{r, j-1}, \qquad
    (h, c)_{rj} = \mathrm{LSTM}\bigl((o, f, i, g)_{rj},\, c_{r, j-1}\bigr),

and the state sees everything above and to the left. The state-to-state map is a convolution with a kernel of 2 rows and 1
column: it reads rows :math:`r - 1` and :math:`r` of the column before, so its padding must stand *above*. Padded below, as
"same" padding of a kernel of 2 does, it reads row :math:`r + 1` of that column: the pixel :math:`(r + 1, j - 2)`, which comes
later.

The other direction is the mirror image, and sees what is above and to the *right*; in its own row that is the future.
Therefore its result is moved down by one row before both are added:

.. math:: y_{rj} = \overrightarrow{h}_{rj} + \overleftarrow{h}_{r-1, j}.

One pixel is missing even so. Features of a pixel do not hold the pixel itself (the first convolution hides it), so the last
pixel of row :math:`r - 1` is in no features up to that row, which is all that the direction from the right has seen; and the
one from the left meets it only where the first convolution reaches. With ``values`` the direction from the right is also
shown the pixels themselves, :math:`+\, K^{\mathrm{v}} v_{rj}`: when it is used, their row is complete. A network needs that
in its first such layer only.

On a stream the direction from the left takes one update a pixel. The one from the right is wanted for the row above only, and
is computed from right to left when that row is complete: once a row, for W updates.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn._initial import uniform_parameter
from probgen.nn.causal.lstm import lstm_update, skewed, unskewed
from probgen.nn.causal.masked_conv2d import MaskedConv2d
from probgen.nn.causal.stream import Stream

__all__ = ["DiagonalBiLSTM"]

_Memory = tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], int]


class DiagonalBiLSTM(nn.Module):
    """A diagonal bidirectional LSTM layer, ``[N, C, H, W]`` to ``[N, hidden, H, W]``; a pixel sees itself and all before it.

    Args:
        channels: Channels that it sees, C.
        hidden: Size of a state.
        width: Columns of the image, W.
        colors: How many colors a pixel has that depend on each other in order; channels are divided among them evenly.
        values: How many numbers of a pixel itself the direction from the right sees besides; with 0, none.

    Raises:
        ValueError: a size is not positive, or channels that cannot be divided among the colors.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759
        Graves, Schmidhuber (2009). Offline handwriting recognition with multidimensional recurrent neural networks.
        https://papers.nips.cc/paper/3449

    Example:
        >>> import torch
        >>> from probgen.nn.causal import DiagonalBiLSTM
        >>> DiagonalBiLSTM(4, 8, width=6)(torch.zeros(2, 4, 5, 6)).shape
        torch.Size([2, 8, 5, 6])
    """

    def __init__(self, channels: int, hidden: int, *, width: int, colors: int = 1, values: int = 0) -> None:
        super().__init__()
        if min(channels, hidden, width) < 1:
            raise ValueError(f"`channels`, `hidden` and `width` must be positive; got {channels}, {hidden} and {width}.")
        self.hidden, self.width = hidden, width
        self.from_left = MaskedConv2d(channels, 4 * hidden, 1, colors=colors, repeats=(1, 4))
        self.from_right = MaskedConv2d(channels, 4 * hidden, 1, colors=colors, repeats=(1, 4))
        self.own = nn.Linear(values, 4 * hidden, bias=False) if values else None
        self.states = uniform_parameter(2 * hidden, (2, 2 * hidden, 4 * hidden))  # direction; states above, then beside

    def forward(self, x: Tensor, stream: Stream | None = None, canvas: Tensor | None = None) -> Tensor:
        """The states of both directions, added.

        Args:
            x: ``[N, C, H, W]``, or a column ``[N, C]`` of a stream.
            stream: The position that is asked for, with the memory of the row and the row above.
            canvas: The pixels themselves, ``[N, values, H, W]``, with and without a stream; where ``values`` is not 0.

        Returns:
            ``[N, hidden, H, W]`` or ``[N, hidden]``.
        """
        if stream is not None:
            return self._column(x, self.from_left(x, stream), stream, canvas)
        gates = torch.stack([self.from_left(x), self._from_right(x, canvas).flip(-1)])
        left, right = self._along_diagonals(gates).unbind()
        return left + F.pad(right.flip(-1)[..., :-1, :], (0, 0, 1, 0))

    def _from_right(self, x: Tensor, canvas: Tensor | None) -> Tensor:
        """What the gates of the direction from the right get from complete pixels, ``[N, 4 * hidden, H, W]``."""
        gates: Tensor = self.from_right(x)
        if self.own is None or canvas is None:
            return gates
        return gates + self.own(canvas.movedim(1, -1)).movedim(-1, 1)  # type: ignore[no-any-return]

    def _along_diagonals(self, gates: Tensor) -> Tensor:
        """States ``[2, N, hidden, H, W]`` of both directions, of which the second is given as its mirror image."""
        columns = skewed(gates).permute(4, 0, 1, 3, 2)  # [H + W - 1, 2, N, H, 4 * hidden]
        shape = columns.shape[1:4]
        state = columns.new_zeros(*shape, self.hidden)
        cell = state.flatten(1, 2)
        states = []
        for column in columns.flatten(2, 3).unbind():
            above = F.pad(state[:, :, :-1], (0, 0, 1, 0))
            before = torch.cat([above, state], -1).flatten(1, 2)
            flat, cell = lstm_update(torch.baddbmm(column, before, self.states), cell)
            state = flat.unflatten(1, shape[1:])
            states.append(state)
        return unskewed(torch.stack(states).permute(1, 2, 4, 3, 0))

    def _column(self, x: Tensor, gates: Tensor, stream: Stream, canvas: Tensor | None) -> Tensor:
        row, column = divmod(stream.position, self.width)
        now, above = row % 2, (row + 1) % 2

        def start() -> _Memory:
            count, hidden = len(x), self.hidden
            seen = [x.new_zeros(count, x.shape[1], self.width) for _ in range(2)]
            left = [x.new_zeros(count, self.width + 1, hidden) for _ in range(2)]  # a column of zeros stands before the row
            right = [x.new_zeros(count, self.width, hidden) for _ in range(2)]
            return seen, left, right, [x.new_zeros(count, hidden) for _ in range(2)], 0

        def advance(memory: _Memory) -> tuple[_Memory, Tensor]:
            seen, left, right, cells, complete = memory
            if complete < row:  # the row above has just been completed
                right = [right[0], right[1]]
                pixels = None if canvas is None else canvas[:, :, row - 1 : row]
                right[above] = self._row_from_right(seen[above], pixels, right[now])
            seen[now][:, :, column] = x
            before = torch.cat([left[above][:, column + 1], left[now][:, column]], 1)
            cell = cells[(column + 1) % 2] if column else torch.zeros_like(cells[0])
            state, cell = lstm_update(torch.addmm(gates, before, self.states[0]), cell)
            left[now][:, column + 1] = state
            cells = [cell, cells[1]] if column % 2 == 0 else [cells[0], cell]
            return (seen, left, right, cells, row), state + right[above][:, column]

        return stream.update(start, advance, writes=True)

    def _row_from_right(self, seen: Tensor, pixels: Tensor | None, above: Tensor) -> Tensor:
        """States ``[N, W, hidden]`` of a complete row ``[N, C, W]`` in the direction from the right."""
        gates = self._from_right(seen.unsqueeze(2), pixels).squeeze(2).mT + above @ self.states[1, : self.hidden]
        beside = self.states[1, self.hidden :]
        state = cell = torch.zeros_like(above[:, 0])
        states = []
        for column in reversed(gates.unbind(1)):
            state, cell = lstm_update(torch.addmm(column, state, beside), cell)
            states.append(state)
        return torch.stack(states[::-1], 1)

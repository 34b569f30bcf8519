r"""Where a sequence enters a causal network: one shift, and codes as vectors.

.. math:: h_0 = s, \qquad h_t = E(x_{t-1}),

with a learned column s for "nothing yet", and E the row of a table for codes :math:`0, \dots, S - 1`, an affine map for
numbers. Behind this shift every layer may look at its own position.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.causal.causal_conv1d import column_at
from probgen.nn.causal.pointwise import Pointwise
from probgen.nn.causal.stream import Stream

__all__ = ["SequenceEntry"]


class SequenceEntry(nn.Module):
    """Columns that know the value of the position before.

    Args:
        channels: Channels that it gives.
        values: Number S of codes, which are looked up in a learned table; None for numbers.
        inputs: How many numbers stand at a position, if they are no codes.

    Raises:
        ValueError: a size is not positive, or codes are given with several numbers at a position.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import SequenceEntry, Stream
        >>> entry, codes = SequenceEntry(4, values=256), torch.tensor([[[3.0, 200.0, 7.0]]])
        >>> columns = entry(codes)
        >>> torch.equal(columns[..., 1], entry.table(torch.tensor([3]))), torch.equal(columns[..., 2], entry(codes, Stream(2)))
        (True, True)
    """

    def __init__(self, channels: int, values: int | None = None, inputs: int = 1) -> None:
        super().__init__()
        if min(channels, inputs, values or 1) < 1 or (values is not None and (inputs > 1 or values < 1)):
            raise ValueError(
                "`channels`, `values` and `inputs` must be positive, and codes stand one at a position; "
                f"got {channels}, {values} and {inputs}."
            )
        self.values = values
        self.table = None if values is None else nn.Embedding(values, channels)
        self.map = Pointwise(inputs, channels) if values is None else None
        self.start = nn.Parameter(torch.zeros(channels))

    def forward(self, canvas: Tensor, stream: Stream | None = None) -> Tensor:
        """Values ``[N, C, T]`` to columns ``[N, channels, T]``, or to the column ``[N, channels]`` at a stream's position."""
        if stream is None:
            start = self.start[:, None].expand(len(canvas), -1, 1)
            return torch.cat([start, self._columns(canvas[..., :-1])], -1)
        position = cast("int | Tensor", stream.position)  # a tensor while a step is recorded
        if isinstance(position, int) and position == 0:
            return self.start.expand(len(canvas), -1)
        return self._columns(column_at(canvas, position - 1, 2))

    def _columns(self, values: Tensor) -> Tensor:
        """``[N, C, T]`` to ``[N, channels, T]``, or ``[N, C]`` to ``[N, channels]``."""
        if self.table is None:
            mapped: Tensor = self.map(values)  # type: ignore[misc]
            return mapped
        codes = values.squeeze(1).nan_to_num().clamp(0, self.table.num_embeddings - 1).long()  # other values have no mass
        return F.embedding(codes, self.table.weight).movedim(-1, 1)
